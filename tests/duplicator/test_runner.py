"""Running jobs of the queue: who asks one of them to stop is obeyed once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, Job, JobKind, JobState, Stop
from duplicator.plan import JobResult
from duplicator.recorder import Watcher
from duplicator.runner import Runner
from duplicator.status import Status
from tests.duplicator.broker.virtual_time import run
from tests.duplicator.robots import Told

_CLEANING_UP = 600.0
"""Seconds that a tape takes to be cut back; the runner looks every second what is asked of its jobs."""


@pytest.mark.parametrize(
    ("stop", "state", "word"),
    [(Stop.CANCEL, JobState.CANCELLED, "cancelled"), (Stop.SUSPEND, JobState.SUSPENDED, "suspended")],
)
def test_a_job_that_is_stopped_cleans_up_to_its_end(tmp_path: Path, stop: Stop, state: JobState, word: str) -> None:
    with Catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        cleaned = list[int]()

        async def work(job: Job, watcher: Watcher) -> JobResult:
            try:
                catalog.ask_to_stop(job.id, stop)
                await asyncio.sleep(10 * _CLEANING_UP)
            except asyncio.CancelledError:
                await asyncio.sleep(_CLEANING_UP)
                cleaned.append(job.id)
                catalog.finish_job(job.id, state, status=Status.CANCELLED, reason=f"{word} at step 'move data'")
                raise
            raise AssertionError("nobody stopped it")

        number = catalog.queue_job(JobKind.DUPLICATE, image="mail.tar", source="disk1", target="tape1", request={})
        (result,) = run(Runner(catalog, work, lambda _: Told()).run([number], at_once=1))
        assert cleaned == [number]
        assert catalog.job(number).state is state
        assert (result.job_id, result.status, result.validated) == (number, Status.CANCELLED, False)
        assert result.reason == f"{word} at step 'move data'"
