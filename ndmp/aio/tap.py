"""Reads a connection no further for a while, and still notices its end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

__all__ = ["Tap"]

_WATCHING: Final = 0.4
"""Seconds between two looks at a connection that is not read."""
_ESTABLISHED: Final = 1
"""TCP_ESTABLISHED of Linux's tcp_states.h."""


class Tap:
    """Opens and closes the flow of what a transport reads; ``ended`` is called if its other end ends meanwhile."""

    __slots__ = ("_ended", "_loop", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, ended: Callable[[], None]) -> None:
        self._transport = transport
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Read no further; a transport that is not read does not tell that it is lost, so it is looked at."""
        if self._timer is None:
            self._transport.pause_reading()
            self._timer = self._loop.call_later(_WATCHING, self._look)

    def open(self) -> None:
        """Read again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._transport.resume_reading()

    def _look(self) -> None:
        ours: socket.socket = self._transport.get_extra_info("socket")
        if self._transport.is_closing():
            return
        if ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED:
            self._timer = self._loop.call_later(_WATCHING, self._look)
        else:
            self._ended()
