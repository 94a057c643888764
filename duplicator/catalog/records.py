"""Rows of the catalog as callers get them: frozen, without a database behind them. Times are aware UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Final

from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

__all__ = [
    "LIVE_COPIES",
    "Account",
    "Copy",
    "CopyState",
    "DriveUse",
    "Fragment",
    "Image",
    "InLine",
    "Job",
    "JobEvent",
    "JobKind",
    "JobState",
    "JobTry",
    "Lease",
    "ObjectQuery",
    "ObjectState",
    "PendingObject",
    "Resource",
    "ResourceKind",
    "Section",
    "Stop",
    "StoredObject",
    "TapeFile",
    "Volume",
    "VolumeState",
]


class JobKind(Enum):
    """What a job does."""

    DUPLICATE = "duplicate"
    VERIFY = "verify"
    RESTORE = "restore"
    BACKUP = "backup"


class JobState(Enum):
    """Where a job stands; WAITING: for its next try; DIED: its process is gone and said nothing."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUSPENDED = "suspended"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DIED = "died"


class Stop(Enum):
    """What another process asks of a running job."""

    CANCEL = "cancel"
    SUSPEND = "suspend"


class CopyState(Enum):
    """How far a copy can be trusted: only VALID was read back and compared.

    INCOMPLETE: nobody writes it now, and a job can go on behind its last committed fragment.
    """

    WRITING = "writing"
    INCOMPLETE = "incomplete"
    WRITTEN = "written"
    VALID = "valid"
    FAILED = "failed"
    EXPIRED = "expired"


LIVE_COPIES: Final = frozenset({CopyState.WRITING, CopyState.INCOMPLETE, CopyState.WRITTEN, CopyState.VALID})
"""A volume with something that one of these needs is kept."""


class VolumeState(Enum):
    """Whether a volume takes more files.

    SCRATCH: known, nothing on it is needed, so it may get a label again. PROTECTED: against writing, by its cartridge.
    FOREIGN: it holds another format, or data that the catalog does not know.
    """

    SCRATCH = "scratch"
    APPENDABLE = "appendable"
    FULL = "full"
    SUSPENDED = "suspended"
    PROTECTED = "protected"
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
    """A tape. ``files``: tape files on it, dead ones too; ``size``: bytes of their data blocks, padding included."""

    label: str
    state: VolumeState
    pool: str
    """Empty: of no pool."""
    barcode: str
    media: str
    """The media identifier behind the barcode, such as L8; empty where it is not known."""
    location: str
    """Where it was seen last: ``library1 slot 1001``, ``vault`` or ``vault NAME``; empty where that is not known."""
    tape_url: str
    """The drive it was in last; empty if it was in none."""
    files: int
    size: int
    capacity: int | None
    """Bytes, as far as they are known: of a full volume, what it took."""
    created: datetime
    last_written: datetime | None
    mounts: int
    generation: int
    """How often it was begun anew, from 1."""


@dataclass(frozen=True, slots=True)
class Section:
    """What one volume holds of a fragment, as one tape file, whose sequence number on the volume counts from 1."""

    number: int
    """From 1, over all volumes."""
    volume: str
    file_sequence: int
    offset: int
    """Bytes of the fragment before it."""
    size: int
    blocks: int
    first_block: int | None
    """Of the data, where the host told it."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A file of an image, all of it on tape; ``digest``: as its source told it."""

    index: int
    name: str
    size: int
    digest: bytes
    sections: tuple[Section, ...]

    @property
    def volume(self) -> str:
        """Where it begins; empty when its volume is in use anew."""
        return self.sections[0].volume if self.sections else ""

    @property
    def file_sequence(self) -> int:
        """Of the tape file in which it begins; 0 when its volume is in use anew."""
        return self.sections[0].file_sequence if self.sections else 0

    @property
    def blocks(self) -> int:
        """Data blocks in all sections."""
        return sum(section.blocks for section in self.sections)


@dataclass(frozen=True, slots=True)
class TapeFile:
    """A tape file of ours on a volume; ``dead``: no fragment needs it, and it only takes room. ``size``: as on tape."""

    volume: str
    file_sequence: int
    copy_id: str
    fragment: int
    section: int
    size: int
    dead: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of an image on tape; ``fragments``: the committed ones, by index."""

    id: str
    image: Image
    number: int
    """Of the copies of this image, from 1."""
    job_id: int | None
    """The job that began it."""
    state: CopyState
    tape_url: str
    algorithm: DigestAlgorithm
    record_bytes: int
    created: datetime
    validated: datetime | None
    validation: str
    """How it was checked last; empty: not yet."""
    expires: datetime | None
    route: str
    """Which way its bytes went."""
    fragments: tuple[Fragment, ...]

    @property
    def volumes(self) -> tuple[str, ...]:
        """The volumes it needs, in the order of reading."""
        return tuple(dict.fromkeys(section.volume for fragment in self.fragments for section in fragment.sections))


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A line of a job's log, told in its try ``attempt``."""

    time: datetime
    step: str
    text: str
    attempt: int


@dataclass(frozen=True, slots=True)
class JobTry:
    """One run of a job; ``ended`` and ``status`` are None while it goes on, or when its process died."""

    number: int
    started: datetime
    ended: datetime | None
    status: Status | None
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job; ``step`` and ``bytes_moved`` say how far it came, ``status`` is None until a try of it ended by itself."""

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
    priority: int
    """Higher ones go first."""
    tries: int
    policy: str
    route: str
    agents: str
    drive: str
    volume: str
    queued: datetime
    not_before: datetime | None
    """When the next try may begin."""
    started: datetime | None
    """When the last try began."""
    ended: datetime | None
    bytes_total: int | None
    bytes_moved: int
    request: str
    """What to do, as JSON without secrets, so that any process can do it; empty: only its own process knows."""
    stop: Stop | None
    pid: int
    """Of the process of the last try; 0 before the first."""
    host: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a volume's bytes are, padding included; without those of tape files that the catalog does not know."""

    volume: str
    live: int
    """What copies need."""
    failed: int
    """What failed copies left."""
    dead: int
    """What no copy needs: expired ones, and what was begun and not committed."""
    unknown_files: int


class ResourceKind(StrEnum):
    """What a job has for itself."""

    DRIVE = "drive"
    LIBRARY = "library"
    VOLUME = "volume"


@dataclass(frozen=True, slots=True)
class Resource:
    """A drive or library (by the address that all its users have in common), or a volume (by its label)."""

    kind: ResourceKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who has a resource for itself, and until when, unless it goes on."""

    resource: Resource
    owner: str
    job_id: int | None
    pid: int
    host: str
    until: datetime
    waits_for: str
    """The pool of which its owner waits for another volume; empty when it waits for none."""


@dataclass(frozen=True, slots=True)
class DriveUse:
    """What is known of a drive: ``volume``: what it holds, empty for nothing known; ``down``: why it is not used."""

    name: str
    volume: str
    last_used: datetime | None
    down: str


@dataclass(frozen=True, slots=True)
class InLine:
    """Somebody who waits for drives and volumes, ``since`` then; ``need``: what for, as JSON."""

    owner: str
    priority: int
    since: datetime
    need: str


class ObjectState(Enum):
    """How far an application's object is; only a STORED one is found.

    PENDING: its transaction is not committed. DELETED: it is gone but for its image, which could not be removed yet.
    """

    PENDING = "pending"
    STORED = "stored"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that an application backed up by XBSA (docs/xbsa.md): an image of a disk unit, and its copies on tape.

    The types are those of XBSA: 2 archive, 3 backup; 2 file, 3 directory, 4 other.
    """

    copy_id: int
    """Never given again; the image's name has it."""
    state: ObjectState
    user: str
    """Who logged in at the client and made it."""
    host: str
    """The client host, as the client named it."""
    bsa_owner: str
    app_owner: str
    space: str
    path: str
    copy_type: int
    object_type: int
    resource_type: str
    description: str
    info: bytes
    """The application's own."""
    created: datetime
    """Whole seconds."""
    estimated_size: int
    restore_order: int
    unit: str
    """The disk unit by its name in the configuration."""
    image: str
    size: int
    """Bytes; 0 while it is pending."""
    digest: bytes
    """Of its data; empty while it is pending."""
    algorithm: DigestAlgorithm
    most_recent: bool
    """Whether it is the newest stored one of its user, host, space, path and copy type."""


@dataclass(frozen=True, slots=True)
class PendingObject:
    """An object of a transaction that is not committed; ``abandoned``: its process was on this host, and is gone."""

    object: StoredObject
    pid: int
    maker_host: str
    abandoned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectQuery:
    """Which stored objects; None matches all. User and host are whole; the other texts are patterns with * and ?.

    Times are inclusive; the types are numbers of XBSA.
    """

    user: str | None = None
    host: str | None = None
    bsa_owner: str | None = None
    app_owner: str | None = None
    space: str | None = None
    path: str | None = None
    resource_type: str | None = None
    description: str | None = None
    copy_type: int | None = None
    object_type: int | None = None
    most_recent: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
