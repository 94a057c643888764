"""Whatever an application, a data path and a mover do, in any order: one post a halt, all taken, all stopped."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ndmp.backends import (
    DataEvent,
    DataHalted,
    DataLogged,
    DataStarted,
    DataWanted,
    FileRecovered,
    HistoryAdded,
    HistoryEntry,
    MoverEvent,
    MoverHalted,
    MoverPaused,
    MoverStarted,
    VariableSet,
)
from ndmp.connection import PostReceived, ReplyReceived
from ndmp.enums import (
    AddressType,
    DataHaltReason,
    DataState,
    Error,
    LogType,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    RecoveryStatus,
    TapeOpenMode,
)
from ndmp.messages import mover as m
from ndmp.messages.data import DataGetState
from ndmp.messages.notify import NotifyDataHalted, NotifyDataRead
from ndmp.messages.tape import TapeOpen
from ndmp.services.profile import NDMJOB, STRICT, Profile
from ndmp.types import LocalAddress, TcpAddress
from ndmp.wire import Request
from tests.ndmp.driver import LOGIN, ONES, Driver
from tests.ndmp.fakes_data import MemoryFiles
from tests.ndmp.test_session_data_table import REQUEST

MOVER = [
    TapeOpen("t", TapeOpenMode.RDWR),
    m.MoverSetRecordSize(512),
    m.MoverSetWindow(0, ONES),
    *[m.MoverListen(mode, AddressType.LOCAL) for mode in (MoverMode.READ, MoverMode.WRITE)],
    *[m.MoverConnect(mode, LocalAddress()) for mode in (MoverMode.READ, MoverMode.WRITE)],
    m.MoverListen(MoverMode.WRITE, AddressType.TCP),
    m.MoverContinue(),
    m.MoverAbort(),
    m.MoverStop(),
]
TAKEN: list[int] = []
EVENTS: list[DataEvent | MoverEvent] = [
    DataStarted(TcpAddress("127.0.0.9", 9)),
    DataStarted(None),
    DataWanted(0, ONES),
    DataWanted(512, ONES),
    DataLogged(LogType.DEBUG, "line", lambda: TAKEN.append(1)),
    FileRecovered("/a", RecoveryStatus.SUCCESSFUL),
    HistoryAdded([HistoryEntry("a", 3, 2)], lambda: TAKEN.append(1)),
    VariableSet("LEVEL", "1"),
    DataHalted(DataHaltReason.SUCCESSFUL),
    DataHalted(DataHaltReason.CONNECT_ERROR, "gone"),
    MoverStarted(None),
    MoverPaused(MoverPauseReason.SEEK, 512),
    MoverHalted(MoverHaltReason.CONNECT_CLOSED),
]
STEPS = st.sampled_from([*REQUEST.values(), *MOVER, *EVENTS])


def do(driver: Driver, step: Request[Any] | DataEvent | MoverEvent) -> None:
    if isinstance(step, Request):
        first, *others = driver.events(step)
        assert isinstance(first, ReplyReceived)
        assert all(isinstance(other, PostReceived) for other in others)
        assert (first.message.error if first.message else first.header.error) != Error.UNDEFINED
    elif driver.movers.made if isinstance(step, MoverEvent) else driver.movers.paths:
        TAKEN.clear()
        driver.happen(step)
        assert len(TAKEN) == isinstance(step, HistoryAdded | DataLogged)


@given(st.lists(STEPS, max_size=40), st.sampled_from([STRICT, NDMJOB]))
def test_any_order_of_requests_and_events(steps: list[Any], profile: Profile) -> None:
    driver = Driver(data=MemoryFiles(), profile=profile).go(LOGIN)
    for step in steps:
        before, posts = driver.ask(DataGetState()), len(driver.posts)
        do(driver, step)
        after, told = driver.ask(DataGetState()), driver.posts[posts:]
        halted = after.state == DataState.HALTED != before.state
        assert [post for post in told if isinstance(post, NotifyDataHalted)] == (
            [NotifyDataHalted(after.halt_reason)] if halted else []
        ), "a halt is announced, once"
        assert (after.state == DataState.HALTED) == (after.halt_reason != DataHaltReason.NA)
        assert not (isinstance(after.address, LocalAddress) and any(isinstance(post, NotifyDataRead) for post in told))
        if after.state in (DataState.HALTED, DataState.IDLE):
            assert all_stopped(driver), "nothing runs on"
    driver.session.shut_down()
    assert all_stopped(driver)


def all_stopped(driver: Driver) -> bool:
    return all(path.asked[-1:] in ([], ["stop"]) for path in driver.movers.paths)
