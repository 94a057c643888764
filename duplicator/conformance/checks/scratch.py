"""A tape that may be written: blocks, marks, motions, counts, and filemarks that nobody asked for (draft 3.4)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.expectation import either
from duplicator.conformance.situations import WRITABLE, open_tape, rewind
from duplicator.conformance.steps import answered, ask
from duplicator.conformance.tapes import (
    BLOCKS,
    TWO_FILES,
    at,
    bsf,
    bsr,
    ends,
    fsf,
    fsr,
    mark,
    pattern,
    read,
    read_blank,
    read_mark,
    reopen,
    write,
)
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeRead, TapeWrite
from ndmp.types import ALL_ONES_32

__all__ = ["CHECKS"]

E: Final = Error
FIRST, SECOND, THIRD, FOURTH, FIFTH = BLOCKS
_UNMARKED: Final = WRITABLE.then("one block written, and no mark", write(FIRST))


def _row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = TWO_FILES,
    level: Level = MUST,
    note: str = "",
) -> Check:
    return Check(name, section, level, title, situation, steps, (), note)


_BLOCKS = rows(
    "blocks",
    *(
        _row(
            f"size.{size}",
            "3.4.6, 3.4.7",
            f"a block of {size} bytes comes back as it was",
            write(pattern(9, size)),
            mark(),
            rewind,
            read(pattern(9, size)),
            read_mark,
            situation=WRITABLE,
        )
        for size in (512, 1000, 1024, 10240, 32768, 65536)
    ),
    _row("order", "3.4.7", "blocks come back in order", read(FIRST), read(SECOND), read(THIRD), read_mark),
    _row("exact", "3.4.7", "a read of exactly a block's size", read(FIRST, 512), read(SECOND, 1024)),
    _row("longer", "3.4.7", "a read gives one block at most", read(FIRST, 4096)),
    _row(
        "shorter",
        "3.4.7",
        "what a read has no room for is lost",
        ask(TapeRead(100), block=FIRST[:100]),
        read(SECOND),
    ),
    _row("empty.read", "3.4.7", "a read of no bytes moves nothing", ask(TapeRead(0), block=b""), read(FIRST)),
    _row(
        "empty.write",
        "3.4.6",
        "a block of no bytes is none: NO_ERR, count 0",
        ask(TapeWrite(b""), count=0),
        situation=WRITABLE,
    ),
    _row(
        "empty.write.data",
        "3.4.6",
        "a block of no bytes leaves what is on tape",
        ask(TapeWrite(b""), count=0),
        read(FIRST),
        read(SECOND),
    ),
    _row("mark", "3.4.7", "a read at a mark is EOF", fsr(3), read_mark),
    _row(
        "mark.again",
        "3.4.7",
        "and so is the next, for the tape stays before it",
        fsr(3),
        read_mark,
        read_mark,
        at(0, 3),
    ),
    _row("mark.over", "3.4.7", "FSF 1 passes a mark that a read met", fsr(3), read_mark, fsf(), read(FOURTH)),
    _row("blank", "3.4.7", "a read behind all that is recorded is EOM", fsf(2), read_blank),
    _row("blank.again", "3.4.7", "and so is the next", fsf(2), read_blank, read_blank, at(2, 0)),
    _row(
        "overwrite",
        "3.4.6",
        "what is written ends the tape",
        write(FIFTH),
        mark(),
        rewind,
        read(FIFTH),
        read_mark,
        fsf(),
        ends(),
        level=SHOULD,
        note="The draft leaves it to tapes.",
    ),
    _row(
        "append",
        "3.4.6",
        "more can be written behind what is there",
        fsf(2),
        write(FIRST),
        mark(),
        rewind,
        fsf(2),
        read(FIRST),
        read_mark,
    ),
    _row(
        "raw", "3.4.2", "a tape opens in RAW mode, and can be written", reopen(TapeOpenMode.RAW), write(FIRST), mark()
    ),
    _row(
        "kept",
        "3.4.3",
        "what is on tape is there after a close",
        reopen(),
        read(FIRST),
        read(SECOND),
        read(THIRD),
        read_mark,
    ),
    _row(
        "busy.never",
        "3.4.5",
        "nothing fails because a rewind has not ended",
        fsf(2),
        rewind,
        read(FIRST),
        fsf(),
        rewind,
        ask(TapeGetState()),
    ),
)

_MARKS = rows(
    "marks",
    _row(
        "two",
        "3.4.5",
        "two marks at once",
        mark(2),
        rewind,
        read_mark,
        fsf(),
        read_mark,
        fsf(),
        ends(),
        situation=WRITABLE,
    ),
    _row("none", "3.4.5", "no mark is written if none is asked for", mark(0), read(FIRST)),
    _row(
        "counted",
        "3.4.4",
        "a mark that is written counts",
        at(0, 1),
        mark(),
        at(1, 0),
        mark(),
        at(2, 0),
        situation=_UNMARKED,
    ),
)

_MOTIONS = rows(
    "motion",
    _row("FSF", "3.4.5", "FSF stops behind the mark", fsf(), at(1, 0), read(FOURTH)),
    _row("FSF.2", "3.4.5", "FSF 2 passes two marks", fsf(2), at(2, 0), ends()),
    _row("FSF.end", "3.4.5", "FSF into blank tape tells what is left", fsf(5, left=3), at(2, 0), ends()),
    _row("BSF", "3.4.5", "BSF stops before the mark", fsf(2), bsf(), read_mark),
    _row("BSF.2", "3.4.5", "BSF 2 stops before the mark before", fsf(2), bsf(2), read_mark, fsf(), read(FOURTH)),
    _row(
        "BSF.start", "3.4.5", "BSF into the beginning tells what is left", fsf(2), bsf(3, left=1), at(0, 0), read(FIRST)
    ),
    _row("FSR", "3.4.5", "FSR passes blocks", fsr(2), at(0, 2), read(THIRD)),
    _row("FSR.mark", "3.4.5", "FSR stops before a mark, and tells what is left", fsr(10, left=7), at(0, 3), read_mark),
    _row("FSR.mark.again", "3.4.5", "and does nothing more there", fsr(3), fsr(1, left=1), fsr(4, left=4), read_mark),
    _row("FSR.end", "3.4.5", "FSR into blank tape tells what is left", fsf(2), fsr(2, left=2), at(2, 0), ends()),
    _row("BSR", "3.4.5", "BSR passes blocks back", fsr(3), bsr(2), at(0, 1), read(SECOND)),
    _row(
        "BSR.mark",
        "3.4.5",
        "BSR stops behind a mark, and tells what is left",
        fsf(),
        fsr(1),
        bsr(5, left=4),
        read(FOURTH),
    ),
    _row("BSR.mark.again", "3.4.5", "and does nothing more there", fsf(), bsr(1, left=1), bsr(2, left=2), read(FOURTH)),
    _row(
        "BSR.start", "3.4.5", "BSR into the beginning tells what is left", fsr(2), bsr(5, left=3), at(0, 0), read(FIRST)
    ),
    _row(
        "resid.huge",
        "3.4.5",
        "large counts are counted right",
        fsr(1_000_000, left=999_997),
        fsf(1_000_000, left=999_998),
        bsf(1_000_000, left=999_998),
    ),
    _row(
        "zero",
        "3.4.5",
        "a count of 0 moves nothing, wherever the tape stands",
        fsr(1),
        fsf(0),
        bsf(0),
        fsr(0),
        bsr(0),
        read(SECOND),
    ),
    _row(
        "read.counts",
        "3.4.4",
        "blocks that are read count",
        read(FIRST),
        at(0, 1),
        read(SECOND),
        at(0, 2),
        fsf(),
        at(1, 0),
    ),
    _row(
        "write.counts", "3.4.4", "blocks that are written count", at(0, 1), write(SECOND), at(0, 2), situation=_UNMARKED
    ),
    _row(
        "BSF.unknown",
        "3.4.4",
        "after BSF the block number is right or unknown",
        fsf(2),
        bsf(),
        ask(TapeGetState(), file_num=either(1, ALL_ONES_32), blockno=either(2, ALL_ONES_32)),
    ),
    _row(
        "FSF.known",
        "3.4.4",
        "a block number that was unknown is 0 again behind FSF",
        fsf(2),
        bsf(),
        fsf(),
        ask(TapeGetState(), blockno=0),
    ),
    _row("rewind", "3.4.5", "a rewind ends at the beginning", fsf(), read(FOURTH), rewind, at(0, 0), read(FIRST)),
)

_IMPLICIT_NOTE: Final = "Without the mark the read would meet blank tape: EOM."
_IMPLICIT = rows(
    "implicit",
    _row(
        "rewind",
        "3.4.1",
        "a rewind ends what was written with a mark",
        rewind,
        read(FIRST),
        read_mark,
        situation=_UNMARKED,
        note=_IMPLICIT_NOTE,
    ),
    _row(
        "close",
        "3.4.1",
        "a close ends what was written with a mark",
        reopen(),
        read(FIRST),
        read_mark,
        situation=_UNMARKED,
        note=_IMPLICIT_NOTE,
    ),
    _row("BSF", "3.4.1", "BSF finds the mark that ends what was written", bsf(), read_mark, situation=_UNMARKED),
    _row(
        "BSR",
        "3.4.1",
        "BSR stops at the mark that ends what was written",
        bsr(1, left=1),
        at(1, 0),
        situation=_UNMARKED,
    ),
    _row(
        "FSF",
        "3.4.1",
        "FSF begins behind the mark that ends what was written",
        fsf(1, left=1),
        at(1, 0),
        situation=_UNMARKED,
    ),
    _row(
        "FSR",
        "3.4.1",
        "FSR begins behind the mark that ends what was written",
        fsr(1, left=1),
        at(1, 0),
        situation=_UNMARKED,
    ),
    _row(
        "TUR",
        "3.4.1",
        "TUR writes no mark",
        answered(TapeMtio(TapeOperation.TUR, 1)),
        write(SECOND),
        mark(),
        rewind,
        read(FIRST),
        read(SECOND),
        read_mark,
        situation=_UNMARKED,
    ),
    _row("EOF", "3.4.1", "EOF writes no mark besides its own", mark(), rewind, fsf(), ends(), situation=_UNMARKED),
    _row(
        "marked",
        "3.4.1",
        "a close writes no mark where there is one",
        mark(),
        reopen(),
        fsf(),
        ends(),
        situation=_UNMARKED,
    ),
    _row(
        "unwritten",
        "3.4.1",
        "nothing is written by who has not written",
        read(FIRST),
        reopen(TapeOpenMode.RDWR),
        read(FIRST),
        read(SECOND),
        read(THIRD),
        read_mark,
    ),
    _row(
        "state",
        "3.4.1",
        "the state tells of the block, and writes no mark",
        at(0, 1),
        write(SECOND),
        mark(),
        rewind,
        fsr(2),
        read_mark,
        situation=_UNMARKED,
    ),
    _row(
        "empty",
        "3.4.1, 3.4.6",
        "a block of no bytes needs no mark",
        ask(TapeWrite(b""), count=0),
        reopen(),
        read(FIRST),
        read(SECOND),
    ),
    _row(
        "again",
        "3.4.1",
        "after a mark that nobody asked for another is due for the next block",
        rewind,
        fsf(),
        write(SECOND),
        ask(TapeClose()),
        open_tape(TapeOpenMode.READ),
        rewind,
        fsf(2),
        ends(),
        situation=_UNMARKED,
    ),
)

CHECKS: Final[tuple[Check, ...]] = (*_BLOCKS, *_MARKS, *_MOTIONS, *_IMPLICIT)
