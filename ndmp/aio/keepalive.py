"""Control connections are silent for hours; this tells a silent end from one that is gone."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

__all__ = ["keep_alive"]

_IDLE: Final = 60
_INTERVAL: Final = 15
_PROBES: Final = 4


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Let the system end a connection whose other end is gone, after two minutes: else its drive stays taken."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
