"""Scanners of the tests: pseudo-terminals, sockets, and pyserial's own server of RFC 2217."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import serial
from serial.rfc2217 import PortManager

__all__ = ["FakeScanner", "network_scanner", "rfc2217_scanner", "terminal_scanner"]

_DEADLINE = 30.0


class FakeScanner(Protocol):
    """A scanner that somebody holds; ``url`` is what the command is given."""

    url: str

    def send(self, text: bytes) -> None:
        """Let the other end read this."""

    def unplug(self) -> None:
        """Be gone."""


class _Terminal:
    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        self.url = os.ttyname(self._slave)

    def send(self, text: bytes) -> None:
        os.write(self._master, text)

    def unplug(self) -> None:
        if self._master >= 0:
            os.close(self._slave)
            os.close(self._master)
            self._master = -1


@contextmanager
def terminal_scanner() -> Iterator[FakeScanner]:
    """A scanner on a serial port of this machine."""
    scanner = _Terminal()
    try:
        yield scanner
    finally:
        scanner.unplug()


class _Network:
    """Takes one connection; ``send`` waits for it."""

    def __init__(self, scheme: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_DEADLINE)
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._peer: socket.socket | None = None

    def accept(self) -> socket.socket:
        if self._peer is None:
            self._peer, _ = self._listener.accept()
        return self._peer

    def send(self, text: bytes) -> None:
        self.accept().sendall(text)

    def unplug(self) -> None:
        self._listener.close()
        if self._peer is not None:
            with suppress(OSError):
                self._peer.shutdown(socket.SHUT_RDWR)
            self._peer.close()


@contextmanager
def network_scanner() -> Iterator[FakeScanner]:
    """A scanner behind a plain TCP port."""
    scanner = _Network("socket")
    try:
        yield scanner
    finally:
        scanner.unplug()


class _Remote(_Network):
    """A port server: pyserial's side of RFC 2217, in front of a port that loops to nowhere."""

    def __init__(self) -> None:
        super().__init__("rfc2217")
        self._local = serial.serial_for_url("loop://", timeout=0)
        self._manager: PortManager | None = None
        self._ready = threading.Event()
        self._end, self._ended = socket.socketpair()
        self._server = threading.Thread(target=self._serve, daemon=True)
        self._server.start()

    def write(self, text: bytes) -> None:
        """What the port manager has to say."""
        with suppress(OSError):
            self.accept().sendall(text)

    def _serve(self) -> None:
        with suppress(OSError):
            peer = self.accept()
            self._manager = PortManager(self._local, self)
            self._ready.set()
            while self._end not in (ready := select.select([peer, self._end], [], [])[0]) and ready:
                received = peer.recv(1024)
                if not received:
                    return
                # What is left are bytes for the scanner, which takes none.
                list(self._manager.filter(received))

    def send(self, text: bytes) -> None:
        assert self._ready.wait(_DEADLINE)
        assert self._manager is not None
        self.accept().sendall(b"".join(self._manager.escape(text)))

    def unplug(self) -> None:
        self._ended.close()
        self._server.join(_DEADLINE)
        super().unplug()
        self._end.close()
        self._local.close()


@contextmanager
def rfc2217_scanner() -> Iterator[FakeScanner]:
    """A scanner at a port server that speaks RFC 2217."""
    scanner = _Remote()
    try:
        yield scanner
    finally:
        scanner.unplug()
