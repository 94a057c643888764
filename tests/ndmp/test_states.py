"""The tables of states against what the draft says, written out: every state x every event."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest

from ndmp.enums import Error, MoverState
from ndmp.errors import ReplyError
from ndmp.machine import Machine
from ndmp.states import CONNECTION, MOVER, ConnectionEvent, ConnectionState, MoverTrigger

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


def rows(text: str) -> list[tuple[str, str, str]]:
    head, *lines = (line.split() for line in text.strip().splitlines())
    return [(state, event, to) for state, *targets in lines for event, to in zip(head, targets, strict=True)]


@pytest.mark.parametrize(
    ("table", "states", "events", "text"),
    [
        (CONNECTION, ConnectionState, ConnectionEvent, CONNECTION_TABLE),
        (MOVER, MoverState, MoverTrigger, MOVER_TABLE),
    ],
    ids=["connection", "mover"],
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


@pytest.mark.parametrize("table", [CONNECTION, MOVER], ids=["connection", "mover"])
def test_each_row_is_there_once_and_says_where_it_comes_from(table: Any) -> None:  # noqa: ANN401
    assert len({(row.state, row.event) for row in table}) == len(table)
    assert all(row.section[0].isdigit() for row in table)
