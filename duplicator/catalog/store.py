"""The catalog's face: every method is one short transaction, so a killed process leaves what it last said."""

from __future__ import annotations

import os
import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, selectinload

from duplicator.ansi import check_volume_id
from duplicator.catalog.database import CatalogError, default_url, open_engine
from duplicator.catalog.processes import identity
from duplicator.catalog.records import (
    Copy,
    CopyState,
    Fragment,
    Image,
    Job,
    JobEvent,
    JobKind,
    JobState,
    Volume,
    VolumeState,
)
from duplicator.catalog.tables import CopyRow, EventRow, FragmentRow, ImageRow, JobRow, VolumeRow
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

__all__ = ["Catalog"]

_LABEL_PREFIX = "ND"
_LAST_LABEL_NUMBER = 9999
_LABEL_ATTEMPTS = 10


def _now(time: datetime | None) -> datetime:
    return datetime.now(UTC) if time is None else time


class Catalog:
    """A catalog by SQLAlchemy URL (default: a SQLite file of this user); any method may raise CatalogError."""

    def __init__(self, url: str | None = None) -> None:
        self._engine = open_engine(default_url() if url is None else url)
        self._writing_engine = self._engine.execution_options(writes=True)

    def close(self) -> None:
        """Close the connections; the catalog is not used after it."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Session]:
        try:
            with Session(self._writing_engine if writes else self._engine) as session, session.begin():
                yield session
        except IntegrityError as error:
            raise CatalogError(f"the catalog refuses this entry: {error.orig}") from error
        except (SQLAlchemyError, OverflowError) as error:
            # Without the statement and its parameters, where there is a shorter text.
            raise CatalogError(f"the catalog failed: {getattr(error, 'orig', None) or error}") from error

    # Jobs.

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
        pid = os.getpid()
        row = JobRow(
            kind=kind,
            state=JobState.RUNNING,
            step="",
            reason="",
            image=image,
            source=source,
            target=target,
            started=_now(started),
            bytes_total=bytes_total,
            bytes_moved=0,
            pid=pid,
            host=socket.gethostname(),
            process=identity(pid) or "",
        )
        with self._transaction(writes=True) as session:
            session.add(row)
            session.flush()
            return row.id

    def event(self, job_id: int, step: str, text: str, *, time: datetime | None = None) -> None:
        """Add a line to a job's log; ``step`` becomes the step the job is in."""
        with self._transaction(writes=True) as session:
            _job(session, job_id).step = step
            session.add(EventRow(job_id=job_id, time=_now(time), step=step, text=text))

    def progress(self, job_id: int, bytes_moved: int, *, bytes_total: int | None = None) -> None:
        """Record how far a job is; ``bytes_total`` where it became known only now."""
        with self._transaction(writes=True) as session:
            row = _job(session, job_id)
            row.bytes_moved = bytes_moved
            row.bytes_total = row.bytes_total if bytes_total is None else bytes_total

    def finish_job(
        self, job_id: int, state: JobState, *, status: Status, reason: str = "", ended: datetime | None = None
    ) -> None:
        """Record how a job ended; its step stays the last one it was in."""
        with self._transaction(writes=True) as session:
            row = _job(session, job_id)
            row.state, row.status, row.reason, row.ended = state, int(status), reason, _now(ended)

    def mark_dead_jobs(self, *, time: datetime | None = None) -> list[Job]:
        """Mark running jobs whose process on this host is gone, and the copies they were writing; gives the jobs."""
        mine = select(JobRow).where(JobRow.state == JobState.RUNNING, JobRow.host == socket.gethostname())
        with self._transaction(writes=True) as session:
            dead = [row for row in session.scalars(mine.order_by(JobRow.id)) if identity(row.pid) != row.process]
            for row in dead:
                row.state, row.ended, row.reason = JobState.DIED, _now(time), _last_words(row)
            numbers = [row.id for row in dead]
            unfinished = CopyRow.job_id.in_(numbers), CopyRow.state == CopyState.WRITING
            session.execute(update(CopyRow).where(*unfinished).values(state=CopyState.FAILED))
            return [row.record() for row in dead]

    def job(self, job_id: int) -> Job:
        """One job; CatalogError if there is none of that number."""
        with self._transaction(writes=False) as session:
            return _job(session, job_id).record()

    def jobs(self, *, limit: int | None = None) -> list[Job]:
        """The newest jobs, newest first."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(select(JobRow).order_by(JobRow.id.desc()).limit(limit))]

    def events(self, job_id: int) -> list[JobEvent]:
        """A job's log, oldest line first."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in _job(session, job_id).events]

    # Images and copies.

    def record_image(self, *, host: str, unit: str, name: str, size: int, modified: int, fragments: int) -> Image:
        """The image's entry, made if it is new; an image that changed is another one."""
        key = {"host": host, "unit": unit, "name": name, "size": size, "modified": modified}
        with self._transaction(writes=True) as session:
            row = session.scalars(select(ImageRow).filter_by(**key)).one_or_none()
            if row is None:
                row = ImageRow(**key, fragments=fragments)
                session.add(row)
                session.flush()
            return row.record()

    def start_copy(
        self,
        *,
        image_id: int,
        job_id: int | None,
        tape_url: str,
        algorithm: DigestAlgorithm,
        record_bytes: int,
        copy_id: str | None = None,
        created: datetime | None = None,
    ) -> str:
        """Record a copy in state WRITING, and in its job; gives its id, a uuid. The URL holds no secret."""
        row = CopyRow(
            id=copy_id or str(uuid.uuid4()),
            image_id=image_id,
            job_id=job_id,
            state=CopyState.WRITING,
            tape_url=tape_url,
            algorithm=int(algorithm),
            record_bytes=record_bytes,
            created=_now(created),
        )
        with self._transaction(writes=True) as session:
            session.add(row)
            session.flush()
            if job_id is not None:
                _job(session, job_id).copy_id = row.id
            return row.id

    def add_fragments(self, copy_id: str, fragments: Sequence[Fragment]) -> None:
        """Record fragments whose tape files are complete, and count the files on their volumes: all, or none."""
        with self._transaction(writes=True) as session:
            copy = _copy(session, copy_id)
            for fragment in fragments:
                volume = _volume(session, fragment.volume)
                values = {name: getattr(fragment, name) for name in Fragment.__slots__}
                session.add(FragmentRow(copy_id=copy.id, **values))
                volume.files = max(volume.files, fragment.file_sequence)
                volume.size += fragment.blocks * copy.record_bytes

    def set_copy_state(self, copy_id: str, state: CopyState, *, time: datetime | None = None) -> None:
        """Move a copy to another state; VALID takes the time of validation along, any other clears it."""
        with self._transaction(writes=True) as session:
            row = _copy(session, copy_id)
            row.state, row.validated = state, _now(time) if state is CopyState.VALID else None

    def use_copy(self, job_id: int, copy_id: str) -> None:
        """Record which copy a job verifies or restores."""
        with self._transaction(writes=True) as session:
            _job(session, job_id).copy_id = _copy(session, copy_id).id

    def copy(self, prefix: str) -> Copy:
        """The copy whose id begins so; CatalogError when none does, or more than one."""
        found = select(CopyRow).where(CopyRow.id.startswith(prefix.lower(), autoescape=True)).limit(2)
        with self._transaction(writes=False) as session:
            rows = session.scalars(found).all()
            if len(rows) != 1:
                raise CatalogError(f"{'more than one' if rows else 'no'} copy has an id that begins with {prefix!r}")
            return rows[0].record()

    def copies(self) -> list[Copy]:
        """All copies, oldest first."""
        rows = select(CopyRow).options(selectinload(CopyRow.fragments)).order_by(CopyRow.created, CopyRow.id)
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(rows)]

    # Volumes.

    def add_volume(
        self,
        label: str,
        *,
        tape_url: str,
        state: VolumeState = VolumeState.APPENDABLE,
        created: datetime | None = None,
    ) -> Volume:
        """Record a new volume; CatalogError when the label is taken."""
        row = _empty_volume(label, tape_url, state=state, created=created)
        with self._transaction(writes=True) as session:
            session.add(row)
            session.flush()
            return row.record()

    def reserve_volume(self, tape_url: str, label: str | None = None) -> str:
        """Record a new volume before its tape is labelled, so that no other job takes the label; gives the label.

        Without ``label`` it is the next free one; CatalogError when the label is known, or none is free.
        """
        with self._transaction(writes=True) as session:
            if label is None:
                return _reserve_next(session, tape_url)
            if session.get(VolumeRow, label) is not None:
                raise CatalogError(f"the catalog knows volume {label} already")
            session.add(_empty_volume(label, tape_url))
            return label

    def update_volume(
        self, label: str, *, state: VolumeState | None = None, tape_url: str | None = None, files: int | None = None
    ) -> Volume:
        """Change what is given: the state, where it was seen last, how many tape files it holds."""
        changes = {"state": state, "tape_url": tape_url, "files": files}
        with self._transaction(writes=True) as session:
            row = _volume(session, label)
            for name, value in changes.items():
                if value is not None:
                    setattr(row, name, value)
            return row.record()

    def volume(self, label: str) -> Volume | None:
        """One volume, or None when the catalog does not know it."""
        with self._transaction(writes=False) as session:
            row = session.get(VolumeRow, label)
            return row.record() if row else None

    def volumes(self) -> list[Volume]:
        """All volumes by label."""
        with self._transaction(writes=False) as session:
            return [row.record() for row in session.scalars(select(VolumeRow).order_by(VolumeRow.label))]


def _next_label(session: Session) -> str:
    labels = session.scalars(select(VolumeRow.label).where(VolumeRow.label.startswith(_LABEL_PREFIX)))
    numbers = [int(label[2:]) for label in labels if re.fullmatch(f"{_LABEL_PREFIX}[0-9]{{4}}", label)]
    number = max(numbers, default=0) + 1
    if number > _LAST_LABEL_NUMBER:
        raise CatalogError(f"all labels up to {_LABEL_PREFIX}{_LAST_LABEL_NUMBER} are used: choose one by hand")
    return f"{_LABEL_PREFIX}{number:04}"


def _reserve_next(session: Session, tape_url: str) -> str:
    """SQLite lets one writer in at a time; on other databases another one may take the label in between."""
    for _ in range(_LABEL_ATTEMPTS):
        label = _next_label(session)
        with suppress(IntegrityError):
            with session.begin_nested():
                session.add(_empty_volume(label, tape_url))
            return label
    raise CatalogError(f"{_LABEL_ATTEMPTS} labels in a row were taken by others: try again")


def _empty_volume(
    label: str, tape_url: str, *, state: VolumeState = VolumeState.APPENDABLE, created: datetime | None = None
) -> VolumeRow:
    return VolumeRow(
        label=check_volume_id(label), state=state, tape_url=tape_url, files=0, size=0, created=_now(created)
    )


def _job(session: Session, job_id: int) -> JobRow:
    row = session.get(JobRow, job_id)
    if row is None:
        raise CatalogError(f"there is no job {job_id}")
    return row


def _copy(session: Session, copy_id: str) -> CopyRow:
    row = session.get(CopyRow, copy_id)
    if row is None:
        raise CatalogError(f"there is no copy {copy_id}")
    return row


def _volume(session: Session, label: str) -> VolumeRow:
    row = session.get(VolumeRow, label)
    if row is None:
        raise CatalogError(f"the catalog does not know volume {label}")
    return row


def _last_words(row: JobRow) -> str:
    total = "" if row.bytes_total is None else f" of {row.bytes_total}"
    step = f"at step {row.step!r}" if row.step else "before its first step"
    return f"process {row.pid} ended {step}, after {row.bytes_moved}{total} bytes"
