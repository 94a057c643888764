"""Jobs that wait in the catalog for a process to run them, and what others ask of those that run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, false, func, or_, select

from duplicator.catalog.database import CatalogError
from duplicator.catalog.jobs import begin_try, end_try, new_job
from duplicator.catalog.records import Job, JobKind, JobState, Stop
from duplicator.catalog.tables import JobRow
from duplicator.catalog.transactions import Transactions, find_job, now
from duplicator.status import Status

__all__ = ["Queue"]

_QUEUED: Final = frozenset({JobState.QUEUED, JobState.WAITING})
_ENDED: Final = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.DIED})
_AFTER: Final[Mapping[Stop, JobState]] = {Stop.CANCEL: JobState.CANCELLED, Stop.SUSPEND: JobState.SUSPENDED}
_MANY_STRETCHES: Final = 100
"""More alternatives than that are a list: databases limit how deep a condition may be."""
_STOPPED_TEXT: Final[Mapping[Stop, str]] = {
    Stop.CANCEL: "cancelled before it ran",
    Stop.SUSPEND: "suspended before it ran",
}


class Queue(Transactions):
    """The jobs that do not run yet, or not again yet."""

    def queue_job(
        self,
        kind: JobKind,
        *,
        image: str,
        source: str,
        target: str,
        request: Mapping[str, Any],
        priority: int = 0,
        policy: str = "",
        not_before: datetime | None = None,
        time: datetime | None = None,
    ) -> int:
        """Record a job for later; gives its number. ``request`` says all of it in JSON; it holds no secret."""
        row = new_job(kind, image=image, source=source, target=target, queued=now(time))
        row.priority, row.policy, row.not_before = priority, policy, not_before
        row.request = json.dumps(request, ensure_ascii=False, allow_nan=False)
        with self._transaction(writes=True) as session:
            session.add(row)
            session.flush()
            return row.id

    def next_job(self, *, among: Sequence[int] | None = None, time: datetime | None = None) -> Job | None:
        """Take the job that is due, with the highest priority, and the longest in the queue; it runs from now on.

        ``among``: only these. None when none is due.
        """
        due = or_(JobRow.not_before.is_(None), JobRow.not_before <= now(time))
        first = select(JobRow).where(due, *_among(among)).order_by(JobRow.priority.desc(), JobRow.id).limit(1)
        with self._transaction(writes=True) as session:
            # State by state, as then the index has them in their turn.
            found = [session.scalars(first.where(JobRow.state == state)).one_or_none() for state in _QUEUED]
            row = min(filter(None, found), key=lambda each: (-each.priority, each.id), default=None)
            if row is None:
                return None
            begin_try(session, row, now(time))
            return row.record()

    def next_due(self, *, among: Sequence[int] | None = None) -> datetime | None:
        """When the next queued job may begin; None when there is none."""
        first = select(func.min(func.coalesce(JobRow.not_before, JobRow.queued), type_=JobRow.queued.type))
        with self._transaction(writes=False) as session:
            return session.scalar(first.where(JobRow.state.in_(_QUEUED), *_among(among)))

    def begin_job(self, job_id: int, *, time: datetime | None = None) -> Job:
        """Take one job, whether it is due or not, suspended, failed or dead; CatalogError if it runs, or is done."""
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            if row.state in {JobState.RUNNING, JobState.DONE}:
                raise CatalogError(f"job {job_id} is {row.state.value}")
            begin_try(session, row, now(time))
            return row.record()

    def requeue_job(self, job_id: int, *, not_before: datetime | None = None) -> None:
        """Have a job that was suspended, or ended without success, run again; CatalogError for others.

        Only a job that was queued once: of others nobody knows what to do.
        """
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            if row.state in _QUEUED | {JobState.RUNNING, JobState.DONE}:
                raise CatalogError(f"job {job_id} is {row.state.value}")
            if not row.request:
                raise CatalogError(f"job {job_id} has no request in the catalog: give its command again")
            row.state, row.not_before, row.ended, row.stop = JobState.QUEUED, not_before, None, None

    def retry_job(
        self,
        job_id: int,
        *,
        not_before: datetime,
        status: Status,
        reason: str,
        ended: datetime | None = None,
    ) -> None:
        """End a try of a running job that failed, and have it wait for the next one."""
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            row.state, row.status, row.reason, row.ended = JobState.WAITING, int(status), reason, now(ended)
            end_try(session, row)
            row.ended, row.not_before = None, not_before

    def ask_to_stop(self, job_id: int, stop: Stop, *, time: datetime | None = None) -> Job:
        """Cancel or suspend a job: one that runs is told (its process looks), others at once.

        CatalogError for a job that has ended. Who asked to suspend may still cancel.
        """
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            if row.state in _ENDED:
                raise CatalogError(f"job {job_id} has ended: it is {row.state.value}")
            if row.state is JobState.RUNNING:
                row.stop = Stop.CANCEL if row.stop is Stop.CANCEL else stop
            else:
                row.state, row.status, row.reason = _AFTER[stop], int(Status.CANCELLED), _STOPPED_TEXT[stop]
                row.ended = now(time)
            return row.record()

    def stop_asked(self, job_id: int) -> Stop | None:
        """What somebody asks of a running job."""
        with self._transaction(writes=False) as session:
            return find_job(session, job_id).stop

    def forget_jobs(self, *, before: datetime) -> int:
        """Drop jobs that ended before, with their tries and logs; gives how many. Copies stay."""
        old = JobRow.state.in_(_ENDED), JobRow.ended < before
        with self._transaction(writes=True) as session:
            return len(session.scalars(delete(JobRow).where(*old).returning(JobRow.id)).all())


def _among(numbers: Sequence[int] | None) -> list[ColumnElement[bool]]:
    """In stretches, as numbers of jobs that were queued together follow each other: thousands are one condition."""
    if numbers is None:
        return []
    stretches = _stretches(numbers)
    if len(stretches) > _MANY_STRETCHES:
        return [JobRow.id.in_(numbers)]
    number = JobRow.id + 0  # Not to be looked up by: whose turn it is, another index tells.
    return [or_(false(), *(number.between(first, last) for first, last in stretches))]


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and the last of numbers that follow each other."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number <= found[-1][1] + 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found
