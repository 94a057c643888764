"""A backup to, and a recovery from, the session's own tape: LOCAL connections (draft 2.12, 3.5.1, 3.5.2.4)."""

from __future__ import annotations

from typing import Any

import pytest

from ndmp.backends import DataHalted, DataStarted, DataWanted, MoverCounters, MoverHalted, MoverPaused, MoverStarted
from ndmp.enums import (
    AddressType,
    DataHaltReason,
    DataState,
    Error,
    LogType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOpenMode,
)
from ndmp.messages import config as c
from ndmp.messages import data as d
from ndmp.messages import mover as m
from ndmp.messages.notify import LogMessage, NotifyDataHalted
from ndmp.messages.tape import TapeOpen
from ndmp.types import LocalAddress
from ndmp.wire import Request
from tests.ndmp.driver import LOGIN, ONES, PEER, Driver
from tests.ndmp.fakes_data import MemoryFiles
from tests.ndmp.test_session_data_table import BACKUP, RECOVER

READY: tuple[Any, ...] = (
    LOGIN,
    TapeOpen("t", TapeOpenMode.RDWR),
    m.MoverSetRecordSize(512),
    m.MoverSetWindow(0, ONES),
)
TO_DATA, FROM_DATA = d.DataConnect(LocalAddress()), d.DataListen(AddressType.LOCAL)


def mover_listens(mode: MoverMode) -> m.MoverListen:
    return m.MoverListen(mode, AddressType.LOCAL)


def mover_connects(mode: MoverMode) -> m.MoverConnect:
    return m.MoverConnect(mode, LocalAddress())


def pair(mode: MoverMode) -> list[tuple[Request[Any], Request[Any]]]:
    """Who listens and who connects, both ways round."""
    return [(mover_listens(mode), TO_DATA), (FROM_DATA, mover_connects(mode))]


def ready(*steps: Any) -> Driver:  # noqa: ANN401
    return Driver(data=MemoryFiles()).go(*READY, *steps)


def states(driver: Driver) -> tuple[MoverState, DataState]:
    return driver.ask(m.MoverGetState()).state, driver.ask(d.DataGetState()).state


def test_local_connections_are_offered() -> None:
    assert ready().ask(c.ConfigGetConnectionType()).address_types == (AddressType.TCP, AddressType.LOCAL)


@pytest.mark.parametrize("both", pair(MoverMode.READ))
def test_both_are_connected_once_the_second_one_is(both: tuple[Request[Any], Request[Any]]) -> None:
    """A request that needs the connection may follow the reply at once: nobody waits for the listener's report."""
    driver = ready()
    listen, connect = both
    assert driver.ask(listen).address == LocalAddress()
    assert states(driver) in ((MoverState.LISTEN, DataState.IDLE), (MoverState.IDLE, DataState.LISTEN))
    driver.go(connect)
    assert states(driver) == (MoverState.ACTIVE, DataState.CONNECTED)
    assert driver.ask(m.MoverGetState()).address == driver.ask(d.DataGetState()).address == LocalAddress()
    by_data = ["connect_local mover here"], [f"window 0 {ONES:#x}", "listen_local"]
    by_mover = ["listen_local"], [f"window 0 {ONES:#x}", "connect_local data here"]
    asked = driver.movers.paths[0].asked, driver.movers.made[0].asked
    assert asked == (by_data if connect is TO_DATA else by_mover)
    driver.movers.made[0].report(MoverStarted(None))
    driver.movers.paths[0].report(DataStarted(None))
    assert driver.settle() == [], "the listener's own report comes too late to change anything"
    driver.go(BACKUP)
    assert states(driver) == (MoverState.ACTIVE, DataState.ACTIVE)


def test_there_must_be_somebody_to_connect_to() -> None:
    driver = ready()
    for request in (TO_DATA, mover_connects(MoverMode.READ)):
        assert driver.error(request) == Error.CONNECT
    assert (driver.movers.paths, driver.movers.made) == ([], []), "nothing is made that nobody would close"
    driver.go(m.MoverListen(MoverMode.READ, AddressType.TCP))
    assert driver.error(TO_DATA) == Error.CONNECT, "it listens for somebody else"
    driver.go(d.DataListen(AddressType.TCP))
    assert states(driver) == (MoverState.LISTEN, DataState.LISTEN)


@pytest.mark.parametrize(
    ("listen", "abort", "connect"),
    [
        (mover_listens(MoverMode.READ), m.MoverAbort(), TO_DATA),
        (mover_listens(MoverMode.READ), MoverHalted(MoverHaltReason.CONNECT_ERROR), TO_DATA),
        (FROM_DATA, d.DataAbort(), mover_connects(MoverMode.READ)),
        (FROM_DATA, DataHalted(DataHaltReason.CONNECT_ERROR), mover_connects(MoverMode.READ)),
    ],
)
def test_who_listens_no_more_cannot_be_met(listen: Any, abort: Any, connect: Any) -> None:  # noqa: ANN401
    assert ready(listen, abort).error(connect) == Error.CONNECT


def test_both_may_listen_and_one_may_change_its_mind() -> None:
    driver = ready(mover_listens(MoverMode.READ), FROM_DATA, d.DataAbort(), d.DataStop(), TO_DATA)
    assert states(driver) == (MoverState.ACTIVE, DataState.CONNECTED)
    driver = ready(FROM_DATA, mover_listens(MoverMode.READ), m.MoverAbort(), m.MoverStop())
    driver.go(m.MoverSetWindow(0, ONES), mover_connects(MoverMode.WRITE))
    assert states(driver) == (MoverState.ACTIVE, DataState.CONNECTED)


def test_a_connection_that_fails_leaves_the_listener_waiting() -> None:
    driver = ready(mover_listens(MoverMode.READ))
    driver.movers.refuses = Error.CONNECT
    assert driver.error(TO_DATA) == Error.CONNECT
    assert states(driver) == (MoverState.LISTEN, DataState.IDLE)
    driver.movers.refuses = None
    driver.go(TO_DATA)


def test_one_listener_meets_one_peer() -> None:
    driver = ready(mover_listens(MoverMode.READ), TO_DATA, d.DataAbort(), d.DataStop())
    assert driver.error(TO_DATA) == Error.CONNECT
    assert states(driver) == (MoverState.ACTIVE, DataState.IDLE)


# -- recovery ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("both", pair(MoverMode.WRITE))
def test_the_mover_is_asked_and_the_application_is_not(both: tuple[Request[Any], Request[Any]]) -> None:
    driver = ready(*both, RECOVER)
    assert driver.happen(DataWanted(0, ONES)) == []
    mover = driver.movers.made[0]
    assert mover.asked[-1] == f"read 0 {ONES:#x}"
    state = driver.ask(d.DataGetState())
    assert (state.state, state.read_offset, state.read_length) == (DataState.ACTIVE, 0, ONES)
    mover.progress = MoverCounters(bytes_left_to_read=0)
    assert driver.happen(DataWanted(1024, ONES)) == []
    assert mover.asked[-1] == f"read 1024 {ONES - 1024:#x}"


NO_READING = {
    "it writes to tape": (mover_listens(MoverMode.READ), TO_DATA, RECOVER),
    "it is paused": (mover_listens(MoverMode.WRITE), TO_DATA, RECOVER, MoverPaused(MoverPauseReason.EOF)),
    "it has halted": (mover_listens(MoverMode.WRITE), TO_DATA, RECOVER, m.MoverAbort()),
    "it reads already": (mover_listens(MoverMode.WRITE), TO_DATA, RECOVER, m.MoverRead(0, 512)),
}


@pytest.mark.parametrize("why", NO_READING)
def test_a_mover_that_cannot_read_ends_the_recovery(why: str) -> None:
    driver = ready(*NO_READING[why])
    log, halt = driver.happen(DataWanted(0, 512))
    assert isinstance(log, LogMessage)
    assert log.log_type == LogType.ERROR
    assert "512 bytes at 0" in log.entry
    assert halt == NotifyDataHalted(DataHaltReason.INTERNAL_ERROR)
    assert driver.movers.paths[0].asked[-1] == "stop"
    state = driver.ask(d.DataGetState())
    assert (state.state, state.halt_reason) == (DataState.HALTED, DataHaltReason.INTERNAL_ERROR)
    driver.go(d.DataStop())


def test_a_stretch_of_nothing_is_refused_by_the_mover_too() -> None:
    driver = ready(mover_listens(MoverMode.WRITE), TO_DATA, RECOVER)
    assert driver.happen(DataWanted(0, 0))[-1] == NotifyDataHalted(DataHaltReason.INTERNAL_ERROR)


def test_a_recovery_over_tcp_leaves_the_own_mover_alone() -> None:
    driver = ready(mover_listens(MoverMode.WRITE), d.DataConnect(PEER), RECOVER)
    assert len(driver.happen(DataWanted(0, 512))) == 1
    assert states(driver) == (MoverState.LISTEN, DataState.ACTIVE)


def test_a_whole_round_and_another_one() -> None:
    """Each ends by itself: the data service first, then the mover sees the connection close (draft D.2)."""
    driver = ready()
    for _ in range(2):
        driver.go(mover_listens(MoverMode.WRITE), TO_DATA, RECOVER, DataWanted(0, ONES))
        driver.go(DataHalted(DataHaltReason.SUCCESSFUL), MoverHalted(MoverHaltReason.CONNECT_CLOSED))
        assert states(driver) == (MoverState.HALTED, DataState.HALTED)
        driver.go(d.DataGetEnv(), d.DataStop(), m.MoverStop(), m.MoverSetWindow(0, ONES))
    assert [path.asked[-1] for path in driver.movers.paths] == ["stop", "stop"]
