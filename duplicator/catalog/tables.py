"""The catalog's tables, and how a row becomes a record."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from duplicator.catalog import records
from duplicator.catalog.columns import EnumText, Quad, UtcTime
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

__all__ = [
    "SCHEMA_VERSION",
    "Base",
    "CopyRow",
    "DriveRow",
    "EventRow",
    "FragmentRow",
    "ImageRow",
    "JobRow",
    "LabelRow",
    "LeaseRow",
    "LineRow",
    "ObjectRow",
    "SchemaRow",
    "TapeFileRow",
    "TryRow",
    "VolumeRow",
]

SCHEMA_VERSION = 3
"""Raised by one whenever a table changes; migrations.py brings older ones up."""


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
    state: Mapped[records.VolumeState] = mapped_column(EnumText(records.VolumeState), index=True)
    pool: Mapped[str]
    barcode: Mapped[str] = mapped_column(index=True)
    media: Mapped[str]
    location: Mapped[str]
    tape_url: Mapped[str]
    files: Mapped[int]
    size: Mapped[int]
    capacity: Mapped[int | None]
    created: Mapped[datetime]
    last_written: Mapped[datetime | None]
    mounts: Mapped[int]
    generation: Mapped[int]

    def record(self) -> records.Volume:
        """The row as callers get it."""
        return records.Volume(
            label=self.label,
            state=self.state,
            pool=self.pool,
            barcode=self.barcode,
            media=self.media,
            location=self.location,
            tape_url=self.tape_url,
            files=self.files,
            size=self.size,
            capacity=self.capacity,
            created=self.created,
            last_written=self.last_written,
            mounts=self.mounts,
            generation=self.generation,
        )


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
    priority: Mapped[int]
    tries: Mapped[int]
    policy: Mapped[str]
    route: Mapped[str]
    agents: Mapped[str]
    drive: Mapped[str]
    volume: Mapped[str]
    queued: Mapped[datetime]
    not_before: Mapped[datetime | None]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    bytes_total: Mapped[int | None]
    bytes_moved: Mapped[int]
    request: Mapped[str]
    stop: Mapped[records.Stop | None] = mapped_column(EnumText(records.Stop))
    pid: Mapped[int]
    host: Mapped[str]
    process: Mapped[str]
    events: Mapped[list[EventRow]] = relationship(order_by="EventRow.id")
    runs: Mapped[list[TryRow]] = relationship(order_by="TryRow.number")

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
            priority=self.priority,
            tries=self.tries,
            policy=self.policy,
            route=self.route,
            agents=self.agents,
            drive=self.drive,
            volume=self.volume,
            queued=self.queued,
            not_before=self.not_before,
            started=self.started,
            ended=self.ended,
            bytes_total=self.bytes_total,
            bytes_moved=self.bytes_moved,
            request=self.request,
            stop=self.stop,
            pid=self.pid,
            host=self.host,
        )


class TryRow(Base):
    __tablename__ = "job_tries"
    job_id: Mapped[int] = mapped_column(ForeignKey(JobRow.id, ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    status: Mapped[int | None]
    reason: Mapped[str]

    def record(self) -> records.JobTry:
        """The row as callers get it."""
        status = None if self.status is None else Status(self.status)
        return records.JobTry(self.number, self.started, self.ended, status, self.reason)


class EventRow(Base):
    __tablename__ = "job_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey(JobRow.id, ondelete="CASCADE"), index=True)
    attempt: Mapped[int]
    time: Mapped[datetime]
    step: Mapped[str]
    text: Mapped[str]

    def record(self) -> records.JobEvent:
        """The row as callers get it."""
        return records.JobEvent(self.time, self.step, self.text, self.attempt)


class CopyRow(Base):
    __tablename__ = "copies"
    __table_args__ = (UniqueConstraint("image_id", "number"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    image_id: Mapped[int] = mapped_column(ForeignKey(ImageRow.id))
    number: Mapped[int]
    attempts: Mapped[int]
    """How often it was begun, or gone on with."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey(JobRow.id, ondelete="SET NULL"), index=True)
    state: Mapped[records.CopyState] = mapped_column(EnumText(records.CopyState), index=True)
    tape_url: Mapped[str]
    algorithm: Mapped[int]
    record_bytes: Mapped[int]
    created: Mapped[datetime]
    validated: Mapped[datetime | None]
    validation: Mapped[str]
    expires: Mapped[datetime | None] = mapped_column(index=True)
    route: Mapped[str]
    image: Mapped[ImageRow] = relationship(lazy="joined")
    fragments: Mapped[list[FragmentRow]] = relationship(
        order_by="FragmentRow.index",
        primaryjoin="and_(CopyRow.id == FragmentRow.copy_id, FragmentRow.size.is_not(None))",
        viewonly=True,
    )

    def record(self) -> records.Copy:
        """The row as callers get it."""
        return records.Copy(
            id=self.id,
            image=self.image.record(),
            number=self.number,
            job_id=self.job_id,
            state=self.state,
            tape_url=self.tape_url,
            algorithm=DigestAlgorithm(self.algorithm),
            record_bytes=self.record_bytes,
            created=self.created,
            validated=self.validated,
            validation=self.validation,
            expires=self.expires,
            route=self.route,
            fragments=tuple(row.record() for row in self.fragments),
        )


class FragmentRow(Base):
    """A fragment of a copy; without size and digest until it is committed."""

    __tablename__ = "fragments"
    copy_id: Mapped[str] = mapped_column(ForeignKey(CopyRow.id, ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    size: Mapped[int | None]
    digest: Mapped[bytes | None]
    sections: Mapped[list[TapeFileRow]] = relationship(order_by="TapeFileRow.section", viewonly=True)

    def record(self) -> records.Fragment:
        """The row as callers get it, once it is committed."""
        assert self.size is not None
        assert self.digest is not None
        sections = tuple(row.part() for row in self.sections)
        return records.Fragment(self.index, self.name, self.size, self.digest, sections)


class TapeFileRow(Base):
    """A tape file of a copy: a section of a fragment, or what is left of one (``fragment`` is empty then)."""

    __tablename__ = "tape_files"
    __table_args__ = (
        ForeignKeyConstraint(["copy_id", "fragment"], [FragmentRow.copy_id, FragmentRow.index]),
        UniqueConstraint("copy_id", "fragment", "section"),
    )
    volume: Mapped[str] = mapped_column(ForeignKey(VolumeRow.label), primary_key=True)
    file_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    copy_id: Mapped[str] = mapped_column(ForeignKey(CopyRow.id))
    fragment: Mapped[int | None]
    """Empty: dead space, that no fragment needs."""
    begun_as: Mapped[int]
    """The fragment for which it was written."""
    section: Mapped[int]
    offset: Mapped[int]
    size: Mapped[int]
    blocks: Mapped[int]
    first_block: Mapped[int | None]
    room: Mapped[int]
    """Bytes of its data blocks, padding included."""

    def part(self) -> records.Section:
        """The row as a section of its fragment."""
        place = self.volume, self.file_sequence
        return records.Section(self.section, *place, self.offset, self.size, self.blocks, self.first_block)

    def record(self) -> records.TapeFile:
        """The row as what the volume holds."""
        return records.TapeFile(
            volume=self.volume,
            file_sequence=self.file_sequence,
            copy_id=self.copy_id,
            fragment=self.begun_as,
            section=self.section,
            size=self.room,
            dead=self.fragment is None,
        )


class LabelRow(Base):
    """What the trailer of a tape file said that the file's row does not, if it was read by an import."""

    __tablename__ = "tape_labels"
    __table_args__ = (
        ForeignKeyConstraint(
            ["volume", "file_sequence"], [TapeFileRow.volume, TapeFileRow.file_sequence], ondelete="CASCADE"
        ),
    )
    volume: Mapped[str] = mapped_column(primary_key=True)
    file_sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int]
    name: Mapped[str]
    """Of the fragment."""
    continues: Mapped[bool]
    digest: Mapped[bytes]


class LeaseRow(Base):
    __tablename__ = "leases"
    kind: Mapped[records.ResourceKind] = mapped_column(EnumText(records.ResourceKind), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    job_id: Mapped[int | None]
    pid: Mapped[int]
    host: Mapped[str]
    process: Mapped[str]
    until: Mapped[datetime]
    waits_for: Mapped[str]

    def record(self) -> records.Lease:
        """The row as callers get it."""
        resource = records.Resource(self.kind, self.name)
        return records.Lease(resource, self.owner, self.job_id, self.pid, self.host, self.until, self.waits_for)


class LineRow(Base):
    __tablename__ = "line"
    owner: Mapped[str] = mapped_column(primary_key=True)
    priority: Mapped[int]
    since: Mapped[datetime]
    need: Mapped[str]
    pid: Mapped[int]
    host: Mapped[str]
    process: Mapped[str]
    until: Mapped[datetime]

    def record(self) -> records.InLine:
        """The row as callers get it."""
        return records.InLine(self.owner, self.priority, self.since, self.need)


class DriveRow(Base):
    __tablename__ = "drives"
    name: Mapped[str] = mapped_column(primary_key=True)
    volume: Mapped[str]
    last_used: Mapped[datetime | None]
    down: Mapped[str]

    def record(self) -> records.DriveUse:
        """The row as callers get it."""
        return records.DriveUse(self.name, self.volume, self.last_used, self.down)


class ObjectRow(Base):
    """An application's object; who makes it is in ``pid``, ``maker_host`` and ``process``."""

    __tablename__ = "objects"
    __table_args__ = (
        UniqueConstraint("unit", "image"),
        Index("ix_objects_series", "series", "created", "copy_id"),
        # Without it SQLite gives the number of a deleted last object again.
        {"sqlite_autoincrement": True},
    )
    copy_id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    state: Mapped[records.ObjectState] = mapped_column(EnumText(records.ObjectState))
    series: Mapped[bytes]
    """Digest of what the copies of one object have in common: texts that long have no index in every database."""
    user: Mapped[str] = mapped_column(index=True)
    host: Mapped[str]
    bsa_owner: Mapped[str]
    app_owner: Mapped[str]
    space: Mapped[str]
    path: Mapped[str]
    copy_type: Mapped[int]
    object_type: Mapped[int]
    resource_type: Mapped[str]
    description: Mapped[str]
    info: Mapped[bytes]
    created: Mapped[datetime]
    estimated_size: Mapped[int] = mapped_column(Quad)
    restore_order: Mapped[int] = mapped_column(Quad)
    unit: Mapped[str]
    image: Mapped[str]
    size: Mapped[int]
    digest: Mapped[bytes]
    algorithm: Mapped[int]
    pid: Mapped[int]
    maker_host: Mapped[str]
    process: Mapped[str]
    job_id: Mapped[int | None]
    """The job of the transaction that stored it; that may be forgotten since."""

    def record(self, *, most_recent: bool) -> records.StoredObject:
        """The row as callers get it."""
        same = {name: getattr(self, name) for name in _OF_AN_OBJECT}
        return records.StoredObject(**same, algorithm=DigestAlgorithm(self.algorithm), most_recent=most_recent)


_OF_AN_OBJECT: Final = (
    *("copy_id", "state", "user", "host", "bsa_owner", "app_owner", "space", "path", "copy_type", "object_type"),
    *("resource_type", "description", "info", "created", "estimated_size", "restore_order", "unit", "image", "size"),
    "digest",
)
