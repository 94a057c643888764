"""The mover between a scratch tape and the suite, reading the tape (draft 3.6.1.1, 3.6.2.5)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import SHOULD, Check, rows
from duplicator.conformance.checks.transfer import (
    ALL,
    CLOSED,
    FROM_TAPE,
    FROM_WINDOW,
    HELD_UP,
    MANY,
    halted_closed,
    part,
    row,
    start,
)
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import either
from duplicator.conformance.situations import (
    RECORD,
)
from duplicator.conformance.steps import (
    ask,
    close_peer,
    no_post,
    peer_closed,
    post,
    receive,
    until,
)
from duplicator.conformance.tapes import (
    RECORDED,
    fsf,
    read_mark,
    stream,
)
from ndmp.enums import (
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
    MoverRead,
    MoverSetWindow,
)
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeGetState, TapeMtio, TapeRead
from ndmp.types import ALL_ONES_64

__all__ = ["CHECKS"]

E: Final = Error


async def _still_reads(bench: Bench) -> None:
    """The read that is held up is not over; a host with more room than that cannot be asked."""
    await bench.ask(MoverGetState())
    if bench.reply.state != MoverState.ACTIVE:
        reason = "the host and its network hold 8 MiB: no read can be held up"
        raise Unavailable(reason)


async def _drained(bench: Bench) -> None:
    """All that was held up arrives, and then the mover meets the mark."""
    came = await bench.peer.receive(MANY * RECORD)
    if came != stream(MANY * RECORD):
        raise Deviation("the bytes that are on the tape", "others")


CHECKS: Final[tuple[Check, ...]] = rows(
    "from-tape",
    row(
        "all",
        "3.6.2.5",
        "a read of all ones sends all there is",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(part(0, 6)),
    ),
    row(
        "mark",
        "3.6.2.2, 3.6.2.5",
        "then the mover meets the mark and pauses: EOF",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(part(0, 6)),
        post(NotifyMoverPaused, reason=MoverPauseReason.EOF),
        ask(MoverGetState(), state=MoverState.PAUSED, pause_reason=MoverPauseReason.EOF),
    ),
    row(
        "mark.before",
        "3.6.2.5",
        "and the tape stands before the mark",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(part(0, 6)),
        post(NotifyMoverPaused),
        read_mark,
    ),
    row(
        "moved",
        "3.6.1.1",
        "bytes_moved tells what was sent",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(part(0, 6)),
        post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_moved=6 * RECORD),
    ),
    row(
        "close",
        "3.6.2.8",
        "MOVER_CLOSE then ends the connection and the transfer",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(part(0, 6)),
        post(NotifyMoverPaused),
        ask(MoverClose()),
        peer_closed,
        halted_closed,
    ),
    row(
        "part",
        "3.6.2.5",
        "a read of a record sends that record, and the mover stays active",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(part(0, 1)),
        until(MoverGetState(), state=MoverState.ACTIVE, bytes_left_to_read=0),
        no_post(NotifyMoverPaused),
    ),
    row(
        "next",
        "3.6.2.5",
        "the next read goes on",
        FROM_TAPE,
        ask(MoverRead(0, 2 * RECORD)),
        receive(part(0, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(2 * RECORD, 2 * RECORD)),
        receive(part(2, 2)),
    ),
    row(
        "back",
        "3.6.1, 3.6.2.5",
        "a read may go back within the window",
        FROM_TAPE,
        ask(MoverRead(3 * RECORD, RECORD)),
        receive(part(3, 1)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(0, RECORD)),
        receive(part(0, 1)),
    ),
    row(
        "forward",
        "3.6.1, 3.6.2.5",
        "a read may leave records out",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(part(0, 1)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(4 * RECORD, RECORD)),
        receive(part(4, 1)),
    ),
    row(
        "odd",
        "3.6.1.1, 3.6.2.5",
        "a read may be any part of a record",
        FROM_TAPE,
        ask(MoverRead(100, 1000)),
        receive(ALL[100:1100]),
    ),
    row(
        "odd.across",
        "3.6.1.1, 3.6.2.5",
        "or end within one",
        FROM_TAPE,
        ask(MoverRead(0, RECORD + 1000)),
        receive(ALL[: RECORD + 1000]),
    ),
    row(
        "odd.moved",
        "3.6.1.1",
        "bytes_moved counts what is sent, not what is read from tape",
        FROM_TAPE,
        ask(MoverRead(100, 1000)),
        receive(ALL[100:1100]),
        until(MoverGetState(), bytes_moved=1000),
    ),
    row(
        "seek.position",
        "3.6.1.1",
        "seek_position is the offset of the read",
        FROM_TAPE,
        ask(MoverRead(2 * RECORD, RECORD)),
        receive(part(2, 1)),
        ask(MoverGetState(), seek_position=2 * RECORD),
    ),
    row(
        "window",
        "3.6.1.1, 3.6.2.5",
        "past its window a mover that reads pauses: SEEK, to where it wants to go",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(part(0, 2)),
        post(NotifyMoverPaused, reason=MoverPauseReason.SEEK, seek_position=2 * RECORD),
    ),
    row(
        "window.next",
        "3.6.2.7",
        "with the next window the read goes on",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(part(0, 2)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        receive(part(2, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
    ),
    row(
        "window.exact",
        "3.6.2.5",
        "a read that ends with the window does not pause",
        FROM_WINDOW,
        ask(MoverRead(0, 2 * RECORD)),
        receive(part(0, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
        no_post(NotifyMoverPaused),
        ask(MoverGetState(), state=MoverState.ACTIVE),
    ),
    row(
        "window.left",
        "3.6.1.1",
        "in the pause bytes_left_to_read tells what is still to be sent",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(part(0, 2)),
        post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_left_to_read=2 * RECORD),
    ),
    row(
        "window.later",
        "3.6.2.2",
        "a window may begin within the stream, where the tape stands",
        RECORDED,
        ask(TapeMtio(TapeOperation.FSR, 2), resid_count=0),
        *start(MoverMode.WRITE, 2 * RECORD, 2 * RECORD),
        ask(MoverRead(3 * RECORD, RECORD)),
        receive(part(3, 1)),
    ),
    row(
        "number",
        "3.6.1.1",
        "the record number follows",
        FROM_TAPE,
        ask(MoverRead(2 * RECORD, RECORD)),
        receive(part(2, 1)),
        ask(MoverGetState(), record_num=either(2, 3, 4, 5, 6)),
        level=SHOULD,
        note="A host may read ahead.",
    ),
    row("mode", "3.6.1.1", "the mode is WRITE", FROM_TAPE, ask(MoverGetState(), mode=MoverMode.WRITE)),
    row(
        "blank",
        "3.6.2.5",
        "blank tape pauses the mover: EOM, or EOF",
        RECORDED,
        fsf(),
        *start(MoverMode.WRITE, 0, ALL_ONES_64),
        ask(MoverRead(0, ALL_ONES_64)),
        post(NotifyMoverPaused, reason=either(MoverPauseReason.EOM, MoverPauseReason.EOF)),
    ),
    row(
        "blank.eom",
        "3.6.1.1, 3.6.2.5",
        "EOM is the better word",
        RECORDED,
        fsf(),
        *start(MoverMode.WRITE, 0, ALL_ONES_64),
        ask(MoverRead(0, ALL_ONES_64)),
        post(NotifyMoverPaused, reason=MoverPauseReason.EOM),
        level=SHOULD,
    ),
    row(
        "busy",
        "3.6.2.5",
        "while a read is not done another is refused",
        HELD_UP,
        _still_reads,
        ask(MoverRead(0, RECORD), E.READ_IN_PROGRESS),
    ),
    row(
        "busy.served",
        "3.6.2.5",
        "while a read is not done other requests are served",
        HELD_UP,
        _still_reads,
        ask(TapeGetState()),
        ask(MoverGetState(), state=MoverState.ACTIVE),
    ),
    row(
        "busy.drained",
        "3.6.2.5",
        "what was held up comes in the end",
        HELD_UP,
        _drained,
        post(NotifyMoverPaused, reason=MoverPauseReason.EOF),
    ),
    row(
        "busy.abort",
        "3.6.2.9",
        "a read that is not done can be aborted",
        HELD_UP,
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
        peer_closed,
    ),
    row(
        "left",
        "2.11.6",
        "a peer that leaves halts the mover",
        HELD_UP,
        close_peer,
        post(NotifyMoverHalted, reason=either(CLOSED, MoverHaltReason.CONNECT_ERROR)),
    ),
    row(
        "state",
        "3.4.4",
        "behind a read the tape is where the mover stands, or further on",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(part(0, 1)),
        ask(TapeGetState(), file_num=either(0, 0xFFFFFFFF)),
        ask(MoverAbort()),
        post(NotifyMoverHalted),
        ask(TapeRead(0), block=b""),
    ),
)
