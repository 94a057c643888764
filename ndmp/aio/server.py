"""A host on asyncio: who comes in, and who is in. A session's own part is in :mod:`ndmp.aio.shell`; no rule is here."""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
import time
from collections.abc import Callable
from typing import Final, cast

from ndmp.aio.admission import Admission, LoginGate, neighbourhood
from ndmp.aio.keepalive import keep_alive
from ndmp.aio.limits import Limits
from ndmp.aio.shell import Shell
from ndmp.backends import Host
from ndmp.connection import Connection
from ndmp.enums import ConnectionReason
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.services.connect import Accounts
from ndmp.services.profile import STRICT, Profile
from ndmp.services.session import Session

__all__ = ["HostServer", "Limits"]

_log: Final = logging.getLogger(__name__)
_GOODBYE: Final = 2.0
"""Seconds that the other end has to agree to the end of TLS."""


_UNHEARD: Final = 60.0
"""Seconds after which who has not taken what was sent is gone."""


class HostServer:
    """Serves NDMP sessions on a listening socket, several at once."""

    def __init__(
        self, host: Host, accounts: Accounts, *, profile: Profile = STRICT, limits: Limits | None = None
    ) -> None:
        self.limits = limits or Limits()
        self.gate = LoginGate(self.limits)
        self._host = host
        self._accounts = accounts
        self._profile = profile
        self._admission = Admission(self.limits)
        self._shells: set[Shell] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._nobody_is_in = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tls: tls.SSLContext | None = None

    async def start(self, address: str, port: int, *, ssl: tls.SSLContext | None = None) -> tuple[str, int]:
        """Listen, with TLS if ``ssl`` is given; port 0 takes a free one. Returns the address in use."""
        self._tls = ssl
        self._server = await asyncio.get_running_loop().create_server(lambda: _Door(self), address, port)
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    async def stop(self) -> None:
        """Take no more sessions and end those there are, with their devices released."""
        if self._server is not None:
            self._server.close()
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        for shell in list(self._shells):
            shell.stop()
        while self._shells:
            self._nobody_is_in.clear()
            await self._nobody_is_in.wait()

    # -- for connections and shells ------------------------------------------------------------------------------

    def meet(self, door: _Door, transport: asyncio.Transport) -> None:
        """Somebody has connected: let in, or turn away."""
        peer = transport.get_extra_info("peername")
        if peer is None:  # it has left already
            transport.abort()
            return
        address = neighbourhood(peer[0])
        if reason := self._admission.enter(address):
            self._refuse(transport, address, reason)
            return
        keep_alive(transport, unheard=max(_UNHEARD, self.limits.send_deadline))
        if self._tls is None:
            self._begin(transport, address)
        else:
            handshake = asyncio.get_running_loop().create_task(self._secure(self._tls, door, transport, address))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    def session(self, inject: Callable[[Callable[[], None]], None], local_host: str) -> Session:
        """A new session of this host."""
        return Session(
            self._host,
            self._accounts,
            inject=inject,
            clock=_now,
            local_host=local_host,
            profile=self._profile,
            early_record=self.limits.early_record_bytes,
        )

    def log_in(self, shell: Shell) -> None:
        """A session has logged in."""
        self._admission.log_in()

    def leave(self, shell: Shell) -> None:
        """A session is over, its devices are released."""
        self._shells.discard(shell)
        self._admission.leave(shell.address, logged_in=shell.is_logged_in)
        if not self._shells:
            self._nobody_is_in.set()

    def _begin(self, transport: asyncio.Transport, address: str) -> Shell:
        shell = Shell(self, transport, address)
        self._shells.add(shell)
        transport.set_protocol(shell)
        shell.begin()
        return shell

    async def _secure(self, context: tls.SSLContext, door: _Door, transport: asyncio.Transport, address: str) -> None:
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport,
                door,
                context,
                server_side=True,
                ssl_handshake_timeout=self.limits.handshake_deadline,
                ssl_shutdown_timeout=_GOODBYE,
            )
        except BaseException as error:  # also when the host stops
            transport.abort()
            self._admission.leave(address, logged_in=False)
            if not isinstance(error, OSError):
                raise
            _log.warning("no TLS with %s: %s", address, error)
            return
        assert secured is not None
        shell = self._begin(secured, address)
        door.open(shell)

    def _refuse(self, transport: asyncio.Transport, address: str, reason: str) -> None:
        _log.warning("%s is refused: %s", address, reason)
        if self._tls is None:
            status = NotifyConnectionStatus(ConnectionReason.REFUSED, 0, reason)
            transport.write(Connection().send_post(status, now=_now()))
        transport.close()


class _Door(asyncio.Protocol):
    """Who has connected and is not in yet; under TLS, what comes at once after the handshake waits here."""

    def __init__(self, server: HostServer) -> None:
        self._server = server
        self._early: list[bytes] = []
        self._has_left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.meet(self, cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._early.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._has_left = True

    def open(self, shell: Shell) -> None:
        """Hand over what has come."""
        for chunk in self._early:
            shell.data_received(chunk)
        if self._has_left:
            shell.connection_lost(None)


def _now() -> int:
    return int(time.time())
