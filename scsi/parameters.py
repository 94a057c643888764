"""The other parameter data of SPC-4, read and built: logs, logical units, attributes of a cartridge, reservations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from scsi.fields import OpenEnum, at, pack, size_of, structure, unpack
from scsi.spc import ReserveType

__all__ = [
    "Attribute",
    "AttributeFormat",
    "LogPage",
    "LogParameter",
    "Registrations",
    "Reservation",
    "ReserveParameters",
    "build_attributes",
    "build_log_page",
    "build_units",
    "parse_attributes",
    "parse_log_page",
    "parse_registrations",
    "parse_reservation",
    "parse_units",
]


@structure(4)
class LogParameter:
    """One counter or value of a log page. ``format``: 0 a counter, 1 text, 2 or 3 binary."""

    code: Annotated[int, at(0, bytes=2)]
    value_bytes: Annotated[int, at(3, bytes=1)]
    format: Annotated[int, at(2, bit=0, width=2)] = 3
    not_saved: Annotated[bool, at(2, bit=5)] = False
    value: bytes = b""

    @classmethod
    def of(cls, code: int, value: bytes) -> LogParameter:
        """A binary value."""
        return cls(code, len(value), value=value)


@structure(4)
class _LogHead:
    page: Annotated[int, at(0, bit=0, width=6)]
    with_subpage: Annotated[bool, at(0, bit=6)]
    subpage: Annotated[int, at(1, bytes=1)]
    bytes_behind: Annotated[int, at(2, bytes=2)]


@dataclass(frozen=True, slots=True)
class LogPage:
    """A log page; ``body`` is what follows its head, for pages that are no list of parameters."""

    page: int
    subpage: int
    body: bytes

    @property
    def parameters(self) -> Sequence[LogParameter]:
        """The parameters; one that is cut off is left out."""
        return tuple(_log_parameters(self.body))


def build_log_page(page: int, parameters: Sequence[LogParameter] | bytes) -> bytes:
    """A page of parameters, or of other bytes such as the list of pages."""
    body = parameters if isinstance(parameters, bytes) else b"".join(pack(each) + each.value for each in parameters)
    return pack(_LogHead(page, False, 0, len(body))) + body


def parse_log_page(raw: bytes) -> LogPage:
    """Read a page, whole or cut short."""
    head = unpack(_LogHead, raw)
    start = size_of(_LogHead)
    return LogPage(head.page, head.subpage if head.with_subpage else 0, bytes(raw[start : start + head.bytes_behind]))


def _log_parameters(body: bytes) -> Iterator[LogParameter]:
    head = size_of(LogParameter)
    while len(body) >= head and len(body) >= head + body[3]:
        end = head + body[3]
        yield unpack(LogParameter, body, value=body[head:end])
        body = body[end:]


_UNIT_BYTES: Final = 8


def build_units(units: Sequence[int]) -> bytes:
    """The answer of REPORT LUNS with units below 256, all on the first level."""
    listed = b"".join(bytes((0, unit)) + bytes(6) for unit in units)
    return len(listed).to_bytes(4, "big") + bytes(4) + listed


def parse_units(raw: bytes) -> Sequence[bytes]:
    """The eight bytes of each unit that REPORT LUNS tells of."""
    listed = raw[8 : 8 + int.from_bytes(raw[:4], "big")]
    return tuple(bytes(listed[start : start + _UNIT_BYTES]) for start in range(0, len(listed) - 7, _UNIT_BYTES))


class AttributeFormat(OpenEnum):
    """How the value of an attribute is written."""

    BINARY = 0
    ASCII = 1
    TEXT = 2


@structure(5)
class Attribute:
    """An attribute of a cartridge's memory."""

    code: Annotated[int, at(0, bytes=2)]
    format: Annotated[AttributeFormat, at(2, bit=0, width=2)]
    value_bytes: Annotated[int, at(3, bytes=2)]
    read_only: Annotated[bool, at(2, bit=7)] = False
    value: bytes = b""

    @property
    def number(self) -> int:
        """A binary value as a number."""
        return int.from_bytes(self.value, "big")

    @property
    def text(self) -> str:
        """A value in letters, without the padding."""
        encoding = "utf-8" if self.format == AttributeFormat.TEXT else "latin-1"
        return self.value.decode(encoding, errors="replace").rstrip(" \0")


def build_attributes(attributes: Sequence[Attribute]) -> bytes:
    """The answer of READ ATTRIBUTE with values, or the parameter list of WRITE ATTRIBUTE."""
    body = b"".join(pack(each) + each.value for each in attributes)
    return len(body).to_bytes(4, "big") + body


def parse_attributes(raw: bytes) -> Sequence[Attribute]:
    """Read the values of attributes; one that is cut off is left out."""
    return tuple(_attributes(bytes(raw[4 : 4 + int.from_bytes(raw[:4], "big")])))


def _attributes(body: bytes) -> Iterator[Attribute]:
    head = size_of(Attribute)
    while len(body) >= head:
        end = head + unpack(Attribute, body).value_bytes
        if end > len(body):
            return
        yield unpack(Attribute, body, value=body[head:end])
        body = body[end:]


@structure(8)
class _ReserveHead:
    generation: Annotated[int, at(0, bytes=4)]
    bytes_behind: Annotated[int, at(4, bytes=4)]


@dataclass(frozen=True, slots=True)
class Registrations:
    """The keys of hosts that registered; ``generation`` counts the changes."""

    generation: int
    keys: Sequence[int]


@structure(24)
class Reservation:
    """Who holds the reservation, head included."""

    generation: Annotated[int, at(0, bytes=4)]
    key: Annotated[int, at(8, bytes=8)]
    scope: Annotated[int, at(21, bit=4, width=4)]
    type: Annotated[ReserveType, at(21, bit=0, width=4)]
    bytes_behind: Annotated[int, at(4, bytes=4)] = 16


@structure(24)
class ReserveParameters:
    """The parameter list of PERSISTENT RESERVE OUT."""

    key: Annotated[int, at(0, bytes=8)]
    new_key: Annotated[int, at(8, bytes=8)]
    persist_power_loss: Annotated[bool, at(20, bit=0)] = False
    all_ports: Annotated[bool, at(20, bit=2)] = False


def parse_registrations(raw: bytes) -> Registrations:
    """Read the answer of PERSISTENT RESERVE IN with keys."""
    head = unpack(_ReserveHead, raw)
    listed = raw[8 : 8 + head.bytes_behind]
    keys = (int.from_bytes(listed[start : start + 8], "big") for start in range(0, len(listed) - 7, 8))
    return Registrations(head.generation, tuple(keys))


def parse_reservation(raw: bytes) -> Reservation | None:
    """Read the answer of PERSISTENT RESERVE IN with the reservation; None if there is none."""
    head = unpack(_ReserveHead, raw)
    return unpack(Reservation, raw) if head.bytes_behind >= size_of(Reservation) - size_of(_ReserveHead) else None
