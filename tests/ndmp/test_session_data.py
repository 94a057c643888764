"""DATA requests: connections, environment, what is prepared, progress, halts, and the end of a session (draft 3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from ndmp.backends import (
    DataHalted,
    DataLogged,
    DataProgress,
    DataStarted,
    DataWanted,
    FileRecovered,
    VariableSet,
    WantedPath,
)
from ndmp.connection import PostReceived, ReplyReceived
from ndmp.enums import AddressType, DataHaltReason, DataOperation, DataState, DataUnsupported, Error, LogType
from ndmp.enums import RecoveryStatus as Recovery
from ndmp.messages import data as d
from ndmp.messages.notify import LogFile, LogMessage, NotifyDataHalted, NotifyDataRead
from ndmp.types import LocalAddress, Pval, TcpAddress, TcpAddresses, TcpEndpoint
from tests.ndmp.driver import ONES, PEER, Driver
from tests.ndmp.fakes_data import Asked, MemoryFiles
from tests.ndmp.test_session_data_table import BACKUP, HISTORY, NAMES, RECOVER, SITUATIONS, situation

SLASH = Pval("PATHNAME_SEPARATOR", "/")
STARTS = [(BACKUP, DataOperation.BACKUP), (RECOVER, DataOperation.RECOVER), (HISTORY, DataOperation.RECOVER_FILEHIST)]
DONE = DataHalted(DataHaltReason.SUCCESSFUL)


def state_of(driver: Driver) -> d.DataGetStateReply:
    state: d.DataGetStateReply = driver.ask(d.DataGetState())
    return state


def with_backend(*steps: Any) -> tuple[Driver, MemoryFiles]:  # noqa: ANN401
    backend = MemoryFiles()
    return Driver(data=backend).go(*SITUATIONS["connected"], *steps), backend


# -- connections -------------------------------------------------------------------------------------------------------


def test_an_idle_data_server() -> None:
    both = DataUnsupported.EST_BYTES_REMAIN | DataUnsupported.EST_TIME_REMAIN
    idle = d.DataGetStateReply(
        both, Error.NO_ERR, DataOperation.NOACTION, DataState.IDLE, DataHaltReason.NA, 0, 0, 0, LocalAddress(), 0, 0
    )
    assert state_of(situation("idle")) == idle
    used = situation("backup")
    used.movers.paths[0].told = DataProgress(1, bytes_left=4, seconds_left=5)
    used.go(DataWanted(2, 3), DONE, d.DataStop())
    assert state_of(used) == idle, "DATA_STOP resets everything"


def test_listen_offers_every_address_and_shows_one() -> None:
    driver = situation("idle")
    fast = TcpEndpoint(0x7F000001, 4567, (Pval("NIC", "fast"),))
    offered = driver.ask(d.DataListen(AddressType.TCP)).address
    assert offered == TcpAddresses((fast, TcpEndpoint(0x0A000001, 4568)))
    assert state_of(driver).address == TcpAddresses((TcpEndpoint(0x7F000001, 4567),))
    path = driver.movers.paths[0]
    assert (path.asked, path.local_host) == (["listen"], "127.0.0.1")
    assert driver.happen(DataStarted(TcpAddress("127.0.0.9", 9, (("A", "b"),)))) == [], "the peer's arrival is silent"
    state = state_of(driver)
    assert (state.state, state.address) == (DataState.CONNECTED, TcpAddresses((TcpEndpoint(0x7F000009, 9),)))


@pytest.mark.parametrize(("start", "operation"), STARTS)
def test_a_start_right_after_the_peers_own_connect_does_not_meet_listen(
    start: d.DataStartBackup, operation: DataOperation
) -> None:
    driver = situation("idle").go(d.DataListen(AddressType.TCP))
    assert driver.error(start) == Error.ILLEGAL_STATE, "nobody came"
    driver.movers.paths[0].arrived = True
    driver.ask(start)
    assert state_of(driver).operation == operation
    driver.happen(DataStarted(TcpAddress("127.0.0.3", 77)))
    assert state_of(driver).address == TcpAddresses((TcpEndpoint(0x7F000003, 77),)), "its address is told late"


def test_connect_tries_every_address_and_shows_the_one_that_answered() -> None:
    driver = situation("idle").go(d.DataConnect(TcpAddresses((TcpEndpoint(1, 2), TcpEndpoint(0xFFFFFFFF, 65535)))))
    assert driver.movers.paths[0].asked == ["connect 0.0.0.1:2 255.255.255.255:65535"]
    state = state_of(driver)
    assert (state.state, state.address) == (DataState.CONNECTED, TcpAddresses((TcpEndpoint(0x7F000003, 77),)))


@pytest.mark.parametrize("start", [d.DataConnect(PEER), d.DataListen(AddressType.TCP)])
def test_a_connection_that_fails_leaves_the_data_server_idle(start: d.DataConnect) -> None:
    driver = situation("idle")
    driver.movers.refuses = Error.CONNECT
    assert driver.error(start) == Error.CONNECT
    assert state_of(driver) == state_of(situation("idle"))
    assert driver.happen(DataHalted(DataHaltReason.CONNECT_ERROR)) == []
    driver.movers.refuses = None
    driver.go(start)


# -- starting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "operation"), STARTS)
def test_an_operation_runs_in_the_path(start: d.DataStartBackup, operation: DataOperation) -> None:
    driver, _ = with_backend(start)
    path = driver.movers.paths[0]
    assert path.asked[1:] == ["start_backup" if start is BACKUP else "start_recover"]
    assert len(path.runs) == 1
    state = state_of(driver)
    assert (state.state, state.operation) == (DataState.ACTIVE, operation)
    driver.go(DONE)
    state = state_of(driver)
    assert (state.operation, state.halt_reason) == (operation, DataHaltReason.SUCCESSFUL)


@pytest.mark.parametrize(("start", "operation"), STARTS)
def test_what_a_backend_refuses_does_not_start(start: d.DataStartBackup, operation: DataOperation) -> None:
    driver, backend = with_backend()
    before = state_of(driver)
    for error in (Error.ILLEGAL_ARGS, Error.NOT_AUTHORIZED, Error.FILE_NOT_FOUND, Error.NOT_SUPPORTED):
        backend.refuses = error
        assert driver.error(start) == error
    assert (state_of(driver), driver.movers.paths[0].runs) == (before, [])
    backend.refuses = None
    driver.go(start)


def test_what_the_path_refuses_does_not_start() -> None:
    driver, _ = with_backend()
    driver.movers.paths[0].refuses = Error.CONNECT
    assert driver.error(BACKUP) == Error.CONNECT
    assert state_of(driver).state == DataState.CONNECTED
    assert driver.error(d.DataGetEnv()) == Error.ILLEGAL_STATE


def test_a_recovery_list_reaches_the_backend() -> None:
    names = (
        d.RecoverName("/etc/fstab", "/restored", "fstab.old", "FSTAB", 5, 1 << 32),
        d.RecoverName("", "/all", "", "", ONES, ONES),
        d.RecoverName("\udcff", "/z", "", "", 0, 0),
    )
    wanted = (
        WantedPath("/etc/fstab", "/restored", "fstab.old", "FSTAB", node=5, position=1 << 32),
        WantedPath("", "/all", node=None, position=None),
        WantedPath("\udcff", "/z", node=0, position=0),
    )
    for start, what in ((d.DataStartRecover, "recover dump"), (d.DataStartRecoverFilehist, "history dump")):
        _, backend = with_backend(start((), names, "dump"))
        assert backend.asked == [Asked(what, {"PATHNAME_SEPARATOR": "/"}, wanted)]


@pytest.mark.parametrize(
    ("destination", "name", "other", "error"),
    [
        ("/d", "", "", 0),
        ("/d", "n", "o", 0),
        ("", "", "", 9),
        ("", "n", "", 9),
        ("/d", "", "o", 9),
        ("/d", "../n", "", 9),
        ("/d", "n", "o/p", 9),
    ],
)
def test_where_a_path_goes(destination: str, name: str, other: str, error: int) -> None:
    names = (*NAMES, d.RecoverName("/a", destination, name, other, ONES, ONES))
    assert with_backend()[0].error(d.DataStartRecover((), names, "dump")) == error
    assert with_backend()[0].error(d.DataStartRecoverFilehist((), names, "dump")) == Error.NO_ERR, "fields it ignores"


# -- environment -------------------------------------------------------------------------------------------------------

GIVEN = (Pval("HIST", "f"), Pval("X-OUR", ""), Pval("LEVEL", "0"), Pval("\udc80", "\u00e4"), Pval("LEVEL", "1"))


@pytest.mark.parametrize(("start", "operation"), STARTS)
def test_variables_reach_the_backend_and_come_back(start: Any, operation: DataOperation) -> None:  # noqa: ANN401
    request = d.DataStartBackup("dump", GIVEN) if start is BACKUP else type(start)(GIVEN, NAMES, "dump")
    driver, backend = with_backend(request)
    by_name = {"HIST": "f", "X-OUR": "", "LEVEL": "1", "\udc80": "\u00e4", "PATHNAME_SEPARATOR": "/"}
    assert backend.asked[0].environment == by_name
    assert driver.ask(d.DataGetEnv()).environment == (*GIVEN, SLASH)
    driver.go(DONE)
    assert driver.ask(d.DataGetEnv()).environment == (*GIVEN, SLASH)


def test_the_separator_is_the_one_in_use() -> None:
    other = (Pval("A", ""), Pval("PATHNAME_SEPARATOR", "\\"), Pval("B", ""))
    driver, _ = with_backend(d.DataStartBackup("dump", other))
    assert driver.ask(d.DataGetEnv()).environment == (Pval("A", ""), SLASH, Pval("B", ""))


def test_an_operation_adds_and_replaces_variables() -> None:
    driver, backend = with_backend(d.DataStartBackup("dump", GIVEN))
    for name, value in (("DUMP_DATE", "1"), ("LEVEL", "2"), ("DUMP_DATE", "3"), ("hist", "d")):
        assert driver.happen(VariableSet(name, value)) == [], "the application asks for it"
    hist, ours, level, odd, _ = GIVEN
    level = Pval("LEVEL", "2")
    expected = (hist, ours, level, odd, level, SLASH, Pval("DUMP_DATE", "3"), Pval("hist", "d"))
    assert driver.ask(d.DataGetEnv()).environment == expected
    assert backend.asked[0].environment["LEVEL"] == "1", "what a backend was given does not change under it"


def test_a_variable_set_before_the_end_is_told_after_it() -> None:
    driver = situation("backup")
    path = driver.movers.paths[0]
    path.report(VariableSet("LAST", "word"))
    path.report(DONE)
    driver.settle()
    assert driver.ask(d.DataGetEnv()).environment == (SLASH, Pval("LAST", "word"))


def test_each_operation_has_its_own_environment() -> None:
    driver = situation("idle").go(d.DataConnect(PEER), d.DataStartBackup("dump", GIVEN), DONE, d.DataStop())
    assert driver.error(d.DataGetEnv()) == Error.ILLEGAL_STATE
    driver.go(d.DataListen(AddressType.TCP), d.DataAbort())
    assert driver.ask(d.DataGetEnv()).environment == ()


# -- progress ----------------------------------------------------------------------------------------------------------

ESTIMATES = [  # left: bytes, seconds; unsupported, as told
    (None, None, 3, 0, 0),
    (0, None, 2, 0, 0),
    (1 << 40, 60, 0, 1 << 40, 60),
    (None, 0, 1, 0, 0),
    (5, 1 << 40, 0, 5, 0xFFFFFFFF),
]


@pytest.mark.parametrize(("bytes_left", "seconds_left", "unsupported", "told_bytes", "told_seconds"), ESTIMATES)
def test_estimates(
    bytes_left: int | None, seconds_left: int | None, unsupported: int, told_bytes: int, told_seconds: int
) -> None:
    driver = situation("backup")
    driver.movers.paths[0].told = DataProgress(1 << 33, bytes_left=bytes_left, seconds_left=seconds_left)
    state = state_of(driver)
    assert state.bytes_processed == 1 << 33
    assert (state.unsupported, state.est_bytes_remain, state.est_time_remain) == (
        unsupported,
        told_bytes,
        told_seconds,
    )


def test_what_was_processed_is_known_until_stop() -> None:
    driver = situation("backup")
    driver.movers.paths[0].told = DataProgress(512)
    driver.go(d.DataAbort())
    assert state_of(driver).bytes_processed == 512
    assert state_of(driver.go(d.DataStop())).bytes_processed == 0


# -- what a path tells -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "length", "asked"),
    [(0, ONES, ONES), (1 << 40, 512, 512), (512, ONES, ONES - 512), (512, ONES - 512, ONES - 512)],
)
def test_a_stretch_is_asked_of_the_application(offset: int, length: int, asked: int) -> None:
    """A stretch without end must not overflow, or a mover refuses it (draft 3.6.2.5)."""
    driver = situation("recover")
    assert driver.happen(DataWanted(offset, length)) == [NotifyDataRead(offset, asked)]
    state = state_of(driver)
    assert (state.state, state.read_offset, state.read_length) == (DataState.ACTIVE, offset, asked)


def test_a_log_line_is_posted() -> None:
    driver = situation("backup")
    (log,) = driver.happen(DataLogged(LogType.WARNING, "/a: cannot be read"))
    assert isinstance(log, LogMessage)
    assert (log.log_type, log.entry) == (LogType.WARNING, "/a: cannot be read")
    assert state_of(driver).state == DataState.ACTIVE


def test_a_log_line_that_is_too_long_for_the_wire_is_cut() -> None:
    for event in (DataLogged(LogType.ERROR, "\u20ac" * 70000), DataHalted(DataHaltReason.INTERNAL_ERROR, "x" * 70000)):
        log = situation("backup").happen(event)[0]
        assert isinstance(log, LogMessage)
        assert 1000 < len(log.entry.encode()) < 0xFFFF


def test_what_became_of_a_path_is_posted() -> None:
    driver = situation("recover")
    assert driver.happen(FileRecovered("/a\udcff", Recovery.NOT_FOUND)) == [LogFile("/a\udcff", Recovery.NOT_FOUND)]


@pytest.mark.parametrize("name", ["listen", "connected", "accepted", "backup", "recover", "history"])
@pytest.mark.parametrize("reason", [r for r in DataHaltReason if r != DataHaltReason.NA])
def test_a_halt_is_posted_after_its_reason_in_words(name: str, reason: DataHaltReason) -> None:
    driver = situation(name)
    log, halt = driver.happen(DataHalted(reason, "why"))
    assert isinstance(log, LogMessage)
    expected = LogType.NORMAL if reason == DataHaltReason.SUCCESSFUL else LogType.ERROR
    assert (log.log_type, log.entry) == (expected, "why")
    assert halt == NotifyDataHalted(reason)
    state = state_of(driver)
    assert (state.state, state.halt_reason) == (DataState.HALTED, reason)


def test_a_halt_without_words_is_posted_alone() -> None:
    assert situation("backup").happen(DONE) == [NotifyDataHalted(DataHaltReason.SUCCESSFUL)]


@pytest.mark.parametrize("start", [BACKUP, RECOVER, HISTORY])
def test_a_start_that_crosses_the_halt_is_refused(start: d.DataStartBackup) -> None:
    """The race of draft 2.11.5.1."""
    driver = situation("connected")
    assert driver.happen(DataHalted(DataHaltReason.CONNECT_ERROR)) == [NotifyDataHalted(DataHaltReason.CONNECT_ERROR)]
    assert driver.error(start) == Error.ILLEGAL_STATE


def test_an_end_that_is_not_heard_yet_follows_the_reply() -> None:
    """A path may be done before its start is answered."""
    driver = situation("connected")
    driver.movers.paths[0].report(DONE)
    answer, *others = driver.events(BACKUP)
    assert isinstance(answer, ReplyReceived)
    assert not others
    assert driver.settle() == [NotifyDataHalted(DataHaltReason.SUCCESSFUL)]


@pytest.mark.parametrize("name", ["listen", "connected", "accepted", "backup", "recover", "history"])
def test_abort_stops_the_path_answers_and_posts(name: str) -> None:
    driver = situation(name)
    answer, *posts = driver.events(d.DataAbort())
    assert answer.message == d.DataAbortReply(Error.NO_ERR)
    assert all(isinstance(post, PostReceived) for post in posts)
    assert [post.message for post in posts] == [NotifyDataHalted(DataHaltReason.ABORTED)]
    assert driver.movers.paths[0].asked[-1] == "stop"
    assert len(driver.events(d.DataAbort())) == 1, "in HALTED it changes nothing and posts nothing"
    state = state_of(driver)
    assert (state.state, state.halt_reason) == (DataState.HALTED, DataHaltReason.ABORTED)


LATE = [
    DataStarted(TcpAddress("127.0.0.9", 9)),
    DataWanted(1, 2),
    DataLogged(LogType.NORMAL, "late"),
    FileRecovered("/late", Recovery.SUCCESSFUL),
    VariableSet("LATE", "1"),
    DONE,
]


@pytest.mark.parametrize("event", LATE, ids=lambda event: type(event).__name__)
def test_what_a_path_says_after_its_end_is_dropped(event: DataStarted) -> None:
    driver = situation("backup")
    path = driver.movers.paths[0]
    path.report(event)
    driver.go(d.DataAbort())
    before = state_of(driver), driver.ask(d.DataGetEnv())
    assert driver.settle() == [], "it waited while the operation was aborted"
    path.report(event)
    assert driver.settle() == []
    assert (state_of(driver), driver.ask(d.DataGetEnv())) == before
    for step in (d.DataStop(), d.DataListen(AddressType.TCP)):
        driver.go(step)
        before_step = state_of(driver)
        path.report(event)
        assert driver.settle() == [], "what a path says that was replaced is not about the new one"
        assert state_of(driver) == before_step


# -- the end of a session ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["idle", "listen", "connected", "backup", "halted"])
def test_the_end_of_a_session_stops_the_path(name: str) -> None:
    driver = situation(name)
    driver.session.shut_down()
    assert all(path.asked[-1] == "stop" for path in driver.movers.paths)


def test_an_interrupt_ends_a_connect_and_those_that_follow() -> None:
    driver = situation("idle")
    driver.movers.meanwhile = driver.session.interrupt
    assert driver.error(d.DataConnect(PEER)) == Error.CONNECT
    assert driver.movers.paths[0].asked == ["connect 127.0.0.2:99", "stop"]
    assert state_of(driver).state == DataState.IDLE
    assert driver.error(d.DataConnect(PEER)) == Error.CONNECT
    assert driver.movers.paths[1].asked == []


def test_an_interrupt_leaves_a_path_in_use_to_the_end_of_the_session() -> None:
    """Stopping it may take as long as what it does right now."""
    driver = situation("backup")
    driver.session.interrupt()
    assert "stop" not in driver.movers.paths[0].asked
