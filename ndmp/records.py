"""Record marking (RFC 5531 section 11): messages to fragments and back."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from ndmp.errors import RemoteProtocolError

__all__ = ["EARLY_RECORD", "LAST_FRAGMENT", "MAX_RECORD", "RecordReader", "frame"]

MAX_RECORD: Final = 1024 * 1024 + 64 * 1024
"""Bytes of a record at most, unless the caller says otherwise: a 1 MiB tape block and what surrounds it."""
EARLY_RECORD: Final = 64 * 1024
"""Bytes of a record at most from somebody who has not logged in."""
LAST_FRAGMENT: Final = 0x80000000
"""With the length of a fragment it is the 32-bit word before it, which says that no other follows."""
_LENGTH: Final = 0x7FFFFFFF
_read_word: Final = Struct(">I").unpack_from


def frame(*parts: bytes) -> bytes:
    """One record, whose parts follow each other, as a single last fragment."""
    return b"".join(((LAST_FRAGMENT | sum(map(len, parts))).to_bytes(4, "big"), *parts))


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
        while self._at != len(self._input) and (fragment := self._next_fragment()) is not None:
            if self._is_last and not self._record:  # the common case; a block is not copied again
                return fragment
            self._record += fragment
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

    def _next_fragment(self) -> bytes | None:
        """What the next fragment holds, if all of it is there."""
        received, begin = self._input, self._at + 4
        if len(received) < begin:
            return None
        (word,) = _read_word(received, self._at)
        end = begin + (word & _LENGTH)
        if (announced := len(self._record) + end - begin) > self.max_record:
            raise RemoteProtocolError(f"a record of {announced} bytes or more, {self.max_record} allowed")
        self._is_last = word >= LAST_FRAGMENT
        if len(received) < end:
            return None
        if len(received) == end:
            self._input, self._at = b"", 0
        else:
            self._at = end
        if isinstance(received, bytes):
            return received[begin:end]
        with memoryview(received) as view:
            return bytes(view[begin:end])
