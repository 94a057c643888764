"""What the tables of the mover at work share: who writes, who reads, in which window."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import MUST, Check, Level, Situation, Step
from duplicator.conformance.situations import (
    RECORD,
    SMALL_BUFFER,
    WRITABLE,
    rewind,
)
from duplicator.conformance.steps import (
    ask,
    close_peer,
    connect_peer,
    keep,
    post,
    until,
)
from duplicator.conformance.tapes import (
    RECORDED,
    read,
    read_mark,
    recorded,
    stream,
)
from ndmp.enums import (
    AddressType,
    MoverHaltReason,
    MoverMode,
    MoverState,
)
from ndmp.messages.mover import (
    MoverGetState,
    MoverListen,
    MoverRead,
    MoverSetRecordSize,
    MoverSetWindow,
)
from ndmp.messages.notify import NotifyMoverHalted
from ndmp.types import ALL_ONES_64

__all__ = [
    "ALL",
    "CLOSED",
    "END",
    "FROM_TAPE",
    "FROM_WINDOW",
    "HELD_UP",
    "MANY",
    "PAD",
    "TO_TAPE",
    "TO_WINDOW",
    "halted_closed",
    "on_tape",
    "part",
    "row",
    "start",
]

ALL: Final = stream(8 * RECORD)
PAD: Final = 100
CLOSED: Final = MoverHaltReason.CONNECT_CLOSED
MANY: Final = 256
"""Records that no two socket buffers hold: 8 MiB."""


def part(first: int, count: int) -> bytes:
    """So many records of the stream."""
    return ALL[first * RECORD : (first + count) * RECORD]


def start(mode: MoverMode, offset: int, length: int, *, buffer_bytes: int = 0) -> tuple[Step, ...]:
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
    return WRITABLE.then(name, *start(MoverMode.READ, 0, length))


TO_TAPE: Final = _writing("a mover writes to tape, in an endless window", ALL_ONES_64)
TO_WINDOW: Final = _writing("a mover writes to tape, in a window of two records", 2 * RECORD)
FROM_TAPE: Final = RECORDED.then(
    "a mover reads six records from tape, in an endless window", *start(MoverMode.WRITE, 0, ALL_ONES_64)
)
FROM_WINDOW: Final = RECORDED.then(
    "a mover reads six records from tape, in a window of two", *start(MoverMode.WRITE, 0, 2 * RECORD)
)
HELD_UP: Final = WRITABLE.then(
    "a mover reads more than its peer takes",
    *recorded(MANY),
    *start(MoverMode.WRITE, 0, ALL_ONES_64, buffer_bytes=SMALL_BUFFER),
    ask(MoverRead(0, ALL_ONES_64)),
)


def row(
    name: str, section: str, title: str, situation: Situation, *steps: Step, level: Level = MUST, note: str = ""
) -> Check:
    """A check of a transfer."""
    return Check(name, section, level, title, situation, steps, (), note)


halted_closed: Final = post(NotifyMoverHalted, reason=CLOSED)
END: Final = (close_peer, halted_closed)
"""The peer closes, and the mover halts."""


def on_tape(*blocks: bytes) -> tuple[Step, ...]:
    """After a rewind these blocks are on the tape, and a mark."""
    return (rewind, *map(read, blocks), read_mark)
