"""DATA service: audits, states and notifications of one data server (draft 3.5). The data path is a backend."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from ndmp.backends import (
    DataBackend,
    DataEvent,
    DataHalted,
    DataLogged,
    DataPath,
    DataProgress,
    DataStarted,
    DataWanted,
    FileRecovered,
    HistoryAdded,
    MoverFactory,
    VariableSet,
    WantedPath,
)
from ndmp.enums import AddressType, DataHaltReason, DataOperation, DataState, DataUnsupported, Error, LogType
from ndmp.errors import ReplyError
from ndmp.machine import Machine
from ndmp.messages.data import (
    DataAbort,
    DataAbortReply,
    DataConnect,
    DataConnectReply,
    DataGetEnv,
    DataGetEnvReply,
    DataGetState,
    DataGetStateReply,
    DataListen,
    DataListenReply,
    DataStartBackup,
    DataStartBackupReply,
    DataStartRecover,
    DataStartRecoverFilehist,
    DataStartRecoverFilehistReply,
    DataStartRecoverReply,
    DataStop,
    DataStopReply,
)
from ndmp.messages.notify import LogFile, NotifyDataHalted, NotifyDataRead
from ndmp.services.addresses import shown_address
from ndmp.services.environment import Environment
from ndmp.services.history import history_posts
from ndmp.services.meeting import Meeting
from ndmp.services.mover import Inject
from ndmp.services.outbox import Outbox
from ndmp.services.peer_wait import PeerWait
from ndmp.services.profile import Profile
from ndmp.services.routes import Route, Routes
from ndmp.services.wanted import audit_destinations, wanted_paths
from ndmp.states import DATA, DataTrigger
from ndmp.types import (
    ALL_ONES_32,
    ALL_ONES_64,
    Address,
    LocalAddress,
    Pval,
    TcpAddresses,
    address_kind,
    plain_address,
    wire_address,
)

__all__ = ["DataService"]

_ME: Final = "data"
_LOG_LINE: Final = 8192
"""Characters of a log line at most: a backend's error may quote a whole file, and a string on the wire is bounded."""


@dataclass(slots=True)
class _Transfer:
    """What a data service forgets when it gets IDLE (draft 3.5.1.1)."""

    path: DataPath | None = None
    operation: DataOperation = DataOperation.NOACTION
    halt_reason: DataHaltReason = DataHaltReason.NA
    address: Address = field(default_factory=LocalAddress)
    wanted: DataWanted = field(default_factory=lambda: DataWanted(0, 0))
    environment: Environment = field(default_factory=Environment)


class DataService:
    """The data server of one session; ``read_local`` asks the session's own mover for a stretch."""

    def __init__(
        self,
        backend: DataBackend,
        factory: MoverFactory,
        outbox: Outbox,
        *,
        profile: Profile,
        inject: Inject,
        local_host: str,
        meeting: Meeting,
        address_types: Collection[AddressType],
        read_local: Callable[[int, int], None],
    ) -> None:
        self._backend = backend
        self._factory = factory
        self._outbox = outbox
        self._profile = profile
        self._inject = inject
        self._local_host = local_host
        self._meeting = meeting
        self._address_types = address_types
        self._read_local = read_local
        self._machine = Machine(DATA, DataState.IDLE)
        self._now = _Transfer()
        self._peer_wait = PeerWait()
        self.routes: Routes = {
            DataGetState: Route(self._get_state),
            DataListen: Route(self._listen, blocking=True),
            DataConnect: Route(self._connect, blocking=True),
            DataStartBackup: Route(self._start_backup, blocking=True),
            DataStartRecover: Route(self._start_recover, blocking=True),
            DataStartRecoverFilehist: Route(self._start_recover_history, blocking=True),
            DataAbort: Route(self._abort, blocking=True),
            DataGetEnv: Route(self._get_env),
            DataStop: Route(self._stop),
        }

    def interrupt(self) -> None:
        """The application is gone: end a wait for a peer. Never blocks; callable from any thread."""
        self._peer_wait.interrupt()

    def shut_down(self) -> None:
        """The session ends: stop the operation, if any."""
        if self._now.path is not None:
            self._now.path.stop()

    # -- requests ------------------------------------------------------------------------------------------------

    def _get_state(self, request: DataGetState) -> DataGetStateReply:
        now = self._now
        progress = now.path.progress() if now.path else DataProgress()
        unsupported = DataUnsupported(0)
        for estimate, bit in (
            (progress.bytes_left, DataUnsupported.EST_BYTES_REMAIN),
            (progress.seconds_left, DataUnsupported.EST_TIME_REMAIN),
        ):
            unsupported |= bit if estimate is None else DataUnsupported(0)
        return DataGetStateReply(
            unsupported=unsupported,
            error=Error.NO_ERR,
            operation=now.operation,
            state=self._machine.state,
            halt_reason=now.halt_reason,
            bytes_processed=progress.bytes_processed,
            est_bytes_remain=min(progress.bytes_left or 0, ALL_ONES_64),
            est_time_remain=min(progress.seconds_left or 0, ALL_ONES_32),
            address=now.address,
            read_offset=now.wanted.offset,
            read_length=now.wanted.length,
        )

    def _listen(self, request: DataListen) -> DataListenReply:
        self._audit_start(DataTrigger.LISTEN, request.address_type)
        path = self._make()
        if request.address_type == AddressType.LOCAL:
            self._meeting.wait(_ME, path.listen_local(), lambda: self._on_event(path, DataStarted(None)))
            address: Address = LocalAddress()
        else:
            address = wire_address(*path.listen())
        self._start(DataTrigger.LISTEN, path, address)
        return DataListenReply(Error.NO_ERR, address)

    def _connect(self, request: DataConnect) -> DataConnectReply:
        self._audit_start(DataTrigger.CONNECT, address_kind(request.address))
        if isinstance(request.address, LocalAddress):
            self._meeting.audit()
        path = self._make()
        with self._peer_wait.of(path):
            peer = self._reach(path, request.address)
        self._start(DataTrigger.CONNECT, path, peer)
        return DataConnectReply(Error.NO_ERR)

    def _reach(self, path: DataPath, address: Address) -> Address:
        """Connect; where the peer is, as the connection knows it."""
        if isinstance(address, TcpAddresses):
            return wire_address(path.connect([plain_address(each) for each in address.endpoints]))
        self._meeting.connect(path.connect_local)
        return LocalAddress()

    def _audit_start(self, trigger: DataTrigger, address_type: AddressType | None) -> None:
        """Arguments, then state, as for a mover (draft 3.5.2.1, 3.5.2.2 name them)."""
        if address_type not in self._address_types:
            raise ReplyError(Error.ILLEGAL_ARGS, f"address type {address_type!r}")
        self._machine.audit(trigger)

    def _make(self) -> DataPath:
        def report(event: DataEvent) -> None:
            self._inject(lambda: self._on_event(path, event))

        path = self._factory.data_path(report, self._local_host)
        return path

    def _start(self, trigger: DataTrigger, path: DataPath, address: Address) -> None:
        self._machine.fire(trigger)
        self._now = _Transfer(path, address=shown_address(address))

    def _start_backup(self, request: DataStartBackup) -> DataStartBackupReply:
        self._audit_butype(request.butype)
        path, environment = self._prepare(DataTrigger.START_BACKUP, request.environment)
        path.start_backup(self._backend.backup(request.butype, environment.by_name()))
        self._begin(DataTrigger.START_BACKUP, DataOperation.BACKUP, environment)
        return DataStartBackupReply(Error.NO_ERR)

    def _start_recover(self, request: DataStartRecover) -> DataStartRecoverReply:
        self._audit_butype(request.butype)
        wanted = wanted_paths(request.names)
        audit_destinations(wanted)
        path, environment = self._prepare(DataTrigger.START_RECOVER, request.environment)
        path.start_recover(self._backend.recover(request.butype, environment.by_name(), wanted))
        self._begin(DataTrigger.START_RECOVER, DataOperation.RECOVER, environment)
        return DataStartRecoverReply(Error.NO_ERR)

    def _start_recover_history(self, request: DataStartRecoverFilehist) -> DataStartRecoverFilehistReply:
        self._audit_butype(request.butype)
        everything = self._profile.history_without_names and not request.names
        wanted = [WantedPath("", "")] if everything else wanted_paths(request.names)
        path, environment = self._prepare(DataTrigger.START_RECOVER_FILEHIST, request.environment)
        path.start_recover(self._backend.recover_history(request.butype, environment.by_name(), wanted))
        self._begin(DataTrigger.START_RECOVER_FILEHIST, DataOperation.RECOVER_FILEHIST, environment)
        return DataStartRecoverFilehistReply(Error.NO_ERR)

    def _audit_butype(self, butype: str) -> None:
        if butype not in (offered.name for offered in self._backend.butypes):
            raise ReplyError(Error.ILLEGAL_ARGS, f"no butype {butype!r}")

    def _prepare(self, trigger: DataTrigger, variables: Sequence[Pval]) -> tuple[DataPath, Environment]:
        self._note_arrival()
        self._machine.audit(trigger)
        if self._now.path is None:
            raise ReplyError(Error.ILLEGAL_STATE, "no data connection")
        return self._now.path, Environment.of_request(variables)

    def _note_arrival(self) -> None:
        """The peer's own connect may be answered before this end tells of it: what follows must not find LISTEN."""
        path = self._now.path
        if path is not None and self._machine.allows(DataTrigger.ACCEPTED) and path.has_arrived():
            self._machine.fire(DataTrigger.ACCEPTED)

    def _begin(self, trigger: DataTrigger, operation: DataOperation, environment: Environment) -> None:
        self._machine.fire(trigger)
        self._now.operation, self._now.environment = operation, environment

    def _get_env(self, request: DataGetEnv) -> DataGetEnvReply:
        self._machine.audit(DataTrigger.GET_ENV)
        return DataGetEnvReply(Error.NO_ERR, self._now.environment.variables())

    def _abort(self, request: DataAbort) -> DataAbortReply:
        self._machine.audit(DataTrigger.ABORT)
        if self._machine.state != DataState.HALTED:
            self._end(DataTrigger.ABORT, DataHaltReason.ABORTED)
        return DataAbortReply(Error.NO_ERR)

    def _stop(self, request: DataStop) -> DataStopReply:
        self._machine.fire(DataTrigger.STOP)
        self._now = _Transfer()
        return DataStopReply(Error.NO_ERR)

    # -- what the data path reports ------------------------------------------------------------------------------

    def _end(self, trigger: DataTrigger, reason: DataHaltReason) -> None:
        self._meeting.leave(_ME)
        if self._now.path is not None:
            self._now.path.stop()
        self._machine.fire(trigger)
        self._now.halt_reason = reason
        self._outbox.post(NotifyDataHalted(reason))

    def _on_event(self, path: DataPath, event: DataEvent) -> None:
        """Act on what the path in use tells; one that halted or was replaced is not heard, but nor left waiting."""
        if self._now.path is path and self._machine.allows(DataTrigger.ENDED):
            self._act(event)
        if isinstance(event, HistoryAdded | DataLogged):
            event.taken()

    def _act(self, event: DataEvent) -> None:
        match event:
            case DataStarted(address):
                if self._machine.allows(DataTrigger.ACCEPTED):
                    self._machine.fire(DataTrigger.ACCEPTED)
                self._now.address = shown_address(wire_address(address)) if address else LocalAddress()
            case DataWanted(offset, length):
                self._want(DataWanted(offset, min(length, ALL_ONES_64 - offset)))
            case DataLogged(kind, text):
                self._outbox.log(kind, text[:_LOG_LINE])
            case FileRecovered(original_path, status):
                self._outbox.post(LogFile(original_path, status))
            case HistoryAdded(entries):
                for post in history_posts(entries):
                    self._outbox.post(post)
            case VariableSet(name, value):
                self._now.environment.set(name, value)
            case DataHalted(reason, text):
                self._on_halt(reason, text)

    def _want(self, wanted: DataWanted) -> None:
        """Ask for a stretch: the application, or the session's own mover, of which it need not know (draft 3.5.2.4)."""
        self._now.wanted = wanted
        if not isinstance(self._now.address, LocalAddress):
            self._outbox.post(NotifyDataRead(wanted.offset, wanted.length))
            return
        try:
            self._read_local(wanted.offset, wanted.length)
        except ReplyError as error:
            text = f"the mover does not read {wanted.length} bytes at {wanted.offset}: {error}"
            self._on_halt(DataHaltReason.INTERNAL_ERROR, text)

    def _on_halt(self, reason: DataHaltReason, text: str) -> None:
        if text:
            kind = LogType.NORMAL if reason == DataHaltReason.SUCCESSFUL else LogType.ERROR
            self._outbox.log(kind, text[:_LOG_LINE])
        self._end(DataTrigger.ENDED, reason)
