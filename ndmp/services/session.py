"""One session of a host: everything between a control connection's bytes and the backends, without a socket.

The shell feeds bytes, runs each :class:`Task` that comes out, in order and one at a time (in a worker thread if it is
``blocking``), and then sends :meth:`Session.take_output`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from ndmp.backends import Host, MoverFactory
from ndmp.connection import Connection, Event, Header, ReplyReceived, RequestReceived, Undecodable
from ndmp.enums import ConnectionReason, Error, FseFeature, MessageType, MoverState
from ndmp.errors import ReplyError, XdrError
from ndmp.messages.config import ConfigSetExtList
from ndmp.messages.extensions.echo import TestEcho, TestEcho2, TestEcho2Reply, TestEchoReply
from ndmp.messages.extensions.fse import FseGetInfo, FseGetInfoReply
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.records import MAX_RECORD
from ndmp.services.config import ConfigService, ExtensionService, address_types_of, offered_extensions
from ndmp.services.connect import PROTOCOL_VERSION, Accounts, ConnectService
from ndmp.services.data import DataService
from ndmp.services.files import FileService
from ndmp.services.meeting import Meeting
from ndmp.services.mover import Inject, MoverService
from ndmp.services.outbox import Outbox
from ndmp.services.profile import STRICT, Profile
from ndmp.services.routes import Route
from ndmp.services.scsi import ScsiService
from ndmp.services.slot import Slot
from ndmp.services.tape import TapeService, write_implicit_filemark
from ndmp.services.tape_digest import TapeDigestService
from ndmp.states import ConnectionEvent
from ndmp.wire import REPLIES, Reply, Request, refusal

__all__ = ["Session", "Task"]

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Work for the shell."""

    run: Callable[[], None]
    blocking: bool = False
    barrier: bool = False
    """How the next message decodes depends on it: run it before more is taken from :meth:`Session.receive`."""


class Session:
    """The services of one control connection. ``clock`` gives seconds since 1970 for message headers."""

    def __init__(
        self,
        host: Host,
        accounts: Accounts,
        *,
        inject: Inject,
        clock: Callable[[], int],
        local_host: str,
        profile: Profile = STRICT,
        max_record: int = MAX_RECORD,
    ) -> None:
        self._host = host
        self._clock = clock
        self._connection = Connection(max_record=max_record)
        self._output: list[bytes] = []
        self._outbox = Outbox()
        self._slot = Slot()
        self._connect = ConnectService(accounts)
        self._extensions = ExtensionService(offered_extensions(host), self._connection.extensions)
        self._routes: dict[type[Request[Any]], Route] = {
            TestEcho: Route(lambda r: TestEchoReply(Error.NO_ERR, r.text)),
            TestEcho2: Route(lambda r: TestEcho2Reply(Error.NO_ERR, r.text, r.number)),
            **self._connect.routes,
            **ConfigService(host, self._connect).routes,
            **self._extensions.routes,
        }
        self._mover: MoverService | None = None
        self._digest: TapeDigestService | None = None
        self._files: FileService | None = None
        self._data: DataService | None = None
        if host.movers:
            self._add_transfers(host, host.movers, inject, profile, local_host)
        self._add_devices(host)

    def _add_transfers(
        self, host: Host, movers: MoverFactory, inject: Inject, profile: Profile, local_host: str
    ) -> None:
        meeting, address_types = Meeting(), address_types_of(host)
        self._mover = MoverService(
            movers,
            self._slot,
            self._outbox,
            profile=profile,
            inject=inject,
            local_host=local_host,
            meeting=meeting,
            digesting=self._is_digesting,
            address_types=address_types,
        )
        self._routes.update(self._mover.routes)
        if host.tapes:
            self._digest = TapeDigestService(
                movers, self._slot, self._outbox, inject=inject, mover_idle=self._mover_is_idle
            )
            self._routes.update(self._digest.routes)
        if host.data:
            self._data = DataService(
                host.data,
                movers,
                self._outbox,
                inject=inject,
                local_host=local_host,
                meeting=meeting,
                address_types=address_types,
                read_local=self._mover.read_local,
            )
            self._routes.update(self._data.routes)

    def _add_devices(self, host: Host) -> None:
        if host.tapes:
            tape = TapeService(host.tapes, self._slot, moving=self._is_moving, awaited=self._is_listening)
            self._routes.update(tape.routes)
        if host.changers:
            self._routes.update(ScsiService(host.changers, self._slot).routes)
        if host.files:
            self._files = FileService(host.files, self._slot, busy=lambda: self._is_moving() or self._is_listening())
            self._routes.update(self._files.routes)
        if host.files or self._digest:
            self._routes[FseGetInfo] = Route(self._fse_info)

    # -- for the shell -------------------------------------------------------------------------------------------

    def greet(self) -> None:
        """Say hello; the first thing on a connection (draft 4.1.2)."""
        self._outbox.post(NotifyConnectionStatus(ConnectionReason.CONNECTED, PROTOCOL_VERSION, ""))

    def farewell(self, text: str) -> None:
        """Say why the host closes the connection (draft 4.1.2)."""
        self._outbox.post(NotifyConnectionStatus(ConnectionReason.SHUTDOWN, 0, text))

    def receive(self, chunk: bytes) -> Iterator[Task]:
        """The work in ``chunk``; RemoteProtocolError when the connection must be dropped."""
        for event in self._connection.receive(chunk):
            if event.header.message_type == MessageType.REPLY or isinstance(event, ReplyReceived):
                continue  # nothing was asked of the application
            yield self._task(event)

    def take_output(self) -> bytes:
        """Replies and notifications so far, in order."""
        output, self._output = self._output, []
        output += [self._connection.send_post(post, now=self._clock()) for post in self._outbox.take()]
        return b"".join(output)

    @property
    def is_logged_in(self) -> bool:
        """Whether a login succeeded."""
        return self._connect.is_authorized

    @property
    def is_closed(self) -> bool:
        """Whether the application asked to close."""
        return self._connect.is_closed

    def shut_down(self) -> None:
        """End of the session: stop transfers, write the implicit filemark, release devices. May block."""
        services = (self._data, self._mover, self._digest, self._files)
        for release in (*(service.shut_down for service in services if service), self._mark_tape, self._slot.close):
            try:
                release()
            except Exception:  # noqa: BLE001  (what one backend fails to release must not keep the rest)
                _log.exception("a session's end is not clean")

    def _mark_tape(self) -> None:
        if self._slot.tape:
            write_implicit_filemark(self._slot.tape)

    # -- dispatch ------------------------------------------------------------------------------------------------

    def _task(self, event: Event) -> Task:
        if isinstance(event, RequestReceived):
            header, request = event.header, event.message
            route = self._routes.get(type(request))
            return Task(
                lambda: self._answer(header, request, route),
                blocking=bool(route and route.blocking),
                barrier=isinstance(request, ConfigSetExtList),
            )
        error = Error.XDR_DECODE if isinstance(event, Undecodable) else Error.NOT_SUPPORTED
        return Task(lambda: self._refuse_by_header(event.header, error))

    def _refuse_by_header(self, header: Header, error: Error) -> None:
        if not self._connect.is_authorized:
            error = Error.NOT_AUTHORIZED
        self._output.append(self._connection.send_error(header, error, now=self._clock()))

    def _answer(self, header: Header, request: Request[Any], route: Route | None) -> None:
        if route is None:
            self._refuse_by_header(header, Error.NOT_SUPPORTED)
            return
        reply = self._reply(request, route)
        if reply is not None:
            self._output.append(self._encoded(header, reply))
        # Posts that the handler caused follow its reply.
        self._output += [self._connection.send_post(post, now=self._clock()) for post in self._outbox.take()]

    def _encoded(self, header: Header, reply: Reply) -> bytes:
        try:
            return self._connection.send_reply(header, reply, now=self._clock())
        except XdrError as error:
            _log.error("a backend's answer does not fit the wire: %s", error)
            return self._connection.send_error(header, Error.XDR_ENCODE, now=self._clock())

    def _reply(self, request: Request[Any], route: Route) -> Reply | None:
        declared = REPLIES[request.wire_code, request.wire_version]
        try:
            self._audit(request, route)
            return route.handler(request)
        except ReplyError as error:
            _log.info("%s refused: %s", type(request).__name__, error)
            return refusal(declared, error.error)
        except Exception:  # noqa: BLE001  (a backend's bug is this request's failure, not the session's)
            _log.exception("%s failed", type(request).__name__)
            return refusal(declared, Error.UNDEFINED)

    def _audit(self, request: Request[Any], route: Route) -> None:
        """Permission of the connection: before login, few requests; any but CONNECT_* accepts the version."""
        if not route.before_login and not self._connect.is_authorized:
            raise ReplyError(Error.NOT_AUTHORIZED, "log in first")
        if request.wire_code not in _CONNECT_CODES and self._connect.machine.allows(ConnectionEvent.REQUEST):
            self._connect.machine.fire(ConnectionEvent.REQUEST)
        if request.wire_code >> 16:
            self._extensions.fix_default()

    def _fse_info(self, request: FseGetInfo) -> FseGetInfoReply:
        files = self._host.files
        features = FseFeature.TAPE_DIGEST if self._digest else FseFeature(0)
        if files:
            features |= FseFeature.FILES_READ | (FseFeature.FILES_WRITE if files.writable else FseFeature(0))
        algorithms = files.algorithms if files else self._host.movers.algorithms if self._host.movers else ()
        return FseGetInfoReply(Error.NO_ERR, features, tuple(algorithms))

    def _mover_is_idle(self) -> bool:
        return self._mover is None or self._mover.state == MoverState.IDLE

    def _is_digesting(self) -> bool:
        return self._digest is not None and self._digest.is_active

    def _is_moving(self) -> bool:
        return self._is_digesting() or (self._mover is not None and self._mover.state == MoverState.ACTIVE)

    def _is_listening(self) -> bool:
        return self._mover is not None and self._mover.state == MoverState.LISTEN


_CONNECT_CODES: Final = (0x900, 0x902)
