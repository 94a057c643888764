"""Steps for tapes: blocks, marks, motions, and where the tape stands."""

from __future__ import annotations

from functools import cache
from struct import pack
from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import Situation, Step
from duplicator.conformance.expectation import unknown_or
from duplicator.conformance.situations import RECORD, WRITABLE, open_tape, rewind
from duplicator.conformance.steps import ask
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeRead, TapeWrite

__all__ = [
    "BLOCKS",
    "LARGEST",
    "RECORDED",
    "TWO_FILES",
    "at",
    "bsf",
    "bsr",
    "ends",
    "fsf",
    "fsr",
    "mark",
    "pattern",
    "read",
    "read_blank",
    "read_mark",
    "recorded",
    "reopen",
    "stream",
    "write",
]

LARGEST: Final = 64 * 1024


def pattern(number: int, size: int = 512) -> bytes:
    """A block that is like no other."""
    return bytes((number * 7 + at * 13 + at // 251) & 0xFF for at in range(size))


@cache
def stream(size: int) -> bytes:
    """Bytes of a data stream, different everywhere."""
    count = -(-size // 4)
    return pack(f">{count}I", *range(0x5A000000, 0x5A000000 + count))[:size]


def write(block: bytes) -> Step:
    """Write a block."""
    return ask(TapeWrite(block), count=len(block))


def read(block: bytes, size: int = LARGEST) -> Step:
    """Read; this block comes."""
    return ask(TapeRead(size), block=block)


read_mark: Final = ask(TapeRead(LARGEST), Error.EOF)
"""Read, and meet a filemark."""
read_blank: Final = ask(TapeRead(LARGEST), Error.EOM)
"""Read, and meet the end of what is recorded."""


def _motion(operation: TapeOperation, count: int, left: int) -> Step:
    return ask(TapeMtio(operation, count), resid_count=left)


def ends() -> Step:
    """No mark is ahead, so that nothing more is recorded; other than a read, this does not depend on its error."""
    return _motion(TapeOperation.FSF, 1, 1)


def mark(count: int = 1) -> Step:
    """Write filemarks."""
    return _motion(TapeOperation.EOF, count, 0)


def fsf(count: int = 1, *, left: int = 0) -> Step:
    """Space over filemarks; so many are not done."""
    return _motion(TapeOperation.FSF, count, left)


def bsf(count: int = 1, *, left: int = 0) -> Step:
    """Space back over filemarks; so many are not done."""
    return _motion(TapeOperation.BSF, count, left)


def fsr(count: int = 1, *, left: int = 0) -> Step:
    """Space over blocks; so many are not done."""
    return _motion(TapeOperation.FSR, count, left)


def bsr(count: int = 1, *, left: int = 0) -> Step:
    """Space back over blocks; so many are not done."""
    return _motion(TapeOperation.BSR, count, left)


def at(file: int, block: int) -> Step:
    """The tape stands behind so many marks, and behind so many blocks after the last; what is unknown is accepted."""
    return ask(TapeGetState(), file_num=unknown_or(file), blockno=unknown_or(block))


def reopen(mode: TapeOpenMode = TapeOpenMode.READ) -> Step:
    """Close the tape, open it again, rewind."""

    async def step(bench: Bench) -> None:
        await bench.ask(TapeClose())
        await open_tape(mode)(bench)
        await rewind(bench)

    return step


BLOCKS: Final = (pattern(1, 512), pattern(2, 1024), pattern(3, 512), pattern(4, 2048), pattern(5, 512))
TWO_FILES: Final[Situation] = WRITABLE.then(
    "two files on tape: three blocks and a mark, two blocks and a mark; at its beginning",
    *map(write, BLOCKS[:3]),
    mark(),
    *map(write, BLOCKS[3:]),
    mark(),
    rewind,
)


def recorded(records: int) -> tuple[Step, ...]:
    """Write so many records of a stream, and a mark; then rewind."""
    whole = stream(records * RECORD)
    return (*(write(whole[at : at + RECORD]) for at in range(0, len(whole), RECORD)), mark(), rewind)


RECORDED: Final[Situation] = WRITABLE.then("six records and a mark on tape, at its beginning", *recorded(6))
