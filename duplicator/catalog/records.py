"""Rows of the catalog as callers get them: frozen, without a database behind them. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

__all__ = [
    "Copy",
    "CopyState",
    "Fragment",
    "Image",
    "Job",
    "JobEvent",
    "JobKind",
    "JobState",
    "Volume",
    "VolumeState",
]


class JobKind(Enum):
    """What a job does."""

    DUPLICATE = "duplicate"
    VERIFY = "verify"
    RESTORE = "restore"


class JobState(Enum):
    """Where a job stands; DIED: its process is gone and said nothing."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DIED = "died"


class CopyState(Enum):
    """How far a copy can be trusted: only VALID was read back and compared."""

    WRITING = "writing"
    WRITTEN = "written"
    VALID = "valid"
    FAILED = "failed"


class VolumeState(Enum):
    """Whether a volume takes more files."""

    APPENDABLE = "appendable"
    FULL = "full"
    SUSPENDED = "suspended"
    FOREIGN = "foreign"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Image:
    """An image as its file service described it; ``modified`` in seconds since 1970."""

    id: int
    host: str
    unit: str
    name: str
    size: int
    modified: int
    fragments: int


@dataclass(frozen=True, slots=True)
class Volume:
    """A tape. ``files``: tape files written; ``size``: bytes of data blocks in them, padding included."""

    label: str
    state: VolumeState
    tape_url: str
    files: int
    size: int
    created: datetime


@dataclass(frozen=True, slots=True)
class Fragment:
    """One tape file: ``size`` bytes in ``blocks`` blocks; ``first_block``: of the data, where the host told it."""

    index: int
    name: str
    volume: str
    file_sequence: int
    size: int
    blocks: int
    digest: bytes
    first_block: int | None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of an image on tape."""

    id: str
    image: Image
    job_id: int | None
    state: CopyState
    tape_url: str
    algorithm: DigestAlgorithm
    record_bytes: int
    created: datetime
    validated: datetime | None
    fragments: tuple[Fragment, ...]


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A line of a job's log."""

    time: datetime
    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job; ``step`` and ``bytes_moved`` say how far it came, ``status`` is None until it ended by itself."""

    id: int
    kind: JobKind
    state: JobState
    status: Status | None
    step: str
    reason: str
    image: str
    copy_id: str | None
    source: str
    target: str
    started: datetime
    ended: datetime | None
    bytes_total: int | None
    bytes_moved: int
    pid: int
    host: str
