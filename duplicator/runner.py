"""Runs queued jobs: several at once in one process, each with a drive of its own, until none of them is left to run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from duplicator.catalog import Catalog, CatalogError, Job, Stop
from duplicator.endings import outlived
from duplicator.orders import CopyOrder
from duplicator.plan import JobResult
from duplicator.recorder import Watcher
from duplicator.status import JobError, Status

__all__ = ["RunJob", "Runner", "is_worth_another_try"]

_log: Final = logging.getLogger(__name__)
_LOOK: Final = 1.0
"""Seconds between looks at what others ask of running jobs, and for jobs that become due."""
_PASSING: Final = frozenset(
    {
        Status.CONNECTION_BROKEN,
        Status.CONNECTION_TIMED_OUT,
        Status.CONNECT_TIMED_OUT,
        Status.MEDIA_OPEN_ERROR,
        Status.MEDIA_WRITE_ERROR,
        Status.MEDIA_READ_ERROR,
        Status.MEDIA_POSITION_ERROR,
        Status.MEDIA_CLOSE_ERROR,
        Status.NO_DRIVES,
        Status.DRIVES_DOWN,
    }
)
"""What may be over by itself a little later, or with another volume or drive."""

RunJob: TypeAlias = Callable[[Job, Watcher], Coroutine[Any, Any, JobResult]]
"""One try of a job that the catalog has as running; it records how that ended."""


def is_worth_another_try(status: Status) -> bool:
    """Whether a job that ended so may succeed if nothing but time passes."""
    return status in _PASSING


class Runner:
    """Runs jobs by ``run_job``; ``watcher_of`` makes who watches one."""

    def __init__(self, catalog: Catalog, run_job: RunJob, watcher_of: Callable[[Job], Watcher]) -> None:
        self._catalog = catalog
        self._run_job = run_job
        self._watcher_of = watcher_of
        self._running: dict[int, asyncio.Task[JobResult]] = {}
        self._changed = asyncio.Event()

    async def run(self, numbers: Sequence[int] | None, *, at_once: int) -> list[JobResult]:
        """Run these queued jobs (None: all that are queued), ``at_once`` of them, by priority and age, with retries.

        When cancelled, it cancels those that run, and those of ``numbers`` that did not begin.
        """
        results: list[JobResult] = []
        try:
            async with asyncio.TaskGroup() as group:
                stopping = group.create_task(self._obey())
                workers = [group.create_task(self._work(numbers, results)) for _ in range(at_once)]
                await asyncio.gather(*workers)
                stopping.cancel()
        except asyncio.CancelledError:
            self._cancel_queued(numbers or ())
            raise
        return results

    def _cancel_queued(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            with suppress(CatalogError):  # it has ended
                self._catalog.ask_to_stop(number, Stop.CANCEL)

    async def _work(self, numbers: Sequence[int] | None, results: list[JobResult]) -> None:
        """Take one job after the other, until none is queued and none runs that might be queued again."""
        while True:
            job = self._catalog.next_job(among=numbers)
            if job is not None:
                await self._run(job, results)
                continue
            due = self._catalog.next_due(among=numbers)
            if due is None and not self._running:
                return
            await self._wait(due)

    async def _wait(self, due: datetime | None) -> None:
        """Until a job ends, or one becomes due."""
        seconds = None if due is None else max((due - datetime.now(UTC)).total_seconds(), 0.0)
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _run(self, job: Job, results: list[JobResult]) -> None:
        task = asyncio.ensure_future(outlived(job.image, self._run_job(job, self._watcher_of(job))))
        self._running[job.id] = task
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait((task,))
            raise
        finally:
            del self._running[job.id]
            self._changed.set()
        if task.cancelled():
            results.append(self._stopped(job))
        elif not self._has_another_try(job, task.result()):
            results.append(task.result())

    async def _obey(self) -> None:
        """Cancel the jobs of which somebody asks that, in whatever process; once, so that they can clean up."""
        told: set[asyncio.Task[JobResult]] = set()
        while True:
            try:
                asked = [task for number, task in self._running.items() if self._catalog.stop_asked(number) is not None]
            except CatalogError as error:
                # The jobs themselves will say what that means for them.
                _log.warning("the catalog cannot be asked whether jobs are to stop: %s", error)
                asked = []
            for task in asked:
                if task not in told:
                    told.add(task)
                    task.cancel()
            told &= set(self._running.values())
            await asyncio.sleep(_LOOK)

    def _stopped(self, job: Job) -> JobResult:
        """What became of a job that somebody cancelled or suspended."""
        now = self._catalog.job(job.id)
        return JobResult(
            job_id=now.id,
            status=Status.CANCELLED,
            step=now.step,
            reason=now.reason,
            image=now.image,
            copy_id=now.copy_id,
            volume=now.volume or None,
            size=now.bytes_total or 0,
            move_seconds=0.0,
            validated=False,
        )

    def _has_another_try(self, job: Job, result: JobResult) -> bool:
        """Queue a failed job again, if its order allows and time may help; the pause doubles with each try."""
        if result.status == Status.SUCCESS or not is_worth_another_try(result.status):
            return False
        try:
            order = CopyOrder.from_json(job.request)
        except JobError:
            return False
        if job.tries > order.retries:
            return False
        pause = order.back_off * 2 ** (job.tries - 1)
        self._catalog.retry_job(
            job.id, not_before=datetime.now(UTC) + pause, status=result.status, reason=result.reason
        )
        return True
