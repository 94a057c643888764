"""Finds the NDMP connections of a capture and follows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from duplicator.capture.dialogues import MARKED_HEADER_BYTES, Dialogue, Saying, begins_record
from duplicator.capture.packets import CaptureError, Packet
from duplicator.capture.segments import Endpoint, segment_of
from duplicator.capture.streams import Chunk, Streams
from ndmp.enums import MessageType
from ndmp.wire import POSTS

__all__ = ["Heard", "listen"]

_CHUNKS_TRIED: Final = 32
"""Chunks of a connection that may pass before it counts as something else than NDMP."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one side of a connection said, and when in nanoseconds since 1970."""

    connection: int
    time: int | None
    source: Endpoint | None
    target: Endpoint | None
    from_host: bool | None
    saying: Saying


@dataclass(slots=True)
class _Followed:
    """A connection, as far as it is known to be NDMP."""

    forced: bool
    dialogue: Dialogue = field(default_factory=Dialogue)
    tried: int = 0
    host: Endpoint | None = None
    last: dict[Endpoint, Chunk] = field(default_factory=dict)
    begun: dict[Endpoint, bytes] = field(default_factory=dict)
    """Too little yet to tell whether it is a record."""

    @property
    def is_hopeless(self) -> bool:
        return not self.last and not self.forced and self.tried >= _CHUNKS_TRIED

    def hear(self, chunk: Chunk) -> Iterator[Heard]:
        """What a chunk completes."""
        if chunk.missing and self.last:
            self.dialogue.lose(chunk.source)
            yield self._heard(chunk, Saying(None, problem=f"{chunk.missing} bytes are missing in the capture"))
        octets = self.begun.pop(chunk.source, b"") * (not chunk.missing) + chunk.octets
        if not self.dialogue.is_following(chunk.source):
            if not self._picks_up(chunk.source, octets):
                self.tried += 1
                if self.last or self.forced:
                    yield self._heard(chunk, Saying(None, problem=f"{len(octets)} bytes that begin no record"))
                return
            if len(octets) < MARKED_HEADER_BYTES:
                self.begun[chunk.source] = octets
                return
        self.last[chunk.source] = chunk
        for saying in self.dialogue.hear(chunk.source, octets):
            self._tell_host(chunk, saying)
            yield self._heard(chunk, saying)

    def end(self) -> Iterator[Heard]:
        """What is left over at the end of the capture."""
        for source, chunk in self.last.items():
            if self.dialogue.lose(source):
                yield self._heard(chunk, Saying(None, problem="the capture ends within a record"))

    def _picks_up(self, source: Endpoint, octets: bytes) -> bool:
        """Records are taken to begin where a chunk does; in a forced connection the first ones do."""
        return begins_record(octets) or (self.forced and source not in self.last)

    def _tell_host(self, chunk: Chunk, saying: Saying) -> None:
        """Only hosts reply and post."""
        if self.host is None and saying.header is not None:
            is_host = saying.header.message_type == MessageType.REPLY or (saying.header.code, 1) in POSTS
            self.host = chunk.source if is_host else chunk.target

    def _heard(self, chunk: Chunk, saying: Saying) -> Heard:
        from_host = None if self.host is None else self.host == chunk.source
        return Heard(chunk.connection, chunk.time, chunk.source, chunk.target, from_host, saying)


def listen(packets: Iterable[Packet], *, ports: Collection[int] = ()) -> Iterator[Heard]:
    """What is said on all NDMP connections, in the order of the capture; those of ``ports`` are taken for NDMP.

    A CaptureError of the packets comes after what is said before it.
    """
    followed: dict[int, _Followed | None] = {}
    for chunk in _chunks(packets):
        forced = chunk.source.port in ports or chunk.target.port in ports
        connection = followed.setdefault(chunk.connection, _Followed(forced))
        if connection is None:
            continue
        yield from connection.hear(chunk)
        if connection.is_hopeless:
            followed[chunk.connection] = None
    for connection in followed.values():
        if connection is not None:
            yield from connection.end()


def _chunks(packets: Iterable[Packet]) -> Iterator[Chunk]:
    streams, damage = Streams(), None
    try:
        for packet in packets:
            segment = segment_of(packet)
            if segment is not None:
                yield from streams.add(segment)
    except CaptureError as error:
        damage = error
    yield from streams.flush()
    if damage:
        raise damage
