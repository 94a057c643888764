"""A data connection of a mover or a data service: how it is made, used, and ended from another thread."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeAlias

from duplicator.data_streams import PlainStream, Stream, TlsStream
from duplicator.data_tls import Invitation, TlsPolicy, invitation_of
from duplicator.handshakes import called
from duplicator.network import NetworkSettings
from duplicator.reception import Reception, is_own_process
from duplicator.stop_signal import Stopped, StopSignal
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress

__all__ = ["DataConnection", "NetworkSettings", "Stopped"]

_Route: TypeAlias = tuple[TcpAddress, Invitation | None]


class DataConnection:
    """Listens or connects, then receives or sends. Only :meth:`stop` may be called from another thread."""

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings
        self._signal = StopSignal()
        self._reception = Reception(settings, self._signal)
        self._stream: Stream | None = None
        self._closing = threading.Lock()
        self._is_cut = False

    @property
    def is_stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._signal.is_given

    def check(self) -> None:
        """Raise Stopped once :meth:`stop` was called."""
        self._signal.check()

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close(complete=False)
            raise

    def _adopt(self, stream: Stream) -> None:
        self._stream = stream
        self.check()

    # -- listening -----------------------------------------------------------------------------------------------

    def listen(self, host: str) -> Sequence[TcpAddress]:
        """Listen as the settings have it, on ``host`` if they name no address; ReplyError(CONNECT) when that fails."""
        with self._closed_on_failure():
            return self._reception.open(host)

    def listen_local(self) -> bytes:
        """Listen for this process; the name for its :meth:`connect_local`."""
        with self._closed_on_failure():
            return self._reception.open_locally()

    def accept(self) -> TcpAddress | None:
        """Wait for the peer, None if it is this process; TimeoutError after the deadline, Stopped when told."""
        stream, address = self._reception.accept()
        self._adopt(stream)
        return address

    def has_arrived(self) -> bool:
        """Whether :meth:`accept` has its peer; waits for those at the door until they are let in or turned away."""
        return self._reception.has_arrived()

    # -- connecting ----------------------------------------------------------------------------------------------

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        """Connect to the first address that answers; they share the deadline. ReplyError(CONNECT) if none does.

        Where one of them offers TLS and the policy here allows it, only those that do are tried.
        """
        end = time.monotonic() + self._settings.connect_deadline
        problems = list[str]()
        with self._closed_on_failure():
            routes = self._routes(addresses, problems)
            for tried, (address, invitation) in enumerate(routes):
                share = max(end - time.monotonic(), 0) / (len(routes) - tried)
                try:
                    self._adopt(self._dial(address, invitation, share))
                except (OSError, OverflowError) as error:  # a port on the wire may be any number
                    problems.append(_at(address, error))
                else:
                    return address
            raise ReplyError(Error.CONNECT, "; ".join(problems) or "no address was given")

    def _routes(self, addresses: Sequence[TcpAddress], problems: list[str]) -> Sequence[_Route]:
        """The addresses to try; what speaks against the others goes to ``problems``."""
        routes = list[_Route]()
        for address in addresses:
            try:
                if not self._settings.allows(address.host):
                    raise ValueError("not among the peers allowed here")
                routes.append((address, invitation_of(address)))
            except ValueError as error:
                problems.append(_at(address, error))
        policy = self._settings.tls_policy
        invited = [route for route in routes if route[1]]
        plain = [route for route in routes if not route[1]]
        chosen = {TlsPolicy.OFF: plain, TlsPolicy.REQUIRE: invited}.get(policy, invited or plain)
        if routes and not chosen:
            told = "endpoints for TLS only" if invited else "no endpoint for TLS"
            problems.append(f"the peer offers {told}; the TLS policy here is {policy.value!r}")
        return chosen

    def _dial(self, address: TcpAddress, invitation: Invitation | None, seconds: float) -> Stream:
        limit, begun = self._settings.silence_limit, time.monotonic()
        stream = self._reached(address, seconds)
        if invitation is None:
            return PlainStream(stream, limit)
        left = min(begun + seconds - time.monotonic(), self._settings.handshake_deadline)
        return TlsStream(called(stream, invitation, self._signal, seconds=left), self._signal, limit)

    def _reached(self, address: TcpAddress, seconds: float) -> socket.socket:
        """A socket connected to this address, which does not block."""
        stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            stream.setblocking(False)
            problem = stream.connect_ex((address.host, address.port))
            if problem == errno.EINPROGRESS:
                if not self._signal.wait({stream: select.POLLOUT}, seconds):
                    raise TimeoutError(f"no peer within {seconds:g} s")
                problem = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if problem:
                raise OSError(problem, os.strerror(problem))
        except BaseException:
            stream.close()
            raise
        return stream

    def connect_local(self, name: bytes) -> None:
        """Connect to what listens by this name in this process; ReplyError(CONNECT) if nothing does."""
        with self._closed_on_failure():
            stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                stream.setblocking(False)  # others may have filled the queue, which would block
                stream.connect(name)
                if not is_own_process(stream):
                    raise ConnectionRefusedError("another process listens there")
            except OSError as error:
                stream.close()
                raise ReplyError(Error.CONNECT, f"local data connection: {error}") from error
            self._adopt(PlainStream(stream, self._settings.silence_limit))

    # -- the stream ----------------------------------------------------------------------------------------------

    def receive(self, into: memoryview) -> int | None:
        """Fill ``into``, or what came in a while of patience; 0 at the end of the stream, None if nothing came.

        OSError when the peer broke off: what came before is not the whole stream.
        """
        assert self._stream is not None
        self.check()
        try:
            return self._stream.receive(into)
        finally:
            self.check()

    def send(self, chunk: memoryview) -> None:
        """Send all of it; OSError when the peer is gone."""
        assert self._stream is not None
        try:
            self.check()
            self._stream.send(chunk)
        except BaseException:
            self._is_cut = True
            self.check()
            raise

    @property
    def peer_is_gone(self) -> bool:
        """Whether the peer has closed its end, with nothing left to receive, or has vanished."""
        assert self._stream is not None
        return self._stream.peer_is_gone()

    # -- the end -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Make every call above return or raise Stopped, now and later."""
        # Under the lock, so that no number of a closed socket, by then somebody else's, is written to or shut down.
        with self._closing, suppress(OSError):
            self._signal.give()
            if self._stream is not None:
                self._stream.interrupt()

    def close(self, *, complete: bool = True) -> None:
        """Close everything; the peer sees the end of the stream. A second time does nothing.

        In TLS, the peer of a stream that is not ``complete``, or whose sending was cut off, sees a broken connection.
        """
        if complete and not self._is_cut and self._stream is not None:
            self._stream.finish()
        with self._closing:
            self._reception.close()
            if self._stream is not None:
                self._stream.close()
            self._signal.close()


def _at(address: TcpAddress, problem: Exception) -> str:
    return f"{address.host} port {address.port}: {problem}"
