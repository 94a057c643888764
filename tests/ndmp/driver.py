"""Drives a Session without a socket, as an application on the other side would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ndmp.backends import DataBackend, DataEvent, Host, MoverEvent, MoverPaused, MoverStarted, TapeDigestDone
from ndmp.connection import Connection, Event, PostReceived, ReplyReceived
from ndmp.enums import AddressType, DigestAlgorithm, Error, MoverMode, MoverPauseReason, TapeOpenMode
from ndmp.messages.connect import AuthText, ConnectClientAuth
from ndmp.messages.extensions.fse import FseOpenRead, FseOpenWrite, FseTapeDigestStart
from ndmp.messages.mover import (
    MoverAbort,
    MoverConnect,
    MoverListen,
    MoverSetRecordSize,
    MoverSetWindow,
    TcpAddresses,
    TcpEndpoint,
)
from ndmp.messages.tape import TapeOpen
from ndmp.services.profile import STRICT, Profile
from ndmp.services.session import Session
from ndmp.types import TcpAddress
from ndmp.wire import Post, Reply, Request
from tests.ndmp.fakes import host
from tests.ndmp.hexes import TIME

__all__ = ["LOGIN", "ONES", "PEER", "SITUATIONS", "Driver"]

ONES = 0xFFFFFFFFFFFFFFFF
LOGIN = ConnectClientAuth(AuthText("ndmp", "sesame"))
PEER = TcpAddresses((TcpEndpoint(0x7F000002, 99),))


class Driver:
    """An application and a session; tasks run at once, reports of backends when :meth:`happen` says so."""

    def __init__(
        self, served: Host | None = None, *, profile: Profile = STRICT, data: DataBackend | None = None
    ) -> None:
        made, self.tape, self.unit, self.movers = host(data=data)
        self._reports: list[Callable[[], None]] = []
        self.session = Session(
            served or made,
            {"ndmp": b"sesame", "locked": b""}.get,
            inject=self._reports.append,
            clock=lambda: TIME,
            local_host="127.0.0.1",
            profile=profile,
        )
        self.client = Connection()
        self.client.extensions = {0x7FE0: 1, 0x7FF0: 1}
        self.posts: list[Post] = []
        self.session.greet()
        self.exchange(b"")

    def exchange(self, sent: bytes) -> list[Event]:
        """Bytes in, events out; posts are kept apart as well."""
        for task in self.session.receive(sent):
            task.run()
        events = list(self.client.receive(self.session.take_output()))
        self.posts += [event.message for event in events if isinstance(event, PostReceived)]
        return events

    def events(self, request: Request[Any]) -> list[Event]:
        """All that a request causes."""
        return self.exchange(self.client.send_request(request, now=TIME)[1])

    def reply(self, request: Request[Any]) -> ReplyReceived:
        """The one reply to a request, before any post."""
        first, *others = self.events(request)
        assert isinstance(first, ReplyReceived), first
        assert not any(isinstance(event, ReplyReceived) for event in others)
        return first

    def ask(self, request: Request[Any]) -> Any:  # noqa: ANN401  (the caller knows)
        """The body of a reply that says yes."""
        answered = self.reply(request)
        assert isinstance(answered.message, Reply), f"{request}: {answered.header.error!r}"
        assert answered.message.error == Error.NO_ERR, f"{request}: {answered.message.error!r}"
        return answered.message

    def error(self, request: Request[Any]) -> Error:
        """The error of a reply, in its header or its body."""
        answered = self.reply(request)
        return answered.message.error if answered.message else answered.header.error

    def happen(self, event: MoverEvent | DataEvent | TapeDigestDone) -> list[Post]:
        """Let the newest mover, data path or digest report; the posts that follow."""
        if isinstance(event, TapeDigestDone):
            self.movers.digests[-1].end(event)
        elif isinstance(event, MoverEvent):
            self.movers.made[-1].report(event)
        else:
            self.movers.paths[-1].report(event)
        return self.settle()

    def settle(self) -> list[Post]:
        """Run what backends reported."""
        before = len(self.posts)
        self.posts += [event.message for event in self.client.receive(self.raw()) if isinstance(event, PostReceived)]
        return self.posts[before:]

    def raw(self) -> bytes:
        """Run what backends reported; the bytes that follow."""
        while self._reports:
            self._reports.pop(0)()
        return self.session.take_output()

    def go(self, *steps: Request[Any] | MoverEvent | DataEvent | TapeDigestDone) -> Driver:
        """Do all of these; none is refused."""
        for step in steps:
            if isinstance(step, Request):
                self.ask(step)
            else:
                self.happen(step)
        return self


_LOGGED_IN: tuple[Any, ...] = (LOGIN,)
_SIZED: tuple[Any, ...] = (LOGIN, MoverSetRecordSize(512), MoverSetWindow(0, ONES))
_WRITABLE: tuple[Any, ...] = (*_SIZED, TapeOpen("t", TapeOpenMode.RDWR))
_LISTEN: tuple[Any, ...] = (*_WRITABLE, MoverListen(MoverMode.READ, AddressType.TCP))
_DIGEST: tuple[Any, ...] = (*_WRITABLE, FseTapeDigestStart(DigestAlgorithm.SHA256, 10, 512))
_ACTIVE: tuple[Any, ...] = (*_LISTEN, MoverStarted(TcpAddress("127.0.0.9", 9)))
SITUATIONS: dict[str, tuple[Any, ...]] = {
    "new": (),
    "login": _LOGGED_IN,
    "readable": (*_SIZED, TapeOpen("t", TapeOpenMode.READ)),
    "writable": _WRITABLE,
    "listen": _LISTEN,
    "active": _ACTIVE,
    "sending": (*_WRITABLE, MoverConnect(MoverMode.WRITE, PEER)),
    "paused": (*_ACTIVE, MoverPaused(MoverPauseReason.EOM)),
    "halted": (*_ACTIVE, MoverAbort()),
    "file": (*_SIZED, FseOpenRead("u", "img", 0, DigestAlgorithm.NONE)),
    "newfile": (*_SIZED, FseOpenWrite("u", "new", 0, "", 5, DigestAlgorithm.NONE)),
    "digest": _DIGEST,
    "digested": (*_DIGEST, TapeDigestDone(Error.NO_ERR, 10, 1, b"digest", padding_clean=True)),
}
"""How to bring a session into each situation."""
