"""What a job is asked to do, and the steps it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

from duplicator.credentials import Secret
from duplicator.status import Status
from duplicator.tls import ClientTls
from duplicator.urls import NdmpUrl
from ndmp.enums import DigestAlgorithm

__all__ = [
    "DEFAULT_RECORD_BYTES",
    "CopyRequest",
    "Deadlines",
    "JobResult",
    "Place",
    "RestoreRequest",
    "Route",
    "SourceSpec",
    "Step",
    "StorageUnit",
    "TapeCopy",
    "TapeFile",
    "Tree",
    "Validation",
    "VerifyRequest",
]

DEFAULT_RECORD_BYTES: Final = 64 * 1024


class Step(Enum):
    """The steps of jobs, in the order in which a duplication takes them."""

    PREPARE = "prepare"
    CHECK_IMAGE = "check image"
    CHECK_EXTENSION = "check file service extension"
    WRITE_SESSION = "write side: session"
    WRITE_MOUNT = "write side: mount"
    WRITE_OPEN = "write side: open"
    WRITE_POSITION = "write side: position"
    WRITE_HEADER = "write side: write header"
    READ_SESSION = "read side: session"
    READ_OPEN = "read side: open image"
    WRITE_MOVER = "write side: set up mover"
    READ_MOVER = "read side: set up mover"
    MOVE = "move data"
    WRITE_TRAILER = "write side: write trailer"
    END_VOLUME = "write side: end volume"
    NEXT_VOLUME = "write side: next volume"
    CLOSE = "close both sides"
    VALIDATE = "validate"
    COMMIT = "commit image"
    DONE = "done"


class Route(Enum):
    """How the bytes go to the tape; in the order in which they are preferred."""

    DIRECT = "direct"
    """From the file service of an appliance to the tape server's mover, host to host."""
    DIRECTCOPY = "directcopy"
    """From one tape to another, mover to mover."""
    TRADITIONAL = "traditional"
    """Read here, and written from here."""


class Validation(Enum):
    """How a copy is looked at once it is on tape."""

    NONE = "none"
    """Not at all: the copy stays written, and is never called valid."""
    LABELS = "labels"
    """Its labels are read; it stays written too."""
    DIGEST = "digest"
    """All of it is read back and compared with the digest of what was sent: then it is valid."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a job waits, in seconds."""

    connect: float = 30.0
    request: float = 60.0
    """An answer that needs no tape motion."""
    tape: float = 1800.0
    """An answer that does: a full rewind or locate takes minutes."""
    mount: float = 60.0
    """A tape to come into the drive, or the drive to become free."""
    stall: float = 120.0
    """Data that does not move."""


@dataclass(frozen=True, slots=True)
class Place:
    """An NDMP host and something on it, with the secret of the URL's user; ``tls`` is for ``ndmps://``."""

    url: NdmpUrl
    secret: Secret
    tls: ClientTls = field(default_factory=ClientTls)


@dataclass(frozen=True, slots=True)
class StorageUnit:
    """An appliance's storage unit; ``local_path``: a directory of this machine with the same images."""

    place: Place
    local_path: Path | None = None


@dataclass(frozen=True, slots=True)
class TapeCopy:
    """A copy that the catalog has, in the drive ``place``."""

    copy_id: str
    place: Place


@dataclass(frozen=True, slots=True)
class Tree:
    """The directory ``path`` of a data server, backed up by ``butype``; ``environment``: its other variables."""

    place: Place
    path: str
    butype: str = "tar"
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TapeFile:
    """Tape file ``number`` (from 1) of a tape that is not ours, in the drive ``place``."""

    place: Place
    number: int


SourceSpec: TypeAlias = StorageUnit | TapeCopy | TapeFile | Tree


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """Copy ``image`` of the storage unit ``source`` to the tape ``target``.

    ``volume``: the label that must be in the drive, or that a blank tape gets; None takes what is there.
    """

    image: str
    source: Place | None
    """None where somebody else knows how it is reached."""
    target: Place
    volume: str | None = None
    algorithm: DigestAlgorithm | None = None
    """None: the source's preferred digest."""
    record_bytes: int = DEFAULT_RECORD_BYTES
    deadlines: Deadlines = field(default_factory=Deadlines)
    validation: Validation = Validation.DIGEST
    pool: str = ""
    """Where a blank tape belongs once it is a volume."""
    expires: datetime | None = None
    """When the copy is not needed any more; None: it always is."""
    copy_id: str | None = None
    """An incomplete copy to go on with, from its last committed fragment; None begins one."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Read the copy with this id (or unique beginning of it) from ``tape`` and compare."""

    copy_id: str
    tape: Place
    deadlines: Deadlines = field(default_factory=Deadlines)


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """Bring a copy back from ``tape``: into a directory of this machine, or into a storage unit."""

    copy_id: str
    tape: Place
    target: Path | Place
    deadlines: Deadlines = field(default_factory=Deadlines)


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended; ``step`` is the last one it was in. Times in seconds, sizes in bytes."""

    job_id: int
    status: Status
    step: str
    reason: str
    image: str
    copy_id: str | None
    volume: str | None
    size: int
    move_seconds: float
    """Time in which data flowed, without positioning and validation."""
    validated: bool
