"""Record sizes and windows of the mover (draft 3.6.2.1, 3.6.2.2). Nothing is written."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.deviation import Unavailable
from duplicator.conformance.needs import TAPE
from duplicator.conformance.situations import (
    LOGGED_IN,
    PAUSED,
    RECORD,
    SIZED,
    WRITABLE,
)
from duplicator.conformance.steps import (
    answered,
    ask,
)
from ndmp.enums import (
    AddressType,
    Error,
    MoverMode,
)
from ndmp.messages.mover import (
    MoverConnect,
    MoverGetState,
    MoverListen,
    MoverSetRecordSize,
    MoverSetWindow,
)
from ndmp.types import (
    ALL_ONES_64,
    TcpAddress,
    wire_address,
)

__all__ = ["CHECKS", "SIZED_ONLY", "row"]

E: Final = Error
READ, WRITE, NOACTION = MoverMode.READ, MoverMode.WRITE, MoverMode.NOACTION
TCP: Final = AddressType.TCP


def row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = LOGGED_IN,
    level: Level = MUST,
    note: str = "",
) -> Check:
    """A check of the mover; it begins with a login unless told otherwise."""
    return Check(name, section, level, title, situation, steps, (TAPE,), note)


def _odd_window(offset: int, length: int) -> Step:
    """A window off the records; who refuses it at once, which is a row of its own, cannot be asked to do so later."""

    async def step(bench: Bench) -> None:
        answer = await bench.ask(MoverSetWindow(offset, length), (E.NO_ERR, E.ILLEGAL_ARGS))
        if answer.error == E.ILLEGAL_ARGS:
            reason = "the host refuses such a window in IDLE already"
            raise Unavailable(reason)

    return step


def _window(name: str, offset: int, length: int, *errors: Error, title: str, level: Level = MUST) -> Check:
    step = ask(MoverSetWindow(offset, length), *errors)
    return row(name, "3.6.2.2", title, step, situation=SIZED, level=level)


SIZED_ONLY: Final = LOGGED_IN.then("record size set, no tape open", ask(MoverSetRecordSize(RECORD)))
CHECKS: Final[tuple[Check, ...]] = rows(
    "window",
    row("initial", "3.6.1.1", "the record size of a new session is 0", ask(MoverGetState(), record_size=0)),
    row(
        "unsized",
        "3.6.2.2",
        "a window before any record size is refused",
        ask(MoverSetWindow(0, RECORD), E.PRECONDITION),
    ),
    row(
        "record",
        "3.6.2.1",
        "a record size is set",
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverGetState(), record_size=RECORD),
    ),
    row("record.0", "3.6.2.1", "record size 0 is refused", ask(MoverSetRecordSize(0), E.ILLEGAL_ARGS)),
    row("record.4g", "3.6.2.1", "a record size of 4 GiB is answered", answered(MoverSetRecordSize(0xFFFFFFFF))),
    row(
        "record.clears",
        "3.6.2.1",
        "a new record size clears the window",
        ask(MoverSetWindow(0, 2 * RECORD)),
        ask(MoverSetRecordSize(RECORD)),
        ask(MoverGetState(), window_offset=0, window_length=0),
        situation=SIZED_ONLY,
    ),
    row(
        "set",
        "3.6.1.1",
        "a window is shown as it was set",
        ask(MoverSetWindow(2 * RECORD, 3 * RECORD)),
        ask(MoverGetState(), window_offset=2 * RECORD, window_length=3 * RECORD),
        situation=SIZED_ONLY,
    ),
    row(
        "record-number",
        "3.6.1.1, 3.6.2.2",
        "a window sets the record number",
        ask(MoverSetWindow(2 * RECORD, 3 * RECORD)),
        ask(MoverGetState(), record_num=2),
        situation=SIZED_ONLY,
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
    row(
        "odd.idle",
        "3.6.2.2",
        "a window off the records is accepted in IDLE, where the mode is not known",
        ask(MoverSetWindow(100, 3 * RECORD)),
        situation=SIZED,
        level=SHOULD,
        note="It has to be refused by MOVER_LISTEN and MOVER_CONNECT.",
    ),
    row(
        "odd.listen",
        "3.6.2.4",
        "MOVER_LISTEN for reading the tape refuses an offset off the records",
        _odd_window(100, 3 * RECORD),
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=SIZED,
    ),
    row(
        "odd.connect",
        "3.6.2.3",
        "MOVER_CONNECT for reading the tape refuses an offset off the records",
        _odd_window(100, 3 * RECORD),
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.PRECONDITION),
        situation=SIZED,
    ),
    row(
        "odd.length",
        "3.6.2.4, 3.6.1.1",
        "MOVER_LISTEN for reading the tape accepts any length",
        ask(MoverSetWindow(0, RECORD + 100)),
        ask(MoverListen(WRITE, TCP)),
        situation=SIZED,
        note="A window may end with the stream.",
    ),
    row(
        "odd.paused",
        "3.6.2.2",
        "in PAUSED an offset off the records is refused",
        ask(MoverSetWindow(100, RECORD), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    row(
        "zero.paused",
        "3.6.2.2",
        "in PAUSED a window of length 0 is refused",
        ask(MoverSetWindow(0, 0), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    row(
        "over.paused",
        "3.6.2.2",
        "in PAUSED a window that overflows is refused",
        ask(MoverSetWindow(RECORD, ALL_ONES_64), E.ILLEGAL_ARGS),
        situation=PAUSED,
    ),
    row(
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
