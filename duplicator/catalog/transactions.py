"""Short transactions: every method of the catalog is one, so a killed process leaves what it last said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from duplicator.catalog.database import CatalogError, default_url, open_engine, passing, reading, writing
from duplicator.catalog.tables import CopyRow, JobRow, VolumeRow

__all__ = ["Transactions", "find_copy", "find_job", "find_volume", "no_job", "now"]


def now(time: datetime | None = None) -> datetime:
    """The time that is given, or this moment."""
    return datetime.now(UTC) if time is None else time


class Transactions:
    """A catalog's database, open."""

    def __init__(self, url: str | None = None) -> None:
        self._engine = open_engine(default_url() if url is None else url)
        self._reader, self._writer = reading(self._engine), writing(self._engine)
        self._diary = passing(self._engine)

    def close(self) -> None:
        """Close the connections; the catalog is not used after it."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, writes: bool, passing: bool = False) -> Iterator[Session]:
        """``passing``: what is written only tells how far things are, see :func:`passing`."""
        engine = self._reader if not writes else self._diary if passing else self._writer
        try:
            with Session(engine) as session, session.begin():
                yield session
        except IntegrityError as error:
            raise CatalogError(f"the catalog refuses this entry: {error.orig}") from error
        except (SQLAlchemyError, OverflowError, UnicodeError) as error:
            # Without the statement and its parameters, where there is a shorter text.
            raise CatalogError(f"the catalog failed: {getattr(error, 'orig', None) or error}") from error


def find_job(session: Session, job_id: int) -> JobRow:
    """The job's row; CatalogError if there is none."""
    row = session.get(JobRow, job_id)
    if row is None:
        raise no_job(job_id)
    return row


def no_job(job_id: int) -> CatalogError:
    """That there is none of this number."""
    return CatalogError(f"there is no job {job_id}")


def find_copy(session: Session, copy_id: str) -> CopyRow:
    """The copy's row by its whole id; CatalogError if there is none."""
    row = session.get(CopyRow, copy_id)
    if row is None:
        raise CatalogError(f"there is no copy {copy_id}")
    return row


def find_volume(session: Session, label: str) -> VolumeRow:
    """The volume's row; CatalogError if there is none."""
    row = session.get(VolumeRow, label)
    if row is None:
        raise CatalogError(f"the catalog does not know volume {label}")
    return row
