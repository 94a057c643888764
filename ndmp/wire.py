"""One declaration a message: a frozen dataclass whose field types name their wire types.

``@request``, ``@reply`` and ``@post`` turn a class into such a declaration and register it. ``encode`` and ``decode``
are derived from it, and every foreign exception becomes :class:`ndmp.errors.XdrError` here.
"""

# ruff: noqa: ANN401 (construct is untyped; its values stay in xdr.py and here)
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from io import BytesIO
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import construct

from ndmp import xdr
from ndmp.enums import Error
from ndmp.errors import XdrError

__all__ = [
    "POSTS",
    "REPLIES",
    "REQUESTS",
    "U16",
    "U32",
    "U64",
    "Bool",
    "Message",
    "Opaque",
    "OtherArm",
    "Post",
    "Reply",
    "Request",
    "Tagged",
    "Text",
    "decode",
    "encode",
    "fixed",
    "post",
    "refusal",
    "reply",
    "request",
    "struct",
]

U16: TypeAlias = Annotated[int, xdr.u16]
U32: TypeAlias = Annotated[int, xdr.u32]
U64: TypeAlias = Annotated[int, xdr.u64]
Bool: TypeAlias = Annotated[bool, xdr.boolean]
Text: TypeAlias = Annotated[str, xdr.string]
Opaque: TypeAlias = Annotated[bytes, xdr.opaque]

R = TypeVar("R", bound="Reply")
M = TypeVar("M", bound="Message")
C = TypeVar("C", bound=type)

_ZEROS: Final = bytes(4096)
"""More than any message takes whose strings and arrays are empty."""


class Message:
    """The body of a message: its header's message code, and the version of its extension class."""

    __slots__ = ()
    wire_code: ClassVar[int]
    wire_version: ClassVar[int]


class Request(Message, Generic[R]):
    """A request body; its parameter is the reply that answers it."""

    __slots__ = ()


class Reply(Message):
    """A reply body. Each has the error word ``error``, mostly first."""

    __slots__ = ()
    error: Error


class Post(Message):
    """A notification body: sent by a host, never answered."""

    __slots__ = ()


Key: TypeAlias = tuple[int, int]
REQUESTS: dict[Key, type[Request[Any]]] = {}
"""Request declarations by (code, extension version)."""
REPLIES: dict[Key, type[Reply]] = {}
"""Reply declarations by (code, extension version)."""
POSTS: dict[Key, type[Post]] = {}
"""Post declarations by (code, extension version)."""


@dataclass_transform(frozen_default=True)
def struct(declared: C) -> C:
    """Declare a structure that is part of messages."""
    made: Any = dataclasses.dataclass(frozen=True, slots=True)(declared)
    return made  # type: ignore[no-any-return]


def _register(registry: dict[Key, Any], code: int, version: int) -> Callable[[C], C]:
    def declare(declared: C) -> C:
        made: Any = dataclasses.dataclass(frozen=True, slots=True)(declared)
        made.wire_code, made.wire_version = code, version
        if registry.setdefault((code, version), made) is not made:
            raise TypeError(f"message {code:#x} version {version} is declared twice")
        return made  # type: ignore[no-any-return]

    return declare


@dataclass_transform(frozen_default=True)
def request(code: int, *, version: int = 1) -> Callable[[C], C]:
    """Declare the request with this message code."""
    return _register(REQUESTS, code, version)


@dataclass_transform(frozen_default=True)
def reply(code: int, *, version: int = 1) -> Callable[[C], C]:
    """Declare the reply with this message code."""
    return _register(REPLIES, code, version)


@dataclass_transform(frozen_default=True)
def post(code: int, *, version: int = 1) -> Callable[[C], C]:
    """Declare the notification with this message code."""
    return _register(POSTS, code, version)


def fixed(length: int) -> Any:
    """The wire type of ``opaque[length]``, for use in Annotated."""
    return xdr.fixed_opaque(length)


@struct
class OtherArm:
    """A union whose discriminant has no declared arm: kept as it came, to the end of the body."""

    kind: U32
    rest: bytes


class Tagged:
    """The wire type of a union, for use in Annotated: discriminant number -> class of the arm."""

    def __init__(self, arms: Mapping[int, type]) -> None:
        self.arms = dict(arms)


class _Arms(construct.Construct):  # type: ignore[misc]
    def __init__(self, arms: Mapping[int, type]) -> None:
        super().__init__()
        self.structs = {int(kind): _struct_of(arm) for kind, arm in arms.items()}
        self.kinds = {arm: int(kind) for kind, arm in arms.items()}

    def _parse(self, stream: BytesIO, context: Any, path: str) -> Any:
        kind = xdr.u32._parsereport(stream, context, path)
        if kind not in self.structs:
            return OtherArm(kind, stream.read())
        return self.structs[kind]._parsereport(stream, context, path)

    def _build(self, obj: Any, stream: BytesIO, context: Any, path: str) -> Any:
        if isinstance(obj, OtherArm):
            stream.write(obj.kind.to_bytes(4, "big") + obj.rest)
            return obj
        kind = self.kinds[type(obj)]
        stream.write(kind.to_bytes(4, "big"))
        return self.structs[kind]._build(obj, stream, context, path)


class _Record(construct.Adapter):  # type: ignore[misc]
    """A construct Struct whose value is a dataclass."""

    def __init__(self, declared: Any) -> None:
        hints = _hints(declared)
        super().__init__(construct.Struct(*(name / _wire_of(hint) for name, hint in hints.items())))
        self.declared = declared
        self.names = tuple(hints)

    def _decode(self, obj: Any, context: Any, path: str) -> Any:
        return self.declared(**{name: obj[name] for name in self.names})

    def _encode(self, obj: Any, context: Any, path: str) -> dict[str, Any]:
        return {name: getattr(obj, name) for name in self.names}


def _hints(declared: Any) -> dict[str, Any]:
    """Field types in wire order."""
    hints = get_type_hints(declared, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(declared)}


_STRUCTS: dict[Any, construct.Construct] = {}


def _struct_of(declared: Any) -> construct.Construct:
    if declared not in _STRUCTS:
        _STRUCTS[declared] = _Record(declared)
    return _STRUCTS[declared]


def _wire_of(hint: Any) -> construct.Construct:
    """The construct of a field's type."""
    if get_origin(hint) is Annotated:
        wire = get_args(hint)[1]
        return _Arms(wire.arms) if isinstance(wire, Tagged) else wire
    if get_origin(hint) is tuple:
        return xdr.array(_wire_of(get_args(hint)[0]))
    if issubclass(hint, Enum):
        return xdr.enum(hint)
    return _struct_of(hint)


def encode(message: object) -> bytes:
    """The XDR bytes of a message body or structure."""
    try:
        return _struct_of(type(message)).build(message)  # type: ignore[no-any-return]
    except (construct.ConstructError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise XdrError(f"{type(message).__name__} does not encode: {error}") from error


def decode(declared: type[M], body: bytes) -> M:
    """The message in ``body``; all of it must be used, and its padding must be zero."""
    stream = BytesIO(body)
    try:
        message = _struct_of(declared).parse_stream(stream)
    except (construct.ConstructError, ValueError) as error:
        raise XdrError(f"{declared.__name__} does not decode: {error}") from error
    if stream.tell() != len(body):
        raise XdrError(f"{declared.__name__}: {len(body) - stream.tell()} bytes after its end")
    return message  # type: ignore[no-any-return]


def refusal(declared: type[R], error: Error) -> R:
    """A reply that says ``error`` and is zero or empty otherwise (draft 2.10: the fields are still sent)."""
    empty = _struct_of(declared).parse(_ZEROS)
    return dataclasses.replace(empty, error=error)  # type: ignore[no-any-return]
