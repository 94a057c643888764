"""Jobs in the catalog: their tries, their logs and how they end."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import Final, TypedDict, Unpack

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from duplicator.catalog.processes import identity
from duplicator.catalog.records import CopyState, Job, JobEvent, JobKind, JobState, JobTry
from duplicator.catalog.tables import CopyRow, EventRow, FragmentRow, JobRow, TapeFileRow, TryRow
from duplicator.catalog.transactions import Transactions, find_job, no_job, now
from duplicator.status import Status

__all__ = ["JobChanges", "Jobs", "begin_try", "end_try", "leave_copy", "leave_unfinished", "new_job"]

_JOBS: Final = JobRow.metadata.tables[JobRow.__tablename__]
# Made once, and without rows as objects: a job has some thirty lines.
_IN_STEP: Final = (
    update(_JOBS).where(_JOBS.c.id == bindparam("number")).values(step=bindparam("now_in")).returning(_JOBS.c.tries)
)
_ADD_LINE: Final = insert(EventRow.metadata.tables[EventRow.__tablename__])


class JobChanges(TypedDict, total=False):
    """What becomes known of a job while it runs, by the names of :class:`Job`."""

    priority: int
    policy: str
    route: str
    agents: str
    drive: str
    volume: str


class Jobs(Transactions):
    """The jobs."""

    def start_job(
        self,
        kind: JobKind,
        *,
        image: str,
        source: str,
        target: str,
        bytes_total: int | None = None,
        started: datetime | None = None,
    ) -> int:
        """Record a running job of this process; gives its number. The URLs hold no secret."""
        row = new_job(kind, image=image, source=source, target=target, queued=now(started))
        row.bytes_total = bytes_total
        with self._transaction(writes=True) as session:
            begin_try(session, row, now(started))
            return row.id

    def update_job(self, job_id: int, **changes: Unpack[JobChanges]) -> None:
        """Change what is given."""
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            for name, value in changes.items():
                setattr(row, name, value)

    def event(self, job_id: int, step: str, text: str, *, time: datetime | None = None) -> None:
        """Add a line to a job's log; ``step`` becomes the step the job is in."""
        line = {"job_id": job_id, "time": now(time), "step": step, "text": text}
        with self._transaction(writes=True, passing=True) as session:
            connection = session.connection()
            attempt = connection.scalar(_IN_STEP, {"number": job_id, "now_in": step})
            if attempt is None:
                raise no_job(job_id)
            connection.execute(_ADD_LINE, {**line, "attempt": attempt})

    def progress(self, job_id: int, bytes_moved: int, *, bytes_total: int | None = None) -> None:
        """Record how far a job is; ``bytes_total`` where it became known only now."""
        with self._transaction(writes=True, passing=True) as session:
            row = find_job(session, job_id)
            row.bytes_moved = bytes_moved
            row.bytes_total = row.bytes_total if bytes_total is None else bytes_total

    def finish_job(
        self, job_id: int, state: JobState, *, status: Status, reason: str = "", ended: datetime | None = None
    ) -> None:
        """Record how a job ended; its step stays the last one it was in."""
        with self._transaction(writes=True) as session:
            row = find_job(session, job_id)
            row.state, row.status, row.reason, row.ended = state, int(status), reason, now(ended)
            end_try(session, row)

    def mark_dead_jobs(self, *, time: datetime | None = None) -> list[Job]:
        """Mark running jobs whose process on this host is gone, and the copies they were writing; gives the jobs.

        A copy with committed fragments is INCOMPLETE then, another one FAILED; what was not committed is dead space.
        """
        mine = select(JobRow).where(JobRow.state == JobState.RUNNING, JobRow.host == socket.gethostname())
        with self._transaction(writes=True) as session:
            dead = [row for row in session.scalars(mine.order_by(JobRow.id)) if identity(row.pid) != row.process]
            for row in dead:
                row.state, row.ended, row.reason = JobState.DIED, now(time), _last_words(row)
                end_try(session, row)
                leave_copy(session, row.copy_id)
            return [row.record() for row in dead]

    def job(self, job_id: int) -> Job:
        """One job; CatalogError if there is none of that number."""
        with self._transaction(writes=False) as session:
            return find_job(session, job_id).record()

    def jobs(self, *, limit: int | None = None) -> list[Job]:
        """The newest jobs, newest first."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(select(JobRow).order_by(JobRow.id.desc()).limit(limit))]

    def events(self, job_id: int) -> list[JobEvent]:
        """A job's log, oldest line first."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in find_job(session, job_id).events]

    def tries(self, job_id: int) -> list[JobTry]:
        """How often a job was run, and how each run ended; oldest first."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in find_job(session, job_id).runs]


def new_job(kind: JobKind, *, image: str, source: str, target: str, queued: datetime) -> JobRow:
    """A job that has not run yet."""
    return JobRow(
        kind=kind,
        state=JobState.QUEUED,
        step="",
        reason="",
        image=image,
        source=source,
        target=target,
        priority=0,
        tries=0,
        policy="",
        route="",
        agents="",
        drive="",
        volume="",
        queued=queued,
        bytes_moved=0,
        request="",
        pid=0,
        host="",
        process="",
    )


def begin_try(session: Session, row: JobRow, time: datetime) -> None:
    """This process runs the job now."""
    pid = os.getpid()
    row.pid, row.host, row.process = pid, socket.gethostname(), identity(pid) or ""
    row.state, row.status, row.reason, row.stop = JobState.RUNNING, None, "", None
    row.started, row.ended, row.not_before = time, None, None
    row.tries += 1
    session.add(row)
    session.flush()
    session.add(TryRow(job_id=row.id, number=row.tries, started=time, reason=""))


def end_try(session: Session, row: JobRow) -> None:
    """The last try ends as its job does."""
    last = session.get(TryRow, (row.id, row.tries))
    if last is not None:
        last.ended, last.status, last.reason = row.ended, row.status, row.reason


def leave_copy(session: Session, copy_id: str | None) -> None:
    """The process that wrote this copy is gone."""
    copy = session.get(CopyRow, copy_id) if copy_id else None
    if copy is None or copy.state is not CopyState.WRITING:
        return
    leave_unfinished(session, copy)
    copy.state = CopyState.INCOMPLETE if copy.fragments else CopyState.FAILED


def leave_unfinished(session: Session, copy: CopyRow) -> None:
    """Nothing more comes to the fragments that are not committed: what is on tape of them is dead space."""
    unfinished = select(FragmentRow.index).where(FragmentRow.copy_id == copy.id, FragmentRow.size.is_(None))
    begun = TapeFileRow.copy_id == copy.id, TapeFileRow.fragment.in_(unfinished)
    session.execute(update(TapeFileRow).where(*begun).values(fragment=None))
    for fragment in session.scalars(select(FragmentRow).filter_by(copy_id=copy.id, size=None)):
        session.delete(fragment)


def _last_words(row: JobRow) -> str:
    total = "" if row.bytes_total is None else f" of {row.bytes_total}"
    step = f"at step {row.step!r}" if row.step else "before its first step"
    return f"process {row.pid} ended {step}, after {row.bytes_moved}{total} bytes"
