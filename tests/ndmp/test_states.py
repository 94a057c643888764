"""The tables of states against what the draft says, written out: every state x every event."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from ndmp.enums import CdbFlag, DataState, Error, MoverState, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from ndmp.machine import Machine
from ndmp.messages import tape as t
from ndmp.states import (
    CONNECTION,
    DATA,
    MOVER,
    TAPE,
    ConnectionEvent,
    ConnectionState,
    DataTrigger,
    MoverTrigger,
    TapeState,
    TapeTrigger,
)
from ndmp.wire import Request
from tests.ndmp.driver import SITUATIONS, Driver

NO = "-"
"""Refused."""

CONNECTION_TABLE = """
              OPEN  REQUEST     AUTHORIZED  CLOSE
GREETED       OPEN  OPEN        -           CLOSED
OPEN          OPEN  OPEN        AUTHORIZED  CLOSED
AUTHORIZED    -     AUTHORIZED  AUTHORIZED  CLOSED
CLOSED        -     -           -           -
"""

MOVER_TABLE = """
         LISTEN CONNECT ACCEPTED SET_RECORD_SIZE SET_WINDOW READ   PAUSED CONTINUE CLOSE  ABORT  ENDED  STOP
IDLE     LISTEN ACTIVE  -        IDLE            IDLE       -      -      -        -      -      -      -
LISTEN   -      -       ACTIVE   -               -          -      -      -        -      HALTED HALTED -
ACTIVE   -      -       -        -               -          ACTIVE PAUSED -        -      HALTED HALTED -
PAUSED   -      -       -        -               PAUSED     -      -      ACTIVE   HALTED HALTED HALTED -
HALTED   -      -       -        -               -          -      -      -        -      HALTED -      IDLE
"""

DATA_TABLE = """
          LISTEN CONNECT   ACCEPTED  START_BACKUP START_RECOVER START_RECOVER_FILEHIST GET_ENV ABORT  ENDED  STOP
IDLE      LISTEN CONNECTED -         -            -             -                      -       -      -      -
LISTEN    -      -         CONNECTED -            -             -                      -       HALTED HALTED -
CONNECTED -      -         -         ACTIVE       ACTIVE        ACTIVE                 -       HALTED HALTED -
ACTIVE    -      -         -         -            -             -                      ACTIVE  HALTED HALTED -
HALTED    -      -         -         -            -             -                      HALTED  HALTED -      IDLE
"""

TAPE_TABLE = """
         OPEN CLOSE  CLOSE_FAILED GET_STATE MTIO    WRITE READ EXECUTE_CDB AWAITED MOVED  RELEASED SESSION_ENDED
CLOSED   OPEN -      -            -         -       -     -    -           -       -      -        CLOSED
OPEN     -    CLOSED OPEN         OPEN      OPEN    OPEN  OPEN OPEN        AWAITED MOVING -        CLOSED
AWAITED  -    -      -            AWAITED   AWAITED -     -    AWAITED     -       MOVING OPEN     CLOSED
MOVING   -    -      -            MOVING    -       -     -    -           -       -      OPEN     CLOSED
"""

TABLES = {"connection": CONNECTION, "mover": MOVER, "data": DATA, "tape": TAPE}


def rows(text: str) -> list[tuple[str, str, str]]:
    head, *lines = (line.split() for line in text.strip().splitlines())
    return [(state, event, to) for state, *targets in lines for event, to in zip(head, targets, strict=True)]


@pytest.mark.parametrize(
    ("table", "states", "events", "text"),
    [
        (CONNECTION, ConnectionState, ConnectionEvent, CONNECTION_TABLE),
        (MOVER, MoverState, MoverTrigger, MOVER_TABLE),
        (DATA, DataState, DataTrigger, DATA_TABLE),
        (TAPE, TapeState, TapeTrigger, TAPE_TABLE),
    ],
    ids=TABLES,
)
def test_every_state_and_event(table: Any, states: type[Enum], events: type[Enum], text: str) -> None:  # noqa: ANN401
    expected = rows(text)
    assert {(state, event) for state, event, _ in expected} == {(s.name, e.name) for s in states for e in events}
    for state, event, to in expected:
        machine: Machine[Any, Any] = Machine(table, states[state])
        assert machine.allows(events[event]) is (to != NO)
        if to != NO:
            assert machine.fire(events[event]) is machine.state is states[to], (state, event)
            continue
        with pytest.raises(ReplyError) as refused:
            machine.fire(events[event])
        assert refused.value.error == Error.ILLEGAL_STATE
        assert machine.state is states[state], "a refusal changes nothing"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_each_row_is_there_once_and_says_where_it_comes_from(table: Any) -> None:  # noqa: ANN401
    assert len({(row.state, row.event) for row in table}) == len(table)
    assert all(row.section[0].isdigit() for row in table)


TAPE_REQUESTS: dict[TapeTrigger, Request[Any]] = {
    TapeTrigger.OPEN: t.TapeOpen("t", TapeOpenMode.RDWR),
    TapeTrigger.CLOSE: t.TapeClose(),
    TapeTrigger.GET_STATE: t.TapeGetState(),
    TapeTrigger.MTIO: t.TapeMtio(TapeOperation.TUR, 1),
    TapeTrigger.WRITE: t.TapeWrite(b"block"),
    TapeTrigger.READ: t.TapeRead(512),
    TapeTrigger.EXECUTE_CDB: t.TapeExecuteCdb(CdbFlag(0), 0, 0, bytes(6), b""),
}


@pytest.mark.parametrize(
    ("situation", "state", "refusal"),
    [
        ("login", TapeState.CLOSED, Error.DEV_NOT_OPEN),
        ("writable", TapeState.OPEN, Error.DEVICE_OPENED),
        ("listen", TapeState.AWAITED, Error.DEVICE_BUSY),
        ("active", TapeState.MOVING, Error.DEVICE_BUSY),
        ("sending", TapeState.MOVING, Error.DEVICE_BUSY),
        ("paused", TapeState.OPEN, Error.DEVICE_OPENED),
        ("halted", TapeState.OPEN, Error.DEVICE_OPENED),
    ],
)
def test_the_host_refuses_what_the_tape_table_does_not_hold(situation: str, state: TapeState, refusal: Error) -> None:
    for trigger, request in TAPE_REQUESTS.items():
        error = Driver().go(*SITUATIONS[situation]).error(request)
        if Machine(TAPE, state).allows(trigger):
            assert error == (Error.EOM if trigger is TapeTrigger.READ else Error.NO_ERR), trigger  # the tape is blank
        elif trigger is TapeTrigger.OPEN:
            assert error == Error.DEVICE_OPENED
        else:
            assert error == refusal, trigger
