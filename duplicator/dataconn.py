"""The data connection between two movers: one TCP stream, and a way to end it from another thread."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
        self._closing = threading.Lock()
        self.is_stopping = False

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise

    def listen(self, host: str) -> TcpAddress:
        """Bind a free port on ``host``; ReplyError(CONNECT) when that fails."""
        with self._closed_on_failure():
            try:
                self._listener = socket.create_server((str(ipaddress.IPv4Address(host)), 0), backlog=1)
            except ValueError:
                raise ReplyError(Error.CONNECT, f"data connections are IPv4, not {host}") from None
            except OSError as error:
                raise ReplyError(Error.CONNECT, f"cannot listen on {host}: {error}") from error
        name = self._listener.getsockname()
        return TcpAddress(name[0], name[1])

    def accept(self) -> TcpAddress:
        """Wait for the peer; TimeoutError after the deadline, Stopped when told."""
        assert self._listener is not None
        self._await(self._listener, select.POLLIN, self._settings.accept_deadline)
        stream, name = self._listener.accept()
        self._listener.close()
        self._adopt(stream)
        return TcpAddress(name[0], name[1])

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """Connect to the first address that answers; they share the deadline. ReplyError(CONNECT) if none does."""
        end = time.monotonic() + self._settings.connect_deadline
        problems = []
        with self._closed_on_failure():
            for tried, address in enumerate(addresses):
                share = max(end - time.monotonic(), 0) / (len(addresses) - tried)
                try:
                    self._adopt(self._dial(address, share))
                except (OSError, OverflowError) as error:  # a port on the wire may be any number
                    problems.append(f"{address.host} port {address.port}: {error}")
                else:
                    return address
            raise ReplyError(Error.CONNECT, "; ".join(problems))

    def _dial(self, address: TcpAddress, seconds: float) -> socket.socket:
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            stream.setblocking(False)
            problem = stream.connect_ex((address.host, address.port))
            if problem == errno.EINPROGRESS:
                self._await(stream, select.POLLOUT, seconds)
                problem = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if problem:
                raise OSError(problem, os.strerror(problem))
        except BaseException:
            stream.close()
            raise
        return stream

    def _await(self, expected: socket.socket, event: int, seconds: float) -> None:
        """Wait for the peer's part; TimeoutError after ``seconds``, Stopped when told."""
        poll = select.poll()
        poll.register(expected, event)
        poll.register(self._wake_reader, select.POLLIN)
        ready = poll.poll(seconds * 1000)
        self.check()
        if not ready:
            raise TimeoutError(f"no peer within {seconds:g} s")

    def _adopt(self, stream: socket.socket) -> None:
        stream.settimeout(None)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        patience = struct.pack("ll", 0, int(_PATIENCE * 1_000_000))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._stream = stream
        self.check()

    def receive(self, into: memoryview) -> int | None:
        """Fill ``into``, or what came in a while of patience; 0 at the end of the stream, None if nothing came.

        OSError when the peer broke off: what came before is not the whole stream.
        """
        assert self._stream is not None
        self.check()
        try:
            count = self._stream.recv_into(into, len(into), socket.MSG_WAITALL)
        except BlockingIOError:
            return None
        finally:
            self.check()
        return count

    def send(self, chunk: memoryview) -> None:
        """Send all of it; OSError when the peer is gone."""
        assert self._stream is not None
        self.check()
        try:
            self._stream.sendall(chunk)
        except OSError:
            self.check()
            raise

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
        # Under the lock, so that no number of a closed socket, by then somebody else's, is shut down.
        with self._closing, suppress(OSError):
            self._wake_writer.send(b"x")
            if self._stream is not None:
                self._stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close everything; the peer sees the end of the stream. A second time does nothing."""
        with self._closing:
            for each in (self._listener, self._stream, self._wake_reader, self._wake_writer):
                if each is not None:
                    each.close()
