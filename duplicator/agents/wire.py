"""What agents say to each other: parameters, results and failures as JSON (docs/agents.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, StrictBool, TypeAdapter, ValidationError

from duplicator.plan import Deadlines, Step
from duplicator.sources.source import SourceImage
from duplicator.status import JobError, Status
from duplicator.transfer import StreamBroken
from ndmp.enums import DigestAlgorithm, MoverState
from ndmp.messages.mover import TcpAddresses

__all__ = [
    "LONGEST_LINE_BYTES",
    "VERSIONS",
    "Begin",
    "Close",
    "Code",
    "Done",
    "Event",
    "Hello",
    "MoverIs",
    "Open",
    "Opened",
    "Prepare",
    "RpcError",
    "SourceName",
    "Welcome",
    "as_json",
    "failure_of",
    "failure_to",
    "from_json",
    "printable",
]

VERSIONS: Final = (1,)
"""Versions of the protocol that are spoken here."""
LONGEST_LINE_BYTES: Final = 4 << 20
"""An image of many thousand fragments is described in one line."""

T = TypeVar("T")
Seconds = Annotated[float, Field(ge=0.1, le=24 * 3600)]
Hex = Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who asks: which versions it speaks, as whom it knows the agent, and how long the agent may be silent."""

    versions: tuple[int, ...]
    agent: str
    silence: Seconds


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who answers, in which version, and how long it bears silence."""

    version: int
    silence: Seconds
    software: str
    machine: str
    process: int


@dataclass(frozen=True, slots=True)
class SourceName:
    """An image on a host, by the host's name in the configuration of the agent. There is no secret in it.

    ``wanted``: the digest, None for what the host prefers. ``is_tls_required``: whether the job allows TLS alone.
    """

    host: str
    unit: str
    image: str
    wanted: DigestAlgorithm | None
    deadlines: Deadlines
    is_tls_required: StrictBool


@dataclass(frozen=True, slots=True)
class Open:
    """Make the image ready to be sent."""

    source: SourceName
    image: SourceImage


@dataclass(frozen=True, slots=True)
class Opened:
    """It is; ``name``: how its side is called in reasons."""

    name: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """See OpenSource.prepare."""

    index: int
    size: int | None


@dataclass(frozen=True, slots=True)
class Begin:
    """See OpenSource.begin."""

    address: TcpAddresses
    record_bytes: int


@dataclass(frozen=True, slots=True)
class Close:
    """Leave nothing open; ``failed``: the job has failed, so clean up."""

    failed: StrictBool


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the job's record, see SideRecorder."""

    kind: Literal["step", "note", "told"]
    step: Step
    text: str


@dataclass(frozen=True, slots=True)
class MoverIs:
    """The mover of one side is in this state."""

    role: str
    state: MoverState


@dataclass(frozen=True, slots=True)
class Done:
    """What was sent of a fragment, see Sent; the digest in hexadecimal."""

    size: int
    digest: Hex


@dataclass(frozen=True, slots=True)
class _Failure:
    """A JobError; ``is_stream_broken``: that is all its side saw, and the other side may know why."""

    status: int
    step: str
    reason: str
    is_stream_broken: bool = False


class Code(IntEnum):
    """Error codes of JSON-RPC 2.0, and two of ours."""

    INVALID_PARAMS = -32602
    METHOD_NOT_FOUND = -32601
    INTERNAL = -32603
    JOB_FAILED = -32000
    CANCELLED = -32001


class RpcError(Exception):
    """A request could not be served, for no reason that the job has."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text
        super().__init__(code, text)


_adapter: Final[Callable[[Any], TypeAdapter[Any]]] = cache(TypeAdapter)


def as_json(value: object) -> Any:  # noqa: ANN401  (what json takes)
    """What json takes."""
    return _adapter(type(value)).dump_python(value, mode="json", warnings=False)


def from_json(kind: type[T], found: object) -> T:
    """The value; RpcError INVALID_PARAMS says what is wrong with it."""
    try:
        value: T = _adapter(kind).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise RpcError(Code.INVALID_PARAMS, f"{where}: {first['msg']}") from error
    return value


def failure_to(error: Exception) -> dict[str, Any]:
    """An exception as the error object of JSON-RPC."""
    if isinstance(error, JobError):
        failure = _Failure(int(error.status), error.step, error.reason, isinstance(error, StreamBroken))
        return {"code": int(Code.JOB_FAILED), "message": error.status.text, "data": as_json(failure)}
    if isinstance(error, RpcError):
        return {"code": error.code, "message": error.text}
    return {"code": int(Code.INTERNAL), "message": f"a bug: {type(error).__name__}: {error}"}


def failure_of(found: object) -> Exception:
    """The exception of an error object."""
    if not isinstance(found, dict):
        return RpcError(Code.INTERNAL, "an error without its code")
    if found.get("code") == Code.JOB_FAILED:
        try:
            failure = from_json(_Failure, found.get("data"))
        except RpcError as error:
            return error
        kind = StreamBroken if failure.is_stream_broken else JobError
        return kind(Status(failure.status), step=failure.step, reason=failure.reason)
    code, text = found.get("code"), found.get("message")
    return RpcError(code if isinstance(code, int) else Code.INTERNAL, str(text))


def printable(text: str) -> str:
    """What another process says, harmless for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
