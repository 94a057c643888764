"""The mover from state to state: aborts, pauses, stops (draft 2.11.6, 3.6.2.5 to 3.6.2.10). Nothing is written."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Situation, rows
from duplicator.conformance.checks.mover import IDLE
from duplicator.conformance.checks.windows import row
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.situations import (
    ACTIVE,
    HALTED,
    LISTENING,
    PAUSED,
    RECORD,
)
from duplicator.conformance.steps import (
    ask,
    halted_after_reply,
    no_post,
    peer_closed,
    post,
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
)

__all__ = ["CHECKS", "LATE"]

E: Final = Error
READ, WRITE, NOACTION = MoverMode.READ, MoverMode.WRITE, MoverMode.NOACTION
TCP: Final = AddressType.TCP


async def _nobody_listens(bench: Bench) -> None:
    """Where the mover listened, nobody does."""
    try:
        await bench.connect_peer(bench.kept["address"])
    except Deviation:
        return
    raise Deviation("a refused connection", "one that is taken")


def _aborted(name: str, situation: Situation) -> Check:
    return row(
        f"abort.{name}",
        "2.11.6, 3.6.2.9, 4.1.3",
        f"MOVER_ABORT in {name} halts the mover, and a notification says so",
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
        ask(MoverGetState(), state=MoverState.HALTED, halt_reason=MoverHaltReason.ABORTED),
        situation=situation,
    )


CHECKS: Final[tuple[Check, ...]] = rows(
    "mover",
    _aborted("LISTEN", LISTENING),
    _aborted("ACTIVE", ACTIVE),
    _aborted("PAUSED", PAUSED),
    row(
        "abort.connection",
        "3.6.1.1, 3.6.2.9",
        "MOVER_ABORT closes the data connection",
        ask(MoverAbort()),
        peer_closed,
        situation=ACTIVE,
    ),
    row(
        "abort.listener",
        "3.6.2.9",
        "after MOVER_ABORT nobody listens any more",
        ask(MoverAbort()),
        _nobody_listens,
        situation=LISTENING,
        level=SHOULD,
    ),
    row(
        "abort.order",
        "2.11.6",
        "the notification of a halt comes after the reply",
        halted_after_reply(MoverAbort()),
        situation=LISTENING,
        level=Level.MAY,
        note="The draft does not say which is first.",
    ),
    row("abort.once", "2.11.6", "a halt is told once", no_post(NotifyMoverHalted), situation=HALTED),
    row(
        "stop",
        "3.6.2.10",
        "MOVER_STOP makes the mover idle, and resets everything",
        ask(MoverStop()),
        ask(MoverGetState(), **IDLE),
        situation=HALTED,
    ),
    row(
        "stop.mode", "3.6.1.1", "and its mode", ask(MoverStop()), ask(MoverGetState(), mode=NOACTION), situation=HALTED
    ),
    row(
        "stop.address",
        "3.6.1.1",
        "and its address",
        ask(MoverStop()),
        ask(MoverGetState(), address=LocalAddress()),
        situation=HALTED,
    ),
    row(
        "stop.record",
        "3.6.2.10",
        "but not its record size",
        ask(MoverStop()),
        ask(MoverGetState(), record_size=RECORD),
        situation=HALTED,
    ),
    row(
        "stop.window",
        "3.6.2.2",
        "the window of before is gone",
        ask(MoverStop()),
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=HALTED,
    ),
    row(
        "stop.again",
        "2.11.6",
        "the mover can be used again",
        ask(MoverStop()),
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverSetWindow(0, RECORD)),
        ask(MoverListen(WRITE, TCP)),
        situation=HALTED,
    ),
    row(
        "halted.na",
        "3.6.1.1",
        "a halted mover does not say why it paused",
        ask(MoverAbort()),
        ask(MoverGetState(), pause_reason=MoverPauseReason.NA),
        situation=PAUSED,
    ),
    row(
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
    row(
        "paused.seek",
        "3.6.1.1",
        "the state tells what is sought",
        ask(MoverGetState(), seek_position=8 * RECORD, bytes_left_to_read=RECORD),
        situation=PAUSED,
    ),
    row(
        "paused.continue",
        "3.6.2.7",
        "MOVER_CONTINUE is refused until there is a new window",
        ask(MoverContinue(), E.PRECONDITION),
        situation=PAUSED,
    ),
    row(
        "paused.refused",
        "2.11.1",
        "and then the mover is still paused",
        ask(MoverContinue(), E.PRECONDITION),
        ask(MoverGetState(), state=MoverState.PAUSED),
        situation=PAUSED,
    ),
    row(
        "paused.tape",
        "2.11.4",
        "in PAUSED the tape can be moved",
        ask(TapeMtio(TapeOperation.REW, 1)),
        ask(MoverGetState(), state=MoverState.PAUSED),
        situation=PAUSED,
    ),
    row(
        "paused.closed",
        "2.11.4, 3.6.2.7",
        "in PAUSED the tape can be closed; MOVER_CONTINUE needs it open again",
        ask(TapeClose()),
        ask(MoverSetWindow(8 * RECORD, RECORD)),
        ask(MoverContinue(), E.DEV_NOT_OPEN),
        situation=PAUSED,
    ),
    row(
        "close",
        "3.6.2.8, 4.1.3",
        "MOVER_CLOSE halts the mover with CONNECT_CLOSED",
        ask(MoverClose()),
        post(NotifyMoverHalted, reason=MoverHaltReason.CONNECT_CLOSED),
        ask(MoverGetState(), state=MoverState.HALTED, halt_reason=MoverHaltReason.CONNECT_CLOSED),
        situation=PAUSED,
    ),
    row(
        "close.connection",
        "3.6.2.8",
        "MOVER_CLOSE closes the data connection",
        ask(MoverClose()),
        peer_closed,
        situation=PAUSED,
    ),
    row(
        "read.0",
        "3.6.2.5",
        "a MOVER_READ of no bytes is refused",
        ask(MoverRead(0, 0), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
)

LATE: Final[tuple[Check, ...]] = rows(
    "overflow",
    row(
        "read",
        "3.6.2.5",
        "a MOVER_READ that overflows is refused",
        ask(MoverRead(ALL_ONES_64, RECORD), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
    row(
        "read.all",
        "3.6.2.5",
        "a MOVER_READ of all ones begins at 0",
        ask(MoverRead(1, ALL_ONES_64), E.ILLEGAL_ARGS),
        situation=ACTIVE,
    ),
)
"""What hangs a host that believes such numbers; its tape may stay with it."""
