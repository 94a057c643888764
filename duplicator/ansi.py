"""ANSI X3.27 tape labels, version 4 (ECMA-13, 4th edition): blocks of 80 bytes to values and back.

Nothing here touches a tape, or knows what this product writes into the labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self, TypeAlias

__all__ = [
    "LABEL_BYTES",
    "PRODUCT",
    "USER_NUMBERS",
    "USER_TEXT_COLUMNS",
    "FileLabel1",
    "FileLabel2",
    "Label",
    "LabelError",
    "RawLabel",
    "UserLabel",
    "Vol1",
    "check_volume_id",
    "parse_label",
]

LABEL_BYTES: Final = 80
"""Length of every label, each a block of its own."""
PRODUCT: Final = "NDMPDUP"
"""Implementation identifier in the labels of this product."""
USER_TEXT_COLUMNS: Final = 76
_A_CHARACTERS = frozenset(" !\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
USER_NUMBERS: Final = "".join(sorted(c for c in _A_CHARACTERS if c >= "1"))
"""Numbers of user labels in their order: 1 to 9, then the other a-characters as ASCII sorts them."""


class LabelError(ValueError):
    """A label, or a group of labels, that cannot be read or written; the text says which and why."""


def check_volume_id(volume: str) -> str:
    """Give ``volume`` back if it is 1 to 6 of the characters A-Z and 0-9; else LabelError."""
    if not re.fullmatch("[A-Z0-9]{1,6}", volume):
        raise LabelError(f"volume id {volume!r} is not 1 to 6 of the characters A-Z and 0-9")
    return volume


def _join(*columns: tuple[str, int]) -> bytes:
    for text, width in columns:
        if len(text) > width:
            raise LabelError(f"{text!r} does not fit {width} columns")
    line = "".join(text.ljust(width) for text, width in columns)
    if strange := set(line) - _A_CHARACTERS:
        raise LabelError(f"characters not allowed in a label: {''.join(sorted(strange))!r}")
    return line.encode("ascii")


def _cut(line: str, *widths: int) -> list[str]:
    starts = [sum(widths[:i]) for i in range(len(widths))]
    return [line[start : start + width] for start, width in zip(starts, widths, strict=True)]


def _digits(value: int, width: int) -> tuple[str, int]:
    return f"{value % 10**width:0{width}}", width


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise LabelError(f"{what} is {text!r}, not a number")
    return int(text)


def _write_day(day: date | None) -> tuple[str, int]:
    if day is None:
        return " 00000", 6
    if not 1900 <= day.year <= 2099:
        raise LabelError(f"the year {day.year} cannot be written in a label")
    return f"{'0' if day.year >= 2000 else ' '}{day:%y%j}", 6


def _read_day(text: str, what: str) -> date | None:
    year = {" ": 1900, "0": 2000}.get(text[0])
    if year is None:
        raise LabelError(f"{what} {text!r} has an unknown century")
    year += _number(text[1:3], what)
    day = _number(text[3:], what)
    if text == " 00000":
        return None
    found = date(year, 1, 1) + timedelta(day - 1)
    if found.year != year:
        raise LabelError(f"{what} {text!r} is not a day of that year")
    return found


@dataclass(frozen=True, slots=True)
class Vol1:
    """The volume label."""

    volume: str
    accessibility: str = " "
    implementation: str = PRODUCT
    owner: str = ""
    version: str = "4"

    def encode(self) -> bytes:
        """The 80 bytes on tape."""
        who = (self.implementation, 13), (self.owner, 14)
        return _join(
            ("VOL1", 4), (self.volume, 6), (self.accessibility, 1), ("", 13), *who, ("", 28), (self.version, 1)
        )

    @classmethod
    def _parse(cls, line: str) -> Self:
        _, volume, accessibility, _, implementation, owner, _, version = _cut(line, 4, 6, 1, 13, 13, 14, 28, 1)
        return cls(volume.rstrip(), accessibility, implementation.rstrip(), owner.rstrip(), version)


@dataclass(frozen=True, slots=True)
class FileLabel1:
    """HDR1, EOF1 or EOV1. ``sequence`` is modulo 10,000 and ``blocks`` modulo 1,000,000; a date can be absent."""

    id: str
    file_id: str
    file_set: str
    section: int
    sequence: int
    created: date | None
    expires: date | None
    blocks: int = 0
    generation: int = 1
    generation_version: int = 0
    accessibility: str = " "
    implementation: str = PRODUCT

    def encode(self) -> bytes:
        """The 80 bytes on tape."""
        names = (self.id, 4), (self.file_id, 17), (self.file_set, 6)
        place = _digits(self.section, 4), _digits(self.sequence, 4)
        generation = _digits(self.generation, 4), _digits(self.generation_version, 2)
        days = _write_day(self.created), _write_day(self.expires)
        rest = (self.accessibility, 1), _digits(self.blocks, 6), (self.implementation, 13), ("", 7)
        return _join(*names, *place, *generation, *days, *rest)

    @classmethod
    def _parse(cls, line: str) -> Self:
        widths = 4, 17, 6, 4, 4, 4, 2, 6, 6, 1, 6, 13, 7
        label, name, file_set, section, sequence, gen, gen_version, created, expires, access, blocks, who, _ = _cut(
            line, *widths
        )
        return cls(
            id=label,
            file_id=name.rstrip(),
            file_set=file_set.rstrip(),
            section=_number(section, f"{label} file section"),
            sequence=_number(sequence, f"{label} file sequence"),
            created=_read_day(created, f"{label} creation date"),
            expires=_read_day(expires, f"{label} expiration date"),
            blocks=_number(blocks, f"{label} block count"),
            generation=_number(gen, f"{label} generation"),
            generation_version=_number(gen_version, f"{label} generation version"),
            accessibility=access,
            implementation=who.rstrip(),
        )


@dataclass(frozen=True, slots=True)
class FileLabel2:
    """HDR2, EOF2 or EOV2. Lengths in bytes; 0 where the true length has more than five digits."""

    id: str
    record_format: str
    block_length: int
    record_length: int
    system: str = ""
    offset_length: int = 0

    def encode(self) -> bytes:
        """The 80 bytes on tape."""
        lengths = _digits(self.block_length, 5), _digits(self.record_length, 5)
        start = (self.id, 4), (self.record_format, 1)
        return _join(*start, *lengths, (self.system, 35), _digits(self.offset_length, 2), ("", 28))

    @classmethod
    def _parse(cls, line: str) -> Self:
        label, form, block, record, system, offset, _ = _cut(line, 4, 1, 5, 5, 35, 2, 28)
        lengths = _number(block, f"{label} block length"), _number(record, f"{label} record length")
        return cls(label, form, *lengths, system.rstrip(), _number(offset, f"{label} offset length"))


@dataclass(frozen=True, slots=True)
class UserLabel:
    """UHL or UTL with its one-character number; ``text`` is all 76 columns."""

    id: str
    number: str
    text: str

    def encode(self) -> bytes:
        """The 80 bytes on tape."""
        return _join((self.id, 3), (self.number, 1), (self.text, USER_TEXT_COLUMNS))

    @classmethod
    def _parse(cls, line: str) -> Self:
        return cls(*_cut(line, 3, 1, USER_TEXT_COLUMNS))


@dataclass(frozen=True, slots=True)
class RawLabel:
    """A label that has no meaning here, kept as it is."""

    block: bytes

    def encode(self) -> bytes:
        """The 80 bytes on tape."""
        return self.block


Label: TypeAlias = Vol1 | FileLabel1 | FileLabel2 | UserLabel | RawLabel

_PARSERS: dict[str, Callable[[str], Label]] = {
    "VOL1": Vol1._parse,
    **{f"{kind}1": FileLabel1._parse for kind in ("HDR", "EOF", "EOV")},
    **{f"{kind}2": FileLabel2._parse for kind in ("HDR", "EOF", "EOV")},
}


def parse_label(block: bytes) -> Label:
    """Read one label block; LabelError when it is none, or a known one with columns that make no sense."""
    if len(block) != LABEL_BYTES:
        raise LabelError(f"a label has {LABEL_BYTES} bytes, this block has {len(block)}")
    if any(not 0x20 <= byte <= 0x7E for byte in block):
        raise LabelError(f"not a label: bytes that are no printable ASCII, starting {block[:8].hex()}")
    line = block.decode("ascii")
    if line[:3] in ("UHL", "UTL"):
        return UserLabel._parse(line)
    parser = _PARSERS.get(line[:4])
    return parser(line) if parser else RawLabel(bytes(block))
