"""Every request in every state, as tables that are written down here from the draft and from nothing else.

A cell lists the errors that are accepted; 0 is NO_ERR, ``.`` is not asked, as it stands elsewhere or would do harm.
Where the draft contradicts itself every reading is accepted, and the note says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, SHOULD, Check, Level, Need, Situation, Step, rows
from duplicator.conformance.needs import DATA, DATA_LISTEN, FILEHIST, TAPE, TAPE_CDB
from duplicator.conformance.requests import NOWHERE, TEST_UNIT_READY
from duplicator.conformance.situations import (
    ACTIVE,
    DATA_ACTIVE,
    DATA_CONNECTED,
    DATA_HALTED,
    DATA_LISTENING,
    HALTED,
    LISTENING,
    LOGGED_IN,
    PAUSED,
    RECORD,
    WINDOWED,
    tape_name,
)
from duplicator.conformance.steps import ask
from ndmp.enums import AddressType, CdbFlag, DataState, Error, MoverMode, MoverState, TapeOpenMode, TapeOperation
from ndmp.messages import data as d
from ndmp.messages import mover as m
from ndmp.messages import tape as t
from ndmp.types import TcpAddress, wire_address

__all__ = ["CHECKS", "DATA_TABLE", "MOVER_TABLE", "TAPE_TABLE", "cells"]

NOBODY: Final = wire_address(TcpAddress("127.0.0.1", 1))
AnyRequest: TypeAlias = Any

MOVER_TABLE: Final = """
                        IDLE  LISTEN ACTIVE PAUSED HALTED
MOVER_GET_STATE         0     0      0      0      0
MOVER_SET_RECORD_SIZE   0     19     19     19     19
MOVER_SET_WINDOW        0     19     19     0      19
MOVER_LISTEN            0     19     19     19     19
MOVER_CONNECT           .     19     19     19     19
MOVER_READ              19    19     0      19     19
MOVER_CONTINUE          19    19     19     26     19
MOVER_CLOSE             19    19     19     0      19
MOVER_ABORT             19    0      0      0      0
MOVER_STOP              19    19     19     19     0
"""
"""Draft 2.11.6 and the errors of 3.6.2.1 to 3.6.2.10."""

TAPE_TABLE: Final = """
                  IDLE LISTEN ACTIVE PAUSED HALTED
TAPE_OPEN         2/3  2/3    2/3    2/3    2/3
TAPE_CLOSE        0    2      2      0      0
TAPE_GET_STATE    0    0      0      0      0
TAPE_MTIO         0    .      2/19   0      0
TAPE_READ         .    2      2      .      .
TAPE_WRITE        5    2/5    2/5    5      5
TAPE_EXECUTE_CDB  0    .      2/19   0      0
"""
"""Draft 2.11.4 and the errors of 3.4.2 to 3.4.8: a tape is open for reading, and the mover is in each state."""

DATA_TABLE: Final = """
                             IDLE LISTEN CONNECTED ACTIVE HALTED
DATA_GET_STATE               0    0      0         0      0
DATA_LISTEN                  0    19     19        19     19
DATA_CONNECT                 .    19     19        19     19
DATA_START_BACKUP            19   19     .         19     19
DATA_START_RECOVER           19   19     .         19     19
DATA_START_RECOVER_FILEHIST  19   19     .         19     19
DATA_ABORT                   19   0      0         0      0
DATA_GET_ENV                 19   19     19        0      0
DATA_STOP                    19   19     19        19     0
"""
"""Draft 2.11.5 and the errors of 3.5.2.1 to 3.5.2.9."""


def cells(table: str) -> Iterator[tuple[str, str, frozenset[Error]]]:
    """Request, state and accepted errors of each cell that is asked."""
    head, *lines = (line.split() for line in table.strip().splitlines())
    for name, *row in lines:
        for state, cell in zip(head, row, strict=True):
            if cell != ".":
                yield name, state, frozenset(Error(int(number)) for number in cell.split("/"))


_MOVER: Final[Mapping[str, tuple[str, AnyRequest]]] = {
    "MOVER_GET_STATE": ("3.6.2.6", m.MoverGetState()),
    "MOVER_SET_RECORD_SIZE": ("3.6.2.1", m.MoverSetRecordSize(RECORD)),
    "MOVER_SET_WINDOW": ("3.6.2.2", m.MoverSetWindow(0, 2 * RECORD)),
    "MOVER_LISTEN": ("3.6.2.4", m.MoverListen(MoverMode.WRITE, AddressType.TCP)),
    "MOVER_CONNECT": ("3.6.2.3", m.MoverConnect(MoverMode.WRITE, NOBODY)),
    "MOVER_READ": ("3.6.2.5", m.MoverRead(8 * RECORD, RECORD)),  # outside the window: nothing is read from tape
    "MOVER_CONTINUE": ("3.6.2.7", m.MoverContinue()),
    "MOVER_CLOSE": ("3.6.2.8", m.MoverClose()),
    "MOVER_ABORT": ("3.6.2.9", m.MoverAbort()),
    "MOVER_STOP": ("3.6.2.10", m.MoverStop()),
}
_TAPE: Final[Mapping[str, tuple[str, AnyRequest]]] = {
    "TAPE_OPEN": ("3.4.2", lambda bench: t.TapeOpen(tape_name(bench), TapeOpenMode.READ)),
    "TAPE_CLOSE": ("3.4.3", t.TapeClose()),
    "TAPE_GET_STATE": ("3.4.4", t.TapeGetState()),
    "TAPE_MTIO": ("3.4.5", t.TapeMtio(TapeOperation.REW, 1)),
    "TAPE_READ": ("3.4.7", t.TapeRead(512)),
    "TAPE_WRITE": ("3.4.6", t.TapeWrite(b"block" * 100)),
    "TAPE_EXECUTE_CDB": ("3.4.8", t.TapeExecuteCdb(CdbFlag(0), 5000, 0, TEST_UNIT_READY, b"")),
}
_NAME: Final = d.RecoverName("/none", "/none", "", "", 0, 0)
_DATA: Final[Mapping[str, tuple[str, AnyRequest]]] = {
    "DATA_GET_STATE": ("3.5.2.6", d.DataGetState()),
    "DATA_LISTEN": ("3.5.2.2", d.DataListen(AddressType.TCP)),
    "DATA_CONNECT": ("3.5.2.1", d.DataConnect(NOBODY)),
    "DATA_START_BACKUP": ("3.5.2.3", lambda bench: d.DataStartBackup(_butype(bench), ())),
    "DATA_START_RECOVER": ("3.5.2.4", lambda bench: d.DataStartRecover((), (_NAME,), _butype(bench))),
    "DATA_START_RECOVER_FILEHIST": (
        "3.5.2.5",
        lambda bench: d.DataStartRecoverFilehist((), (_NAME,), _butype(bench)),
    ),
    "DATA_ABORT": ("3.5.2.9", d.DataAbort()),
    "DATA_GET_ENV": ("3.5.2.7", d.DataGetEnv()),
    "DATA_STOP": ("3.5.2.8", d.DataStop()),
}


def _butype(bench: Bench) -> str:
    """A type that the host has, so that nothing but the state is wrong."""
    return bench.target.permissions.butype or (*bench.facts.butypes, NOWHERE)[0]


_MOVER_STATES: Final[Mapping[str, Situation]] = {
    "IDLE": WINDOWED,
    "LISTEN": LISTENING,
    "ACTIVE": ACTIVE,
    "PAUSED": PAUSED,
    "HALTED": HALTED,
}
_DATA_STATES: Final[Mapping[str, Situation]] = {
    "IDLE": LOGGED_IN,
    "LISTEN": DATA_LISTENING,
    "CONNECTED": DATA_CONNECTED,
    "ACTIVE": DATA_ACTIVE,
    "HALTED": DATA_HALTED,
}
_NEEDS: Final[Mapping[str, tuple[Need, ...]]] = {
    "TAPE_EXECUTE_CDB": (TAPE_CDB,),
    "DATA_LISTEN": (DATA_LISTEN,),
    "DATA_START_RECOVER_FILEHIST": (FILEHIST,),
}
_HALTED_NOTE: Final = "The text allows it in any state but IDLE; the diagram shows nothing for it in HALTED."
_NOTES: Final[Mapping[tuple[str, str], tuple[Level, str]]] = {
    ("MOVER_ABORT", "HALTED"): (SHOULD, _HALTED_NOTE),
    ("DATA_ABORT", "HALTED"): (SHOULD, _HALTED_NOTE),
    ("DATA_GET_ENV", "HALTED"): (SHOULD, "Before any operation there is no environment: some hosts refuse."),
    ("TAPE_MTIO", "ACTIVE"): (
        MUST,
        "2.11.4 forbids it and names no error: DEVICE_BUSY and ILLEGAL_STATE are accepted.",
    ),
    ("TAPE_EXECUTE_CDB", "ACTIVE"): (
        MUST,
        "2.11.4 forbids it and names no error: DEVICE_BUSY and ILLEGAL_STATE are accepted.",
    ),
    **{
        ("TAPE_OPEN", state): (MUST, "2.11.4 and 2.8.1 say BUSY where 3.4.2 says DEVICE_OPENED: both are accepted.")
        for state in _MOVER_STATES
    },
}


def _checks(
    table: str,
    requests: Mapping[str, tuple[str, AnyRequest]],
    states: Mapping[str, Situation],
    *,
    need: Need,
    state_of: Mapping[str, Step],
) -> Iterator[Check]:
    """One check a cell: the error, and that a refusal changes no state (2.11.1)."""
    for name, state, errors in cells(table):
        section, request = requests[name]
        level, note = _NOTES.get((name, state), (MUST, ""))
        is_refused = Error.NO_ERR not in errors
        unchanged = (state_of[state],) if is_refused else ()
        verb = "is refused" if is_refused else "is accepted"
        yield Check(
            f"{name}.{state}",
            section,
            level,
            f"{name} {verb} while {'the data service' if need is DATA else 'the mover'} is {state}",
            states[state],
            (ask(request, *sorted(errors)), *unchanged),
            (need, *_NEEDS.get(name, ())),
            note,
        )


_IS_MOVER: Final = {state: ask(m.MoverGetState(), state=MoverState[state]) for state in _MOVER_STATES}
_IS_DATA: Final = {state: ask(d.DataGetState(), state=DataState[state]) for state in _DATA_STATES}

CHECKS: Final[tuple[Check, ...]] = (
    *rows("state", *_checks(MOVER_TABLE, _MOVER, _MOVER_STATES, need=TAPE, state_of=_IS_MOVER)),
    *rows("state", *_checks(TAPE_TABLE, _TAPE, _MOVER_STATES, need=TAPE, state_of=_IS_MOVER)),
    *rows("state", *_checks(DATA_TABLE, _DATA, _DATA_STATES, need=DATA, state_of=_IS_DATA)),
)
