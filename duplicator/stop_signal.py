"""How a thread that waits for the network is told to end."""

from __future__ import annotations

import select
import socket
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["StopSignal", "Stopped"]


class Stopped(Exception):  # noqa: N818  (not an error: the owner asked for it)
    """The transfer was told to end."""


class StopSignal:
    """Given once, from any thread; ends every wait, now and later."""

    def __init__(self) -> None:
        self.is_given = False
        self._reader, self._writer = socket.socketpair()

    def give(self) -> None:
        """End the waits."""
        self.is_given = True
        with suppress(OSError):
            self._writer.send(b"x")

    def check(self) -> None:
        """Raise Stopped once it is given."""
        if self.is_given:
            raise Stopped

    def wait(self, awaited: Mapping[socket.socket, int], seconds: float) -> set[int]:
        """Descriptors of sockets on which one of their poll events came; empty after ``seconds``. Or Stopped."""
        poll = select.poll()
        for each, events in awaited.items():
            poll.register(each, events)
        poll.register(self._reader, select.POLLIN)
        ready = poll.poll(max(seconds, 0) * 1000)
        self.check()
        return {descriptor for descriptor, _ in ready}

    def close(self) -> None:
        """Release it; a second time does nothing."""
        self._reader.close()
        self._writer.close()
