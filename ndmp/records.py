"""Record marking (RFC 5531 section 11): messages to fragments and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ndmp.errors import RemoteProtocolError

__all__ = ["MAX_RECORD", "RecordReader", "frame"]

MAX_RECORD: Final = 1024 * 1024 + 64 * 1024
"""Bytes of a record at most, unless the caller says otherwise: a 1 MiB tape block and what surrounds it."""
_LAST: Final = 0x80000000


def frame(*parts: bytes) -> bytes:
    """One record, whose parts follow each other, as a single last fragment."""
    mark = (_LAST | sum(map(len, parts))).to_bytes(4, "big")
    return b"".join((mark, *parts))


class RecordReader:
    """Reassembles records from a byte stream; never holds more than ``max_record`` bytes and what one feed brings."""

    def __init__(self, max_record: int = MAX_RECORD) -> None:
        self._max = max_record
        self._input = bytearray()
        self._record = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The records that ``chunk`` completes; RemoteProtocolError, after them, for one announced too long."""
        self._input += chunk
        return self._records()

    def _records(self) -> Iterator[bytes]:
        while (fragment := self._next_fragment()) is not None:
            last, body = fragment
            if last and not self._record:  # the common case; a block is not copied again
                yield body
                continue
            self._record += body
            if last:
                record = bytes(self._record)
                self._record.clear()
                yield record

    @property
    def is_empty(self) -> bool:
        """True between records."""
        return not self._input and not self._record

    def _next_fragment(self) -> tuple[bool, bytes] | None:
        if len(self._input) < 4:
            return None
        mark = int.from_bytes(self._input[:4], "big")
        length = mark & ~_LAST
        if len(self._record) + length > self._max:
            raise RemoteProtocolError(f"a record of {len(self._record) + length} bytes or more, {self._max} allowed")
        if len(self._input) < 4 + length:
            return None
        with memoryview(self._input) as view:
            body = bytes(view[4 : 4 + length])
        del self._input[: 4 + length]
        return bool(mark & _LAST), body
