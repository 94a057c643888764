"""Record marking (RFC 5531 section 11): messages to fragments and back."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from ndmp.errors import RemoteProtocolError

__all__ = ["EARLY_RECORD", "MAX_RECORD", "RecordReader", "frame", "mark"]

MAX_RECORD: Final = 1024 * 1024 + 64 * 1024
"""Bytes of a record at most, unless the caller says otherwise: a 1 MiB tape block and what surrounds it."""
EARLY_RECORD: Final = 64 * 1024
"""Bytes of a record at most from somebody who has not logged in."""
_LAST: Final = 0x80000000
_read_word: Final = Struct(">I").unpack_from


def mark(length: int) -> int:
    """What comes before a record of one fragment, as a 32-bit word."""
    return _LAST | length


def frame(*parts: bytes) -> bytes:
    """One record, whose parts follow each other, as a single last fragment."""
    return b"".join((mark(sum(map(len, parts))).to_bytes(4, "big"), *parts))


class RecordReader:
    """Reassembles records from a byte stream; never holds more than ``max_record`` bytes and what one feed brings.

    ``max_record`` may change at any time; it holds for the records that are not yet taken.
    """

    def __init__(self, max_record: int = MAX_RECORD) -> None:
        self.max_record = max_record
        self._input: bytes | bytearray = b""
        self._at = 0
        """Bytes of the input that are used up."""
        self._record = bytearray()
        self._is_last = True
        """Whether the newest fragment ends its record."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The records that ``chunk`` completes; RemoteProtocolError, after them, for one announced too long.

        Records that are not taken stay, and come before those of the next chunk.
        """
        self.push(chunk)
        return iter(self.next_record, None)

    def push(self, chunk: bytes) -> None:
        """Take in what has come."""
        if self._at == len(self._input):  # the common case: whole records, which are not copied together
            self._input, self._at = chunk, 0
        elif chunk:
            rest = bytearray(self._input) if isinstance(self._input, bytes) else self._input
            del rest[: self._at]
            rest += chunk
            self._input, self._at = rest, 0

    def next_record(self) -> bytes | None:
        """The next record that is complete, or None; RemoteProtocolError for one announced too long."""
        while (end := self._next_end()) is not None:
            body = self._take(end)
            if self._is_last and not self._record:  # the common case; a block is not copied again
                return body
            self._record += body
            if self._is_last:
                record = bytes(self._record)
                self._record = bytearray()
                return record
        return None

    @property
    def is_empty(self) -> bool:
        """True between records."""
        return self._at == len(self._input) and not self._record

    @property
    def held_bytes(self) -> int:
        """Bytes that came and are in no record yet."""
        return len(self._input) - self._at + len(self._record)

    def _next_end(self) -> int | None:
        """Where the next fragment ends, if it is there."""
        at = self._at
        if len(self._input) < at + 4:
            return None
        (word,) = _read_word(self._input, at)
        length = word & ~_LAST
        if len(self._record) + length > self.max_record:
            raise RemoteProtocolError(
                f"a record of {len(self._record) + length} bytes or more, {self.max_record} allowed"
            )
        self._is_last = word >= _LAST
        end: int = at + 4 + length
        return end if len(self._input) >= end else None

    def _take(self, end: int) -> bytes:
        received, begin, self._at = self._input, self._at + 4, end
        if end == len(received):
            self._input, self._at = b"", 0
        if isinstance(received, bytes):
            return received[begin:end]
        with memoryview(received) as view:
            return bytes(view[begin:end])
