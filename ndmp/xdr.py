"""XDR (RFC 4506) on construct: bounded, and strict about padding.

These constructs describe what compiled.py generates code for, and interpret it for the tests. ``Any`` stays in this
module, in compiled.py and in wire.py: construct has no type hints.
"""

# ruff: noqa: ANN401 (construct is untyped; its values stay in compiled.py, in wire.py and here)
from __future__ import annotations

from collections.abc import Mapping
from io import SEEK_CUR, BytesIO
from operator import index
from typing import Any, Final

import construct

__all__ = [
    "MAX_ARRAY",
    "MAX_OPAQUE",
    "MAX_STRING",
    "Array",
    "Boolean",
    "FixedOpaque",
    "Number",
    "Opaque",
    "Ranged",
    "Record",
    "String",
    "Union",
    "array",
    "boolean",
    "enum",
    "fixed_opaque",
    "i32",
    "opaque",
    "string",
    "u16",
    "u32",
    "u64",
]

MAX_STRING: Final = 0xFFFF
"""Bytes of a string at most."""
MAX_OPAQUE: Final = 16 * 1024 * 1024
"""Bytes of a counted opaque at most."""
MAX_ARRAY: Final = 0xFFFF
"""Elements of an array at most."""

i32 = construct.Int32sb
u32 = construct.Int32ub
u64 = construct.Int64ub


def _remaining(stream: BytesIO) -> int:
    return stream.getbuffer().nbytes - stream.tell()


def _take(stream: BytesIO, length: int, path: str) -> bytes:
    if length > _remaining(stream):
        raise construct.StreamError(f"{length} bytes announced, {_remaining(stream)} left", path=path)
    return stream.read(length)


def _pad(length: int) -> int:
    return -length % 4


def _take_padded(stream: BytesIO, length: int, path: str) -> bytes:
    value = _take(stream, length, path)
    if any(_take(stream, _pad(length), path)):
        raise construct.ConstError("padding is not zero", path=path)
    return value


class Ranged(construct.Adapter):  # type: ignore[misc]
    """A 32-bit word that holds a smaller number."""

    def __init__(self, limit: int) -> None:
        super().__init__(u32)
        self.limit = limit

    def _decode(self, obj: int, context: Any, path: str) -> int:
        if obj > self.limit:
            raise construct.RangeError(f"{obj} is over {self.limit}", path=path)
        return obj

    def _encode(self, obj: int, context: Any, path: str) -> int:
        return self._decode(obj, context, path)


class Boolean(Ranged):
    """A 32-bit word that is 0 or 1."""

    def __init__(self) -> None:
        super().__init__(1)

    def _decode(self, obj: int, context: Any, path: str) -> bool:
        return bool(super()._decode(obj, context, path))

    def _encode(self, obj: int, context: Any, path: str) -> int:
        return index(super()._decode(obj, context, path))


class Opaque(construct.Construct):  # type: ignore[misc]
    """Counted bytes, padded to four."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def _parse(self, stream: BytesIO, context: Any, path: str) -> bytes:
        length = int.from_bytes(_take(stream, 4, path), "big")
        if length > self.limit:
            raise construct.RangeError(f"{length} bytes announced, {self.limit} allowed", path=path)
        return _take_padded(stream, length, path)

    def _build(self, obj: bytes, stream: BytesIO, context: Any, path: str) -> bytes:
        octets = memoryview(obj).cast("B")
        if len(octets) > self.limit:
            raise construct.RangeError(f"{len(octets)} bytes, {self.limit} allowed", path=path)
        stream.write(len(octets).to_bytes(4, "big"))
        stream.write(octets)
        stream.write(bytes(_pad(len(octets))))
        return obj


class FixedOpaque(construct.Construct):  # type: ignore[misc]
    """A known number of bytes, padded to four."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def _parse(self, stream: BytesIO, context: Any, path: str) -> bytes:
        return _take_padded(stream, self.length, path)

    def _build(self, obj: bytes, stream: BytesIO, context: Any, path: str) -> bytes:
        if len(obj) != self.length:
            raise construct.RangeError(f"{len(obj)} bytes, {self.length} needed", path=path)
        stream.write(obj + bytes(_pad(self.length)))
        return obj


class String(construct.Adapter):  # type: ignore[misc]
    """UTF-8; bytes that are not survive as surrogates."""

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.decode("utf-8", "surrogateescape")

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return obj.encode("utf-8", "surrogateescape")


class Array(construct.Subconstruct):  # type: ignore[misc]
    """A counted array; an element takes four bytes at least, so a count is checked before it is believed."""

    def __init__(self, element: Any, limit: int) -> None:
        super().__init__(element)
        self.limit = limit

    def _parse(self, stream: BytesIO, context: Any, path: str) -> tuple[Any, ...]:
        count = int.from_bytes(_take(stream, 4, path), "big")
        if count > min(self.limit, _remaining(stream) // 4):
            raise construct.RangeError(f"{count} elements announced", path=path)
        return tuple(self.subcon._parsereport(stream, context, path) for _ in range(count))

    def _build(self, obj: tuple[Any, ...], stream: BytesIO, context: Any, path: str) -> tuple[Any, ...]:
        if len(obj) > self.limit:
            raise construct.RangeError(f"{len(obj)} elements, {self.limit} allowed", path=path)
        stream.write(len(obj).to_bytes(4, "big"))
        for element in obj:
            self.subcon._build(element, stream, context, path)
        return obj


class Number(construct.Adapter):  # type: ignore[misc]
    """A number that has a Python type; numbers without a name are kept."""

    def __init__(self, kind: Any) -> None:
        super().__init__(u32)
        self.kind = kind

    def _decode(self, obj: int, context: Any, path: str) -> Any:
        return self.kind(obj)

    def _encode(self, obj: Any, context: Any, path: str) -> int:
        return index(obj)


class Record(construct.Adapter):  # type: ignore[misc]
    """A structure whose value is an object of a declared class."""

    def __init__(self, declared: Any, fields: Mapping[str, Any]) -> None:
        super().__init__(construct.Struct(*(name / wire for name, wire in fields.items())))
        self.declared = declared
        self.fields = dict(fields)

    def _decode(self, obj: Any, context: Any, path: str) -> Any:
        return self.declared(**{name: obj[name] for name in self.fields})

    def _encode(self, obj: Any, context: Any, path: str) -> dict[str, Any]:
        return {name: getattr(obj, name) for name in self.fields}


class Union(construct.Construct):  # type: ignore[misc]
    """A discriminant and its arm.

    What has no arm is a ``default``, whose first field is the discriminant. Without a default it is a ``stray``: a
    class of (kind, rest), for all that is left.
    """

    def __init__(self, arms: Mapping[int, Record], *, stray: Any, default: Record | None = None) -> None:
        super().__init__()
        self.arms = dict(arms)
        self.kinds = {arm.declared: kind for kind, arm in arms.items()}
        self.stray = stray
        self.default = default

    def _parse(self, stream: BytesIO, context: Any, path: str) -> Any:
        kind = u32._parsereport(stream, context, path)
        if kind in self.arms:
            return self.arms[kind]._parsereport(stream, context, path)
        if self.default is None:
            return self.stray(kind, stream.read())
        stream.seek(-4, SEEK_CUR)
        return self.default._parsereport(stream, context, path)

    def _build(self, obj: Any, stream: BytesIO, context: Any, path: str) -> Any:
        if self.default is not None and type(obj) is self.default.declared:
            return self.default._build(obj, stream, context, path)
        if self.default is None and type(obj) is self.stray:
            stream.write(obj.kind.to_bytes(4, "big") + obj.rest)
            return obj
        kind = self.kinds[type(obj)]
        stream.write(kind.to_bytes(4, "big"))
        return self.arms[kind]._build(obj, stream, context, path)


u16 = Ranged(0xFFFF)
boolean = Boolean()
string = String(Opaque(MAX_STRING))
opaque = Opaque(MAX_OPAQUE)


def fixed_opaque(length: int) -> construct.Construct:
    """Bytes of a fixed length, without a count."""
    return FixedOpaque(length)


def array(element: construct.Construct, limit: int = MAX_ARRAY) -> construct.Construct:
    """A counted array of at most ``limit`` elements."""
    return Array(element, limit)


def enum(kind: type) -> construct.Construct:
    """A 32-bit number shown as ``kind``, an open enum or flags."""
    return Number(kind)
