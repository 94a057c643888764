"""Where one check is made: its sessions with the host, its data connections, and what has to be tidied up."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from duplicator.conformance.conduct import Conduct
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import ANY_ANSWER, ANY_ERROR, Errors, described, error_text, mismatch
from duplicator.conformance.peer import Listener, Peer
from duplicator.conformance.session import Answer, Session
from duplicator.conformance.target import Facts, Target
from duplicator.conformance.transcript import Entry, Transcript
from duplicator.plan import Place
from ndmp.auth import md5_digest
from ndmp.enums import AuthType, ConnectionReason, Error
from ndmp.messages.config import ConfigGetAuthAttr, ConfigGetServerInfo
from ndmp.messages.connect import (
    AuthMd5,
    AuthMd5Attributes,
    AuthNone,
    AuthProof,
    AuthText,
    ConnectClientAuth,
    ConnectClose,
    ConnectOpen,
)
from ndmp.messages.data import DataAbort, DataStop
from ndmp.messages.mover import MoverAbort, MoverStop
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.messages.scsi import ScsiClose
from ndmp.messages.tape import TapeClose
from ndmp.types import Address, TcpAddress, TcpAddresses, plain_address
from ndmp.wire import Post, Reply, Request

__all__ = ["Bench"]

VERSION: Final = 4
_TIDY: Final = (
    (0x0A, (MoverAbort(), MoverStop())),
    (0x04, (DataAbort(), DataStop())),
    (0x03, (TapeClose(), TapeClose())),
    (0x02, (ScsiClose(),)),
)
"""What brings back each interface, by the upper byte of its messages. A close that fails is repeated (3.4.3)."""
_FAREWELL: Final = 2.0


@dataclass(slots=True)
class _Data:
    """The data connections of a check."""

    peer: Peer | None = None
    listener: Listener | None = None


class Bench:
    """What the steps of a check work on. ``session`` is the one they talk to."""

    def __init__(self, target: Target, facts: Facts, conduct: Conduct) -> None:
        self.target = target
        self.facts = facts
        self.conduct = conduct
        self.transcript = Transcript()
        self.sessions: dict[str, Session] = {}
        self.kept: dict[str, Any] = {}
        """What steps remember for later ones."""
        self.reply: Any = None
        """The body of the last answer that said yes."""
        self._current = "session"
        self._peers: list[Peer] = []
        self._listeners: list[Listener] = []
        self._data = _Data()

    # -- sessions ------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session that steps talk to."""
        return self.sessions[self._current]

    async def switch(self, name: str) -> str:
        """Talk to another session: ``session``, ``other`` of the same host, or ``second`` host. Who it was before.

        It is greeted, and logged in unless it is the first.
        """
        before, self._current = self._current, name
        if name not in self.sessions:
            place = self._place(name)
            session = await self.dial(name, place)
            await self.log_in(session, place)
        return before

    def switch_back(self, name: str) -> None:
        """Talk to a session that is there already."""
        self._current = name

    def _place(self, name: str) -> Place:
        second = self.target.permissions.second
        if name != "second":
            return self.target.place
        if second is None:
            reason = "no second host"
            raise Unavailable(reason)
        return second

    async def dial(self, name: str = "session", place: Place | None = None) -> Session:
        """A new session that is greeted; OSError, TimeoutError, Deviation."""
        place = place or self.target.place
        session = await Session.dial(
            place.url.host,
            place.url.port,
            tls=place.tls.context() if place.url.tls else None,
            name=name,
            transcript=self.transcript,
            conduct=self.conduct,
            deadline=self.target.deadline,
        )
        self.sessions[name] = session
        await session.wait(lambda: bool(session.arrived), "a greeting (NOTIFY_CONNECTION_STATUS)")
        greeting = session.posts[0][0] if session.posts else None
        if not isinstance(greeting, NotifyConnectionStatus) or greeting.reason != ConnectionReason.CONNECTED:
            raise Deviation("a greeting with the reason CONNECTED", session.arrived[0].line, answer=session.arrived[0])
        return session

    async def log_in(self, session: Session, place: Place | None = None) -> None:
        """Agree on version 4 and log in, by the best way offered; Deviation."""
        place = place or self.target.place
        await self.ask(ConnectOpen(VERSION), session=session)
        server = await self.ask(ConfigGetServerInfo(), session=session)
        offered = server.body.auth_types if server.body else ()  # type: ignore[attr-defined]
        proof = await self._proof(session, place, offered)
        await self.ask(ConnectClientAuth(proof), session=session, deadline=self.target.login_deadline)
        session.is_logged_in = True

    async def _proof(self, session: Session, place: Place, offered: Collection[AuthType]) -> AuthProof:
        user, secret = place.url.user, place.secret.reveal()
        if AuthType.MD5 in offered:
            return AuthMd5(user, md5_digest(secret.encode(), await self.challenge(session=session)))
        if AuthType.TEXT in offered:
            return AuthText(user, secret)
        return AuthNone()

    async def challenge(self, *, session: Session | None = None) -> bytes:
        """A new challenge; Deviation when the host gives none."""
        answer = await self.ask(ConfigGetAuthAttr(AuthType.MD5), session=session)
        attributes = answer.body.attributes if answer.body else None  # type: ignore[attr-defined]
        if not isinstance(attributes, AuthMd5Attributes):
            raise Deviation("a challenge of 64 bytes", "none", sent=answer.sent, answer=answer.entry)
        return attributes.challenge

    # -- asking --------------------------------------------------------------------------------------------------

    async def ask(
        self,
        request: Request[Any],
        errors: Errors = (Error.NO_ERR,),
        *,
        session: Session | None = None,
        fields: Mapping[str, object] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Send a request and hold its answer to what is expected; Deviation."""
        answer = await (session or self.session).ask(request, deadline=deadline)
        self.judge(answer, errors, fields or {})
        return answer

    def judge(self, answer: Answer, errors: Errors, fields: Mapping[str, object]) -> None:
        """Hold an answer to what is expected; Deviation. Its body is kept as ``reply`` if it says yes."""
        expected = described(errors, fields)

        def refuse(came: str) -> Deviation:
            return Deviation(expected, came, sent=answer.sent, answer=answer.entry)

        where = " in the header" if answer.in_header else ""
        if errors is ANY_ERROR:
            if answer.error == Error.NO_ERR:
                raise refuse("NO_ERR")
        elif errors is not ANY_ANSWER and answer.error not in errors:
            raise refuse(f"{error_text(answer.error)}{where}")
        if answer.error != Error.NO_ERR:
            return
        if not isinstance(answer.body, Reply):
            if errors is ANY_ANSWER and not fields:
                return
            raise refuse(
                "a reply whose body cannot be read" if len(answer.entry.raw) > 24 else "a reply without a body"
            )
        self.reply = answer.body
        if wrong := mismatch(answer.body, fields):
            raise refuse(wrong)

    async def post(self, kind: type[Post], fields: Mapping[str, object], *, deadline: float | None = None) -> Entry:
        """The next notification of this kind, held to what is expected; Deviation. Others wait."""
        session = self.session
        expected = f"{kind.__name__} {described((), fields)}".strip()
        await session.wait(
            lambda: any(isinstance(message, kind) for message, _ in session.posts), expected, deadline=deadline
        )
        found = next(index for index, (message, _) in enumerate(session.posts) if isinstance(message, kind))
        message, entry = session.posts.pop(found)
        self.reply = message
        if wrong := mismatch(message, fields):
            raise Deviation(expected, wrong, answer=entry)
        return entry

    # -- data connections ----------------------------------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """The data connection in use; Deviation when there is none."""
        if self._data.peer is None:
            raise Deviation("a data connection", "none")
        return self._data.peer

    async def connect_peer(self, address: Address, *, buffer_bytes: int = 0) -> None:
        """Connect to where the host listens."""
        if not isinstance(address, TcpAddresses) or not address.endpoints:
            raise Deviation("a TCP address to connect to", repr(address))
        peer = await Peer.connect(plain_address(address.endpoints[0]), self.target.deadline, buffer_bytes=buffer_bytes)
        self._peers.append(peer)
        self._data.peer = peer

    async def listen(self, *, buffer_bytes: int = 0) -> TcpAddress:
        """Listen for the host; the address to tell it."""
        host = self.session.local_host
        if ipaddress.ip_address(host).version != 4:
            reason = "data connections are IPv4, and the control connection is not"
            raise Unavailable(reason)
        self._data.listener = Listener(self.target.deadline, buffer_bytes=buffer_bytes)
        self._listeners.append(self._data.listener)
        return await self._data.listener.open(host)

    async def stop_listening(self) -> None:
        """Let nobody connect to us any more."""
        if self._data.listener:
            await self._data.listener.close()

    async def accept_peer(self) -> None:
        """The connection that the host makes to us."""
        if self._data.listener is None:
            raise Deviation("a listener", "none")
        peer = await self._data.listener.accept()
        self._peers.append(peer)
        self._data.peer = peer

    # -- the end -------------------------------------------------------------------------------------------------

    async def tidy(self) -> None:
        """Bring the host back to where it was: transfers aborted, devices closed, sessions ended."""
        for session in reversed(self.sessions.values()):
            if not session.is_closed:
                await self._tidy_session(session)
        for peer in self._peers:
            await peer.close()
        # A check may have listened more than once.
        for listener in self._listeners:
            await listener.close()
        for session in self.sessions.values():
            await self._end(session)

    async def _tidy_session(self, session: Session) -> None:
        """After a hang, one more silence is enough to give the session up."""
        seconds = min(session.deadline / 4, 1.0) if session.has_hung else session.deadline
        if not session.is_logged_in:
            return
        with suppress(Deviation):
            for interface, requests in _TIDY:
                for request in requests if interface in session.used else ():
                    await session.ask(request, deadline=seconds)

    async def _end(self, session: Session) -> None:
        if not session.is_closed and not session.has_hung:
            with suppress(Deviation):
                await session.send(ConnectClose())
                await session.closes(deadline=min(session.deadline, _FAREWELL))
        await session.hang_up()
