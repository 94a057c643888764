"""Puts the services of one session together, each when the first request for it comes: an idle session is small."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from ndmp.backends import Host
from ndmp.enums import Error, FseFeature, MoverState
from ndmp.errors import ReplyError
from ndmp.messages.config import ConfigGetHostInfo
from ndmp.messages.connect import ConnectOpen
from ndmp.messages.data import DataGetState
from ndmp.messages.extensions.echo import TestEcho, TestEcho2, TestEcho2Reply, TestEchoReply
from ndmp.messages.extensions.fse import FseGetInfo, FseGetInfoReply
from ndmp.messages.mover import MoverGetState
from ndmp.messages.scsi import ScsiGetState
from ndmp.messages.tape import TapeGetState
from ndmp.services.config import ConfigService, ExtensionService, address_types_of
from ndmp.services.connect import ConnectService
from ndmp.services.data import DataService
from ndmp.services.files import FileService
from ndmp.services.meeting import Meeting
from ndmp.services.mover import Inject, MoverService
from ndmp.services.outbox import Outbox
from ndmp.services.profile import Profile
from ndmp.services.routes import Route, Routes
from ndmp.services.scsi import ScsiService
from ndmp.services.slot import Slot
from ndmp.services.tape import TapeService, write_implicit_filemark
from ndmp.services.tape_digest import TapeDigestService
from ndmp.wire import Request

__all__ = ["Interfaces"]


class Interfaces:
    """The services of one session, and what they ask each other."""

    def __init__(
        self,
        host: Host,
        connect: ConnectService,
        extensions: ExtensionService,
        outbox: Outbox,
        *,
        inject: Inject,
        local_host: str,
        profile: Profile,
    ) -> None:
        self._host = host
        self._connect = connect
        self._extensions = extensions
        self._outbox = outbox
        self._inject = inject
        self._local_host = local_host
        self._profile = profile
        self._slot = Slot()
        self._meeting = Meeting()
        self._mover: MoverService | None = None
        self._digest: TapeDigestService | None = None
        self._files: FileService | None = None
        self._data: DataService | None = None
        self._is_interrupted = False
        self._made: dict[int, Routes] = {}

    def route(self, request: Request[Any]) -> Route | None:
        """Who answers a request; None when nobody does."""
        number = request.wire_code >> 8
        routes = self._made.get(number)
        if routes is None:
            make = _MAKERS.get(number)
            routes = self._made[number] = make(self) if make else {}
        return routes.get(type(request))

    def interrupt(self) -> None:
        """The application is gone: let nothing wait for a peer any more. Never blocks; callable from any thread."""
        self._is_interrupted = True
        for service in (self._mover, self._data):
            if service:
                service.interrupt()

    def shut_down(self) -> None:
        """End of the session: stop transfers, write the implicit filemark, release devices. May block.

        Each step is done even if one before it fails; then the last failure is raised.
        """
        services = (self._data, self._mover, self._digest, self._files)
        steps = (*(service.shut_down for service in services if service), self._mark_tape, self._slot.close)
        with ExitStack() as stack:
            for step in reversed(steps):
                stack.callback(step)

    def _mark_tape(self) -> None:
        if self._slot.tape:
            write_implicit_filemark(self._slot.tape)

    # -- making --------------------------------------------------------------------------------------------------

    def _make_connect(self) -> Routes:
        return self._connect.routes

    def _make_config(self) -> Routes:
        return {**ConfigService(self._host, self._connect).routes, **self._extensions.routes}

    def _make_scsi(self) -> Routes:
        host = self._host
        return ScsiService(host.changers, self._slot, tapes=host.tapes).routes if host.changers else {}

    def _make_tape(self) -> Routes:
        if not self._host.tapes:
            return {}
        return TapeService(self._host.tapes, self._slot, moving=self._is_moving, awaited=self._is_listening).routes

    def _make_data(self) -> Routes:
        host = self._host
        if not (host.movers and host.data):
            return {}
        self._data = DataService(
            host.data,
            host.movers,
            self._outbox,
            profile=self._profile,
            inject=self._inject,
            local_host=self._local_host,
            meeting=self._meeting,
            address_types=address_types_of(host),
            read_local=self._read_local,
        )
        if self._is_interrupted:
            self._data.interrupt()
        return self._data.routes

    def _make_mover(self) -> Routes:
        host = self._host
        if not (host.movers and (host.tapes or host.files)):  # there would be nothing to move (draft 2.5.3, 3.6.2)
            return {}
        self._mover = MoverService(
            host.movers,
            self._slot,
            self._outbox,
            profile=self._profile,
            inject=self._inject,
            local_host=self._local_host,
            meeting=self._meeting,
            digesting=self._is_digesting,
            address_types=address_types_of(host),
        )
        if self._is_interrupted:
            self._mover.interrupt()
        return self._mover.routes

    def _make_files(self) -> Routes:
        host = self._host
        routes: dict[type[Request[Any]], Route] = {}
        if host.tapes and host.movers:
            self._digest = TapeDigestService(
                host.movers, self._slot, self._outbox, inject=self._inject, mover_idle=self._mover_is_idle
            )
            routes.update(self._digest.routes)
        if host.files:
            self._files = FileService(host.files, self._slot, busy=lambda: self._is_moving() or self._is_listening())
            routes.update(self._files.routes)
        if routes:
            routes[FseGetInfo] = Route(self._fse_info)
        return routes

    def _make_echo(self) -> Routes:
        return {
            TestEcho: Route(lambda r: TestEchoReply(Error.NO_ERR, r.text)),
            TestEcho2: Route(lambda r: TestEcho2Reply(Error.NO_ERR, r.text, r.number)),
        }

    # -- what services ask each other ----------------------------------------------------------------------------

    def _fse_info(self, request: FseGetInfo) -> FseGetInfoReply:
        files = self._host.files
        features = FseFeature.TAPE_DIGEST if self._digest else FseFeature(0)
        if files:
            features |= FseFeature.FILES_READ | (_OF_WRITABLE if files.writable else FseFeature(0))
        algorithms = files.algorithms if files else self._host.movers.algorithms if self._host.movers else ()
        return FseGetInfoReply(Error.NO_ERR, features, tuple(algorithms))

    def _read_local(self, offset: int, length: int) -> None:
        if self._mover is None:
            raise ReplyError(Error.ILLEGAL_STATE, "no transfer")
        self._mover.read_local(offset, length)

    def _mover_is_idle(self) -> bool:
        return self._mover is None or self._mover.state == MoverState.IDLE

    def _is_digesting(self) -> bool:
        return self._digest is not None and self._digest.is_active

    def _is_moving(self) -> bool:
        return self._is_digesting() or (self._mover is not None and self._mover.state == MoverState.ACTIVE)

    def _is_listening(self) -> bool:
        return self._mover is not None and self._mover.state == MoverState.LISTEN


_OF_WRITABLE: Final = FseFeature.FILES_WRITE | FseFeature.FILES_REMOVE | FseFeature.FILES_UNSIZED


def _interface(request: type[Request[Any]]) -> int:
    """The upper bits of a message code: one number an interface (draft 2.5.4.2, 2.9)."""
    return request.wire_code >> 8


_MAKERS: Final[dict[int, Callable[[Interfaces], Routes]]] = {
    _interface(ConnectOpen): Interfaces._make_connect,
    _interface(ConfigGetHostInfo): Interfaces._make_config,
    _interface(ScsiGetState): Interfaces._make_scsi,
    _interface(TapeGetState): Interfaces._make_tape,
    _interface(DataGetState): Interfaces._make_data,
    _interface(MoverGetState): Interfaces._make_mover,
    _interface(FseGetInfo): Interfaces._make_files,
    _interface(TestEcho): Interfaces._make_echo,
}
