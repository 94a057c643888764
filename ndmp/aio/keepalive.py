"""Control connections are silent for hours; this tells a silent end from one that is gone."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

__all__ = ["keep_alive"]

_IDLE: Final = 30
_INTERVAL: Final = 10
_PROBES: Final = 3


def keep_alive(connection: asyncio.BaseTransport | asyncio.StreamWriter, *, unheard: float | None = None) -> None:
    """Let the system end a connection whose other end is gone, after one minute: else its drive stays taken.

    ``unheard``: seconds after which it also ends one that does not take what was sent to it.
    """
    ours: socket.socket = connection.get_extra_info("socket")
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    if unheard is not None:
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(unheard * 1000))
