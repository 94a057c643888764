"""A drive that is opened for reading: nothing is written (draft 3.4)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MAY, MUST, SHOULD, Check, Situation, Step, rows
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.expectation import ANY_ANSWER, Want, either
from duplicator.conformance.needs import TAPE, TAPE_CDB, TAPE_DEVICE
from duplicator.conformance.requests import NOWHERE, TEST_UNIT_READY
from duplicator.conformance.situations import LOGGED_IN, READABLE, open_tape, tape_name
from duplicator.conformance.steps import ask, on, refused, same_session_answers
from ndmp.enums import CdbFlag, Error, TapeFlag, TapeOpenMode, TapeOperation, TapeUnsupported
from ndmp.messages.tape import (
    TapeClose,
    TapeExecuteCdb,
    TapeGetState,
    TapeGetStateReply,
    TapeMtio,
    TapeOpen,
    TapeRead,
    TapeWrite,
)
from ndmp.types import ALL_ONES_32, ALL_ONES_64

__all__ = ["CHECKS"]

E: Final = Error
_INQUIRY: Final = bytes((0x12, 0, 0, 0, 36, 0))
_UNKNOWN: Final = (
    (TapeUnsupported.FILE_NUM, "file_num", ALL_ONES_32),
    (TapeUnsupported.SOFT_ERRORS, "soft_errors", ALL_ONES_32),
    (TapeUnsupported.BLOCK_SIZE, "block_size", ALL_ONES_32),
    (TapeUnsupported.BLOCKNO, "blockno", ALL_ONES_32),
    (TapeUnsupported.TOTAL_SPACE, "total_space", ALL_ONES_64),
    (TapeUnsupported.SPACE_REMAIN, "space_remain", ALL_ONES_64),
)


def _open(mode: int) -> Step:
    return ask(lambda bench: TapeOpen(tape_name(bench), TapeOpenMode(mode)))


async def _unsupported_is_all_ones(bench: Bench) -> None:
    """What is not supported is all ones; and nothing else is told as not supported."""
    answer = await bench.ask(TapeGetState())
    state: TapeGetStateReply = bench.reply
    for bit, name, unknown in _UNKNOWN:
        if state.unsupported & bit and getattr(state, name) != unknown:
            came = f"{name} {getattr(state, name)}, and its bit says that it is not supported"
            raise Deviation(f"{name} all ones", came, sent=answer.sent, answer=answer.entry)


async def _huge_read(bench: Bench) -> None:
    """However it is answered, it is answered."""
    await bench.ask(TapeRead(0x80000000), ANY_ANSWER)


def _row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = READABLE,
    level: object = MUST,
    note: str = "",
) -> Check:
    return Check(name, section, level, title, situation, steps, (TAPE,), note)  # type: ignore[arg-type]


def _refused_closed(name: str, request: object) -> Check:
    step = ask(request, E.DEV_NOT_OPEN)  # type: ignore[arg-type]
    return _row(f"closed.{name}", "3.4", f"{name} is refused while no tape is open", step, situation=LOGGED_IN)


_IN_TABLE = rows(
    "tape",
    _refused_closed("TAPE_CLOSE", TapeClose()),
    _refused_closed("TAPE_GET_STATE", TapeGetState()),
    _refused_closed("TAPE_MTIO", TapeMtio(TapeOperation.REW, 1)),
    _refused_closed("TAPE_WRITE", TapeWrite(b"block")),
    _refused_closed("TAPE_READ", TapeRead(512)),
    Check(
        "closed.TAPE_EXECUTE_CDB",
        "3.4.8",
        MUST,
        "TAPE_EXECUTE_CDB is refused while no tape is open",
        LOGGED_IN,
        (ask(TapeExecuteCdb(CdbFlag(0), 1000, 0, TEST_UNIT_READY, b""), E.DEV_NOT_OPEN),),
        (TAPE, TAPE_CDB),
    ),
    _row(
        "open.nothing",
        "3.4.2",
        "a drive that is not there is refused",
        ask(TapeOpen(NOWHERE, TapeOpenMode.READ), E.NO_DEVICE),
        situation=LOGGED_IN,
    ),
    Check(
        "open",
        "3.4.2",
        MUST,
        "the tape opens for reading and closes",
        LOGGED_IN,
        (_open(0), ask(TapeClose())),
        (TAPE, TAPE_DEVICE),
    ),
    Check(
        "open.mode",
        "3.4.2",
        MUST,
        "an unknown mode is refused, and nothing is open then",
        LOGGED_IN,
        (
            ask(lambda bench: TapeOpen(tape_name(bench), TapeOpenMode(123)), E.ILLEGAL_ARGS),
            ask(TapeGetState(), E.DEV_NOT_OPEN),
        ),
        (TAPE, TAPE_DEVICE),
    ),
    _row(
        "open.again",
        "3.4.2, 2.11.4",
        "a second tape is refused, and the first stays open",
        ask(lambda bench: TapeOpen(tape_name(bench), TapeOpenMode.READ), E.DEVICE_OPENED, E.DEVICE_BUSY),
        ask(TapeGetState()),
        note="2.11.4 says BUSY where 3.4.2 says DEVICE_OPENED: both are accepted.",
    ),
    _row(
        "open.other",
        "3.4.2",
        "a tape that another session has open is busy",
        on("other", ask(lambda bench: TapeOpen(tape_name(bench), TapeOpenMode.READ), E.DEVICE_BUSY)),
    ),
    _row(
        "open.released",
        "3.4.3",
        "a tape that was closed opens for another session",
        ask(TapeClose()),
        on("other", open_tape(TapeOpenMode.READ)),
    ),
    _row("close.again", "3.4.3", "a second close is refused", ask(TapeClose()), ask(TapeClose(), E.DEV_NOT_OPEN)),
    _row("state", "3.4.4", "TAPE_GET_STATE is answered", ask(TapeGetState())),
    _row("state.unsupported", "3.4.4", "what is not supported is all ones", _unsupported_is_all_ones),
    _row(
        "state.bits",
        "3.4.4",
        "flags and unsupported fields are known bits",
        ask(
            TapeGetState(),
            unsupported=Want("known bits", lambda bits: not int(bits) & ~sum(TapeUnsupported)),
            flags=Want("known bits", lambda bits: not int(bits) & ~sum(TapeFlag)),
        ),
        level=SHOULD,
    ),
    _row(
        "state.bot",
        "3.4.4",
        "at its beginning the tape is in file 0",
        ask(TapeGetState(), file_num=either(0, ALL_ONES_32)),
        note="All ones: the host does not know.",
    ),
    _row(
        "state.bot.known",
        "3.4.4",
        "at its beginning file and block are known to be 0",
        ask(TapeGetState(), file_num=0, blockno=0),
    ),
    _row("mtio.rewind", "3.4.5", "a rewind leaves nothing undone", ask(TapeMtio(TapeOperation.REW, 1), resid_count=0)),
    _row(
        "mtio.rewind.0", "3.4.5", "the count of a rewind is ignored", ask(TapeMtio(TapeOperation.REW, 0), resid_count=0)
    ),
    _row("mtio.8", "3.4.5", "an unknown operation is refused", ask(TapeMtio(TapeOperation(8), 1), E.ILLEGAL_ARGS)),
    _row(
        "mtio.huge",
        "3.4.5",
        "a large unknown operation is refused",
        ask(TapeMtio(TapeOperation(0x7FFFFFFF), 1), E.ILLEGAL_ARGS),
    ),
    _row(
        "mtio.ready",
        "3.4.5",
        "TUR says that a tape is there, or is NOT_SUPPORTED",
        ask(TapeMtio(TapeOperation.TUR, 1), E.NO_ERR, E.NOT_SUPPORTED),
    ),
    *(
        _row(
            f"mtio.{name}.0",
            "3.4.5",
            f"{name} with count 0 moves nothing and leaves nothing undone",
            ask(TapeMtio(operation, 0), resid_count=0),
            ask(TapeGetState(), file_num=either(0, ALL_ONES_32), blockno=either(0, ALL_ONES_32)),
        )
        for name, operation in (
            ("FSF", TapeOperation.FSF),
            ("BSF", TapeOperation.BSF),
            ("FSR", TapeOperation.FSR),
            ("BSR", TapeOperation.BSR),
        )
    ),
    _row("mtio.BSF.bot", "3.4.5", "BSF stops at the beginning", ask(TapeMtio(TapeOperation.BSF, 3), resid_count=3)),
    _row("mtio.BSR.bot", "3.4.5", "BSR stops at the beginning", ask(TapeMtio(TapeOperation.BSR, 3), resid_count=3)),
    _row(
        "write.read-only",
        "3.4.6",
        "a block is refused by a tape that is open for reading",
        ask(TapeWrite(b"block" * 100), E.PERMISSION),
    ),
    _row(
        "mtio.mark.read-only",
        "3.4.2, 3.4.5",
        "a filemark is refused by a tape that is open for reading",
        refused(TapeMtio(TapeOperation.EOF, 1)),
        note="The draft names no error for it.",
    ),
    _row("read.0", "3.4.7", "a read of no bytes is answered with none", ask(TapeRead(0), block=b"")),
    Check(
        "read.2g", "3.4.7", MAY, "a read of 2 GiB is answered", READABLE, (_huge_read, same_session_answers), (TAPE,)
    ),
    Check(
        "cdb.ready",
        "3.4.8",
        MUST,
        "TEST UNIT READY runs on the drive",
        READABLE,
        (ask(TapeExecuteCdb(CdbFlag(0), 5000, 0, TEST_UNIT_READY, b""), status=0),),
        (TAPE_CDB,),
    ),
    Check(
        "cdb.inquiry",
        "3.4.8",
        MUST,
        "INQUIRY gives 36 bytes, of a tape drive",
        READABLE,
        (
            ask(
                TapeExecuteCdb(CdbFlag.DATA_IN, 5000, 36, _INQUIRY, b""),
                status=0,
                datain=Want("36 bytes of a tape drive (type 1)", lambda d: len(d) == 36 and d[0] & 0x1F == 1),
            ),
        ),
        (TAPE_CDB,),
    ),
    Check(
        "cdb.refused",
        "3.4.8",
        MUST,
        "a command that the drive refuses is no error: status and sense tell",
        READABLE,
        (
            ask(
                TapeExecuteCdb(CdbFlag(0), 5000, 0, bytes((0xFF, 0, 0, 0, 0, 0)), b""),
                status=2,
                sense=Want("sense data", lambda sense: len(sense) >= 3),
            ),
        ),
        (TAPE_CDB,),
    ),
)

CHECKS: Final[tuple[Check, ...]] = _IN_TABLE
