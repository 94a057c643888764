"""Jobs that wait, are taken, fail, wait again, and are stopped."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from duplicator.catalog import Catalog, CatalogError, JobEvent, JobKind, JobState, JobTry, Stop
from duplicator.status import Status
from tests.duplicator.catalog.facts import COPY, NOON, SECOND, copy, script, sql, start, start_together

BROKEN = Status.CONNECTION_BROKEN


def queue(catalog: Catalog, name: str, *, priority: int = 0, delay: timedelta | None = None) -> int:
    return catalog.queue_job(
        JobKind.DUPLICATE,
        image=name,
        source="ndmp://u@a:1/lsu0",
        target="pool1",
        request={"image": name, "präfix": [1, None]},
        priority=priority,
        policy="daily",
        not_before=None if delay is None else NOON + delay,
        time=NOON,
    )


def test_a_queued_job(catalog: Catalog) -> None:
    job = catalog.job(queue(catalog, "a", priority=7, delay=SECOND))
    assert (job.state, job.priority, job.policy, job.tries) == (JobState.QUEUED, 7, "daily", 0)
    assert (job.queued, job.not_before, job.started, job.pid) == (NOON, NOON + SECOND, None, 0)
    assert json.loads(job.request) == {"image": "a", "präfix": [1, None]}
    assert catalog.tries(job.id) == []
    with pytest.raises(ValueError, match="not JSON compliant"):
        catalog.queue_job(JobKind.VERIFY, image="", source="", target="", request={"a": float("nan")})


def test_jobs_are_taken_by_priority_then_age_when_they_are_due(catalog: Catalog) -> None:
    a, b, c = queue(catalog, "a"), queue(catalog, "b", priority=1), queue(catalog, "c", priority=1)
    later = queue(catalog, "later", priority=9, delay=10 * SECOND)
    start(catalog)
    assert catalog.next_due() == NOON
    taken = []
    for _ in range(3):
        job = catalog.next_job(time=NOON)
        assert job is not None
        assert (job.state, job.tries, job.started) == (JobState.RUNNING, 1, NOON)
        taken.append(job.id)
    assert taken == [b, c, a]
    assert catalog.next_job(time=NOON) is None
    assert catalog.next_due() == NOON + 10 * SECOND
    assert catalog.next_job(among=[a], time=NOON + 10 * SECOND) is None
    job = catalog.next_job(among=[a, later], time=NOON + 10 * SECOND)
    assert job is not None
    assert (job.id, job.not_before) == (later, None)
    assert catalog.next_due() is None


def test_a_job_that_fails_waits_and_runs_again(catalog: Catalog) -> None:
    number = queue(catalog, "a")
    assert catalog.next_job(time=NOON) is not None
    catalog.event(number, "move data", "it flows", time=NOON)
    catalog.retry_job(number, not_before=NOON + 60 * SECOND, status=BROKEN, reason="gone", ended=NOON + SECOND)
    job = catalog.job(number)
    assert (job.state, job.status, job.reason, job.not_before) == (
        JobState.WAITING,
        BROKEN,
        "gone",
        NOON + 60 * SECOND,
    )
    assert job.ended is None
    assert catalog.next_job(time=NOON + 59 * SECOND) is None
    again = catalog.next_job(time=NOON + 60 * SECOND)
    assert again is not None
    assert (again.tries, again.status, again.reason, again.ended) == (2, None, "", None)
    catalog.event(number, "move data", "it flows again", time=NOON + 61 * SECOND)
    catalog.finish_job(number, JobState.DONE, status=Status.SUCCESS, ended=NOON + 62 * SECOND)
    assert catalog.tries(number) == [
        JobTry(1, NOON, NOON + SECOND, BROKEN, "gone"),
        JobTry(2, NOON + 60 * SECOND, NOON + 62 * SECOND, Status.SUCCESS, ""),
    ]
    assert catalog.events(number) == [
        JobEvent(NOON, "move data", "it flows", 1),
        JobEvent(NOON + 61 * SECOND, "move data", "it flows again", 2),
    ]


def test_what_becomes_known_while_it_runs(catalog: Catalog) -> None:
    number = start(catalog)
    catalog.update_job(number, route="direct", agents="m1, m2", drive="d1", volume="ND0001", priority=3)
    job = catalog.job(number)
    assert (job.route, job.agents, job.drive, job.volume, job.priority) == ("direct", "m1, m2", "d1", "ND0001", 3)


def test_stopping(catalog: Catalog) -> None:
    waiting, running = queue(catalog, "a"), start(catalog)
    assert catalog.stop_asked(running) is None
    for stop, told in ((Stop.SUSPEND, Stop.SUSPEND), (Stop.CANCEL, Stop.CANCEL), (Stop.SUSPEND, Stop.CANCEL)):
        assert catalog.ask_to_stop(running, stop).state is JobState.RUNNING
        assert catalog.stop_asked(running) is told
    catalog.finish_job(running, JobState.CANCELLED, status=Status.CANCELLED)
    suspended = catalog.ask_to_stop(waiting, Stop.SUSPEND, time=NOON)
    assert (suspended.state, suspended.status, suspended.ended) == (JobState.SUSPENDED, Status.CANCELLED, NOON)
    assert catalog.next_job() is None
    assert catalog.ask_to_stop(waiting, Stop.CANCEL).state is JobState.CANCELLED
    for number in (waiting, running):
        with pytest.raises(CatalogError, match="has ended: it is cancelled"):
            catalog.ask_to_stop(number, Stop.CANCEL)


def test_going_on(catalog: Catalog) -> None:
    number, commanded = queue(catalog, "a"), start(catalog)
    with pytest.raises(CatalogError, match="is queued"):
        catalog.requeue_job(number)
    catalog.ask_to_stop(number, Stop.SUSPEND)
    catalog.requeue_job(number, not_before=NOON)
    job = catalog.next_job(time=NOON)
    assert job is not None
    assert (job.id, job.stop, job.ended) == (number, None, None)
    for call in (catalog.begin_job, catalog.requeue_job):
        with pytest.raises(CatalogError, match="is running"):
            call(number)
    catalog.finish_job(number, JobState.DONE, status=Status.SUCCESS)
    with pytest.raises(CatalogError, match="is done"):
        catalog.begin_job(number)
    catalog.finish_job(commanded, JobState.FAILED, status=BROKEN)
    with pytest.raises(CatalogError, match="has no request in the catalog"):
        catalog.requeue_job(commanded)
    assert catalog.begin_job(commanded, time=NOON).tries == 2


def test_a_dead_job_can_be_queued_again(catalog: Catalog, url: str) -> None:
    number = queue(catalog, "a")
    process = script(url, "job = catalog.next_job()\nprint(job.id, flush=True)\nos.kill(os.getpid(), 9)")
    assert process.communicate(timeout=60)[0] == f"{number}\n"
    assert [job.id for job in catalog.mark_dead_jobs()] == [number]
    catalog.requeue_job(number)
    job = catalog.next_job()
    assert job is not None
    assert job.tries == 2


def test_each_job_is_taken_once(catalog: Catalog, url: str) -> None:
    numbers = [queue(catalog, str(number)) for number in range(40)]
    body = "while (job := catalog.next_job()) is not None: print(job.id)"
    taken = [process.communicate(timeout=60)[0].split() for process in start_together(url, [body] * 2)]
    assert sorted(int(number) for lines in taken for number in lines) == numbers
    assert all(catalog.job(number).tries == 1 for number in numbers)


def test_old_jobs_are_forgotten_and_their_copies_stay(catalog: Catalog, url: str) -> None:
    old, new, running, queued = start(catalog), start(catalog), start(catalog), queue(catalog, "a")
    copy(catalog, job_id=old)
    for number, ended in ((old, NOON), (new, NOON + SECOND)):
        catalog.event(number, "step", "text")
        catalog.finish_job(number, JobState.DONE, status=Status.SUCCESS, ended=ended)
    assert catalog.forget_jobs(before=NOON + SECOND) == 1
    assert [job.id for job in catalog.jobs()] == [queued, running, new]
    assert catalog.copy(COPY).job_id is None
    for table in ("job_events", "job_tries"):
        assert sql(url, f"SELECT job_id FROM {table} WHERE job_id = :old", old=old) == []


def test_jobs_among_many_that_do_not_follow_each_other(catalog: Catalog) -> None:
    numbers = [queue(catalog, f"{number}") for number in range(230)]
    for wanted in ([numbers[7], *numbers[3:6]], numbers[1::2], numbers[201:], []):
        expected = min(wanted, default=None)
        due = catalog.next_due(among=wanted)
        job = catalog.next_job(among=wanted)
        assert (job.id if job else None, due is None) == (expected, not wanted)
