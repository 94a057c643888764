"""Ends of a data channel in memory, for readers and writers of objects."""

from __future__ import annotations

import threading
from collections.abc import Callable

from duplicator.xbsa.channel import ChannelBroken

__all__ = ["Giving", "Taking"]


class Taking:
    """Implements Taker: an application that takes everything; ``before`` runs ahead of each chunk."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.content = bytearray()
        self.sent = 0
        self.ended = False
        self.closed = threading.Event()
        self._before = before

    def send(self, chunk: memoryview) -> None:
        self._before()
        if self.closed.is_set():
            raise ChannelBroken("closed")
        self.content += chunk
        self.sent += len(chunk)

    def finish(self) -> None:
        self.ended = True

    def close(self) -> None:
        self.closed.set()


class Giving:
    """Implements ReceivingEnd: an application that sends this, in pieces, and then ends or breaks off."""

    def __init__(self, content: bytes, *, breaks: bool = False, piece: int = 100_000) -> None:
        self._left = memoryview(content)
        self._breaks = breaks
        self._piece = piece
        self.total = 0
        self.closed = threading.Event()

    def receive(self, into: memoryview) -> int:
        count = min(len(into), len(self._left), self._piece)
        if not count and self._breaks:
            raise ChannelBroken("the other end is gone")
        into[:count] = self._left[:count]
        self._left = self._left[count:]
        self.total += count
        return count

    def close(self) -> None:
        self.closed.set()
