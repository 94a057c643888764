"""The bytes of a data connection: in the clear (TCP, or a socket of this process), or in TLS."""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
import time
from typing import Final, Protocol

from duplicator.liveness import audit_peer, interval_of, watch_peer
from duplicator.stop_signal import StopSignal

__all__ = ["PlainStream", "Stream", "TlsStream", "events_for"]

_PATIENCE: Final = 0.25
"""Seconds after which a receive returns what it has."""
_WAKING_BYTES: Final = 1 << 20
"""A receiver that wants more sleeps until so much is there: waking for each segment is a sixth of its CPU time."""


class Stream(Protocol):
    """A stream of bytes, used by one thread."""

    def receive(self, into: memoryview) -> int | None:
        """Fill ``into``, or what came in a while of patience; 0 at the end of the stream, None if nothing came."""
        ...

    def send(self, chunk: memoryview) -> None:
        """Send all of it; OSError when the peer is gone."""
        ...

    def peer_is_gone(self) -> bool:
        """Whether the peer has closed its end, with nothing left to receive, or has vanished."""
        ...

    def interrupt(self) -> None:
        """Make a call that waits return, with or without an error. From any thread, after the stop signal."""
        ...

    def finish(self) -> None:
        """Tell the peer that the stream is complete."""
        ...

    def close(self) -> None:
        """Release the socket."""
        ...


def events_for(wanted: ssl.SSLError) -> int:
    """The poll events after which TLS goes on: it may have to read in order to write, and the other way round."""
    return select.POLLIN if isinstance(wanted, ssl.SSLWantReadError) else select.POLLOUT


def _timeval(seconds: float) -> bytes:
    """For SO_RCVTIMEO and SO_SNDTIMEO."""
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))


class PlainStream:
    """Implements :class:`Stream` on a connected socket with one system call for each batch."""

    def __init__(self, connected: socket.socket, silence_limit: float) -> None:
        self._socket = connected
        self._silence_limit = silence_limit
        self._is_tcp = connected.family == socket.AF_INET
        self._waking_bytes = 1
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(_PATIENCE))
        if self._is_tcp:
            _prepare(connected, silence_limit)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(interval_of(silence_limit)))

    def receive(self, into: memoryview) -> int | None:
        """See Stream; OSError when the peer broke off: what came before is not the whole stream."""
        if self._is_tcp:
            self._sleep_until(_WAKING_BYTES if len(into) > _WAKING_BYTES else 1)
        try:
            return self._socket.recv_into(into, len(into), socket.MSG_WAITALL)
        except BlockingIOError:
            return None

    def _sleep_until(self, waking_bytes: int) -> None:
        """How much must have come before a receive that still waits is woken; an end or an error always does."""
        if waking_bytes != self._waking_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, waking_bytes)
            self._waking_bytes = waking_bytes

    def send(self, chunk: memoryview) -> None:
        """See Stream."""
        while chunk:
            try:
                chunk = chunk[self._socket.send(chunk) :]
            except BlockingIOError:
                audit_peer(self._socket, self._silence_limit)

    def peer_is_gone(self) -> bool:
        """See Stream."""
        try:
            if self._is_tcp:
                audit_peer(self._socket, self._silence_limit)
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def interrupt(self) -> None:
        """See Stream."""
        self._socket.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        """See Stream: closing says it."""

    def close(self) -> None:
        """See Stream."""
        self._socket.close()


def _prepare(connected: socket.socket, silence_limit: float) -> None:
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    watch_peer(connected, silence_limit)


class TlsStream:
    """Implements :class:`Stream` in TLS, on a socket that never blocks: a timeout must not fall inside a TLS record."""

    def __init__(self, connected: ssl.SSLSocket, signal: StopSignal, silence_limit: float) -> None:
        self._tls = connected
        self._signal = signal
        self._silence_limit = silence_limit
        self._early = b""
        _prepare(connected, silence_limit)

    def receive(self, into: memoryview) -> int | None:
        """See Stream; OSError when the stream ends, but not by the peer's word: it may have been cut short."""
        filled, end = self._take_early(into), time.monotonic() + _PATIENCE
        while filled < len(into):
            try:
                count = self._receive_record(into[filled:], end)
            except OSError:
                if not filled:
                    raise
                break  # it is raised again by the next call
            if not count:
                return filled or count
            filled += count
        return filled

    def _take_early(self, into: memoryview) -> int:
        count = min(len(self._early), len(into))
        into[:count] = self._early[:count]
        self._early = self._early[count:]
        return count

    def _receive_record(self, into: memoryview, end: float) -> int | None:
        """What one call gives; None when ``end`` came before."""
        while True:
            try:
                return self._tls.recv_into(into)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                if not self._signal.wait({self._tls: events_for(wanted)}, end - time.monotonic()):
                    return None
            except ssl.SSLEOFError as error:
                raise ConnectionAbortedError(
                    errno.ECONNABORTED, "broke or was cut off: no end was told in TLS"
                ) from error

    def send(self, chunk: memoryview) -> None:
        """See Stream. Leaves room for the closing word, which must not wait behind a paused peer."""
        try:
            while chunk:
                try:
                    chunk = chunk[self._tls.send(chunk) :]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
                    self._await(events_for(wanted))
            self._await(select.POLLOUT)
        except ssl.SSLEOFError as error:
            raise BrokenPipeError(errno.EPIPE, "the peer is gone") from error

    def _await(self, events: int) -> None:
        while not self._signal.wait({self._tls: events}, interval_of(self._silence_limit)):
            audit_peer(self._tls, self._silence_limit)

    def peer_is_gone(self) -> bool:
        """See Stream."""
        if self._early:
            return False
        try:
            audit_peer(self._tls, self._silence_limit)
            self._early = self._tls.recv(1)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        return not self._early

    def interrupt(self) -> None:
        """See Stream: all waits here end by the signal."""

    def finish(self) -> None:
        """See Stream: close_notify. The peer's is not awaited."""
        try:
            self._tls.unwrap()
        except (OSError, ValueError):  # told, and no answer yet; or there is nobody any more
            return

    def close(self) -> None:
        """See Stream."""
        self._tls.close()
