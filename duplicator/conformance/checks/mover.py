"""The mover before anything moves: record size, windows, preconditions, variables (draft 3.6). Nothing is written."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import Want
from duplicator.conformance.needs import TAPE
from duplicator.conformance.situations import (
    ACTIVE,
    HALTED,
    LISTENING,
    LOGGED_IN,
    PAUSED,
    READABLE,
    RECORD,
    SIZED,
    WINDOWED,
    WRITABLE,
    mover_connect,
)
from duplicator.conformance.steps import (
    answered,
    ask,
    halted_after_reply,
    no_post,
    peer_closed,
    post,
    refused,
    until,
)
from ndmp.enums import (
    AddressType,
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOperation,
)
from ndmp.messages.mover import (
    MoverAbort,
    MoverClose,
    MoverConnect,
    MoverContinue,
    MoverGetState,
    MoverListen,
    MoverRead,
    MoverSetRecordSize,
    MoverSetWindow,
    MoverStop,
)
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeClose, TapeMtio
from ndmp.types import (
    ALL_ONES_64,
    LocalAddress,
    TcpAddress,
    TcpAddresses,
    wire_address,
)

__all__ = ["CHECKS", "LATE"]

E: Final = Error
READ, WRITE, NOACTION = MoverMode.READ, MoverMode.WRITE, MoverMode.NOACTION
TCP: Final = AddressType.TCP
_TCP_ADDRESS: Final = Want(
    "a TCP address", lambda address: isinstance(address, TcpAddresses) and bool(address.endpoints)
)
_ONE_PLAIN: Final = Want(
    "one TCP address without variables",
    lambda address: (
        isinstance(address, TcpAddresses) and len(address.endpoints) == 1 and not address.endpoints[0].environment
    ),
)
_IDLE: Final = {
    "state": MoverState.IDLE,
    "pause_reason": MoverPauseReason.NA,
    "halt_reason": MoverHaltReason.NA,
    "bytes_moved": 0,
    "seek_position": 0,
    "bytes_left_to_read": 0,
}


def _row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = LOGGED_IN,
    level: Level = MUST,
    note: str = "",
) -> Check:
    return Check(name, section, level, title, situation, steps, (TAPE,), note)


async def _nobody(bench: Bench) -> None:
    """To where nobody listens."""
    address = await bench.listen()
    await bench.stop_listening()
    await bench.ask(MoverConnect(WRITE, wire_address(address)), (E.CONNECT,))


async def _nobody_listens(bench: Bench) -> None:
    """Where the mover listened, nobody does."""
    try:
        await bench.connect_peer(bench.kept["address"])
    except Deviation:
        return
    raise Deviation("a refused connection", "one that is taken")


async def _several_addresses(bench: Bench) -> None:
    """Of two addresses the first one is good."""
    address = await bench.listen()
    spare = TcpAddress(address.host, 1)
    await bench.ask(MoverConnect(WRITE, wire_address(address, spare)))
    await bench.accept_peer()


async def _peer_is_us(bench: Bench) -> None:
    """The address in the state is our end of the data connection."""
    answer = await bench.ask(MoverGetState())
    ours = wire_address(bench.peer.local)
    if bench.reply.address != ours:
        raise Deviation(f"our end, port {bench.peer.local.port}", repr(bench.reply.address), answer=answer.entry)


def _odd_window(offset: int, length: int) -> Step:
    """A window off the records; who refuses it at once, which is a row of its own, cannot be asked to do so later."""

    async def step(bench: Bench) -> None:
        answer = await bench.ask(MoverSetWindow(offset, length), (E.NO_ERR, E.ILLEGAL_ARGS))
        if answer.error == E.ILLEGAL_ARGS:
            reason = "the host refuses such a window in IDLE already"
            raise Unavailable(reason)

    return step


# -- record size and window ------------------------------------------------------------------------------------------


def _window(name: str, offset: int, length: int, *errors: Error, title: str, level: Level = MUST) -> Check:
    step = ask(MoverSetWindow(offset, length), *errors)
    return _row(name, "3.6.2.2", title, step, situation=SIZED, level=level)


_SIZED_ONLY: Final = LOGGED_IN.then("record size set, no tape open", ask(MoverSetRecordSize(RECORD)))
_WINDOWS = rows(
    "window",
    _row("initial", "3.6.1.1", "the record size of a new session is 0", ask(MoverGetState(), record_size=0)),
    _row(
        "unsized",
        "3.6.2.2",
        "a window before any record size is refused",
        ask(MoverSetWindow(0, RECORD), E.PRECONDITION),
    ),
    _row(
        "record",
        "3.6.2.1",
        "a record size is set",
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverGetState(), record_size=RECORD),
    ),
    _row("record.0", "3.6.2.1", "record size 0 is refused", ask(MoverSetRecordSize(0), E.ILLEGAL_ARGS)),
    _row("record.4g", "3.6.2.1", "a record size of 4 GiB is answered", answered(MoverSetRecordSize(0xFFFFFFFF))),
    _row(
        "record.clears",
        "3.6.2.1",
        "a new record size clears the window",
        ask(MoverSetWindow(0, 2 * RECORD)),
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverGetState(), window_offset=0, window_length=0),
        situation=_SIZED_ONLY,
    ),
    _row(
        "set",
        "3.6.1.1",
        "a window is shown as it was set",
        ask(MoverSetWindow(2 * RECORD, 3 * RECORD)),
        ask(MoverGetState(), window_offset=2 * RECORD, window_length=3 * RECORD),
        situation=_SIZED_ONLY,
    ),
    _row(
        "record-number",
        "3.6.1.1, 3.6.2.2",
        "a window sets the record number",
        ask(MoverSetWindow(2 * RECORD, 3 * RECORD)),
        ask(MoverGetState(), record_num=2),
        situation=_SIZED_ONLY,
    ),
    _window("endless", 0, ALL_ONES_64, title="a window of all ones from 0"),
    _window("rest", RECORD, ALL_ONES_64 - RECORD, title="a window up to all ones"),
    _window("last", ALL_ONES_64 + 1 - 2 * RECORD, RECORD, title="a window at the end of all numbers"),
    _window("zero", 0, 0, E.ILLEGAL_ARGS, title="a window of length 0 is refused"),
    _window("zero.offset", RECORD, 0, E.ILLEGAL_ARGS, title="a window of length 0 is refused at any offset"),
    _window("over", RECORD, ALL_ONES_64, E.ILLEGAL_ARGS, title="a window of all ones from elsewhere overflows"),
    _window("over.1", 1, ALL_ONES_64, E.ILLEGAL_ARGS, title="offset and length must not overflow by one byte"),
    _window("over.2", ALL_ONES_64, RECORD, E.ILLEGAL_ARGS, title="an offset of all ones overflows"),
    _window(
        "over.3",
        ALL_ONES_64 + 1 - RECORD,
        2 * RECORD,
        E.ILLEGAL_ARGS,
        title="offset and length must not overflow by a record",
    ),
    _row(
        "odd.idle",
        "3.6.2.2",
        "a window off the records is accepted in IDLE, where the mode is not known",
        ask(MoverSetWindow(100, 3 * RECORD)),
        situation=SIZED,
        level=SHOULD,
        note="It has to be refused by MOVER_LISTEN and MOVER_CONNECT.",
    ),
    _row(
        "odd.listen",
        "3.6.2.4",
        "MOVER_LISTEN for reading the tape refuses an offset off the records",
        _odd_window(100, 3 * RECORD),
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=SIZED,
    ),
    _row(
        "odd.connect",
        "3.6.2.3",
        "MOVER_CONNECT for reading the tape refuses an offset off the records",
        _odd_window(100, 3 * RECORD),
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.PRECONDITION),
        situation=SIZED,
    ),
    _row(
        "odd.length",
        "3.6.2.4, 3.6.1.1",
        "MOVER_LISTEN for reading the tape accepts any length",
        ask(MoverSetWindow(0, RECORD + 100)),
        ask(MoverListen(WRITE, TCP)),
        situation=SIZED,
        note="A window may end with the stream.",
    ),
    _row(
        "odd.paused",
        "3.6.2.2",
        "in PAUSED an offset off the records is refused",
        ask(MoverSetWindow(100, RECORD), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    _row(
        "zero.paused",
        "3.6.2.2",
        "in PAUSED a window of length 0 is refused",
        ask(MoverSetWindow(0, 0), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    _row(
        "over.paused",
        "3.6.2.2",
        "in PAUSED a window that overflows is refused",
        ask(MoverSetWindow(RECORD, ALL_ONES_64), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    _row(
        "refused.keeps",
        "2.11.1",
        "a window that is refused leaves the one before",
        ask(MoverSetWindow(0, 2 * RECORD)),
        ask(MoverSetWindow(0, 0), E.ILLEGAL_ARGS),
        ask(MoverGetState(), window_offset=0, window_length=2 * RECORD),
        situation=SIZED,
    ),
    *(
        Check(
            f"odd.writing.{name}",
            "3.6.2.4",
            MUST,
            f"MOVER_{name} for writing the tape refuses a length off the records",
            WRITABLE,
            (ask(MoverSetRecordSize(RECORD)), _odd_window(0, RECORD + 100), ask(request, E.PRECONDITION)),
        )
        for name, request in (
            ("LISTEN", MoverListen(READ, TCP)),
            ("CONNECT", MoverConnect(READ, wire_address(TcpAddress("127.0.0.1", 1)))),
        )
    ),
)

# -- preconditions ---------------------------------------------------------------------------------------------------

_OPENING = rows(
    "mover",
    _row("state", "3.6.2.6", "MOVER_GET_STATE is answered", ask(MoverGetState())),
    _row("state.idle", "3.6.1.1", "a new mover is idle, and all else is nothing", ask(MoverGetState(), **_IDLE)),
    _row(
        "state.window",
        "3.6.1.1, 3.6.2.2",
        "a new mover has no window",
        ask(MoverGetState(), window_offset=0, window_length=0),
    ),
    _row("state.mode", "3.6.1.1", "a new mover's mode is NOACTION", ask(MoverGetState(), mode=NOACTION)),
    _row("state.address", "3.6.1.1", "a new mover's address is LOCAL", ask(MoverGetState(), address=LocalAddress())),
    _row(
        "listen.closed",
        "3.6.2.4",
        "MOVER_LISTEN is refused without a tape",
        ask(MoverListen(WRITE, TCP), E.DEV_NOT_OPEN),
        situation=_SIZED_ONLY.then("record size and window set, no tape open", ask(MoverSetWindow(0, RECORD))),
    ),
    _row(
        "connect.closed",
        "3.6.2.3",
        "MOVER_CONNECT is refused without a tape",
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.DEV_NOT_OPEN),
        situation=_SIZED_ONLY.then("record size and window set, no tape open", ask(MoverSetWindow(0, RECORD))),
    ),
    _row(
        "listen.unsized",
        "3.6.2.1, 3.6.2.4",
        "MOVER_LISTEN is refused without a record size",
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=READABLE,
    ),
    _row(
        "listen.no-window",
        "3.6.2.4",
        "MOVER_LISTEN is refused without a window",
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=SIZED,
    ),
    _row(
        "connect.no-window",
        "3.6.2.3",
        "MOVER_CONNECT is refused without a window",
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.PRECONDITION),
        situation=SIZED,
    ),
    _row(
        "listen.mode",
        "3.6.2.4",
        "MOVER_LISTEN refuses mode NOACTION",
        ask(MoverListen(NOACTION, TCP), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    _row(
        "listen.mode.123",
        "3.6.2.4",
        "MOVER_LISTEN refuses mode 123",
        ask(MoverListen(MoverMode(123), TCP), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    _row(
        "listen.type",
        "3.6.2.4",
        "MOVER_LISTEN refuses address type 123",
        ask(MoverListen(WRITE, AddressType(123)), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    _row(
        "connect.mode",
        "3.6.2.3",
        "MOVER_CONNECT refuses mode NOACTION",
        ask(MoverConnect(NOACTION, wire_address(TcpAddress("127.0.0.1", 1))), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    _row(
        "connect.empty",
        "3.6.2.3",
        "MOVER_CONNECT refuses TCP without an address",
        refused(MoverConnect(WRITE, TcpAddresses(()))),
        situation=WINDOWED,
    ),
    _row(
        "listen.permission",
        "3.6.2.4",
        "MOVER_LISTEN for writing refuses a tape that is open for reading",
        ask(MoverListen(READ, TCP), E.PERMISSION),
        situation=WINDOWED,
    ),
    _row(
        "connect.permission",
        "3.6.2.3",
        "MOVER_CONNECT for writing refuses a tape that is open for reading",
        ask(MoverConnect(READ, wire_address(TcpAddress("127.0.0.1", 1))), E.PERMISSION),
        situation=WINDOWED,
    ),
    _row(
        "listen",
        "3.6.2.4",
        "MOVER_LISTEN tells where",
        ask(MoverListen(WRITE, TCP), address=_TCP_ADDRESS),
        situation=WINDOWED,
    ),
    _row(
        "listen.state",
        "2.11.6",
        "then the mover listens",
        ask(MoverGetState(), state=MoverState.LISTEN),
        situation=LISTENING,
    ),
    _row(
        "listen.mode.shown",
        "3.6.1.1",
        "its mode is that of the request",
        ask(MoverGetState(), mode=WRITE),
        situation=LISTENING,
    ),
    _row(
        "refused.state",
        "2.11.1",
        "a MOVER_LISTEN that is refused leaves the mover idle",
        ask(MoverListen(READ, TCP), E.PERMISSION),
        ask(MoverGetState(), state=MoverState.IDLE, window_length=4 * RECORD),
        situation=WINDOWED,
    ),
    _row(
        "arrived",
        "2.11.6",
        "a peer's connection makes the mover active",
        until(MoverGetState(), state=MoverState.ACTIVE),
        situation=ACTIVE,
    ),
    _row(
        "connect",
        "3.6.2.3",
        "MOVER_CONNECT connects, and the mover is active",
        mover_connect(WRITE),
        ask(MoverGetState(), state=MoverState.ACTIVE),
        situation=WINDOWED,
    ),
    _row(
        "connect.several",
        "3.6.2.3",
        "of several addresses the first will do",
        _several_addresses,
        ask(MoverGetState(), state=MoverState.ACTIVE),
        situation=WINDOWED,
    ),
    _row(
        "connect.nobody",
        "3.6.2.3",
        "MOVER_CONNECT to nobody is CONNECT, and the mover stays idle",
        _nobody,
        ask(MoverGetState(), state=MoverState.IDLE),
        situation=WINDOWED,
    ),
    _row(
        "address",
        "3.6.1.1",
        "the address of an active mover is one, without variables",
        ask(MoverGetState(), address=_ONE_PLAIN),
        situation=ACTIVE,
    ),
    _row("address.peer", "3.6.1.1", "it is that of the peer", _peer_is_us, situation=ACTIVE, level=SHOULD),
    _row(
        "address.peer.connect",
        "3.6.1.1",
        "and so it is after MOVER_CONNECT",
        mover_connect(WRITE),
        ask(MoverGetState(), address=_ONE_PLAIN),
        situation=WINDOWED,
        level=SHOULD,
    ),
)

# -- from state to state ---------------------------------------------------------------------------------------------


def _aborted(name: str, situation: Situation) -> Check:
    return _row(
        f"abort.{name}",
        "2.11.6, 3.6.2.9, 4.1.3",
        f"MOVER_ABORT in {name} halts the mover, and a notification says so",
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
        ask(MoverGetState(), state=MoverState.HALTED, halt_reason=MoverHaltReason.ABORTED),
        situation=situation,
    )


_ENDS = rows(
    "mover",
    _aborted("LISTEN", LISTENING),
    _aborted("ACTIVE", ACTIVE),
    _aborted("PAUSED", PAUSED),
    _row(
        "abort.connection",
        "3.6.1.1, 3.6.2.9",
        "MOVER_ABORT closes the data connection",
        ask(MoverAbort()),
        peer_closed,
        situation=ACTIVE,
    ),
    _row(
        "abort.listener",
        "3.6.2.9",
        "after MOVER_ABORT nobody listens any more",
        ask(MoverAbort()),
        _nobody_listens,
        situation=LISTENING,
        level=SHOULD,
    ),
    _row(
        "abort.order",
        "2.11.6",
        "the notification of a halt comes after the reply",
        halted_after_reply(MoverAbort()),
        situation=LISTENING,
        level=Level.MAY,
        note="The draft does not say which is first.",
    ),
    _row("abort.once", "2.11.6", "a halt is told once", no_post(NotifyMoverHalted), situation=HALTED),
    _row(
        "stop",
        "3.6.2.10",
        "MOVER_STOP makes the mover idle, and resets everything",
        ask(MoverStop()),
        ask(MoverGetState(), **_IDLE),
        situation=HALTED,
    ),
    _row(
        "stop.mode", "3.6.1.1", "and its mode", ask(MoverStop()), ask(MoverGetState(), mode=NOACTION), situation=HALTED
    ),
    _row(
        "stop.address",
        "3.6.1.1",
        "and its address",
        ask(MoverStop()),
        ask(MoverGetState(), address=LocalAddress()),
        situation=HALTED,
    ),
    _row(
        "stop.record",
        "3.6.2.10",
        "but not its record size",
        ask(MoverStop()),
        ask(MoverGetState(), record_size=RECORD),
        situation=HALTED,
    ),
    _row(
        "stop.window",
        "3.6.2.2",
        "the window of before is gone",
        ask(MoverStop()),
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=HALTED,
    ),
    _row(
        "stop.again",
        "2.11.6",
        "the mover can be used again",
        ask(MoverStop()),
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverSetWindow(0, RECORD)),
        ask(MoverListen(WRITE, TCP)),
        situation=HALTED,
    ),
    _row(
        "halted.na",
        "3.6.1.1",
        "a halted mover does not say why it paused",
        ask(MoverAbort()),
        ask(MoverGetState(), pause_reason=MoverPauseReason.NA),
        situation=PAUSED,
    ),
    _row(
        "paused",
        "3.6.1.1, 3.6.2.5",
        "a read outside the window pauses the mover",
        ask(MoverGetState(), state=MoverState.PAUSED, pause_reason=MoverPauseReason.SEEK),
        situation=PAUSED,
    ),
    Check(
        "paused.position",
        "4.1.4",
        MUST,
        "the notification tells what is sought",
        ACTIVE,
        (
            ask(MoverRead(8 * RECORD, RECORD)),
            post(NotifyMoverPaused, reason=MoverPauseReason.SEEK, seek_position=8 * RECORD),
        ),
    ),
    _row(
        "paused.seek",
        "3.6.1.1",
        "the state tells what is sought",
        ask(MoverGetState(), seek_position=8 * RECORD, bytes_left_to_read=RECORD),
        situation=PAUSED,
    ),
    _row(
        "paused.continue",
        "3.6.2.7",
        "MOVER_CONTINUE is refused until there is a new window",
        ask(MoverContinue(), E.PRECONDITION),
        situation=PAUSED,
    ),
    _row(
        "paused.refused",
        "2.11.1",
        "and then the mover is still paused",
        ask(MoverContinue(), E.PRECONDITION),
        ask(MoverGetState(), state=MoverState.PAUSED),
        situation=PAUSED,
    ),
    _row(
        "paused.tape",
        "2.11.4",
        "in PAUSED the tape can be moved",
        ask(TapeMtio(TapeOperation.REW, 1)),
        ask(MoverGetState(), state=MoverState.PAUSED),
        situation=PAUSED,
    ),
    _row(
        "paused.closed",
        "2.11.4, 3.6.2.7",
        "in PAUSED the tape can be closed; MOVER_CONTINUE needs it open again",
        ask(TapeClose()),
        ask(MoverSetWindow(8 * RECORD, RECORD)),
        ask(MoverContinue(), E.DEV_NOT_OPEN),
        situation=PAUSED,
    ),
    _row(
        "close",
        "3.6.2.8, 4.1.3",
        "MOVER_CLOSE halts the mover with CONNECT_CLOSED",
        ask(MoverClose()),
        post(NotifyMoverHalted, reason=MoverHaltReason.CONNECT_CLOSED),
        ask(MoverGetState(), state=MoverState.HALTED, halt_reason=MoverHaltReason.CONNECT_CLOSED),
        situation=PAUSED,
    ),
    _row(
        "close.connection",
        "3.6.2.8",
        "MOVER_CLOSE closes the data connection",
        ask(MoverClose()),
        peer_closed,
        situation=PAUSED,
    ),
    _row(
        "read.0",
        "3.6.2.5",
        "a MOVER_READ of no bytes is refused",
        ask(MoverRead(0, 0), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
)

LATE: Final[tuple[Check, ...]] = rows(
    "overflow",
    _row(
        "read",
        "3.6.2.5",
        "a MOVER_READ that overflows is refused",
        ask(MoverRead(ALL_ONES_64, RECORD), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
    _row(
        "read.all",
        "3.6.2.5",
        "a MOVER_READ of all ones begins at 0",
        ask(MoverRead(1, ALL_ONES_64), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
)
"""What hangs a host that believes such numbers; its tape may stay with it."""

CHECKS: Final[tuple[Check, ...]] = (*_OPENING, *_WINDOWS, *_ENDS)
