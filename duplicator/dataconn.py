"""The data connection between two movers: one TCP stream, and a way to end it from another thread."""

from __future__ import annotations

import ipaddress
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress

__all__ = ["DataConnection", "NetworkSettings", "Stopped"]

_PATIENCE: Final = 0.25
"""Seconds after which a receive returns what it has, and after which a wait looks whether it should end."""


class Stopped(Exception):  # noqa: N818  (not an error: the owner asked for it)
    """The transfer was told to end."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How data connections are made. Times in seconds."""

    accept_deadline: float = 120.0
    connect_deadline: float = 20.0


class DataConnection:
    """Listens or connects, then receives or sends. Only :meth:`stop` may be called from another thread."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._listener: socket.socket | None = None
        self._stream: socket.socket | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self.is_stopping = False

    def listen(self, host: str) -> TcpAddress:
        """Bind a free port on ``host``; ReplyError(CONNECT) when that fails."""
        try:
            address = ipaddress.IPv4Address(host)
        except ValueError:
            raise ReplyError(Error.CONNECT, f"data connections are IPv4, not {host}") from None
        try:
            self._listener = socket.create_server((str(address), 0), backlog=1)
        except OSError as error:
            raise ReplyError(Error.CONNECT, f"cannot listen on {host}: {error}") from error
        name = self._listener.getsockname()
        return TcpAddress(name[0], name[1])

    def accept(self) -> TcpAddress:
        """Wait for the peer; TimeoutError after the deadline, Stopped when told."""
        assert self._listener is not None
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        ready = poll.poll(self._settings.accept_deadline * 1000)
        self.check()
        if not ready:
            raise TimeoutError(f"no peer within {self._settings.accept_deadline:g} s")
        stream, name = self._listener.accept()
        self._listener.close()
        self._adopt(stream)
        return TcpAddress(name[0], name[1])

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """Connect to the first address that answers within the deadline; ReplyError(CONNECT) if none does."""
        end = time.monotonic() + self._settings.connect_deadline
        problems = []
        for address in addresses:
            left = max(end - time.monotonic(), 0.1)
            try:
                self._adopt(socket.create_connection((address.host, address.port), timeout=left))
            except OSError as error:
                problems.append(f"{address.host} port {address.port}: {error}")
            else:
                return address
        raise ReplyError(Error.CONNECT, "; ".join(problems))

    def _adopt(self, stream: socket.socket) -> None:
        stream.settimeout(None)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        patience = struct.pack("ll", 0, int(_PATIENCE * 1_000_000))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._stream = stream
        self.check()

    def receive(self, into: memoryview) -> int | None:
        """Fill ``into``, or what came in a while of patience; 0 at the end of the stream, None if nothing came."""
        assert self._stream is not None
        self.check()
        try:
            count = self._stream.recv_into(into, len(into), socket.MSG_WAITALL)
        except BlockingIOError:
            count = None
        self.check()
        return count

    def send(self, chunk: memoryview) -> None:
        """Send all of it; OSError when the peer is gone."""
        assert self._stream is not None
        self.check()
        try:
            self._stream.sendall(chunk)
        finally:
            self.check()

    @property
    def peer_is_gone(self) -> bool:
        """Whether the peer, which should only receive, has closed its end."""
        assert self._stream is not None
        try:
            return not self._stream.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def check(self) -> None:
        """Raise Stopped once :meth:`stop` was called."""
        if self.is_stopping:
            raise Stopped

    def stop(self) -> None:
        """Make every call above return or raise Stopped, now and later."""
        self.is_stopping = True
        try:
            self._wake_writer.send(b"x")
            if self._stream is not None:
                self._stream.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already closed by its own thread

    def close(self) -> None:
        """Close everything; the peer sees the end of the stream."""
        for each in (self._listener, self._stream, self._wake_reader, self._wake_writer):
            if each is not None:
                each.close()
