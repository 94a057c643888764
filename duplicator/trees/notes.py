"""What a member carries for file history and for rebuilding, besides what tar knows of a file."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["DUMPDIR", "Notes", "dumpdir", "parse_dumpdir", "parse_notes"]

DUMPDIR: Final = "GNU.dumpdir"
"""GNU tar's list of a directory, for its incremental archives."""
_COMMENT: Final = "comment"
"""The one standard pax keyword that every reader passes over in silence."""
_MARK: Final = "ndmpdup"
_ALL_ONES: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Notes:
    """Numbers that a file history tells of a file. Zero: unknown."""

    node: int = 0
    links: int = 1
    size: int = 0
    """In bytes, of anything but a regular file."""
    first: int | None = None
    """Of a hard link: the byte of the stream where the member with the file's bytes begins."""
    entries: tuple[int, ...] = ()
    """Of a directory: the nodes of the names in its list, in order."""

    @classmethod
    def of(cls, found: os.stat_result, node: int) -> Notes:
        """The notes of a file, no directory and no second name."""
        return cls(node, found.st_nlink, found.st_size)

    def record(self) -> dict[str, str]:
        """The pax record that carries them."""
        words = [_MARK, f"node={self.node}", f"links={self.links}", f"size={self.size}"]
        if self.first is not None:
            words.append(f"first={self.first}")
        if self.entries:
            words.append("entries=" + ",".join(map(str, self.entries)))
        return {_COMMENT: " ".join(words)}


def parse_notes(member: tarfile.TarInfo) -> Notes:
    """The notes of a member; all unknown in an archive by another program."""
    mark, *words = member.pax_headers.get(_COMMENT, "").split(" ")
    if mark != _MARK:
        return Notes()
    values = dict(word.partition("=")[::2] for word in words)
    entries = values.get("entries", "")
    first = _number(values, "first", default=_ALL_ONES)
    return Notes(
        _number(values, "node", default=0),
        _number(values, "links", default=1),
        _number(values, "size", default=0),
        None if first == _ALL_ONES else first,
        tuple(_parse(number, default=0) for number in entries.split(",")) if entries else (),
    )


def _number(values: Mapping[str, str], name: str, *, default: int) -> int:
    return _parse(values.get(name, ""), default=default)


def _parse(text: str, *, default: int) -> int:
    """An unsigned number of 64 bits but for all ones, which stands for unknown."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else _ALL_ONES
    return number if number < _ALL_ONES else default


def dumpdir(codes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pax record with names and codes: Y in this archive, N not in it, D a directory."""
    return {DUMPDIR: "".join(f"{code}{name}\0" for name, code in codes) + "\0"}


def parse_dumpdir(member: tarfile.TarInfo) -> dict[str, str] | None:
    """Codes by name; None without a list, or for one with renamed directories, which only GNU tar can follow."""
    if DUMPDIR not in member.pax_headers:
        return None
    entries = [entry for entry in member.pax_headers[DUMPDIR].split("\0") if entry]
    return {entry[1:]: entry[0] for entry in entries} if all(entry[0] in "YND" for entry in entries) else None
