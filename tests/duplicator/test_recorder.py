"""The record of a job whose catalog fails midway: the job ends in order, and says so."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, JobKind, JobState
from duplicator.cli.batch import Batch
from duplicator.job import Outcome, recorded, result, tidy
from duplicator.plan import JobResult, Step
from duplicator.recorder import Progress, Recorder, Watcher
from duplicator.status import JobError, Status

CATALOG_FAILED = 220
GONE = "the disk is gone"


class Lines:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        self.lines.append(f"{step}: {text}")

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(file: Path) -> Iterator[Catalog]:
    with Catalog(f"sqlite:///{file}") as opened:
        yield opened


def sql(file: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def refuse(file: Path, what: str, when: str = "1") -> None:
    """From now on the database refuses such changes, whoever makes them."""
    sql(file, f"CREATE TRIGGER refusal BEFORE {what} WHEN {when} BEGIN SELECT RAISE(ABORT, '{GONE}'); END")


def start(catalog: Catalog, watcher: Watcher) -> Recorder:
    number = catalog.start_job(JobKind.DUPLICATE, image="a", source="", target="")
    return Recorder(catalog, number, watcher)


def run(recorder: Recorder, *steps: Step, cleaned: list[str]) -> Outcome:
    """A job of these steps, with something to clean up."""

    async def clean() -> None:
        cleaned.append("yes")

    async def job() -> Outcome:
        async with recorded(recorder) as outcome:
            try:
                for step in steps:
                    recorder.step(step, "it begins")
                    recorder.note("it goes on")
                    recorder.progress(1)
            finally:
                await tidy(recorder, "closing", clean())
                await tidy(recorder, "rewinding", clean())
        return outcome

    return asyncio.run(job())


def test_a_failure_ends_the_job_at_a_step_boundary(catalog: Catalog, file: Path) -> None:
    failures = [
        ("INSERT ON job_events", "NEW.text = 'it begins' AND NEW.step = 'move data'", Step.MOVE),
        ("INSERT ON job_events", "NEW.text = 'it goes on'", Step.WRITE_OPEN),
        ("UPDATE OF bytes_moved ON jobs", "NEW.bytes_moved = 1", Step.WRITE_OPEN),
    ]
    for what, when, step in failures:
        refuse(file, what, when)
        watcher, cleaned = Lines(), list[str]()
        recorder = start(catalog, watcher)
        outcome = run(recorder, Step.WRITE_OPEN, Step.MOVE, Step.DONE, cleaned=cleaned)
        sql(file, "DROP TRIGGER refusal")
        assert (outcome.status, recorder.current) == (CATALOG_FAILED, step), what
        assert GONE in outcome.reason
        assert cleaned == ["yes", "yes"]
        told = [line for line in watcher.lines if "the catalog cannot be written: " in line]
        assert len(told) == 1, watcher.lines
        assert told[0].startswith(f"{step.value}: ")
        job = catalog.job(recorder.job_id)
        # Its step is the last one that could be recorded.
        assert (job.state, job.status, job.step) == (JobState.FAILED, CATALOG_FAILED, Step.WRITE_OPEN.value)
        assert job.reason == outcome.reason


def test_a_failure_after_the_last_step_is_not_lost(catalog: Catalog, file: Path) -> None:
    refuse(file, "INSERT ON job_events", "NEW.text = 'it goes on'")
    recorder = start(catalog, Lines())
    outcome = run(recorder, Step.DONE, cleaned=[])
    job = catalog.job(recorder.job_id)
    assert (outcome.status, job.state, job.status) == (CATALOG_FAILED, JobState.FAILED, CATALOG_FAILED)


def test_a_job_whose_end_cannot_be_recorded_has_failed(catalog: Catalog, file: Path) -> None:
    refuse(file, "UPDATE OF state ON jobs")
    watcher, cleaned = Lines(), list[str]()
    recorder = start(catalog, watcher)
    outcome = run(recorder, Step.MOVE, Step.DONE, cleaned=cleaned)
    assert outcome.status == CATALOG_FAILED
    assert GONE in outcome.reason
    assert watcher.lines[-1].startswith("done: status 220: ")
    assert catalog.job(recorder.job_id).state is JobState.RUNNING
    ended = result(recorder, outcome, image="a", copy_id=None, volumes=[], size=1)
    assert (ended.status, ended.validated) == (CATALOG_FAILED, False)


def test_cancellation_and_the_first_reason_survive_a_dead_catalog(catalog: Catalog, file: Path) -> None:
    refuse(file, "UPDATE ON jobs")

    def fail(error: BaseException) -> None:
        raise error

    async def job(error: BaseException) -> Outcome:
        recorder = start(catalog, Lines())
        async with recorded(recorder) as outcome:
            recorder.note("goes nowhere")
            fail(error)
        return outcome

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(job(asyncio.CancelledError()))
    with pytest.raises(ZeroDivisionError):
        asyncio.run(job(ZeroDivisionError()))
    reason = JobError(Status.MEDIA_WRITE_ERROR, step="move", reason="the drive broke")
    outcome = asyncio.run(job(reason))
    assert (outcome.status, outcome.reason) == (84, "the drive broke")


def test_what_the_job_itself_asks_of_the_catalog(catalog: Catalog) -> None:
    async def job() -> Outcome:
        async with recorded(start(catalog, Lines())) as outcome:
            catalog.copy("absent")
        return outcome

    outcome = asyncio.run(job())
    assert outcome.status == CATALOG_FAILED
    assert "no copy" in outcome.reason
    assert catalog.jobs()[0].status == CATALOG_FAILED


def test_a_batch_goes_on(catalog: Catalog, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def good(watcher: Watcher) -> JobResult:
        recorder = start(catalog, watcher)
        async with recorded(recorder) as outcome:
            recorder.step(Step.DONE, "fine")
        return result(recorder, outcome, image="good", copy_id=None, volumes=[], size=0)

    async def unknown(_: Watcher) -> JobResult:
        catalog.copy("absent")
        raise AssertionError

    async def buggy(_: Watcher) -> JobResult:
        raise ZeroDivisionError("a bug")

    batch = Batch()
    batch.run([("one", unknown), ("two", buggy), ("three", good)])
    batch.report(as_json=True)
    output, complaints = capsys.readouterr()
    document = json.loads(output)
    assert document["success"] is False
    ended = [(job["image"], job["status"], job["validated"]) for job in document["jobs"]]
    assert ended == [("one", CATALOG_FAILED, False), ("two", 99, False), ("good", 0, True)]
    assert "ndmpdup: one: status 220, " in complaints
    assert "ndmpdup: two: status 99, " in complaints
    assert "ZeroDivisionError: a bug" in complaints
    assert batch.results[2].job_id == 1
