"""The beginning of a TLS data connection: handshake, the listener's certificate, the caller's token."""

from __future__ import annotations

import hmac
import select
import socket
import ssl
import time
from collections.abc import Callable
from hashlib import sha256

from duplicator.data_streams import events_for
from duplicator.data_tls import TOKEN_BYTES, Identity, Invitation, calling_context
from duplicator.stop_signal import StopSignal

__all__ = ["Guest", "called"]


class Guest:
    """A peer at a listener's TLS endpoint that has not shown its token yet."""

    def __init__(self, arrived: socket.socket, name: str, identity: Identity, *, token: bytes, end: float) -> None:
        arrived.getpeername()  # raises if it is gone again: wrap_socket would not close such a socket
        arrived.setblocking(False)
        self.socket = identity.context.wrap_socket(
            arrived, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self.name = name
        self.end = end
        """When patience ends, by the monotonic clock."""
        self.awaited = select.POLLIN
        self._token = token
        self._shown = b""

    def advance(self) -> bool:
        """Go on without waiting; whether it is the one that was invited. OSError if it never will be."""
        try:
            if not self.socket.version():
                self.socket.do_handshake()
            while len(self._shown) < TOKEN_BYTES:
                self._shown += self._next_piece()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
            self.awaited = events_for(wanted)
            return False
        if not hmac.compare_digest(self._shown, self._token):
            raise ConnectionRefusedError("another token than the invitation's")
        return True

    def _next_piece(self) -> bytes:
        piece = self.socket.recv(TOKEN_BYTES - len(self._shown))
        if not piece:
            raise ConnectionRefusedError("no token")
        return piece


def called(reached: socket.socket, invitation: Invitation, signal: StopSignal, *, seconds: float) -> ssl.SSLSocket:
    """The connecting side's part, on a socket that does not block; OSError if the listener is another one."""
    reached.getpeername()
    tls = calling_context().wrap_socket(reached, do_handshake_on_connect=False, suppress_ragged_eofs=False)
    end = time.monotonic() + seconds
    try:
        _complete(tls.do_handshake, tls, signal, end=end)
        shown = sha256(tls.getpeercert(binary_form=True) or b"").digest()
        if not hmac.compare_digest(shown, invitation.fingerprint):
            raise ConnectionRefusedError("another certificate than the invitation's")
        _complete(lambda: tls.send(invitation.token), tls, signal, end=end)
    except BaseException:
        tls.close()
        raise
    return tls


def _complete(step: Callable[[], object], tls: ssl.SSLSocket, signal: StopSignal, *, end: float) -> None:
    while True:
        try:
            step()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wanted:
            if not signal.wait({tls: events_for(wanted)}, end - time.monotonic()):
                raise TimeoutError("no TLS handshake within its deadline") from None
        else:
            return
