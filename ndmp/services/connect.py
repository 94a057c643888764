"""CONNECT service: version and login (draft 3.1)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Final

from ndmp.auth import CHALLENGE_BYTES, digests_equal, md5_digest
from ndmp.enums import AuthType, Error
from ndmp.errors import ReplyError
from ndmp.machine import Machine
from ndmp.messages.connect import (
    AuthMd5,
    AuthText,
    ConnectClientAuth,
    ConnectClientAuthReply,
    ConnectClose,
    ConnectOpen,
    ConnectOpenReply,
)
from ndmp.services.routes import Route, Routes
from ndmp.states import CONNECTION, ConnectionEvent, ConnectionState

__all__ = ["PROTOCOL_VERSION", "Accounts", "ConnectService"]

PROTOCOL_VERSION: Final = 4
Accounts = Callable[[str], bytes | None]
"""The secret of a user, or None for a stranger."""
_KINDS: Final[Mapping[type, AuthType]] = {AuthText: AuthType.TEXT, AuthMd5: AuthType.MD5}


class ConnectService:
    """The state of one control connection."""

    def __init__(self, accounts: Accounts, auth_types: Collection[AuthType]) -> None:
        self._accounts = accounts
        self.auth_types = tuple(auth_types)
        self._challenge: bytes | None = None
        self.failed_logins = 0
        self.machine = Machine(CONNECTION, ConnectionState.GREETED)
        self.routes: Routes = {
            ConnectOpen: Route(self._open, before_login=True),
            ConnectClientAuth: Route(self._client_auth, before_login=True),
            ConnectClose: Route(self._close, before_login=True),
        }

    @property
    def is_authorized(self) -> bool:
        """Whether a login succeeded."""
        return self.machine.state is ConnectionState.AUTHORIZED

    @property
    def is_closed(self) -> bool:
        """Whether the application said good-bye."""
        return self.machine.state is ConnectionState.CLOSED

    def new_challenge(self) -> bytes:
        """A challenge that replaces any before it and serves for one login (draft 3.2.4)."""
        self._challenge = secrets.token_bytes(CHALLENGE_BYTES)
        return self._challenge

    def _open(self, request: ConnectOpen) -> ConnectOpenReply:
        self.machine.audit(ConnectionEvent.OPEN)
        if request.protocol_version != PROTOCOL_VERSION:
            raise ReplyError(Error.ILLEGAL_ARGS, f"NDMP version {request.protocol_version} is not spoken here")
        self.machine.fire(ConnectionEvent.OPEN)
        return ConnectOpenReply(Error.NO_ERR)

    def _client_auth(self, request: ConnectClientAuth) -> ConnectClientAuthReply:
        challenge, self._challenge = self._challenge, None
        if not self._proves(request, challenge):
            self.failed_logins += 1
            raise ReplyError(Error.NOT_AUTHORIZED, "wrong name or password")
        self.machine.fire(ConnectionEvent.AUTHORIZED)
        return ConnectClientAuthReply(Error.NO_ERR)

    def _proves(self, request: ConnectClientAuth, challenge: bytes | None) -> bool:
        proof = request.proof
        if not isinstance(proof, AuthText | AuthMd5) or _KINDS[type(proof)] not in self.auth_types:
            raise ReplyError(Error.ILLEGAL_ARGS, "this way to log in is not offered")
        secret = self._accounts(proof.user)
        known = bool(secret)
        secret = secret or b"nobody"
        if isinstance(proof, AuthText):
            return digests_equal(secret, proof.password.encode("utf-8", "surrogateescape")) and known
        if challenge is None:
            return False
        return digests_equal(md5_digest(secret, challenge), proof.digest) and known

    def _close(self, request: ConnectClose) -> None:
        self.machine.fire(ConnectionEvent.CLOSE)
