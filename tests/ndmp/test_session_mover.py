"""MOVER requests: windows, preconditions, pauses, notifications, events that come late (draft 3.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ndmp.backends import MoverCounters, MoverHalted, MoverPaused, MoverStarted
from ndmp.enums import AddressType, Error, LogType, MoverHaltReason, MoverMode, MoverPauseReason, TapeOpenMode
from ndmp.enums import MoverState as State
from ndmp.messages import mover as m
from ndmp.messages.notify import LogMessage, NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen, TapeWrite
from ndmp.services.profile import NDMJOB
from ndmp.types import TcpAddress
from tests.ndmp.driver import LOGIN, ONES, PEER, SITUATIONS, Driver
from tests.ndmp.fakes import MARK, host

EOM, EOW = MoverPaused(MoverPauseReason.EOM), MoverPaused(MoverPauseReason.EOW)
LISTEN, SEND = m.MoverListen(MoverMode.READ, AddressType.TCP), m.MoverConnect(MoverMode.WRITE, PEER)
MARKED, REWOUND = TapeMtio(5, 1), TapeMtio(4, 1)


def state_of(driver: Driver) -> m.MoverGetStateReply:
    state: m.MoverGetStateReply = driver.ask(m.MoverGetState())
    return state


def situation(name: str, **options: Any) -> Driver:  # noqa: ANN401
    return Driver(**options).go(*SITUATIONS[name])


# -- record size and window ------------------------------------------------------------------------------------------

SIZES = [(0, 9), (1, 0), (512, 0), (16 << 20, 0), ((16 << 20) + 1, 9), (0xFFFFFFFF, 9)]


@pytest.mark.parametrize(("size", "error"), SIZES)
def test_record_sizes(size: int, error: int) -> None:
    driver = Driver().go(LOGIN)
    assert driver.error(m.MoverSetRecordSize(size)) == error
    assert state_of(driver).record_size == (0 if error else size)


WINDOWS = [(0, 1, 0), (0, ONES, 0), (512, ONES - 512, 0), (512, ONES - 511, 9), (1, ONES, 9), (0, 0, 9), (7, 7, 0)]


@pytest.mark.parametrize(("offset", "length", "error"), WINDOWS)
def test_windows_in_idle(offset: int, length: int, error: int) -> None:
    driver = Driver().go(LOGIN)
    assert driver.error(m.MoverSetWindow(offset, length)) == Error.PRECONDITION
    driver.go(m.MoverSetRecordSize(512))
    assert driver.error(m.MoverSetWindow(offset, length)) == error
    state = state_of(driver)
    assert (state.window_offset, state.window_length) == ((0, 0) if error else (offset, length))


ALIGNED = [  # offset, length, error with mode READ, error with mode WRITE: 1 is "not aligned"
    (0, 512, 0, 0),
    (0, 513, 1, 0),
    (512, 512, 0, 0),
    (100, 1024, 0, 1),
    (0, ONES, 0, 0),
    (512, ONES - 512, 0, 0),
    (100, ONES - 100, 0, 1),
    (100, 100, 1, 1),
]


@pytest.mark.parametrize(("offset", "length", "read", "write"), ALIGNED)
def test_alignment_is_looked_at_in_listen_and_connect_and_while_paused(
    offset: int, length: int, read: int, write: int
) -> None:
    window = m.MoverSetWindow(offset, length)
    opened = (LOGIN, m.MoverSetRecordSize(512), TapeOpen("t", TapeOpenMode.RDWR), window)
    for mode, misfit in ((MoverMode.READ, read), (MoverMode.WRITE, write)):
        for start in (m.MoverListen(mode, AddressType.TCP), m.MoverConnect(mode, PEER)):
            assert Driver().go(*opened).error(start) == (Error.PRECONDITION if misfit else Error.NO_ERR)
        paused = Driver().go(*opened[:-1], m.MoverSetWindow(0, ONES), m.MoverConnect(mode, PEER), EOM)
        assert paused.error(window) == (Error.ILLEGAL_ARGS if misfit else Error.NO_ERR)


def test_a_record_size_clears_the_window_and_survives_stop() -> None:
    driver = situation("halted").go(m.MoverStop())
    state = state_of(driver)
    assert (state.record_size, state.window_offset, state.window_length) == (512, 0, 0)
    assert driver.error(LISTEN) == Error.PRECONDITION
    driver.go(m.MoverSetWindow(0, ONES), m.MoverSetRecordSize(512))
    assert state_of(driver).window_length == 0
    assert driver.error(LISTEN) == Error.PRECONDITION


# -- LISTEN and CONNECT ----------------------------------------------------------------------------------------------


def test_the_first_of_several_faults_is_told() -> None:
    """Arguments, state, device, permission, then what is set (draft 3.6.2.3, 3.6.2.4 name them, ndmjob orders them)."""
    bad = m.MoverListen(MoverMode(7), AddressType.IPC)
    read_only = TapeOpen("t", TapeOpenMode.READ)
    unset: tuple[Any, ...] = (LOGIN,)
    for steps, start, error in (
        (SITUATIONS["listen"], bad, Error.ILLEGAL_ARGS),
        (SITUATIONS["listen"], LISTEN, Error.ILLEGAL_STATE),
        (unset, bad, Error.ILLEGAL_ARGS),
        (unset, LISTEN, Error.DEV_NOT_OPEN),
        ((*unset, read_only), LISTEN, Error.PERMISSION),
        ((*unset, read_only), SEND, Error.PRECONDITION),
        ((*unset, m.MoverSetRecordSize(512), read_only), SEND, Error.PRECONDITION),
    ):
        driver = Driver().go(*steps)
        before = state_of(driver)
        assert driver.error(start) == error
        assert state_of(driver) == before


def test_a_read_right_after_the_peers_own_connect_does_not_meet_listen() -> None:
    driver = situation("writable").go(m.MoverListen(MoverMode.WRITE, AddressType.TCP))
    assert driver.error(m.MoverRead(0, ONES)) == Error.ILLEGAL_STATE, "nobody came"
    driver.movers.made[0].arrived = True
    driver.ask(m.MoverRead(0, ONES))
    driver.happen(MoverStarted(TcpAddress("127.0.0.9", 9)))
    state = state_of(driver)
    assert (state.state, state.address) == (State.ACTIVE, m.TcpAddresses((m.TcpEndpoint(0x7F000009, 9),)))


def test_listen() -> None:
    driver = situation("writable")
    address = m.TcpAddresses((m.TcpEndpoint(0x7F000001, 3456),))
    assert driver.ask(LISTEN).address == address
    mover = driver.movers.made[0]
    assert (mover.mode, mover.record_bytes, mover.local_host) == (MoverMode.READ, 512, "127.0.0.1")
    assert mover.device() is driver.tape
    assert mover.asked == [f"window 0 {ONES:#x}", "listen"]
    state = state_of(driver)
    assert (state.state, state.mode, state.address) == (State.LISTEN, MoverMode.READ, address)
    assert driver.happen(MoverStarted(TcpAddress("127.0.0.9", 9))) == [], "the peer's arrival is silent"
    state = state_of(driver)
    assert (state.state, state.address) == (State.ACTIVE, m.TcpAddresses((m.TcpEndpoint(0x7F000009, 9),)))


def test_connect_offers_the_mover_every_address() -> None:
    driver = situation("writable")
    driver.go(m.MoverConnect(MoverMode.WRITE, m.TcpAddresses((m.TcpEndpoint(1, 2), m.TcpEndpoint(0xFFFFFFFF, 65535)))))
    assert driver.movers.made[0].asked[-1] == "connect 0.0.0.1:2 255.255.255.255:65535"
    state = state_of(driver)
    assert (state.state, state.mode) == (State.ACTIVE, MoverMode.WRITE)


@pytest.mark.parametrize("start", [LISTEN, SEND])
def test_a_connection_that_fails_leaves_the_mover_idle(start: m.MoverConnect) -> None:
    driver = situation("writable")
    driver.movers.refuses = Error.CONNECT
    assert driver.error(start) == Error.CONNECT
    state = state_of(driver)
    assert (state.state, state.mode, state.address) == (State.IDLE, MoverMode.NOACTION, m.LocalAddress())
    driver.movers.made[0].report(MoverHalted(MoverHaltReason.CONNECT_ERROR))
    assert driver.settle() == []
    driver.movers.refuses = None
    driver.go(start)


# -- reading ---------------------------------------------------------------------------------------------------------


def test_read_is_passed_on_and_a_second_one_refused() -> None:
    driver = situation("sending").go(m.MoverRead(5, 6))
    assert driver.movers.made[0].asked[-1] == "read 5 0x6"
    assert driver.error(m.MoverRead(5, 6)) == Error.READ_IN_PROGRESS
    for offset, length in ((0, 0), (1, ONES), (ONES, 1)):
        assert driver.error(m.MoverRead(offset, length)) == Error.ILLEGAL_ARGS
    state = state_of(driver)
    assert (state.seek_position, state.bytes_left_to_read) == (5, 6)


# -- pauses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [r for r in MoverPauseReason if r != MoverPauseReason.NA])
def test_a_pause_is_posted(reason: MoverPauseReason) -> None:
    driver = situation("active")
    assert driver.happen(MoverPaused(reason, 77)) == [NotifyMoverPaused(reason, 77)]
    state = state_of(driver)
    assert (state.state, state.pause_reason) == (State.PAUSED, reason)


def test_continue_needs_a_window_set_since_the_pause() -> None:
    driver = situation("paused")
    mover = driver.movers.made[0]
    assert driver.error(m.MoverContinue()) == Error.PRECONDITION
    assert "resume" not in mover.asked
    driver.go(m.MoverSetWindow(1024, 512), m.MoverContinue())
    assert mover.asked[-2:] == ["window 1024 0x200", "resume"]
    state = state_of(driver)
    assert (state.state, state.pause_reason) == (State.ACTIVE, MoverPauseReason.NA)
    driver.happen(EOW)
    assert driver.error(m.MoverContinue()) == Error.PRECONDITION


def test_a_window_that_was_refused_is_no_new_window() -> None:
    driver = situation("paused")
    assert driver.error(m.MoverSetWindow(0, 1)) == Error.ILLEGAL_ARGS
    assert driver.error(m.MoverContinue()) == Error.PRECONDITION


def test_tapes_change_during_a_pause() -> None:
    driver = situation("paused").go(TapeClose(), m.MoverSetWindow(0, ONES))
    assert driver.error(m.MoverContinue()) == Error.DEV_NOT_OPEN
    driver.go(TapeOpen("t2", TapeOpenMode.READ))
    assert driver.error(m.MoverContinue()) == Error.PERMISSION
    driver.go(TapeClose(), TapeOpen("t2", TapeOpenMode.RDWR), m.MoverContinue())
    assert driver.movers.made[0].device() is not driver.tape


# -- the filemark that a mover's writing makes due ---------------------------------------------------------------------


def moved(driver: Driver, count: int) -> None:
    driver.movers.made[-1].progress = MoverCounters(bytes_moved=count)


def test_what_a_mover_wrote_ends_with_a_filemark() -> None:
    for end in (m.MoverAbort(), MoverHalted(MoverHaltReason.CONNECT_CLOSED), EOM):
        driver = situation("active")
        moved(driver, 512)
        driver.go(end, TapeClose())
        assert driver.tape.tape == [MARK], end


def test_a_mover_that_wrote_nothing_makes_no_filemark_due() -> None:
    assert situation("active").go(m.MoverAbort(), TapeClose()).tape.tape == []
    sending = situation("sending")
    moved(sending, 512)
    assert sending.go(m.MoverAbort(), TapeClose()).tape.tape == []


def test_what_ended_with_a_filemark_before_a_mover_halts_needs_no_second_one() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(EOW, MARKED, m.MoverClose(), TapeClose())
    assert driver.tape.tape == [MARK]


def test_a_new_tape_gets_no_filemark_for_what_is_on_the_old_one() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(EOM, MARKED, REWOUND, TapeClose(), TapeOpen("t", TapeOpenMode.RDWR), m.MoverAbort(), TapeClose())
    assert driver.tape.tape == [MARK]
    assert "mark 1" not in driver.tape.asked[driver.tape.asked.index("rewind") :]


def test_the_end_of_a_session_adds_no_filemark_to_a_marked_tape() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(MoverHalted(MoverHaltReason.CONNECT_CLOSED), MARKED)
    driver.session.shut_down()
    assert driver.tape.tape == [MARK]


def test_writing_after_a_pause_makes_a_filemark_due_again() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(EOW, MARKED, m.MoverSetWindow(512, 512), m.MoverContinue())
    moved(driver, 1024)
    driver.go(m.MoverAbort(), TapeClose())
    assert driver.tape.tape == [MARK, MARK]


def test_a_transfer_after_stop_counts_anew() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(m.MoverAbort(), MARKED, m.MoverStop(), m.MoverSetWindow(0, ONES), LISTEN)
    driver.happen(MoverStarted(TcpAddress("127.0.0.9", 9)))
    moved(driver, 512)
    driver.go(m.MoverAbort(), TapeClose())
    assert driver.tape.tape == [MARK, MARK]


def test_early_warning_that_a_mover_told_is_not_told_again() -> None:
    driver = situation("writable")
    driver.tape.warn_after = 0
    driver.go(TapeWrite(b"header"), LISTEN, MoverStarted(TcpAddress("127.0.0.9", 9)), EOM)
    assert [driver.error(TapeWrite(b"trailer")) for _ in range(2)] == [Error.NO_ERR, Error.NO_ERR]


# -- halts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["listen", "active", "sending", "paused"])
def test_abort_stops_the_data_path_answers_and_posts(name: str) -> None:
    driver = situation(name)
    answer, *posts = driver.events(m.MoverAbort())
    assert answer.message == m.MoverAbortReply(Error.NO_ERR)
    assert [post.message for post in posts] == [NotifyMoverHalted(MoverHaltReason.ABORTED)]
    assert driver.movers.made[0].asked[-1] == "stop"
    state = state_of(driver)
    assert (state.state, state.halt_reason, state.pause_reason) == (
        State.HALTED,
        MoverHaltReason.ABORTED,
        MoverPauseReason.NA,
    )
    driver.go(m.MoverAbort())
    assert driver.posts[-1] == NotifyMoverHalted(MoverHaltReason.ABORTED)
    assert len(driver.posts) == len(Driver().go(*SITUATIONS[name]).posts) + 1, "the second abort posts nothing"


def test_close_answers_and_posts() -> None:
    driver = situation("paused")
    answer, posted = driver.events(m.MoverClose())
    assert answer.message == m.MoverCloseReply(Error.NO_ERR)
    assert posted.message == NotifyMoverHalted(MoverHaltReason.CONNECT_CLOSED)
    assert driver.movers.made[0].asked[-1] == "stop"


def test_stop_resets_all_but_the_record_size() -> None:
    driver = situation("active")
    moved(driver, 512)
    driver.go(MoverHalted(MoverHaltReason.MEDIA_ERROR))
    state = state_of(driver)
    assert (state.halt_reason, state.bytes_moved) == (MoverHaltReason.MEDIA_ERROR, 512)
    driver.go(m.MoverStop())
    expected = Driver().go(LOGIN, m.MoverSetRecordSize(512))
    assert state_of(driver) == state_of(expected)


@pytest.mark.parametrize("name", ["listen", "active", "paused"])
@pytest.mark.parametrize("reason", [r for r in MoverHaltReason if r != MoverHaltReason.NA])
def test_a_halt_is_posted_after_its_reason_in_words(name: str, reason: MoverHaltReason) -> None:
    driver = situation(name)
    log, halt = driver.happen(MoverHalted(reason, "why"))
    assert isinstance(log, LogMessage)
    assert (log.log_type, log.entry) == (LogType.ERROR, "why")
    assert halt == NotifyMoverHalted(reason)
    assert state_of(driver).state == State.HALTED


LATE = [MoverStarted(TcpAddress("127.0.0.9", 9)), EOM, MoverHalted(MoverHaltReason.CONNECT_CLOSED, "late")]


@pytest.mark.parametrize("event", LATE, ids=["started", "paused", "halted"])
def test_events_after_an_abort_are_dropped(event: MoverPaused) -> None:
    driver = situation("listen").go(m.MoverAbort())
    mover = driver.movers.made[0]
    before = state_of(driver)
    mover.report(event)
    assert driver.settle() == []
    assert state_of(driver) == before
    driver.go(m.MoverStop())
    mover.report(event)
    assert driver.settle() == []
    driver.go(m.MoverSetWindow(0, ONES), LISTEN)
    mover.report(event)
    assert driver.settle() == [], "what a mover says that was replaced is not about the new one"
    assert state_of(driver).state == State.LISTEN


def test_an_event_that_waits_while_the_mover_is_aborted_is_dropped() -> None:
    driver = situation("active")
    driver.movers.made[0].report(MoverHalted(MoverHaltReason.CONNECT_CLOSED))
    driver.go(m.MoverAbort())
    assert driver.settle() == []
    assert state_of(driver).halt_reason == MoverHaltReason.ABORTED


# -- the profile of ndmjob ---------------------------------------------------------------------------------------------


def test_in_the_profile_of_ndmjob_no_window_is_an_endless_one() -> None:
    opened = (LOGIN, TapeOpen("t", TapeOpenMode.RDWR))
    for steps in ((), (m.MoverSetWindow(0, 0),)):
        driver = Driver(profile=NDMJOB).go(*opened, *steps, LISTEN)
        assert driver.movers.made[0].asked[0] == f"window 0 {ONES:#x}"
        assert driver.movers.made[0].record_bytes == 10240
    driver = Driver(profile=NDMJOB).go(*opened, SEND, EOM, m.MoverSetWindow(10240, 0), m.MoverContinue())
    assert driver.movers.made[0].asked[-2:] == [f"window 10240 {ONES - 10240:#x}", "resume"]


def test_in_the_profile_of_ndmjob_all_ones_is_endless_wherever_it_begins() -> None:
    opened = (LOGIN, TapeOpen("t", TapeOpenMode.RDWR), m.MoverSetRecordSize(10240), m.MoverSetWindow(0, ONES))
    following = m.MoverSetWindow(10240, ONES)
    driver = Driver(profile=NDMJOB).go(*opened, SEND, EOM, following, m.MoverContinue())
    assert driver.movers.made[0].asked[-2:] == [f"window 10240 {ONES - 10240:#x}", "resume"]
    assert Driver().go(*opened, SEND, EOM).error(following) == Error.ILLEGAL_ARGS


def test_a_host_with_nothing_to_move_has_no_mover() -> None:
    """Draft 2.5.3: movers go with tapes; with the file service they move fragments."""
    whole, _, _, _ = host()
    for without, error in (
        ({"tapes": {}}, Error.NO_ERR),
        ({"files": None}, Error.NO_ERR),
        ({"tapes": {}, "files": None}, Error.NOT_SUPPORTED),
    ):
        driver = Driver(replace(whole, **without)).go(LOGIN)
        assert driver.error(m.MoverGetState()) == error, without
