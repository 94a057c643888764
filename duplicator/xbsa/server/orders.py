"""What the daemon's processes tell each other over their standard streams: JSON objects, one a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from duplicator.xbsa.wire import StartBackup, StartRestore, Token

__all__ = [
    "Abandon",
    "Abandoned",
    "Broken",
    "Commit",
    "DescribeObject",
    "Described",
    "Failed",
    "FromWriter",
    "Kept",
    "Listening",
    "Moved",
    "Place",
    "ReadOrder",
    "Ready",
    "Sent",
    "Shown",
    "StreamOrder",
    "TakeObject",
    "Told",
    "WriteOrder",
]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stream lives and who may attach: the user ``uid``; the folder belongs to ``owner``.

    ``config`` and ``catalog``: as the daemon was given them. ``start`` and ``idle``: seconds until the application has
    attached, and that it may say nothing then.
    """

    folder: str
    owner: int
    uid: int
    config: str | None
    catalog: str | None
    start: float
    idle: float


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """To a stream manager: bring or keep objects for ``user``. ``unit``: the disk unit that takes backups."""

    place: Place
    token: Token = field(repr=False)
    user: str
    unit: str
    request: StartBackup | StartRestore


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """To a reader: bring this object to who has the token, for the job."""

    place: Place
    token: Token = field(repr=False)
    copy_id: int
    source: Literal["any", "disk", "tape"]
    job_id: int


@dataclass(frozen=True, slots=True)
class WriteOrder:
    """To a writer: images on this disk unit, all or none."""

    place: Place
    unit: str
    job_id: int


@dataclass(frozen=True, slots=True)
class TakeObject:
    """Stage what comes from who has the token."""

    image: str
    token: Token = field(repr=False)


@dataclass(frozen=True, slots=True)
class DescribeObject:
    """Stage the image's second fragment."""

    image: str
    document: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Show all images."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Leave nothing."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A manager: the progress file is there. A reader or writer: the data socket is."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader waits for, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The first bytes can be read; the object has ``size``."""

    size: int


@dataclass(frozen=True, slots=True)
class Moved:
    """So many bytes of the object are through, and more follow."""

    count: int


@dataclass(frozen=True, slots=True)
class Sent:
    """All bytes of the object are sent, and they are right."""

    count: int


@dataclass(frozen=True, slots=True)
class Kept:
    """The object is staged, on stable storage; ``digest`` in hex."""

    image: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Described:
    """Its descriptor is staged too."""

    image: str


@dataclass(frozen=True, slots=True)
class Shown:
    """All images are there."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Nothing is left."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The application's end of the data channel is gone, or said nothing for too long."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not work: the status of a job, and words."""

    status: int
    text: str


FromWriter: TypeAlias = Listening | Moved | Kept | Described | Shown | Abandoned | Broken | Failed
