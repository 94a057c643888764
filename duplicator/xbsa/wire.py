"""What the processes of a stream tell each other: JSON objects, one a line, at most 1 MiB (docs/xbsa.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, StrictBool, TypeAdapter, ValidationError

__all__ = [
    "LONGEST_LINE_BYTES",
    "PAGE",
    "Answer",
    "Attach",
    "BeginObject",
    "Begun",
    "Channel",
    "ClientStatus",
    "DataHello",
    "DeleteObjects",
    "Deleted",
    "Descriptor",
    "Ended",
    "Fault",
    "FindObjects",
    "FromManager",
    "Go",
    "History",
    "HistoryFound",
    "ObjectFound",
    "ObjectsFound",
    "Place",
    "Progress",
    "Request",
    "StartBackup",
    "StartRestore",
    "StreamStarted",
    "ToManager",
    "Vote",
    "Voted",
    "Wait",
    "WireError",
    "pack",
    "unpack",
]

LONGEST_LINE_BYTES: Final = 1 << 20
PAGE: Final = 50
"""Objects in one answer at most."""

CopyId = Annotated[int, Field(ge=1, lt=2**64)]
Quad = Annotated[int, Field(ge=0, lt=2**64)]
Token = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""In fields that no repr shows."""


def _bytes(most: int) -> AfterValidator:
    """A text that UTF-8 can hold, of at most so many bytes in it, without NUL."""

    def audit(value: str) -> str:
        # A lone surrogate is none that UTF-8 can hold.
        if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value) or len(value.encode()) > most:
            text = f"a text of at most {most} bytes of UTF-8, without NUL"
            raise ValueError(text)
        return value

    return AfterValidator(audit)


Owner = Annotated[str, _bytes(63)]
Name = Annotated[str, _bytes(1023)]
ResourceType = Annotated[str, _bytes(30)]
Description = Annotated[str, _bytes(99)]
Host = Annotated[str, _bytes(255)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


class WireError(Exception):
    """A line that is none of the expected messages."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the application says of an object; the limits of its texts are those of BSA_ObjectDescriptor."""

    bsa_owner: Owner
    app_owner: Owner
    space: Name
    path: Annotated[Name, Field(min_length=1)]
    copy_type: Literal[2, 3]
    object_type: Literal[2, 3, 4]
    resource_type: Annotated[ResourceType, Field(min_length=1)]
    description: Description
    info: Annotated[Hex, Field(max_length=512)]
    estimated_size: Quad


@dataclass(frozen=True, slots=True)
class ObjectFound:
    """An object as the catalog has it; ``created`` in UTC."""

    copy_id: CopyId
    created: datetime
    descriptor: Descriptor
    most_recent: StrictBool
    size: Quad
    restore_order: Quad
    user: str
    host: str


# -- request socket: one request and one answer on each connection -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartBackup:
    """Start a stream for a backup transaction. ``host``: the client host that the objects get."""

    host: Host
    policy: Host = ""


@dataclass(frozen=True, slots=True)
class StartRestore:
    """Start a stream that brings one object; ``source``: which of its copies may be read."""

    copy_id: CopyId
    source: Literal["any", "disk", "tape"] = "any"


@dataclass(frozen=True, slots=True)
class FindObjects:
    """One page of objects behind copy id ``after``. Patterns have * and ?; None matches all; times are inclusive.

    ``status``: 1 any, 2 most recent, 3 not most recent; types: 1 any.
    """

    bsa_owner: Owner | None = None
    app_owner: Owner | None = None
    space: Name | None = None
    path: Name | None = None
    resource_type: ResourceType | None = None
    description: Description | None = None
    copy_type: int = 1
    object_type: int = 1
    status: int = 1
    created_from: datetime | None = None
    created_to: datetime | None = None
    host: Host | None = None
    after: Quad = 0
    limit: Annotated[int, Field(ge=1, le=PAGE)] = PAGE


@dataclass(frozen=True, slots=True)
class DeleteObjects:
    """Delete these, all or none; on disk with their bytes, on tape by expiring the copies."""

    copy_ids: Annotated[tuple[CopyId, ...], Field(max_length=10_000)]


@dataclass(frozen=True, slots=True)
class History:
    """All objects of a path (a pattern), and where their copies are."""

    path: Name
    after: Quad = 0


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The stream's manager runs; everything about it is in ``folder``. ``token`` is good for one Attach."""

    folder: str
    token: Token = field(repr=False)


@dataclass(frozen=True, slots=True)
class ObjectsFound:
    """One page; ``more``: there are others behind it."""

    objects: tuple[ObjectFound, ...]
    more: StrictBool


@dataclass(frozen=True, slots=True)
class Deleted:
    """They are gone; ``text``: what of them could not be removed from disk yet."""

    count: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy of an object is: ``kind`` disk or tape, ``where`` in words (unit; or volumes), and its state."""

    kind: Literal["disk", "tape"]
    where: str
    state: str
    copy: str = ""


@dataclass(frozen=True, slots=True)
class HistoryFound:
    """One page: objects, oldest first, each with its places and the numbers of the jobs of its streams."""

    entries: tuple[tuple[ObjectFound, tuple[Place, ...], tuple[int, ...]], ...]
    more: StrictBool


@dataclass(frozen=True, slots=True)
class Fault:
    """It failed: a return code of XBSA, the duplicator's status number (0: none), and words that say what to do."""

    code: int
    status: int
    text: str


# -- name socket -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attach:
    """The library is here."""

    token: Token = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet; ``text`` says what is being waited for."""

    text: str


@dataclass(frozen=True, slots=True)
class Go:
    """Data can flow: connect to the data socket, with this token (good once).

    ``xxh3_128``: the object's, which the library compares with what it hands over; empty: only the reader compares.
    """

    token: Token = field(repr=False)
    copy_id: CopyId
    size: Quad
    xxh3_128: Annotated[Hex, Field(max_length=32)] = ""


@dataclass(frozen=True, slots=True)
class BeginObject:
    """Backup: the next object of the transaction; answered by Begun, and that by the data connection."""

    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Begun:
    """Backup: the object's id and time; connect to the data socket with this token."""

    token: Token = field(repr=False)
    copy_id: CopyId
    created: datetime


@dataclass(frozen=True, slots=True)
class ClientStatus:
    """BSAEndData: ``bytes`` went through at this end. Restore: ``complete`` is False when the rest was not wanted."""

    status: int
    bytes: Quad
    complete: StrictBool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The object's data is through; ``size`` bytes at the other end. Restore: the server status is in the progress."""

    size: Quad


@dataclass(frozen=True, slots=True)
class Vote:
    """BSAEndTxn of a backup."""

    commit: StrictBool


@dataclass(frozen=True, slots=True)
class Voted:
    """The transaction is over."""

    committed: StrictBool


# -- data socket: these two lines, then the channel's own frames -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataHello:
    """The library asks for its data; ``shared_memory``: whether it takes that."""

    token: Token = field(repr=False)
    shared_memory: StrictBool


@dataclass(frozen=True, slots=True)
class Channel:
    """How it comes. With shared memory its descriptor rides on this line."""

    kind: Literal["shared-memory", "socket"]
    slots: int
    slot_bytes: int


# -- the progress file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """A line of it; ``fields`` hold what belongs to the event, such as the sockets' paths or a status."""

    time: datetime
    event: Literal["started", "sockets", "attributes", "wait", "go", "status", "server-status"]
    text: str
    fields: dict[str, str | int]


Request: TypeAlias = StartBackup | StartRestore | FindObjects | DeleteObjects | History
Answer: TypeAlias = StreamStarted | ObjectsFound | Deleted | HistoryFound | Fault
ToManager: TypeAlias = Attach | BeginObject | ClientStatus | Vote
FromManager: TypeAlias = Wait | Go | Begun | Ended | Voted | Fault

_adapter: Final[Callable[[Any], TypeAdapter[Any]]] = cache(TypeAdapter)


def pack(message: object) -> bytes:
    """The message as a line."""
    fields = _adapter(type(message)).dump_python(message, mode="json")
    return json.dumps({"is": type(message).__name__, **fields}).encode() + b"\n"


def unpack(line: bytes, *expected: type[Any]) -> Any:  # noqa: ANN401  (one of ``expected``)
    """The message of a line; WireError unless it is one of ``expected``."""
    if len(line) > LONGEST_LINE_BYTES:
        raise WireError(f"a line of more than {LONGEST_LINE_BYTES} bytes")
    try:
        fields = json.loads(line)
        name = fields.pop("is")
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise WireError("a line that is no message") from error
    kind = next((each for each in expected if each.__name__ == name), None)
    if kind is None:
        raise WireError(f"{str(name)[:40]!r} came, expected {' or '.join(one.__name__ for one in expected)}")
    try:
        return _adapter(kind).validate_python(fields)
    except ValidationError as error:
        # Its own text would show the input, and with it a token.
        first = error.errors(include_url=False, include_input=False)[0]
        raise WireError(f"{name}.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
