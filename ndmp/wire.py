"""One declaration a message: a frozen dataclass whose field types name their wire types.

``@request``, ``@reply`` and ``@post`` turn a class into such a declaration and register it. ``encode`` and ``decode``
are derived from it, and every foreign exception becomes :class:`ndmp.errors.XdrError` here.
"""

# ruff: noqa: ANN401 (construct is untyped; its values stay in xdr.py and here)
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from io import BytesIO
from struct import error as StructError  # noqa: N812
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

from ndmp import compiled, xdr
from ndmp.blank import frozen
from ndmp.enums import Error
from ndmp.errors import XdrError

__all__ = [
    "I32",
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
    "encode_parts",
    "fixed",
    "interpreted_decode",
    "interpreted_encode",
    "post",
    "reader_of",
    "refusal",
    "reply",
    "request",
    "source_of",
    "struct",
]

I32: TypeAlias = Annotated[int, xdr.i32]
U16: TypeAlias = Annotated[int, xdr.u16]
U32: TypeAlias = Annotated[int, xdr.u32]
U64: TypeAlias = Annotated[int, xdr.u64]
Bool: TypeAlias = Annotated[bool, xdr.boolean]
Text: TypeAlias = Annotated[str, xdr.string]
Opaque: TypeAlias = Annotated[bytes, xdr.opaque]

R = TypeVar("R", bound="Reply")
S = TypeVar("S")
C = TypeVar("C", bound=type)

_REFUSED: Final = (StructError, KeyError, TypeError, ValueError, OverflowError, AttributeError)
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
    return frozen(declared)  # type: ignore[no-any-return]


def _register(registry: dict[Key, Any], code: int, version: int) -> Callable[[C], C]:
    def declare(declared: C) -> C:
        made: Any = struct(declared)
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
    """The wire type of a union, for use in Annotated: discriminant number -> class of the arm.

    ``default`` is the class for all other numbers, which its first field holds; without it they are an OtherArm.
    """

    def __init__(self, arms: Mapping[int, type], *, default: type | None = None) -> None:
        self.arms = dict(arms)
        self.default = default


def _hints(declared: Any) -> dict[str, Any]:
    """Field types in wire order."""
    hints = get_type_hints(declared, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(declared)}


_STRUCTS: dict[Any, xdr.Record] = {}


def _struct_of(declared: Any) -> xdr.Record:
    if declared not in _STRUCTS:
        fields = {name: _wire_of(hint) for name, hint in _hints(declared).items()}
        _STRUCTS[declared] = xdr.Record(declared, fields)
    return _STRUCTS[declared]


def _union_of(tagged: Tagged) -> xdr.Union:
    arms = {int(kind): _struct_of(arm) for kind, arm in tagged.arms.items()}
    default = None if tagged.default is None else _struct_of(tagged.default)
    return xdr.Union(arms, stray=OtherArm, default=default)


def _wire_of(hint: Any) -> construct.Construct:
    """The construct of a field's type."""
    if get_origin(hint) is Annotated:
        wire = get_args(hint)[1]
        return _union_of(wire) if isinstance(wire, Tagged) else wire
    if get_origin(hint) is tuple:
        return xdr.array(_wire_of(get_args(hint)[0]))
    if issubclass(hint, Enum):
        return xdr.enum(hint)
    return _struct_of(hint)


class _Functions(dict[Any, Callable[..., Any]]):
    """Those of structures, each generated when first needed."""

    def __init__(self, generate: Callable[[xdr.Record], Callable[..., Any]]) -> None:
        super().__init__()
        self._generate = generate

    def __missing__(self, declared: Any) -> Callable[..., Any]:
        return self.setdefault(declared, self._generate(_struct_of(declared)))


_READERS: Final = _Functions(compiled.reader)
_WRITERS: Final = _Functions(compiled.writer)


def source_of(declared: type) -> str:
    """The Python source that is generated to read and write a message or structure."""
    return compiled.source(_struct_of(declared))


def reader_of(declared: type[S]) -> Callable[[bytes, int], S]:
    """What :func:`decode` calls, for bytes that are long enough beforehand: its errors are not made ours."""
    return _READERS[declared]


def encode(message: object) -> bytes:
    """The XDR bytes of a message body or structure."""
    return b"".join(encode_parts(message))


def encode_parts(message: object) -> Sequence[bytes]:
    """The XDR bytes in parts; a block of bytes is a part of its own, not copied."""
    try:
        return _WRITERS[type(message)](message)  # type: ignore[no-any-return]
    except _REFUSED as error:
        raise XdrError(f"{type(message).__name__} does not encode: {error}") from error


def decode(declared: type[S], body: bytes, *, start: int = 0) -> S:
    """The message or structure that is all of ``body`` from offset ``start`` on; its padding must be zero."""
    try:
        return _READERS[declared](body, start)  # type: ignore[no-any-return]
    except (StructError, ValueError) as error:
        raise XdrError(f"{declared.__name__} does not decode: {error}") from error


def interpreted_encode(message: object) -> bytes:
    """What :func:`encode` gives, by construct: the reference that the tests hold the generated code to."""
    try:
        return _struct_of(type(message)).build(message)  # type: ignore[no-any-return]
    except (construct.ConstructError, *_REFUSED) as error:
        raise XdrError(f"{type(message).__name__} does not encode: {error}") from error


def interpreted_decode(declared: type[S], body: bytes) -> S:
    """What :func:`decode` gives, by construct."""
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
    key: Any = declared
    return dataclasses.replace(_empty(key), error=error)  # type: ignore[no-any-return]


@cache
def _empty(declared: Any) -> Any:
    """Made once: whoever is refused may ask again at once."""
    return _struct_of(declared).parse(_ZEROS)
