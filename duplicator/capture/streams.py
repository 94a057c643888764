"""Puts the TCP segments of a capture in order: what each side said, without what was sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from duplicator.capture.segments import Endpoint, Segment

__all__ = ["MAX_WAITING", "Chunk", "Streams"]

MAX_WAITING: Final = 4 * 1024 * 1024
"""Bytes at most that wait for an earlier segment, of one direction; then that one counts as missing."""
_MAX_SEGMENTS: Final = 4096
"""The same, in segments."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next bytes of one direction of a connection; ``missing``: bytes before them that were not captured."""

    connection: int
    time: int | None
    source: Endpoint
    target: Endpoint
    octets: bytes
    missing: int


@dataclass(slots=True)
class _Direction:
    connection: int
    first: int
    """Sequence number of the first byte."""
    position: int = 0
    """Of the next byte, counted from the first; sequence numbers wrap around, positions do not."""
    waiting: list[tuple[int, int, Segment]] = field(default_factory=list)
    """A heap by position, then by order of arrival."""
    arrived: int = 0
    size: int = 0

    def position_of(self, sequence: int) -> int:
        """The position of a sequence number, at most 2 GiB from the next byte."""
        ahead = (sequence - self.first - self.position + 0x80000000) % 0x100000000 - 0x80000000
        return self.position + ahead

    def add(self, segment: Segment) -> Iterator[Chunk]:
        """The chunks that a segment completes."""
        self.arrived += 1
        heappush(self.waiting, (self.position_of(segment.sequence), self.arrived, segment))
        self.size += len(segment.payload)
        yield from self._take()
        while self.size > MAX_WAITING or len(self.waiting) > _MAX_SEGMENTS:
            yield from self._give_up()

    def acknowledge(self, sequence: int) -> Iterator[Chunk]:
        """Nobody sends again what the other side has: a hole before ``sequence`` stays."""
        while self.waiting and self.position_of(sequence) > self.waiting[0][0]:
            yield from self._give_up()

    def flush(self) -> Iterator[Chunk]:
        """What still waits at the end of the capture."""
        while self.waiting:
            yield from self._give_up()

    def _give_up(self) -> Iterator[Chunk]:
        missing = self.waiting[0][0] - self.position
        self.position += missing
        yield from self._take(missing)

    def _take(self, missing: int = 0) -> Iterator[Chunk]:
        while self.waiting and self.waiting[0][0] <= self.position:
            position, _, segment = heappop(self.waiting)
            self.size -= len(segment.payload)
            fresh = segment.payload[self.position - position :]
            if fresh:
                self.position += len(fresh)
                yield Chunk(self.connection, segment.time, segment.source, segment.target, fresh, missing)
                missing = 0


class Streams:
    """All TCP connections of a capture."""

    def __init__(self) -> None:
        self._directions: dict[tuple[Endpoint, Endpoint], _Direction] = {}
        self._connections = 0

    def add(self, segment: Segment) -> Iterator[Chunk]:
        """The chunks that a segment completes."""
        back = self._directions.get((segment.target, segment.source))
        direction = self._directions.get((segment.source, segment.target))
        if direction is None or (segment.opens and direction.position_of(segment.sequence) != direction.position):
            yield from direction.flush() if direction else ()
            direction = self._open(segment, back)
        if back is not None and segment.acknowledged is not None and back.connection == direction.connection:
            yield from back.acknowledge(segment.acknowledged)
        if segment.payload:
            yield from direction.add(segment)

    def flush(self) -> Iterator[Chunk]:
        """What still waits at the end of the capture."""
        for direction in self._directions.values():
            yield from direction.flush()

    def _open(self, segment: Segment, back: _Direction | None) -> _Direction:
        """The first segment of a direction; it belongs to the connection of the other one, unless it opens anew."""
        if back is None or (segment.opens and segment.acknowledged is None):
            self._connections += 1
            connection = self._connections
        else:
            connection = back.connection
        made = _Direction(connection, segment.sequence)
        self._directions[segment.source, segment.target] = made
        return made
