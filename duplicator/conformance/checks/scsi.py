"""Media changers by their commands (draft 3.3). Nothing is moved."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, rows
from duplicator.conformance.expectation import Want, at_least, either
from duplicator.conformance.needs import SCSI, SCSI_DEVICE, TAPE, TAPE_DEVICE
from duplicator.conformance.requests import NOWHERE, TEST_UNIT_READY
from duplicator.conformance.situations import LOGGED_IN, READABLE, ROBOT, tape_name
from duplicator.conformance.steps import ask, on
from ndmp.enums import CdbFlag, Error, TapeOpenMode
from ndmp.messages.scsi import (
    ScsiClose,
    ScsiExecuteCdb,
    ScsiGetState,
    ScsiOpen,
    ScsiResetDevice,
)
from ndmp.messages.tape import TapeClose, TapeGetState, TapeOpen

__all__ = ["CHECKS"]

E: Final = Error
OPEN: Final = (E.DEVICE_OPENED, E.DEVICE_BUSY)
_TWO_NAMES: Final = "2.11.4 says BUSY where 3.3.1, 3.4.2 and 2.8.1 say DEVICE_OPENED: both are accepted."
INQUIRY: Final = bytes((0x12, 0, 0, 0, 36, 0))
NO_SUCH_COMMAND: Final = bytes((0xFF, 0, 0, 0, 0, 0))
CHECK_CONDITION: Final = 2


def _robot(bench: Bench) -> str:
    return bench.target.permissions.scsi or ""


def _execute(cdb: bytes, *, reads: int = 0, flags: CdbFlag | None = None, timeout_ms: int = 5000) -> ScsiExecuteCdb:
    usual = CdbFlag.DATA_IN if reads else CdbFlag(0)
    return ScsiExecuteCdb(usual if flags is None else flags, timeout_ms, reads, cdb, b"")


CHECKS: Final[tuple[Check, ...]] = rows(
    "scsi",
    Check(
        "open.nothing",
        "3.3.1",
        MUST,
        "a device that is not there is refused",
        LOGGED_IN,
        (ask(ScsiOpen(NOWHERE), E.NO_DEVICE),),
        (SCSI,),
    ),
    Check(
        "close.closed",
        "3.3.2",
        MUST,
        "SCSI_CLOSE with nothing open",
        LOGGED_IN,
        (ask(ScsiClose(), E.DEV_NOT_OPEN),),
        (SCSI,),
    ),
    Check(
        "state.closed",
        "3.3.3",
        MUST,
        "SCSI_GET_STATE with nothing open",
        LOGGED_IN,
        (ask(ScsiGetState(), E.DEV_NOT_OPEN, E.NOT_SUPPORTED),),
        (SCSI,),
    ),
    Check(
        "reset.closed",
        "3.3.4",
        MUST,
        "SCSI_RESET_DEVICE with nothing open",
        LOGGED_IN,
        (ask(ScsiResetDevice(), E.DEV_NOT_OPEN, E.NOT_SUPPORTED),),
        (SCSI,),
    ),
    Check(
        "cdb.closed",
        "3.3.5",
        MUST,
        "SCSI_EXECUTE_CDB with nothing open",
        LOGGED_IN,
        (ask(_execute(TEST_UNIT_READY), E.DEV_NOT_OPEN),),
        (SCSI,),
    ),
    Check(
        "open",
        "3.3.1",
        MUST,
        "a changer opens and closes",
        LOGGED_IN,
        (ask(lambda bench: ScsiOpen(_robot(bench))), ask(ScsiClose())),
        (SCSI, SCSI_DEVICE),
    ),
    Check(
        "open.again",
        "3.3.1",
        MUST,
        "a second device is refused",
        ROBOT,
        (ask(lambda bench: ScsiOpen(_robot(bench)), *OPEN),),
        note=_TWO_NAMES,
    ),
    Check(
        "open.tape",
        "3.4.2, 2.11.4",
        MUST,
        "a tape is refused while a changer is open",
        ROBOT,
        (ask(lambda bench: TapeOpen(tape_name(bench), TapeOpenMode.READ), *OPEN),),
        (TAPE, TAPE_DEVICE),
        note=_TWO_NAMES,
    ),
    Check(
        "open.robot",
        "3.3.1, 2.11.4",
        MUST,
        "a changer is refused while a tape is open",
        READABLE,
        (ask(lambda bench: ScsiOpen(_robot(bench)), *OPEN),),
        (SCSI, SCSI_DEVICE),
        note=_TWO_NAMES,
    ),
    Check(
        "open.other",
        "3.3.1",
        MUST,
        "a changer that another session has open is busy",
        ROBOT,
        (on("other", ask(lambda bench: ScsiOpen(_robot(bench)), E.DEVICE_BUSY)),),
    ),
    Check(
        "open.released",
        "3.3.2",
        MUST,
        "a changer that was closed opens for another session",
        ROBOT,
        (ask(ScsiClose()), on("other", ask(lambda bench: ScsiOpen(_robot(bench))))),
    ),
    Check(
        "closed.twice",
        "3.3.2",
        MUST,
        "a second SCSI_CLOSE is refused",
        ROBOT,
        (ask(ScsiClose()), ask(ScsiClose(), E.DEV_NOT_OPEN)),
    ),
    Check(
        "tape.closed",
        "3.4.4",
        MUST,
        "a changer that is open is no open tape",
        ROBOT,
        (ask(TapeGetState(), E.DEV_NOT_OPEN), ask(TapeClose(), E.DEV_NOT_OPEN)),
        (TAPE,),
    ),
    Check(
        "state",
        "3.3.3",
        MUST,
        "SCSI_GET_STATE is answered, or NOT_SUPPORTED",
        ROBOT,
        (ask(ScsiGetState(), E.NO_ERR, E.NOT_SUPPORTED),),
    ),
    Check("cdb", "3.3.5", MUST, "TEST UNIT READY runs", ROBOT, (ask(_execute(TEST_UNIT_READY)),)),
    Check(
        "cdb.in",
        "3.3.5",
        MUST,
        "INQUIRY gives 36 bytes, of a media changer",
        ROBOT,
        (
            ask(
                _execute(INQUIRY, reads=36),
                status=0,
                datain=Want("36 bytes of a media changer (type 8)", lambda d: len(d) == 36 and d[0] & 0x1F == 8),
            ),
        ),
    ),
    Check(
        "cdb.truncated",
        "3.3.5",
        MUST,
        "no more than datain_len comes back",
        ROBOT,
        (ask(_execute(INQUIRY, reads=8), datain=Want("8 bytes at most", lambda d: len(d) <= 8)),),
    ),
    Check(
        "cdb.unasked",
        "3.3.5",
        SHOULD,
        "a command without DATA_IN gives no bytes",
        ROBOT,
        (ask(_execute(TEST_UNIT_READY), datain=b""),),
    ),
    Check(
        "cdb.refused",
        "3.3.5",
        MUST,
        "a command that the device refuses is no error: status and sense tell",
        ROBOT,
        (
            ask(
                _execute(NO_SUCH_COMMAND),
                status=CHECK_CONDITION,
                sense=Want("sense data", lambda sense: len(sense) >= 3),
            ),
        ),
    ),
    Check(
        "cdb.empty",
        "3.3.5",
        MUST,
        "a command of no bytes is refused",
        ROBOT,
        (ask(_execute(b""), E.ILLEGAL_ARGS, E.IO, E.NOT_SUPPORTED),),
        note="IO and NOT_SUPPORTED are what a local driver may say of it.",
    ),
    Check(
        "cdb.forever",
        "3.3.5",
        MUST,
        "a timeout of 0 waits for the command",
        ROBOT,
        (ask(_execute(TEST_UNIT_READY, timeout_ms=0), status=either(0, 2)),),
    ),
    Check(
        "cdb.sent",
        "3.3.5",
        SHOULD,
        "a command that sends nothing says so",
        ROBOT,
        (ask(_execute(TEST_UNIT_READY), dataout_len=0, status=at_least(0)),),
    ),
)
