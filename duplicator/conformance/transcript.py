"""What was said on the wire during a check, as it can be shown: rendered, and in hex without secrets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ndmp.connection import Header
from ndmp.render import full, one_line
from ndmp.wire import Message

__all__ = ["Direction", "Entry", "Transcript"]

_SECRET_CODES: Final = (0x901, 0x903)
"""Logins: their bytes are not shown."""
_HEX_BYTES: Final = 512
_KEPT: Final = 400
"""Entries of one check at most: a file history may be long."""


class Direction(StrEnum):
    """Who said it."""

    SENT = "sent"
    CAME = "came"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, or a remark. ``raw``: the record without its record mark, or the bytes that were sent as they are."""

    direction: Direction
    session: str
    seconds: float
    """Since the check began."""
    header: Header | None = None
    message: Message | None = None
    raw: bytes = b""
    note: str = ""

    @property
    def line(self) -> str:
        """In a line."""
        if self.header is None:
            return self.note or f"{len(self.raw)} bytes"
        shown = one_line(self.header, self.message)
        return f"{shown} ({self.note})" if self.note else shown

    @property
    def text(self) -> str:
        """In full, a field a line."""
        if self.header is None:
            return self.line
        return (
            f"{full(self.header, self.message)}\n  note: {self.note}" if self.note else full(self.header, self.message)
        )

    @property
    def hex(self) -> str:
        """The bytes, 16 a line, cut after half a KiB; those of a login are not told."""
        if self.header is not None and self.header.code in _SECRET_CODES:
            return "(hidden: a login)"
        lines = (self.raw[at : at + 16].hex(" ", 4) for at in range(0, min(len(self.raw), _HEX_BYTES), 16))
        more = f"\n... {len(self.raw) - _HEX_BYTES} more bytes" if len(self.raw) > _HEX_BYTES else ""
        return "\n".join(lines) + more


class Transcript:
    """The entries of one check."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._began = time.monotonic()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def add(
        self,
        direction: Direction,
        session: str,
        *,
        header: Header | None = None,
        message: Message | None = None,
        raw: bytes = b"",
        note: str = "",
    ) -> Entry:
        """Note what happened."""
        entry = Entry(direction, session, time.monotonic() - self._began, header, message, raw, note)
        if len(self.entries) < _KEPT:
            self.entries.append(entry)
        return entry
