"""The data of a stream between two processes: by shared memory, or by a socket."""

from __future__ import annotations

from typing import Protocol

__all__ = ["ChannelBroken", "ReceivingEnd", "SendingEnd"]


class ChannelBroken(Exception):  # noqa: N818  (what happened)
    """The other end is gone without an end of the stream, or says nothing for too long."""


class SendingEnd(Protocol):
    """Used by one thread."""

    def room(self) -> memoryview:
        """Wait for a free slot; what is put into it is sent by :meth:`put`. ChannelBroken."""
        ...

    def put(self, count: int) -> None:
        """The first ``count`` bytes of the slot are the next of the stream."""
        ...

    def send(self, chunk: memoryview) -> None:
        """Copy all of it into slots."""
        ...

    def finish(self) -> None:
        """That was all: the end marker, with the number of bytes."""
        ...

    def close(self) -> None:
        """Let go; without :meth:`finish` the other end is broken then. From any thread: waits end."""
        ...


class ReceivingEnd(Protocol):
    """Used by one thread."""

    def receive(self, into: memoryview) -> int:
        """The next bytes, at least one; 0 at the end marker. ChannelBroken, also if the marker's count differs."""
        ...

    def close(self) -> None:
        """Let go; from any thread: waits end."""
        ...
