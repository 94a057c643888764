"""The mover at work, between a scratch tape and the suite as its peer (draft 3.6.1.1, 3.6.2.2, 3.6.2.5)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import either
from duplicator.conformance.situations import (
    RECORD,
    SMALL_BUFFER,
    WRITABLE,
    mover_connect,
    open_tape,
    rewind,
)
from duplicator.conformance.steps import (
    ask,
    close_peer,
    connect_peer,
    keep,
    no_post,
    peer_closed,
    post,
    receive,
    send,
    until,
)
from duplicator.conformance.tapes import (
    RECORDED,
    fsf,
    mark,
    read,
    read_mark,
    recorded,
    stream,
    write,
)
from ndmp.enums import (
    AddressType,
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOpenMode,
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
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeRead
from ndmp.types import ALL_ONES_64

__all__ = ["CHECKS"]

E: Final = Error
ALL: Final = stream(8 * RECORD)
PAD: Final = 100
CLOSED: Final = MoverHaltReason.CONNECT_CLOSED
_MANY: Final = 256
"""Records that no two socket buffers hold: 8 MiB."""


def _part(first: int, count: int) -> bytes:
    return ALL[first * RECORD : (first + count) * RECORD]


def _start(mode: MoverMode, offset: int, length: int, *, buffer_bytes: int = 0) -> tuple[Step, ...]:
    """A mover that works with us, in a window."""
    return (
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverSetWindow(offset, length)),
        ask(MoverListen(mode, AddressType.TCP)),
        keep("address", lambda reply: reply.address),
        connect_peer(buffer_bytes=buffer_bytes),
        until(MoverGetState(), state=MoverState.ACTIVE),
    )


def _writing(name: str, length: int) -> Situation:
    return WRITABLE.then(name, *_start(MoverMode.READ, 0, length))


TO_TAPE: Final = _writing("a mover writes to tape, in an endless window", ALL_ONES_64)
TO_WINDOW: Final = _writing("a mover writes to tape, in a window of two records", 2 * RECORD)
FROM_TAPE: Final = RECORDED.then(
    "a mover reads six records from tape, in an endless window", *_start(MoverMode.WRITE, 0, ALL_ONES_64)
)
FROM_WINDOW: Final = RECORDED.then(
    "a mover reads six records from tape, in a window of two", *_start(MoverMode.WRITE, 0, 2 * RECORD)
)
HELD_UP: Final = WRITABLE.then(
    "a mover reads more than its peer takes",
    *recorded(_MANY),
    *_start(MoverMode.WRITE, 0, ALL_ONES_64, buffer_bytes=SMALL_BUFFER),
    ask(MoverRead(0, ALL_ONES_64)),
)


def _row(
    name: str, section: str, title: str, situation: Situation, *steps: Step, level: Level = MUST, note: str = ""
) -> Check:
    return Check(name, section, level, title, situation, steps, (), note)


_halted: Final = post(NotifyMoverHalted, reason=CLOSED)
_END: Final = (close_peer, _halted)
"""The peer closes, and the mover halts."""


def _on_tape(*blocks: bytes) -> tuple[Step, ...]:
    """After a rewind these blocks are on the tape, and a mark."""
    return (rewind, *map(read, blocks), read_mark)


async def _still_reads(bench: Bench) -> None:
    """The read that is held up is not over; a host with more room than that cannot be asked."""
    await bench.ask(MoverGetState())
    if bench.reply.state != MoverState.ACTIVE:
        reason = "the host and its network hold 8 MiB: no read can be held up"
        raise Unavailable(reason)


async def _drained(bench: Bench) -> None:
    """All that was held up arrives, and then the mover meets the mark."""
    came = await bench.peer.receive(_MANY * RECORD)
    if came != stream(_MANY * RECORD):
        raise Deviation("the bytes that are on the tape", "others")


_WRITING = rows(
    "to-tape",
    _row(
        "records",
        "3.6.2.1, 3.6.2.4",
        "a stream goes to tape in records",
        TO_TAPE,
        send(_part(0, 3)),
        *_END,
        *_on_tape(_part(0, 1), _part(1, 1), _part(2, 1)),
    ),
    _row(
        "closed",
        "2.11.6, 4.1.3",
        "the end of the data connection halts the mover: CONNECT_CLOSED",
        TO_TAPE,
        send(_part(0, 1)),
        *_END,
        ask(MoverGetState(), state=MoverState.HALTED, halt_reason=CLOSED),
    ),
    _row(
        "moved",
        "3.6.1.1",
        "bytes_moved tells what is on tape",
        TO_TAPE,
        send(_part(0, 3)),
        *_END,
        ask(MoverGetState(), bytes_moved=3 * RECORD),
    ),
    _row(
        "number",
        "3.6.1.1",
        "the record number counts records",
        TO_TAPE,
        send(_part(0, 3)),
        *_END,
        ask(MoverGetState(), record_num=either(2, 3)),
        note="The last record or the next: both are read into `the last record processed`.",
    ),
    _row(
        "padded",
        "3.6.1.1, 3.6.2.1",
        "the last record is filled up with zeros",
        TO_TAPE,
        send(_part(0, 1) + ALL[RECORD : RECORD + PAD]),
        *_END,
        *_on_tape(_part(0, 1), ALL[RECORD : RECORD + PAD] + bytes(RECORD - PAD)),
    ),
    _row(
        "padded.moved",
        "3.6.1.1",
        "bytes_moved does not count what was filled up",
        TO_TAPE,
        send(ALL[: RECORD + PAD]),
        *_END,
        ask(MoverGetState(), bytes_moved=RECORD + PAD),
    ),
    _row(
        "empty",
        "3.4.1",
        "a stream of no bytes writes nothing",
        TO_TAPE,
        *_END,
        ask(MoverGetState(), bytes_moved=0),
        mark(),
        rewind,
        read_mark,
        level=SHOULD,
    ),
    _row(
        "marked",
        "3.4.1",
        "a close ends what the mover wrote with a mark",
        TO_TAPE,
        send(_part(0, 1)),
        *_END,
        ask(MoverStop()),
        ask(TapeClose()),
        open_tape(TapeOpenMode.READ),
        rewind,
        read(_part(0, 1)),
        read_mark,
    ),
    _row(
        "position",
        "3.4.4",
        "the tape stands behind the mover's records",
        TO_TAPE,
        send(_part(0, 3)),
        *_END,
        ask(TapeGetState(), file_num=either(0, 0xFFFFFFFF), blockno=either(3, 0xFFFFFFFF)),
    ),
    _row(
        "connect",
        "3.6.2.3",
        "it is the same when the mover connects",
        WRITABLE.then(
            "record size and window set", ask(MoverSetRecordSize(RECORD)), ask(MoverSetWindow(0, ALL_ONES_64))
        ),
        mover_connect(MoverMode.READ),
        send(_part(0, 2)),
        *_END,
        *_on_tape(_part(0, 1), _part(1, 1)),
    ),
    _row("mode", "3.6.1.1", "the mode is READ", TO_TAPE, ask(MoverGetState(), mode=MoverMode.READ)),
    _row(
        "read",
        "3.6.2.5",
        "MOVER_READ is refused by a mover that writes to tape",
        TO_TAPE,
        ask(MoverRead(0, RECORD), E.ILLEGAL_STATE, E.ILLEGAL_ARGS, E.PERMISSION),
    ),
    _row(
        "state.live",
        "3.6.2.6",
        "the state is told while data moves",
        TO_TAPE,
        send(_part(0, 2)),
        until(MoverGetState(), bytes_moved=2 * RECORD),
        ask(MoverGetState(), state=MoverState.ACTIVE),
    ),
    _row(
        "abort",
        "3.6.2.9",
        "after MOVER_ABORT the tape can be used",
        TO_TAPE,
        send(_part(0, 2)),
        until(MoverGetState(), bytes_moved=2 * RECORD),
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
        ask(MoverStop()),
        *_on_tape(_part(0, 1), _part(1, 1)),
    ),
    _row(
        "window",
        "3.6.1.1, 3.6.2.2",
        "past its window a mover that writes pauses: EOW",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused, reason=MoverPauseReason.EOW),
        ask(MoverGetState(), state=MoverState.PAUSED, pause_reason=MoverPauseReason.EOW),
    ),
    _row(
        "window.pauses",
        "3.6.1.1",
        "past its window a mover that writes pauses, whatever it calls it",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused, reason=either(MoverPauseReason.EOW, MoverPauseReason.SEEK)),
        ask(MoverGetState(), state=MoverState.PAUSED),
    ),
    _row(
        "window.moved",
        "3.6.1.1",
        "up to the window's end and no byte further",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_moved=2 * RECORD),
        rewind,
        read(_part(0, 1)),
        read(_part(1, 1)),
        read_mark,
    ),
    _row(
        "window.exact",
        "3.6.1.1",
        "a stream that ends with the window does not pause",
        TO_WINDOW,
        send(_part(0, 2)),
        *_END,
        no_post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_moved=2 * RECORD),
        level=SHOULD,
        note="The window's end is exceeded only by what comes behind it.",
    ),
    _row(
        "window.next",
        "3.6.2.2, 3.6.2.7",
        "with the next window the stream goes on",
        TO_WINDOW,
        send(_part(0, 4)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        *_END,
        ask(MoverGetState(), bytes_moved=4 * RECORD),
        *_on_tape(*(_part(n, 1) for n in range(4))),
    ),
    _row(
        "window.same",
        "2.3.5.1.5, 3.6.2.2",
        "the offset of a window counts for nothing when a tape is written",
        TO_WINDOW,
        send(_part(0, 4)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(0, 2 * RECORD)),
        ask(MoverContinue()),
        *_END,
        ask(MoverGetState(), bytes_moved=4 * RECORD),
    ),
    _row(
        "window.mark",
        "2.11.4, 3.6.2.2",
        "between two windows the tape can be marked",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused),
        mark(),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        *_END,
        rewind,
        read(_part(0, 1)),
        read(_part(1, 1)),
        read_mark,
        fsf(),
        read(_part(2, 1)),
        read_mark,
    ),
    _row(
        "window.header",
        "2.11.4, 3.6.2.2",
        "or written",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused),
        mark(),
        write(b"header" * 100),
        mark(),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        *_END,
        rewind,
        fsf(2),
        read(_part(2, 1)),
        read_mark,
    ),
    _row(
        "window.odd",
        "3.6.2.2",
        "in the pause a length off the records is refused",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(0, RECORD + 100), E.ILLEGAL_ARGS),
    ),
    _row(
        "window.na",
        "3.6.1.1",
        "the reason of the pause is gone after it",
        TO_WINDOW,
        send(_part(0, 3)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        ask(MoverGetState(), pause_reason=MoverPauseReason.NA),
    ),
    _row(
        "window.close",
        "3.6.2.8",
        "MOVER_CLOSE in the pause ends the transfer",
        TO_WINDOW,
        send(_part(0, 3), patient=False),
        post(NotifyMoverPaused),
        ask(MoverClose()),
        _halted,
        ask(MoverGetState(), state=MoverState.HALTED),
    ),
    _row(
        "window.abort",
        "3.6.2.9",
        "MOVER_ABORT in the pause ends the transfer",
        TO_WINDOW,
        send(_part(0, 3), patient=False),
        post(NotifyMoverPaused),
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
    ),
)

_READING = rows(
    "from-tape",
    _row(
        "all",
        "3.6.2.5",
        "a read of all ones sends all there is",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(_part(0, 6)),
    ),
    _row(
        "mark",
        "3.6.2.2, 3.6.2.5",
        "then the mover meets the mark and pauses: EOF",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(_part(0, 6)),
        post(NotifyMoverPaused, reason=MoverPauseReason.EOF),
        ask(MoverGetState(), state=MoverState.PAUSED, pause_reason=MoverPauseReason.EOF),
    ),
    _row(
        "mark.before",
        "3.6.2.5",
        "and the tape stands before the mark",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(_part(0, 6)),
        post(NotifyMoverPaused),
        read_mark,
    ),
    _row(
        "moved",
        "3.6.1.1",
        "bytes_moved tells what was sent",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(_part(0, 6)),
        post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_moved=6 * RECORD),
    ),
    _row(
        "close",
        "3.6.2.8",
        "MOVER_CLOSE then ends the connection and the transfer",
        FROM_TAPE,
        ask(MoverRead(0, ALL_ONES_64)),
        receive(_part(0, 6)),
        post(NotifyMoverPaused),
        ask(MoverClose()),
        peer_closed,
        _halted,
    ),
    _row(
        "part",
        "3.6.2.5",
        "a read of a record sends that record, and the mover stays active",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(_part(0, 1)),
        until(MoverGetState(), state=MoverState.ACTIVE, bytes_left_to_read=0),
        no_post(NotifyMoverPaused),
    ),
    _row(
        "next",
        "3.6.2.5",
        "the next read goes on",
        FROM_TAPE,
        ask(MoverRead(0, 2 * RECORD)),
        receive(_part(0, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(2 * RECORD, 2 * RECORD)),
        receive(_part(2, 2)),
    ),
    _row(
        "back",
        "3.6.1, 3.6.2.5",
        "a read may go back within the window",
        FROM_TAPE,
        ask(MoverRead(3 * RECORD, RECORD)),
        receive(_part(3, 1)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(0, RECORD)),
        receive(_part(0, 1)),
    ),
    _row(
        "forward",
        "3.6.1, 3.6.2.5",
        "a read may leave records out",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(_part(0, 1)),
        until(MoverGetState(), bytes_left_to_read=0),
        ask(MoverRead(4 * RECORD, RECORD)),
        receive(_part(4, 1)),
    ),
    _row(
        "odd",
        "3.6.1.1, 3.6.2.5",
        "a read may be any part of a record",
        FROM_TAPE,
        ask(MoverRead(100, 1000)),
        receive(ALL[100:1100]),
    ),
    _row(
        "odd.across",
        "3.6.1.1, 3.6.2.5",
        "or end within one",
        FROM_TAPE,
        ask(MoverRead(0, RECORD + 1000)),
        receive(ALL[: RECORD + 1000]),
    ),
    _row(
        "odd.moved",
        "3.6.1.1",
        "bytes_moved counts what is sent, not what is read from tape",
        FROM_TAPE,
        ask(MoverRead(100, 1000)),
        receive(ALL[100:1100]),
        until(MoverGetState(), bytes_moved=1000),
    ),
    _row(
        "seek.position",
        "3.6.1.1",
        "seek_position is the offset of the read",
        FROM_TAPE,
        ask(MoverRead(2 * RECORD, RECORD)),
        receive(_part(2, 1)),
        ask(MoverGetState(), seek_position=2 * RECORD),
    ),
    _row(
        "window",
        "3.6.1.1, 3.6.2.5",
        "past its window a mover that reads pauses: SEEK, to where it wants to go",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(_part(0, 2)),
        post(NotifyMoverPaused, reason=MoverPauseReason.SEEK, seek_position=2 * RECORD),
    ),
    _row(
        "window.next",
        "3.6.2.7",
        "with the next window the read goes on",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(_part(0, 2)),
        post(NotifyMoverPaused),
        ask(MoverSetWindow(2 * RECORD, 2 * RECORD)),
        ask(MoverContinue()),
        receive(_part(2, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
    ),
    _row(
        "window.exact",
        "3.6.2.5",
        "a read that ends with the window does not pause",
        FROM_WINDOW,
        ask(MoverRead(0, 2 * RECORD)),
        receive(_part(0, 2)),
        until(MoverGetState(), bytes_left_to_read=0),
        no_post(NotifyMoverPaused),
        ask(MoverGetState(), state=MoverState.ACTIVE),
    ),
    _row(
        "window.left",
        "3.6.1.1",
        "in the pause bytes_left_to_read tells what is still to be sent",
        FROM_WINDOW,
        ask(MoverRead(0, 4 * RECORD)),
        receive(_part(0, 2)),
        post(NotifyMoverPaused),
        ask(MoverGetState(), bytes_left_to_read=2 * RECORD),
    ),
    _row(
        "window.later",
        "3.6.2.2",
        "a window may begin within the stream, where the tape stands",
        RECORDED,
        ask(TapeMtio(TapeOperation.FSR, 2), resid_count=0),
        *_start(MoverMode.WRITE, 2 * RECORD, 2 * RECORD),
        ask(MoverRead(3 * RECORD, RECORD)),
        receive(_part(3, 1)),
    ),
    _row(
        "number",
        "3.6.1.1",
        "the record number follows",
        FROM_TAPE,
        ask(MoverRead(2 * RECORD, RECORD)),
        receive(_part(2, 1)),
        ask(MoverGetState(), record_num=either(2, 3, 4, 5, 6)),
        level=SHOULD,
        note="A host may read ahead.",
    ),
    _row("mode", "3.6.1.1", "the mode is WRITE", FROM_TAPE, ask(MoverGetState(), mode=MoverMode.WRITE)),
    _row(
        "blank",
        "3.6.2.5",
        "blank tape pauses the mover: EOM, or EOF",
        RECORDED,
        fsf(),
        *_start(MoverMode.WRITE, 0, ALL_ONES_64),
        ask(MoverRead(0, ALL_ONES_64)),
        post(NotifyMoverPaused, reason=either(MoverPauseReason.EOM, MoverPauseReason.EOF)),
    ),
    _row(
        "blank.eom",
        "3.6.1.1, 3.6.2.5",
        "EOM is the better word",
        RECORDED,
        fsf(),
        *_start(MoverMode.WRITE, 0, ALL_ONES_64),
        ask(MoverRead(0, ALL_ONES_64)),
        post(NotifyMoverPaused, reason=MoverPauseReason.EOM),
        level=SHOULD,
    ),
    _row(
        "busy",
        "3.6.2.5",
        "while a read is not done another is refused",
        HELD_UP,
        _still_reads,
        ask(MoverRead(0, RECORD), E.READ_IN_PROGRESS),
    ),
    _row(
        "busy.served",
        "3.6.2.5",
        "while a read is not done other requests are served",
        HELD_UP,
        _still_reads,
        ask(TapeGetState()),
        ask(MoverGetState(), state=MoverState.ACTIVE),
    ),
    _row(
        "busy.drained",
        "3.6.2.5",
        "what was held up comes in the end",
        HELD_UP,
        _drained,
        post(NotifyMoverPaused, reason=MoverPauseReason.EOF),
    ),
    _row(
        "busy.abort",
        "3.6.2.9",
        "a read that is not done can be aborted",
        HELD_UP,
        ask(MoverAbort()),
        post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
        peer_closed,
    ),
    _row(
        "left",
        "2.11.6",
        "a peer that leaves halts the mover",
        HELD_UP,
        close_peer,
        post(NotifyMoverHalted, reason=either(CLOSED, MoverHaltReason.CONNECT_ERROR)),
    ),
    _row(
        "state",
        "3.4.4",
        "behind a read the tape is where the mover stands, or further on",
        FROM_TAPE,
        ask(MoverRead(0, RECORD)),
        receive(_part(0, 1)),
        ask(TapeGetState(), file_num=either(0, 0xFFFFFFFF)),
        ask(MoverAbort()),
        post(NotifyMoverHalted),
        ask(TapeRead(0), block=b""),
    ),
)

CHECKS: Final[tuple[Check, ...]] = (*_WRITING, *_READING)
