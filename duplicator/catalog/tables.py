"""The catalog's tables, and how a row becomes a record."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import BigInteger, DateTime, Dialect, ForeignKey, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from duplicator.catalog import records
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

__all__ = [
    "SCHEMA_VERSION",
    "Base",
    "CopyRow",
    "EventRow",
    "FragmentRow",
    "ImageRow",
    "JobRow",
    "SchemaRow",
    "VolumeRow",
]

SCHEMA_VERSION = 1
"""Raised by one whenever a table changes."""


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            text = "a time without a zone"
            raise ValueError(text)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_E = TypeVar("_E", bound=Enum)


class EnumText(TypeDecorator[_E]):
    """An enum kept as its text."""

    impl = String(16)
    cache_ok = True

    def __init__(self, enum: type[_E]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: _E | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value.value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> _E | None:  # noqa: ANN401
        return None if value is None else self.enum(value)


class Base(DeclarativeBase):
    """The catalog's schema."""

    type_annotation_map = {int: BigInteger, str: Text, datetime: UtcTime, bytes: LargeBinary}  # noqa: RUF012


class SchemaRow(Base):
    """One row: the version of the tables."""

    __tablename__ = "schema_version"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class ImageRow(Base):
    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("host", "unit", "name", "modified", "size"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    host: Mapped[str]
    unit: Mapped[str]
    name: Mapped[str]
    size: Mapped[int]
    modified: Mapped[int]
    fragments: Mapped[int]

    def record(self) -> records.Image:
        """The row as callers get it."""
        return records.Image(self.id, self.host, self.unit, self.name, self.size, self.modified, self.fragments)


class VolumeRow(Base):
    __tablename__ = "volumes"
    label: Mapped[str] = mapped_column(String(6), primary_key=True)
    state: Mapped[records.VolumeState] = mapped_column(EnumText(records.VolumeState))
    tape_url: Mapped[str]
    files: Mapped[int]
    size: Mapped[int]
    created: Mapped[datetime]

    def record(self) -> records.Volume:
        """The row as callers get it."""
        return records.Volume(self.label, self.state, self.tape_url, self.files, self.size, self.created)


class JobRow(Base):
    __tablename__ = "jobs"
    # Without it SQLite gives the number of a deleted last job again.
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[records.JobKind] = mapped_column(EnumText(records.JobKind))
    state: Mapped[records.JobState] = mapped_column(EnumText(records.JobState), index=True)
    status: Mapped[int | None]
    step: Mapped[str]
    reason: Mapped[str]
    image: Mapped[str]
    copy_id: Mapped[str | None] = mapped_column(String(36))
    source: Mapped[str]
    target: Mapped[str]
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    bytes_total: Mapped[int | None]
    bytes_moved: Mapped[int]
    pid: Mapped[int]
    host: Mapped[str]
    process: Mapped[str]
    events: Mapped[list[EventRow]] = relationship(order_by="EventRow.id")

    def record(self) -> records.Job:
        """The row as callers get it."""
        return records.Job(
            id=self.id,
            kind=self.kind,
            state=self.state,
            status=None if self.status is None else Status(self.status),
            step=self.step,
            reason=self.reason,
            image=self.image,
            copy_id=self.copy_id,
            source=self.source,
            target=self.target,
            started=self.started,
            ended=self.ended,
            bytes_total=self.bytes_total,
            bytes_moved=self.bytes_moved,
            pid=self.pid,
            host=self.host,
        )


class EventRow(Base):
    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey(JobRow.id, ondelete="CASCADE"), index=True)
    time: Mapped[datetime]
    step: Mapped[str]
    text: Mapped[str]

    def record(self) -> records.JobEvent:
        """The row as callers get it."""
        return records.JobEvent(self.time, self.step, self.text)


class CopyRow(Base):
    __tablename__ = "copies"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey(ImageRow.id), index=True)
    job_id: Mapped[int | None] = mapped_column(ForeignKey(JobRow.id, ondelete="SET NULL"), index=True)
    state: Mapped[records.CopyState] = mapped_column(EnumText(records.CopyState))
    tape_url: Mapped[str]
    algorithm: Mapped[int]
    record_bytes: Mapped[int]
    created: Mapped[datetime]
    validated: Mapped[datetime | None]
    image: Mapped[ImageRow] = relationship(lazy="joined")
    fragments: Mapped[list[FragmentRow]] = relationship(order_by="FragmentRow.index")

    def record(self) -> records.Copy:
        """The row as callers get it."""
        return records.Copy(
            id=self.id,
            image=self.image.record(),
            job_id=self.job_id,
            state=self.state,
            tape_url=self.tape_url,
            algorithm=DigestAlgorithm(self.algorithm),
            record_bytes=self.record_bytes,
            created=self.created,
            validated=self.validated,
            fragments=tuple(row.record() for row in self.fragments),
        )


class FragmentRow(Base):
    __tablename__ = "fragments"
    __table_args__ = (UniqueConstraint("volume", "file_sequence"),)
    copy_id: Mapped[str] = mapped_column(ForeignKey(CopyRow.id, ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    volume: Mapped[str] = mapped_column(ForeignKey(VolumeRow.label))
    file_sequence: Mapped[int]
    size: Mapped[int]
    blocks: Mapped[int]
    digest: Mapped[bytes]
    first_block: Mapped[int | None]

    def record(self) -> records.Fragment:
        """The row as callers get it."""
        place = self.volume, self.file_sequence
        return records.Fragment(self.index, self.name, *place, self.size, self.blocks, self.digest, self.first_block)
