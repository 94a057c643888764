"""Tells a peer that is slow, for hours if a tape is changed, from one that has vanished.

The socket option made for this, TCP_USER_TIMEOUT, cannot be used: Linux also ends connections by it whose peer answers
but has no room for more, which is what a paused mover looks like.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress
from typing import Final

__all__ = ["audit_peer", "interval_of", "watch_peer"]

_PROBES: Final = 4
_TCP_RTO_MAX_MS: Final = 44
"""Of Linux 6.15 and later: the longest pause between two questions. Without it, up to two minutes."""
_INFO_BYTES: Final = 60
_RETRANSMITS_AT, _PROBES_AT, _LAST_ACK_AT = 2, 3, 56
"""In struct tcp_info of linux/tcp.h."""


def interval_of(silence_limit: float) -> int:
    """Seconds between looks at a peer that should answer."""
    return max(int(silence_limit / 6), 1)


def watch_peer(stream: socket.socket, silence_limit: float) -> None:
    """Let the system ask a silent peer whether it is there, and end the connection of one that does not answer."""
    interval = interval_of(silence_limit)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 2 * interval)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    with suppress(OSError):
        stream.setsockopt(socket.IPPROTO_TCP, _TCP_RTO_MAX_MS, interval * 1000)


def audit_peer(stream: socket.socket, silence_limit: float) -> None:
    """TimeoutError if bytes for the peer, or questions for room, stay unanswered: there the system asks too long."""
    told = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    last_ack_ms = struct.unpack_from("=I", told, _LAST_ACK_AT)[0]
    is_asked_again = told[_RETRANSMITS_AT] or told[_PROBES_AT] > 1  # the last question may just have been put
    if is_asked_again and last_ack_ms > silence_limit * 1000:
        raise TimeoutError(errno.ETIMEDOUT, f"{os.strerror(errno.ETIMEDOUT)}: silent for {last_ack_ms / 1000:.0f} s")
