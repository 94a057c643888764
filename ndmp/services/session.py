"""One session of a host: everything between a control connection's bytes and the backends, without a socket.

The shell pushes bytes and lets the session :meth:`~Session.answer`; it runs each :class:`Task` that this leaves to it
(in a worker thread if it is ``blocking``), and then sends :meth:`Session.take_output`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ndmp.backends import Host
from ndmp.connection import Connection, Event, Header, RequestReceived, Undecodable
from ndmp.enums import ConnectionReason, Error, MessageType
from ndmp.errors import ReplyError, XdrError
from ndmp.messages.connect import ConnectClientAuth, ConnectClose
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.records import EARLY_RECORD, MAX_RECORD
from ndmp.services.config import ExtensionService, offered_extensions
from ndmp.services.connect import PROTOCOL_VERSION, Accounts, ConnectService
from ndmp.services.interfaces import Interfaces
from ndmp.services.mover import Inject
from ndmp.services.outbox import Outbox
from ndmp.services.profile import STRICT, Profile
from ndmp.services.routes import Route
from ndmp.states import ConnectionEvent
from ndmp.wire import REPLIES, Reply, Request, refusal

__all__ = ["OTHERS_FIRST", "Session", "Task"]

_log: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Task:
    """Work for the shell."""

    run: Callable[[], None]
    blocking: bool = False
    """It may wait for a device or a peer."""
    login: bool = False
    """It tries to log in; compare :attr:`Session.failed_logins` before and after."""


def _nothing() -> None:
    """Others have been first."""


OTHERS_FIRST: Final = Task(_nothing)
"""More may have come, but enough was answered in a row."""


class Session:
    """The services of one control connection. ``clock`` gives seconds since 1970, which message headers have in whole.

    ``early_record``: bytes of a record at most before login; ``max_record``: after it.
    """

    def __init__(
        self,
        host: Host,
        accounts: Accounts,
        *,
        inject: Inject,
        clock: Callable[[], float],
        local_host: str,
        profile: Profile = STRICT,
        max_record: int = MAX_RECORD,
        early_record: int = EARLY_RECORD,
    ) -> None:
        self.is_closed = False
        """Whether the application asked to close."""
        self.is_logged_in = False
        """Whether a login succeeded."""
        self._clock = clock
        self._max_record = max_record
        self._connection = Connection(max_record=min(early_record, max_record))
        self._output: list[bytes] = []
        self._outbox = Outbox()
        self._connect = ConnectService(accounts, profile.auth_types)
        self._extensions = ExtensionService(offered_extensions(host), self._connection.extensions)
        self._interfaces = Interfaces(
            host,
            self._connect,
            self._extensions,
            self._outbox,
            inject=inject,
            local_host=local_host,
            profile=profile,
        )

    # -- for the shell -------------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Say hello; the first thing on a connection (draft 4.1.2)."""
        self._outbox.post(NotifyConnectionStatus(ConnectionReason.CONNECTED, PROTOCOL_VERSION, ""))

    def farewell(self, text: str) -> None:
        """Say why the host closes the connection (draft 4.1.2)."""
        self._outbox.post(NotifyConnectionStatus(ConnectionReason.SHUTDOWN, 0, text))

    def push(self, chunk: bytes) -> None:
        """Take in what has come."""
        self._connection.push(chunk)

    def answer(self, at_most: int = sys.maxsize) -> Task | None:
        """Answer the requests that have come, in order, up to the first one that is for the shell: it is returned.

        Run it before the next call: how a message decodes depends on those before it. None when no request is left,
        OTHERS_FIRST when ``at_most`` are answered. RemoteProtocolError when the connection must be dropped.
        """
        for _ in range(at_most):
            if self.is_closed or (event := self._connection.next_event()) is None:
                return None
            if type(event) is not RequestReceived:
                self._refuse_event(event)
                continue
            header, request = event.header, event.message
            route = self._interfaces.route(request)
            if route is None:
                self._refuse_by_header(header, Error.NOT_SUPPORTED)
            elif route.blocking or type(request) in _COMING_AND_GOING:
                return self._task(header, request, route)
            else:
                self._answer(header, request, route)
        return OTHERS_FIRST

    def receive(self, chunk: bytes) -> Iterator[Task]:
        """Take in and answer what has come, and all the work that :meth:`answer` leaves."""
        self.push(chunk)
        return iter(self.answer, None)

    @property
    def held_bytes(self) -> int:
        """Bytes received that no task has come from yet."""
        return self._connection.held_bytes

    def take_output(self) -> bytes:
        """Replies and notifications so far, in order."""
        if self._outbox.posts:
            self._send_posts()
        output, self._output = self._output, []
        return b"".join(output)

    @property
    def failed_logins(self) -> int:
        """How many logins were refused for a wrong name or password."""
        return self._connect.failed_logins

    def interrupt(self) -> None:
        """The application is gone: end every wait for a peer. Never blocks; callable while a task runs, any thread."""
        self._interfaces.interrupt()

    def shut_down(self) -> None:
        """End of the session: stop transfers, write the implicit filemark, release devices. May block."""
        try:
            self._interfaces.shut_down()
        except Exception:  # noqa: BLE001  (what a backend fails to release is for the log; nobody else listens)
            _log.exception("a session's end is not clean")

    # -- dispatch ------------------------------------------------------------------------------------------------

    def _task(self, header: Header, request: Request[Any], route: Route) -> Task:
        if type(request) in _COMING_AND_GOING:
            login = isinstance(request, ConnectClientAuth)
            return Task(lambda: self._come_or_go(header, request, route), login=login)
        return Task(lambda: self._answer(header, request, route), blocking=route.blocking)

    def _refuse_event(self, event: Event) -> None:
        if event.header.message_type != MessageType.REPLY:  # of a reply nothing is asked
            unread = isinstance(event, Undecodable)
            self._refuse_by_header(event.header, Error.XDR_DECODE if unread else Error.NOT_SUPPORTED)

    def _refuse_by_header(self, header: Header, error: Error) -> None:
        if not self.is_logged_in:
            error = Error.NOT_AUTHORIZED
        self._output.append(self._connection.send_error(header, error, now=self._now()))

    def _come_or_go(self, header: Header, request: Request[Any], route: Route) -> None:
        self._answer(header, request, route)
        self.is_closed = self._connect.is_closed
        self.is_logged_in = self._connect.is_authorized
        if self.is_logged_in:
            self._connection.max_record = self._max_record

    def _answer(self, header: Header, request: Request[Any], route: Route) -> None:
        reply = self._reply(request, route)
        if reply is not None:
            try:
                self._output.append(self._connection.send_reply(header, reply, now=self._now()))
            except XdrError as error:
                _log.error("a backend's answer does not fit the wire: %s", error)
                self._output.append(self._connection.send_error(header, Error.XDR_ENCODE, now=self._now()))
        if self._outbox.posts:
            self._send_posts()  # those that the handler caused follow its reply

    def _send_posts(self) -> None:
        for post in self._outbox.take():
            try:
                self._output.append(self._connection.send_post(post, now=self._now()))
            except XdrError as error:  # nobody waits for it, and the session can do without
                _log.error("a notification does not fit the wire, and is not sent: %s", error)

    def _now(self) -> int:
        return int(self._clock())

    def _reply(self, request: Request[Any], route: Route) -> Reply | None:
        try:
            if not self.is_logged_in:
                self._audit_stranger(request, route)
            if request.wire_code >> 16:
                self._extensions.fix_default()
            return route.handler(request)
        except ReplyError as error:
            _log.info("%s refused: %s", type(request).__name__, error)
            refused = error.error
        except Exception:  # noqa: BLE001  (a backend's bug is this request's failure, not the session's)
            _log.exception("%s failed", type(request).__name__)
            refused = Error.UNDEFINED
        return refusal(REPLIES[request.wire_code, request.wire_version], refused)

    def _audit_stranger(self, request: Request[Any], route: Route) -> None:
        """Before login, few requests are permitted; any but CONNECT_* accepts the version that was greeted with."""
        if not route.before_login:
            raise ReplyError(Error.NOT_AUTHORIZED, "log in first")
        if request.wire_code not in _CONNECT_CODES and self._connect.machine.allows(ConnectionEvent.REQUEST):
            self._connect.machine.fire(ConnectionEvent.REQUEST)


_COMING_AND_GOING: Final = frozenset((ConnectClientAuth, ConnectClose))
_CONNECT_CODES: Final = (0x900, 0x902)
