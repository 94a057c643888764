"""The end of a tape: early warning, what can still be written, and the mover's pause (draft 3.4.6, 3.6.1.1, D.8.1)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Step, rows
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.expectation import Want, other_than
from duplicator.conformance.needs import TAPE_END
from duplicator.conformance.situations import RECORD, WRITABLE, rewind
from duplicator.conformance.steps import ask, close_peer, connect_peer, keep, post, until
from duplicator.conformance.tapes import mark, pattern, read, stream
from ndmp.enums import AddressType, Error, MoverHaltReason, MoverMode, MoverPauseReason, MoverState, TapeOperation
from ndmp.messages.mover import (
    MoverContinue,
    MoverGetState,
    MoverListen,
    MoverSetRecordSize,
    MoverSetWindow,
    MoverStop,
)
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeMtio, TapeWrite
from ndmp.types import ALL_ONES_64

__all__ = ["CHECKS"]

E: Final = Error
_BLOCK: Final = pattern(1, RECORD)


async def _to_early_warning(bench: Bench) -> None:
    """Write until a block is refused with EOM; how many were not."""
    for count in range(bench.target.permissions.fill_bytes // RECORD + 1):
        answer = await bench.ask(TapeWrite(_BLOCK), (E.NO_ERR, E.EOM))
        if answer.error == E.EOM:
            bench.kept["written"] = count
            if answer.body is not None and answer.body.count:  # type: ignore[attr-defined]
                raise Deviation("EOM, count 0", answer.entry.line, sent=answer.sent, answer=answer.entry)
            return
        bench.judge(answer, (E.NO_ERR,), {"count": RECORD})
    raise Deviation("EOM once the early warning is passed", "none within what --fill allows")


async def _to_physical_end(bench: Bench) -> None:
    """Write until a block is refused: as IO, not as EOM again."""
    for _ in range(bench.target.permissions.fill_bytes // RECORD + 1):
        answer = await bench.ask(TapeWrite(_BLOCK), (E.NO_ERR, E.IO))
        if answer.error == E.IO:
            return
    raise Deviation("IO at the physical end", "none within what --fill allows")


async def _all_are_there(bench: Bench) -> None:
    count = bench.kept["written"]
    await bench.ask(TapeMtio(TapeOperation.FSR, count), fields={"resid_count": 0})
    await bench.ask(TapeMtio(TapeOperation.FSR, 1), fields={"resid_count": 1})


def _row(name: str, section: str, title: str, *steps: Step, note: str = "") -> Check:
    return Check(name, section, MUST, title, WRITABLE, steps, (TAPE_END,), note)


# -- the mover -------------------------------------------------------------------------------------------------------

_TO_TAPE: Final = WRITABLE.then(
    "a mover writes to the tape",
    ask(MoverSetRecordSize(RECORD)),
    ask(MoverSetWindow(0, ALL_ONES_64)),
    ask(MoverListen(MoverMode.READ, AddressType.TCP)),
    keep("address", lambda reply: reply.address),
    connect_peer(),
    until(MoverGetState(), state=MoverState.ACTIVE),
    needs=(TAPE_END,),
)


async def _flood(bench: Bench) -> None:
    """More than fits; the host takes what it can."""
    whole = stream(bench.target.permissions.fill_bytes + 16 * RECORD)
    bench.kept["stream"] = whole
    await bench.peer.send(whole, patient=False)


async def _moved(bench: Bench) -> None:
    await bench.ask(MoverGetState(), fields={"state": MoverState.PAUSED, "pause_reason": MoverPauseReason.EOM})
    bench.kept["moved"] = bench.reply.bytes_moved


async def _whole_records(bench: Bench) -> None:
    moved = bench.kept["moved"]
    if not moved or moved % RECORD:
        raise Deviation(f"bytes_moved in whole records of {RECORD}", str(moved))
    count = moved // RECORD
    await rewind(bench)
    await bench.ask(TapeMtio(TapeOperation.FSR, count), fields={"resid_count": 0})
    await bench.ask(TapeMtio(TapeOperation.FSR, 1), fields={"resid_count": 1})


async def _continue_on_next_tape(bench: Bench) -> None:
    """The same tape from its beginning stands for the next one."""
    moved = bench.kept["moved"]
    await rewind(bench)
    await bench.ask(MoverSetWindow(moved, 2 * RECORD))
    await bench.ask(MoverContinue())


async def _goes_on_where_it_was(bench: Bench) -> None:
    moved, whole = bench.kept["moved"], bench.kept["stream"]
    await rewind(bench)
    for index in range(2):
        start = moved + index * RECORD
        await read(whole[start : start + RECORD])(bench)


_PAUSE: Final = (_flood, post(NotifyMoverPaused, reason=MoverPauseReason.EOM), _moved)

CHECKS: Final[tuple[Check, ...]] = rows(
    "end",
    _row("warning", "3.4.6", "one write behind the early warning is EOM with count 0", _to_early_warning),
    _row(
        "after",
        "3.4.6",
        "after it, blocks are taken again",
        _to_early_warning,
        ask(TapeWrite(pattern(2, 512)), count=512),
        ask(TapeWrite(pattern(3, 512)), count=512),
    ),
    _row("mark", "3.4.5", "a filemark at the end of the tape succeeds", _to_early_warning, mark()),
    _row(
        "trailer",
        "3.4.5, 3.4.6",
        "a mark, a trailer and a mark can be written there",
        _to_early_warning,
        mark(),
        ask(TapeWrite(pattern(2, 512)), E.NO_ERR, E.EOM),
        ask(TapeWrite(pattern(2, 512)), count=512),
        mark(),
        note="Whether EOM is told again after the mark is left open: one more refusal is accepted.",
    ),
    _row("kept", "3.4.6", "each block that was taken is on the tape", _to_early_warning, rewind, _all_are_there),
    _row("physical", "3.4.6", "at the physical end a write is IO", _to_early_warning, _to_physical_end),
    Check("mover.pause", "3.6.1.1", MUST, "the mover pauses with EOM at the end of the tape", _TO_TAPE, _PAUSE),
    Check(
        "mover.bytes",
        "3.6.1.1",
        MUST,
        "bytes_moved is what is on the tape, in whole records",
        _TO_TAPE,
        (*_PAUSE, _whole_records),
    ),
    Check("mover.mark", "3.4.5, D.8.1", MUST, "a filemark can be written in the pause", _TO_TAPE, (*_PAUSE, mark())),
    Check(
        "mover.next",
        "3.6.2.7, D.8.1",
        MUST,
        "on the next tape the stream goes on with the byte after bytes_moved",
        _TO_TAPE,
        (
            *_PAUSE,
            mark(),
            _continue_on_next_tape,
            post(NotifyMoverPaused, reason=other_than(MoverPauseReason.EOM)),
            _goes_on_where_it_was,
        ),
    ),
    Check(
        "mover.halt",
        "2.11.6",
        SHOULD,
        "a data connection that ends in the pause is noticed after CONTINUE at the latest",
        _TO_TAPE,
        (
            *_PAUSE,
            close_peer,
            mark(),
            rewind,
            ask(lambda bench: MoverSetWindow(bench.kept["moved"], ALL_ONES_64 - bench.kept["moved"])),
            ask(MoverContinue(), E.NO_ERR, E.ILLEGAL_STATE),
            post(
                NotifyMoverHalted,
                reason=Want(
                    "an end", lambda reason: reason in (MoverHaltReason.CONNECT_CLOSED, MoverHaltReason.CONNECT_ERROR)
                ),
            ),
            ask(MoverStop()),
        ),
    ),
)
