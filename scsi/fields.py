"""Where a field lies in a SCSI structure: declared once, as the standards' tables draw it.

A structure is a dataclass; a field with a place is on the wire: ``full: Annotated[bool, at(2, bit=0)]``. A field
without one is not part of the fixed layout and has a default. What no field covers is reserved: built as zero, not
looked at when read, since devices of older and newer standards put things there.
"""

# ruff: noqa: ANN401 (construct is untyped; its values stay here)
from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from struct import error as StructError  # noqa: N812
from typing import Annotated, Any, Final, Self, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

import construct

from scsi.errors import FieldError

__all__ = ["Layout", "OpenEnum", "Place", "at", "pack", "size_of", "structure", "unpack"]

S = TypeVar("S")
C = TypeVar("C", bound=type)

_REFUSED: Final = (construct.ConstructError, StructError, TypeError, ValueError, AttributeError, OverflowError)


class OpenEnum(IntEnum):
    """An unsigned enum that keeps numbers it has no name for."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or value < 0:
            return None
        stranger = int.__new__(cls, value)
        stranger._name_ = f"UNKNOWN_{value:#x}"
        stranger._value_ = value
        return stranger


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Bits of a structure, counted from its first byte's highest bit."""

    first: int
    width: int

    @property
    def byte(self) -> int:
        """The byte it begins in."""
        return self.first // 8

    @property
    def highest_bit(self) -> int:
        """The number, 7..0, of its first bit within that byte."""
        return 7 - self.first % 8


def at(byte: int, *, bytes: int = 0, bit: int = 0, width: int = 1) -> Any:  # noqa: A002
    """The place of a field: whole ``bytes`` from ``byte`` on, or ``width`` bits of it whose lowest is ``bit``."""
    return Place(byte * 8, bytes * 8) if bytes else Place(byte * 8 + 8 - bit - width, width)


@dataclass_transform(frozen_default=True)
def structure(length: int) -> Callable[[C], C]:
    """Declare a structure whose fixed part has ``length`` bytes."""

    def declare(declared: C) -> C:
        made: Any = dataclasses.dataclass(frozen=True, slots=True)(declared)
        _LAYOUTS[made] = Layout(made, length)
        return made  # type: ignore[no-any-return]

    return declare


class Layout:
    """The fixed part of a declared structure; ``places`` by field name."""

    def __init__(self, declared: Any, length: int) -> None:
        hints = get_type_hints(declared, include_extras=True)
        wired = [field.name for field in dataclasses.fields(declared) if _is_placed(hints[field.name])]
        self.length = length
        self._name = declared.__name__
        self.places: Mapping[str, Place] = {name: get_args(hints[name])[1] for name in wired}
        self._kinds = {name: get_args(hints[name])[0] for name in wired}
        self._bits = construct.BitStruct(*self._parts(declared))

    def build(self, values: object) -> bytes:
        """The bytes of an object with these fields."""
        try:
            wire = {name: _to_wire(getattr(values, name), place) for name, place in self.places.items()}
            return self._bits.build(wire)  # type: ignore[no-any-return]
        except _REFUSED as error:
            raise FieldError(f"{type(values).__name__} does not encode: {error}") from error

    def parse(self, raw: bytes) -> dict[str, Any]:
        """Field values from ``raw``, which may go on behind the layout; FieldError if it is shorter."""
        try:
            found = self._bits.parse(bytes(raw[: self.length]))
            return {name: _from_wire(found[name], kind) for name, kind in self._kinds.items()}
        except _REFUSED as error:
            raise FieldError(f"{self._name} does not decode from {len(raw)} bytes: {error}") from error

    def _parts(self, declared: Any) -> Iterator[Any]:
        at_bit = 0
        for name, place in sorted(self.places.items(), key=lambda item: item[1].first):
            if place.first < at_bit:
                raise TypeError(f"{declared.__name__}.{name} overlaps the field before it")
            yield construct.Padding(place.first - at_bit)
            yield name / _wire_type(self._kinds[name], place)
            at_bit = place.first + place.width
        if at_bit > self.length * 8:
            raise TypeError(f"{declared.__name__} ends after {self.length} bytes")
        yield construct.Padding(self.length * 8 - at_bit)


_LAYOUTS: Final[dict[Any, Layout]] = {}


def size_of(declared: type) -> int:
    """Bytes of the fixed part of a structure."""
    return _LAYOUTS[declared].length


def pack(values: object) -> bytes:
    """The bytes of a structure's fixed part; FieldError for a value that does not fit its field."""
    return _LAYOUTS[type(values)].build(values)


def unpack(declared: type[S], raw: bytes, **extra: object) -> S:
    """The structure whose fixed part begins ``raw``; ``extra`` are its fields without a place. FieldError if short."""
    return declared(**_LAYOUTS[declared].parse(raw), **extra)


def _is_placed(hint: Any) -> bool:
    return get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Place)


def _wire_type(kind: Any, place: Place) -> Any:
    if kind in (str, bytes):
        return construct.Bytewise(construct.Bytes(place.width // 8))
    return construct.BitsInteger(place.width)


def _to_wire(value: Any, place: Place) -> Any:
    if isinstance(value, str):
        return value.encode("latin-1").ljust(place.width // 8)
    return value if isinstance(value, bytes) else int(value)


def _from_wire(value: Any, kind: Any) -> Any:
    # Text is padded with spaces by the standards and with zeros by some devices.
    return value.decode("latin-1").rstrip(" \0") if kind is str else kind(value)
