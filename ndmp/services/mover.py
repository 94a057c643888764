"""MOVER service: audits, states and notifications of one mover (draft 3.6). The data path is a backend."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from ndmp.backends import (
    DataMover,
    MoverCounters,
    MoverEvent,
    MoverFactory,
    MoverHalted,
    MoverPaused,
    MoverStarted,
)
from ndmp.enums import AddressType, Error, LogType, MoverHaltReason, MoverMode, MoverPauseReason, MoverState
from ndmp.errors import ReplyError
from ndmp.machine import Machine
from ndmp.messages.mover import (
    Address,
    LocalAddress,
    MoverAbort,
    MoverAbortReply,
    MoverClose,
    MoverCloseReply,
    MoverConnect,
    MoverConnectReply,
    MoverContinue,
    MoverContinueReply,
    MoverGetState,
    MoverGetStateReply,
    MoverListen,
    MoverListenReply,
    MoverRead,
    MoverReadReply,
    MoverSetRecordSize,
    MoverSetRecordSizeReply,
    MoverSetWindow,
    MoverSetWindowReply,
    MoverStop,
    MoverStopReply,
    TcpAddresses,
    address_kind,
    plain_address,
    wire_address,
)
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.services.addresses import shown_address
from ndmp.services.meeting import Meeting
from ndmp.services.outbox import Outbox
from ndmp.services.peer_wait import PeerWait
from ndmp.services.profile import Profile
from ndmp.services.routes import Route, Routes
from ndmp.services.slot import Slot
from ndmp.states import MOVER, MoverTrigger
from ndmp.types import ALL_ONES_32, ALL_ONES_64
from ndmp.window import Window, audit_alignment, audit_blocks, audit_range

__all__ = ["MAX_MOVER_RECORD", "MoverService"]

MAX_MOVER_RECORD: Final = 16 * 1024 * 1024
"""Bytes of a mover record at most."""

_ME: Final = "mover"
Inject = Callable[[Callable[[], None]], None]
"""Runs a function in the session's order, called from any thread."""


class MoverService:
    """One mover of one session; ``digesting`` says whether a digest reads the open tape."""

    def __init__(
        self,
        factory: MoverFactory,
        slot: Slot,
        outbox: Outbox,
        *,
        profile: Profile,
        inject: Inject,
        local_host: str,
        meeting: Meeting,
        digesting: Callable[[], bool],
        address_types: Collection[AddressType] = (AddressType.TCP,),
    ) -> None:
        self._factory = factory
        self._slot = slot
        self._outbox = outbox
        self._profile = profile
        self._inject = inject
        self._local_host = local_host
        self._meeting = meeting
        self._address_types = address_types
        self._digesting = digesting
        self._machine = Machine(MOVER, MoverState.IDLE)
        self._record_bytes = profile.preset_record_bytes
        self._peer_wait = PeerWait()
        self._reset()
        self.routes: Routes = {
            MoverGetState: Route(self._get_state),
            MoverSetRecordSize: Route(self._set_record_size),
            MoverSetWindow: Route(self._set_window),
            MoverListen: Route(self._listen, blocking=True),
            MoverConnect: Route(self._connect, blocking=True),
            MoverRead: Route(self._read, blocking=True),
            MoverContinue: Route(self._continue, blocking=True),
            MoverClose: Route(self._close, blocking=True),
            MoverAbort: Route(self._abort, blocking=True),
            MoverStop: Route(self._stop),
        }

    def _reset(self) -> None:
        self._mover: DataMover | None = None
        self._bytes_noted = 0
        self._mode = MoverMode.NOACTION
        self._window = Window()
        self._window_is_new = False
        self._pause_reason = MoverPauseReason.NA
        self._halt_reason = MoverHaltReason.NA
        self._address: Address = LocalAddress()

    @property
    def state(self) -> MoverState:
        """Where the mover stands."""
        return self._machine.state

    def interrupt(self) -> None:
        """The application is gone: end a wait for a peer. Never blocks; callable from any thread."""
        self._peer_wait.interrupt()

    def shut_down(self) -> None:
        """The session ends: stop the transfer, if any, and release the device."""
        if self._mover is not None:
            self._mover.stop()
            self._note_written()

    def read_local(self, offset: int, length: int) -> None:
        """The data service of this session wants a stretch: MOVER_READ without the application (draft 3.5.1)."""
        self._read(MoverRead(offset, length))

    # -- requests ------------------------------------------------------------------------------------------------

    def _get_state(self, request: MoverGetState) -> MoverGetStateReply:
        counters = self._mover.counters() if self._mover else MoverCounters()
        return MoverGetStateReply(
            error=Error.NO_ERR,
            mode=self._mode,
            state=self.state,
            pause_reason=self._pause_reason,
            halt_reason=self._halt_reason,
            record_size=self._record_bytes,
            record_num=self._record_num(counters) & ALL_ONES_32,
            bytes_moved=counters.bytes_moved,
            seek_position=counters.seek_offset,
            bytes_left_to_read=counters.bytes_left_to_read,
            window_offset=self._window.offset,
            window_length=self._window.length,
            address=self._address,
        )

    def _record_num(self, counters: MoverCounters) -> int:
        """A new window tells where the tape stands before anything moves in it (draft 3.6.1.1, 3.6.2.2)."""
        return self._window.offset // self._record_bytes if self._window_is_new else counters.record_num

    def _set_record_size(self, request: MoverSetRecordSize) -> MoverSetRecordSizeReply:
        self._machine.audit(MoverTrigger.SET_RECORD_SIZE)
        if not 0 < request.length <= MAX_MOVER_RECORD:
            raise ReplyError(Error.ILLEGAL_ARGS, f"record size {request.length}")
        self._audit_blocks(request.length, Error.ILLEGAL_ARGS)
        self._record_bytes = request.length
        self._window = Window()
        return MoverSetRecordSizeReply(Error.NO_ERR)

    def _audit_blocks(self, record_bytes: int, error: Error) -> None:
        if self._slot.tape:
            audit_blocks(record_bytes, block_bytes=self._slot.tape.handle.status().block_bytes, error=error)

    def _set_window(self, request: MoverSetWindow) -> MoverSetWindowReply:
        self._machine.audit(MoverTrigger.SET_WINDOW)
        if not self._record_bytes:
            raise ReplyError(Error.PRECONDITION, "set a record size first")
        window = self._asked_for(request)
        if not self._means_no_window(window):
            audit_range(window.offset, window.length)
        if self.state == MoverState.PAUSED:
            audit_alignment(window, mode=self._mode, record_bytes=self._record_bytes, error=Error.ILLEGAL_ARGS)
        self._window, self._window_is_new = window, True
        return MoverSetWindowReply(Error.NO_ERR)

    def _asked_for(self, request: MoverSetWindow) -> Window:
        if self._profile.all_ones_at_any_offset and request.length == ALL_ONES_64:
            return Window(request.offset, ALL_ONES_64 - request.offset)
        return Window(request.offset, request.length)

    def _means_no_window(self, window: Window) -> bool:
        return self._profile.zero_window_is_endless and not window.length

    def _listen(self, request: MoverListen) -> MoverListenReply:
        self._audit_start(MoverTrigger.LISTEN, request.mode, request.address_type)
        mover = self._make(request.mode)
        if request.address_type == AddressType.LOCAL:
            self._meeting.wait(_ME, mover.listen_local(), lambda: self._on_event(mover, MoverStarted(None)))
            address: Address = LocalAddress()
        else:
            address = wire_address(*mover.listen())
        self._start(MoverTrigger.LISTEN, mover, request.mode, address)
        return MoverListenReply(Error.NO_ERR, address)

    def _connect(self, request: MoverConnect) -> MoverConnectReply:
        self._audit_start(MoverTrigger.CONNECT, request.mode, address_kind(request.address))
        if isinstance(request.address, LocalAddress):
            self._meeting.audit()
        mover = self._make(request.mode)
        with self._peer_wait.of(mover):
            peer = self._reach(mover, request.address)
        self._start(MoverTrigger.CONNECT, mover, request.mode, peer)
        return MoverConnectReply(Error.NO_ERR)

    def _reach(self, mover: DataMover, address: Address) -> Address:
        """Connect; where the peer is, as the connection knows it."""
        if isinstance(address, TcpAddresses):
            return wire_address(mover.connect([plain_address(each) for each in address.endpoints]))
        self._meeting.connect(mover.connect_local)
        return LocalAddress()

    def _audit_start(self, trigger: MoverTrigger, mode: MoverMode, address_type: AddressType | None) -> None:
        """Arguments, state, device, permission, then record size and window (draft 3.6.2.3, 3.6.2.4)."""
        if mode not in (MoverMode.READ, MoverMode.WRITE) or address_type not in self._address_types:
            raise ReplyError(Error.ILLEGAL_ARGS, f"mode {mode!r}, address type {address_type!r}")
        self._machine.audit(trigger)
        self._slot.device()
        if self._digesting():
            raise ReplyError(Error.DEVICE_BUSY, "a digest reads the tape")
        self._slot.audit_mode(mode)
        if not self._record_bytes:
            raise ReplyError(Error.PRECONDITION, "set a record size first")
        self._audit_blocks(self._record_bytes, Error.PRECONDITION)
        if self._means_no_window(self._window):
            return
        if not self._window.length:
            raise ReplyError(Error.PRECONDITION, "set a window first")
        audit_alignment(self._window, mode=mode, record_bytes=self._record_bytes, error=Error.PRECONDITION)

    def _make(self, mode: MoverMode) -> DataMover:
        def report(event: MoverEvent) -> None:
            self._inject(lambda: self._on_event(mover, event))

        mover = self._factory.mover(mode, self._record_bytes, self._slot.device, report, self._local_host)
        self._give_window(mover)
        return mover

    def _give_window(self, mover: DataMover) -> None:
        if self._means_no_window(self._window):
            mover.set_window(self._window.offset, ALL_ONES_64 - self._window.offset)
        else:
            mover.set_window(self._window.offset, self._window.length)

    def _start(self, trigger: MoverTrigger, mover: DataMover, mode: MoverMode, address: Address) -> None:
        self._machine.fire(trigger)
        self._mover, self._mode, self._address = mover, mode, shown_address(address)
        self._window_is_new = False

    def _require(self, trigger: MoverTrigger) -> DataMover:
        self._machine.audit(trigger)
        if self._mover is None:
            raise ReplyError(Error.ILLEGAL_STATE, "no transfer")
        return self._mover

    def _read(self, request: MoverRead) -> MoverReadReply:
        self._note_arrival()
        mover = self._require(MoverTrigger.READ)
        if self._mode != MoverMode.WRITE:
            raise ReplyError(Error.ILLEGAL_STATE, "the mover writes to tape")
        audit_range(request.offset, request.length)
        mover.read(request.offset, request.length)
        return MoverReadReply(Error.NO_ERR)

    def _note_arrival(self) -> None:
        """The peer's own connect may be answered before this end tells of it: what follows must not find LISTEN."""
        if self._mover is not None and self._machine.allows(MoverTrigger.ACCEPTED) and self._mover.has_arrived():
            self._machine.fire(MoverTrigger.ACCEPTED)

    def _continue(self, request: MoverContinue) -> MoverContinueReply:
        mover = self._require(MoverTrigger.CONTINUE)
        if not self._window_is_new:
            raise ReplyError(Error.PRECONDITION, "set a window first")
        self._slot.device()
        self._slot.audit_mode(self._mode)
        self._audit_blocks(self._record_bytes, Error.PRECONDITION)
        self._give_window(mover)
        self._machine.fire(MoverTrigger.CONTINUE)
        self._pause_reason, self._window_is_new = MoverPauseReason.NA, False
        mover.resume()
        return MoverContinueReply(Error.NO_ERR)

    def _close(self, request: MoverClose) -> MoverCloseReply:
        self._require(MoverTrigger.CLOSE)
        self._end(MoverTrigger.CLOSE, MoverHaltReason.CONNECT_CLOSED)
        return MoverCloseReply(Error.NO_ERR)

    def _abort(self, request: MoverAbort) -> MoverAbortReply:
        self._machine.audit(MoverTrigger.ABORT)
        if self.state != MoverState.HALTED:
            self._end(MoverTrigger.ABORT, MoverHaltReason.ABORTED)
        return MoverAbortReply(Error.NO_ERR)

    def _stop(self, request: MoverStop) -> MoverStopReply:
        self._machine.fire(MoverTrigger.STOP)
        self._reset()
        return MoverStopReply(Error.NO_ERR)

    # -- what the data path reports ------------------------------------------------------------------------------

    def _end(self, trigger: MoverTrigger, reason: MoverHaltReason) -> None:
        self._meeting.leave(_ME)
        if self._mover is not None:
            self._mover.stop()
        self._machine.fire(trigger)
        self._note_written()
        self._halt_reason, self._pause_reason = reason, MoverPauseReason.NA
        self._outbox.post(NotifyMoverHalted(reason))

    def _on_event(self, mover: DataMover, event: MoverEvent) -> None:
        """Act on what the path in use tells; one that was replaced is not heard."""
        if self._mover is not mover:
            return
        match event:
            case MoverStarted(address) if self._machine.allows(MoverTrigger.ENDED):
                if self._machine.allows(MoverTrigger.ACCEPTED):
                    self._machine.fire(MoverTrigger.ACCEPTED)
                self._address = shown_address(wire_address(address)) if address else LocalAddress()
            case MoverPaused(reason, seek_offset) if self._machine.allows(MoverTrigger.PAUSED):
                self._machine.fire(MoverTrigger.PAUSED)
                self._on_pause(reason, seek_offset)
            case MoverHalted(reason, text) if self._machine.allows(MoverTrigger.ENDED):
                if text:
                    self._outbox.log(LogType.ERROR, text)
                self._end(MoverTrigger.ENDED, reason)

    def _on_pause(self, reason: MoverPauseReason, seek_offset: int) -> None:
        self._note_written()
        self._pause_reason, self._window_is_new = reason, False
        if reason == MoverPauseReason.EOM and self._slot.tape:
            self._slot.tape.end_announced, self._slot.tape.end_due = True, False
        self._outbox.post(NotifyMoverPaused(reason, seek_offset))

    def _note_written(self) -> None:
        """Remember that the tape needs a filemark if more was written since this was last looked at."""
        if self._mover is None or self._mode != MoverMode.READ:
            return
        before, self._bytes_noted = self._bytes_noted, self._mover.counters().bytes_moved
        if self._slot.tape and self._bytes_noted > before:
            self._slot.tape.unmarked = True
