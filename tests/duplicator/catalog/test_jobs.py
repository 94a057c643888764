"""Jobs, from several processes too."""

from __future__ import annotations

import os

import pytest

from duplicator.catalog import Catalog, CopyState, JobKind, JobState
from duplicator.status import Status
from tests.duplicator.catalog.facts import COPY, NOON, SECOND, image, script, sql, start


def test_a_job_from_start_to_end(catalog: Catalog) -> None:
    number = start(catalog)
    job = catalog.job(number)
    assert (job.kind, job.state, job.status, job.step) == (JobKind.DUPLICATE, JobState.RUNNING, None, "")
    assert (job.started, job.ended, job.bytes_moved, job.bytes_total) == (NOON, None, 0, None)
    assert (job.pid, job.image, job.source) == (os.getpid(), "etc.tar", "ndmp://u@a:1/lsu0")
    catalog.event(number, "mount", "tape t0 is ready", time=NOON + SECOND)
    catalog.event(number, "write data", "began", time=NOON + 2 * SECOND)
    catalog.progress(number, 2**41, bytes_total=2**42)
    catalog.progress(number, 2**41 + 1)
    job = catalog.job(number)
    assert (job.step, job.bytes_moved, job.bytes_total) == ("write data", 2**41 + 1, 2**42)
    catalog.finish_job(number, JobState.FAILED, status=Status.MEDIA_WRITE_ERROR, reason="IO_ERR", ended=NOON)
    job = catalog.job(number)
    assert (job.state, job.status, job.reason) == (JobState.FAILED, Status.MEDIA_WRITE_ERROR, "IO_ERR")
    assert (job.step, job.ended) == ("write data", NOON)
    lines = [(event.time - NOON, event.step, event.text) for event in catalog.events(number)]
    assert lines == [(SECOND, "mount", "tape t0 is ready"), (2 * SECOND, "write data", "began")]


def test_jobs_newest_first(catalog: Catalog) -> None:
    numbers = [start(catalog, name) for name in ("a", "b", "c")]
    assert [job.id for job in catalog.jobs()] == numbers[::-1]
    assert [job.image for job in catalog.jobs(limit=2)] == ["c", "b"]


def test_an_unknown_status_number_is_kept(catalog: Catalog) -> None:
    number = start(catalog)
    catalog.finish_job(number, JobState.FAILED, status=Status(2816))
    assert catalog.job(number).status == 2816


def test_several_processes_on_one_catalog(url: str) -> None:
    body = "\n".join(
        [
            "for n in range(10):",
            "    number = start(catalog, f'{os.getpid()}')",
            "    catalog.event(number, 'step', str(n))",
            "    catalog.progress(number, n)",
            "    image(catalog)",
        ]
    )
    processes = [script(url, body) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Catalog(url) as catalog:
        jobs = catalog.jobs()
        assert len({job.id for job in jobs}) == 30
        assert len({job.pid for job in jobs}) == 3
        for process in processes:
            moved = [job.bytes_moved for job in jobs if job.pid == process.pid]
            assert moved == list(range(9, -1, -1))
        assert image(catalog).id == 1


@pytest.mark.parametrize(("committed", "becomes"), [(False, CopyState.FAILED), (True, CopyState.INCOMPLETE)])
def test_a_killed_process_leaves_how_far_it_came(
    catalog: Catalog, url: str, committed: bool, becomes: CopyState
) -> None:
    catalog.add_volume("ND0001", tape_url="")
    mine = start(catalog)
    body = "\n".join(
        [
            "number = start(catalog)",
            "copy(catalog, job_id=number)",
            "if committed: catalog.add_fragments(COPY, [fragment(0, 1)])",
            "catalog.add_section(COPY, 1, '', section(1, 2))",
            "catalog.event(number, 'write data', 'began')",
            "catalog.progress(number, 12345, bytes_total=99999)",
            "print(number, flush=True)",
            "input()",
        ]
    )
    process = script(url, f"committed = {committed}\n{body}")
    assert process.stdout is not None
    number = int(process.stdout.readline())
    assert catalog.mark_dead_jobs() == []
    assert catalog.job(number).state is JobState.RUNNING
    process.kill()
    # WNOWAIT leaves the corpse: a parent that has not yet collected it must not keep the job running.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    dead = catalog.mark_dead_jobs(time=NOON)
    process.communicate(timeout=10)
    assert [job.id for job in dead] == [number]
    job = catalog.job(number)
    assert (job.state, job.status, job.step, job.bytes_moved) == (JobState.DIED, None, "write data", 12345)
    assert job.reason == f"process {process.pid} ended at step 'write data', after 12345 of 99999 bytes"
    assert job.ended == NOON
    assert catalog.copy(COPY).state is becomes
    assert [one.index for one in catalog.copy(COPY).fragments] == [0] * committed
    assert [one.dead for one in catalog.volume_files("ND0001")] == [False] * committed + [True]
    assert [(run.number, run.ended, run.reason) for run in catalog.tries(number)] == [(1, NOON, job.reason)]
    assert catalog.job(mine).state is JobState.RUNNING
    assert catalog.mark_dead_jobs() == []


def test_a_number_that_went_to_another_process_does_not_keep_a_job_alive(catalog: Catalog, url: str) -> None:
    number, elsewhere = start(catalog), start(catalog)
    sql(url, "UPDATE jobs SET process = 'an older one' WHERE id = :number", number=number)
    sql(url, "UPDATE jobs SET host = 'elsewhere', pid = 4999999 WHERE id = :number", number=elsewhere)
    assert [job.id for job in catalog.mark_dead_jobs()] == [number]
