"""Where a data connection is awaited: one listener for each address and kind; the first valid peer is taken."""

from __future__ import annotations

import errno
import logging
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, TypeAlias

from duplicator.data_streams import PlainStream, Stream, TlsStream
from duplicator.data_tls import Identity, Invitation, TlsPolicy
from duplicator.handshakes import Guest
from duplicator.network import NetworkSettings, Offer
from duplicator.stop_signal import StopSignal
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress

__all__ = ["Peer", "Reception", "is_own_process"]

_log: Final = logging.getLogger(__name__)
_MAX_GUESTS: Final = 16
"""TLS handshakes at a time; of more, the oldest is given up."""
_BACKLOG: Final = 64
_GREETING: Final = 1.0
"""Seconds in which a peer at the door is let in, or nearly so."""

Peer: TypeAlias = tuple[Stream, TcpAddress | None]
"""A stream and who is at its other end; None: this process."""


@dataclass(frozen=True, slots=True)
class _Door:
    """One listener; with an invitation, TLS is spoken there."""

    listener: socket.socket
    invitation: Invitation | None = None


class Reception:
    """Listens for one peer. Nothing tells a port scanner from a peer at a plain endpoint: see ``peers``, or TLS."""

    def __init__(self, settings: NetworkSettings, signal: StopSignal) -> None:
        self._settings = settings
        self._signal = signal
        self._identity: Identity | None = None
        self._doors: list[_Door] = []
        self._guests: list[Guest] = []
        self._at_the_door = threading.Condition()
        self._has_arrived = False

    # -- listening -----------------------------------------------------------------------------------------------

    def open(self, host: str) -> Sequence[TcpAddress]:
        """Listen on the addresses of the settings, or on ``host``; ReplyError(CONNECT) if none of them can be had.

        Endpoints for TLS come last: strangers would take them for plain ones.
        """
        policy, offers, problems = self._settings.tls_policy, self._offers(host), list[str]()
        addresses = list[TcpAddress]()
        if policy is not TlsPolicy.REQUIRE:
            addresses += self._open_doors(offers, None, problems)
        if self._settings.tls and policy is not TlsPolicy.OFF:
            self._identity = self._settings.tls.identity
            addresses += self._open_doors(offers, Invitation.by(self._identity), problems)
        if not addresses:
            raise ReplyError(Error.CONNECT, "; ".join(problems))
        for problem in problems:
            _log.warning("%s", problem)
        return addresses

    def _offers(self, host: str) -> Sequence[Offer]:
        try:
            return self._settings.offers or (Offer(IPv4Address(host)),)
        except ValueError:
            raise ReplyError(Error.CONNECT, f"data connections are IPv4, not {host}") from None

    def _open_doors(
        self, offers: Sequence[Offer], invitation: Invitation | None, problems: list[str]
    ) -> Sequence[TcpAddress]:
        addresses = []
        for offer in offers:
            bound = str(offer.bind or offer.address)
            try:
                listener = _listener(bound, self._settings.ports)
            except OSError as error:
                problems.append(f"cannot listen on {bound}: {error}")
                continue
            self._doors.append(_Door(listener, invitation))
            environment = invitation.environment if invitation else ()
            addresses.append(TcpAddress(str(offer.address), listener.getsockname()[1], environment))
        return addresses

    def open_locally(self) -> bytes:
        """Listen for this process; the name to connect to, which no other socket has."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._doors.append(_Door(listener))
        listener.bind(b"")  # the system chooses
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        name: bytes = listener.getsockname()
        return name

    # -- accepting -----------------------------------------------------------------------------------------------

    def accept(self) -> Peer:
        """Wait for the peer; TimeoutError after the deadline, Stopped when told. Then nobody else is let in."""
        end = time.monotonic() + self._settings.accept_deadline
        try:
            while (peer := self._let_in(self._next_ready(end))) is None:
                if time.monotonic() >= end:
                    raise TimeoutError(f"no peer within {self._settings.accept_deadline:g} s")
        finally:
            self.close()
        return peer

    def _let_in(self, ready: set[int]) -> Peer | None:
        with self._at_the_door:
            peer = self._meet(ready)
            self._has_arrived = peer is not None
            self._at_the_door.notify_all()
        return peer

    def has_arrived(self) -> bool:
        """Whether the peer was taken; first waits, not for long, for whoever is at a door now. From any thread."""
        with self._at_the_door:
            self._at_the_door.wait_for(lambda: self._has_arrived or not self._is_visited(), timeout=_GREETING)
            return self._has_arrived

    def _is_visited(self) -> bool:
        doors = select.poll()
        for door in self._doors:
            doors.register(door.listener, select.POLLIN)
        return bool(self._guests or doors.poll(0))

    def _next_ready(self, end: float) -> set[int]:
        awaited: dict[socket.socket, int] = {door.listener: select.POLLIN for door in self._doors}
        awaited |= {guest.socket: guest.awaited for guest in self._guests}
        return self._signal.wait(awaited, min([end, *(guest.end for guest in self._guests)]) - time.monotonic())

    def _meet(self, ready: set[int]) -> Peer | None:
        """Look after those who are ready; the peer, if it is among them."""
        for guest in list(self._guests):
            if (peer := self._attend(guest, guest.socket.fileno() in ready)) is not None:
                return peer
        for door in self._doors:
            if door.listener.fileno() in ready and (peer := self._answer(door)) is not None:
                return peer
        return None

    def _answer(self, door: _Door) -> Peer | None:
        try:
            arrived, name = door.listener.accept()
        except OSError:  # it is gone again
            return None
        if not self._admits(arrived, name):
            _log.warning("data connection refused: %s is not among the peers", name[0] if name else "a process")
            arrived.close()
            return None
        if door.invitation is not None:
            self._welcome(arrived, name, door.invitation)
            return None
        address = TcpAddress(name[0], name[1]) if arrived.family == socket.AF_INET else None
        return PlainStream(arrived, self._settings.silence_limit), address

    def _admits(self, arrived: socket.socket, name: tuple[str, int]) -> bool:
        if arrived.family == socket.AF_UNIX:
            return is_own_process(arrived)
        return self._settings.allows(name[0])

    def _welcome(self, arrived: socket.socket, name: tuple[str, int], invitation: Invitation) -> None:
        assert self._identity is not None
        end = time.monotonic() + self._settings.handshake_deadline
        try:
            guest = Guest(arrived, name[0], self._identity, token=invitation.token, end=end)
        except (OSError, ValueError):
            arrived.close()
            return
        if len(self._guests) == _MAX_GUESTS:
            self._dismiss(self._guests[0], "too many others")
        self._guests.append(guest)

    def _attend(self, guest: Guest, is_ready: bool) -> Peer | None:
        try:
            if is_ready and guest.advance():
                address = TcpAddress(*guest.socket.getpeername())
                stream = TlsStream(guest.socket, self._signal, self._settings.silence_limit)
                self._guests.remove(guest)
                return stream, address
            if time.monotonic() >= guest.end:
                raise TimeoutError("no token in time")
        except OSError as error:
            self._dismiss(guest, str(error))
        return None

    def _dismiss(self, guest: Guest, reason: str) -> None:
        _log.warning("TLS data connection from %s refused: %s", guest.name, reason)
        self._guests.remove(guest)
        guest.socket.close()

    def close(self) -> None:
        """Listen no more; a second time does nothing."""
        with self._at_the_door:
            for each in (*(door.listener for door in self._doors), *(guest.socket for guest in self._guests)):
                each.close()
            self._doors, self._guests = [], []
            self._at_the_door.notify_all()


def _listener(host: str, ports: range | None) -> socket.socket:
    """A listening socket that does not block, on a free port; OSError if there is none."""
    for port in (0,) if ports is None else random.sample(ports, len(ports)):
        with suppress(_PortTakenError):
            return _listener_at(host, port)
    raise OSError(errno.EADDRINUSE, f"no data port of {_named(ports)} is free")


def _named(ports: range | None) -> str:
    return f"{ports[0]} to {ports[-1]}" if ports else "an empty range"


class _PortTakenError(Exception):
    """Somebody else listens there."""


def _listener_at(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        if port and error.errno == errno.EADDRINUSE:
            raise _PortTakenError from error
        raise
    listener.setblocking(False)
    return listener


_CREDENTIALS: Final = struct.Struct("3i")


def is_own_process(connected: socket.socket) -> bool:
    """Whether the other end of a local socket belongs to this process."""
    told = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(told)[0] == os.getpid())
