"""Bytes of a stream at any offset, from records read ahead into one buffer."""

from __future__ import annotations

from ndmp.backends import ReadEnd, RecordDevice
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["ReadAhead"]


class ReadAhead:
    """Reads records ahead and gives the stream's bytes at any offset within the window.

    ``record_num`` counts the stream's records before the one that the device stands at.
    """

    def __init__(self, buffer: memoryview, record_bytes: int) -> None:
        self._buffer = buffer
        self._record = record_bytes
        self._start = self._end = 0
        self.record_num = 0

    def restart(self, device: RecordDevice, offset: int | None) -> None:
        """The device stands at stream ``offset`` now, which falls on a record; None: where reading ended."""
        self._device = device
        if offset is not None:
            self._end, self.record_num = offset, offset // self._record
        self._start = self._end

    def at(self, offset: int, limit: int) -> memoryview | ReadEnd:
        """Up to ``limit`` bytes from ``offset`` of the stream, at least one; or what is there instead."""
        if not self._start <= offset < self._end:
            end = self._reach(offset, limit)
            if end is not None:
                return end
        first = offset - self._start
        return self._buffer[first : first + min(limit, self._end - offset)]

    def _reach(self, offset: int, limit: int) -> ReadEnd | None:
        """Bring ``offset`` into the buffer."""
        if offset != self._end and not self._position(offset):
            return ReadEnd.FILEMARK
        while offset >= self._end:
            end = self._fetch(offset - self._end + limit)
            if end is not None:
                return end
        return None

    def _position(self, offset: int) -> bool:
        """Space towards the record that holds ``offset``; False if a filemark lies between, backwards."""
        distance = offset // self._record - self.record_num
        missed = self._device.space_records(distance) if distance else 0
        self.record_num += distance + (missed if distance < 0 else -missed)
        self._start = self._end = self.record_num * self._record
        return not missed or distance > 0  # forwards, reading tells what is in the way

    def _fetch(self, wanted: int) -> ReadEnd | None:
        """Read records from the device's position on, no more than hold ``wanted`` bytes."""
        records = min(-(-wanted // self._record), len(self._buffer) // self._record)
        outcome = self._device.read_records(self._buffer[: records * self._record], self._record)
        if outcome.truncated:
            raise ReplyError(Error.IO, f"a record on tape is longer than the record size, {self._record}")
        if not outcome.records and outcome.end is None:
            raise ReplyError(Error.IO, "the device gave no record and no reason")
        self.record_num += outcome.records
        self._start = self._end
        self._end += outcome.bytes_read
        return None if outcome.records else outcome.end
