"""XDR (RFC 4506) on construct: bounded, and strict about padding.

``Any`` stays in this module and in wire.py: construct has no type hints.
"""

# ruff: noqa: ANN401 (construct is untyped; its values stay in wire.py and here)
from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import construct

__all__ = [
    "MAX_ARRAY",
    "MAX_OPAQUE",
    "MAX_STRING",
    "array",
    "boolean",
    "enum",
    "fixed_opaque",
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


class _Ranged(construct.Adapter):  # type: ignore[misc]
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


class _Boolean(_Ranged):
    def __init__(self) -> None:
        super().__init__(1)

    def _decode(self, obj: int, context: Any, path: str) -> bool:
        return bool(super()._decode(obj, context, path))

    def _encode(self, obj: int, context: Any, path: str) -> int:
        return int(super()._decode(obj, context, path))


class _Opaque(construct.Construct):  # type: ignore[misc]
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
        if len(obj) > self.limit:
            raise construct.RangeError(f"{len(obj)} bytes, {self.limit} allowed", path=path)
        stream.write(len(obj).to_bytes(4, "big"))
        stream.write(obj)
        stream.write(bytes(_pad(len(obj))))
        return obj


class _FixedOpaque(construct.Construct):  # type: ignore[misc]
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


class _String(construct.Adapter):  # type: ignore[misc]
    """UTF-8; bytes that are not survive as surrogates."""

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.decode("utf-8", "surrogateescape")

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return obj.encode("utf-8", "surrogateescape")


class _Array(construct.Subconstruct):  # type: ignore[misc]
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


class _Enum(construct.Adapter):  # type: ignore[misc]
    """A number that has a Python type; numbers without a name are kept."""

    def __init__(self, kind: Any) -> None:
        super().__init__(u32)
        self.kind = kind

    def _decode(self, obj: int, context: Any, path: str) -> Any:
        return self.kind(obj)

    def _encode(self, obj: Any, context: Any, path: str) -> int:
        return int(obj)


u16 = _Ranged(0xFFFF)
boolean = _Boolean()
string = _String(_Opaque(MAX_STRING))
opaque = _Opaque(MAX_OPAQUE)


def fixed_opaque(length: int) -> construct.Construct:
    """Bytes of a fixed length, without a count."""
    return _FixedOpaque(length)


def array(element: construct.Construct, limit: int = MAX_ARRAY) -> construct.Construct:
    """A counted array of at most ``limit`` elements."""
    return _Array(element, limit)


def enum(kind: type) -> construct.Construct:
    """A 32-bit number shown as ``kind``, an open enum or flags."""
    return _Enum(kind)
