"""A mover's records: blocks of a fixed size, the record number after a window, one address, and an interrupt."""

from __future__ import annotations

import pytest

from ndmp.backends import MoverCounters, MoverPaused, MoverStarted
from ndmp.enums import AddressType, Error, MoverMode, MoverPauseReason, TapeOpenMode
from ndmp.enums import MoverState as State
from ndmp.messages import mover as m
from ndmp.messages.tape import TapeClose, TapeOpen
from ndmp.services.profile import NDMJOB
from ndmp.types import TcpAddress
from tests.ndmp.driver import LOGIN, ONES, PEER, SITUATIONS, Driver

RDWR = TapeOpen("t", TapeOpenMode.RDWR)
STARTS = [m.MoverListen(MoverMode.READ, AddressType.TCP), m.MoverConnect(MoverMode.WRITE, PEER)]


def state_of(driver: Driver) -> m.MoverGetStateReply:
    state: m.MoverGetStateReply = driver.ask(m.MoverGetState())
    return state


@pytest.mark.parametrize(("block", "record", "error"), [(512, 512, 0), (512, 1024, 0), (512, 513, 9), (0, 513, 0)])
def test_records_are_whole_blocks_of_the_open_tape(block: int, record: int, error: int) -> None:
    driver = Driver()
    driver.tape.block_bytes = block
    driver.go(LOGIN, RDWR)
    assert driver.error(m.MoverSetRecordSize(record)) == error
    assert state_of(driver).record_size == (0 if error else record)


@pytest.mark.parametrize("start", STARTS)
def test_a_tape_that_was_opened_later_is_looked_at_when_the_mover_starts(start: m.MoverConnect) -> None:
    for block, error in ((512, Error.PRECONDITION), (500, Error.NO_ERR), (0, Error.NO_ERR)):
        driver = Driver()
        driver.tape.block_bytes = block
        driver.go(LOGIN, m.MoverSetRecordSize(1000), m.MoverSetWindow(0, ONES), RDWR)
        assert driver.error(start) == error
        assert state_of(driver).state == (State.IDLE if error else State.LISTEN if start is STARTS[0] else State.ACTIVE)


def test_a_preset_record_size_is_no_exception() -> None:
    driver = Driver(profile=NDMJOB)
    driver.tape.block_bytes = 4096
    driver.go(LOGIN, RDWR)
    assert driver.error(STARTS[0]) == Error.PRECONDITION, "10240 is not a multiple"


def test_a_tape_that_was_changed_is_looked_at_when_the_mover_goes_on() -> None:
    driver = Driver().go(*SITUATIONS["paused"], TapeClose())
    driver.tape.block_bytes = 1024
    driver.go(RDWR, m.MoverSetWindow(0, ONES))
    assert driver.error(m.MoverContinue()) == Error.PRECONDITION
    assert state_of(driver).state == State.PAUSED


def test_a_fragment_has_no_blocks() -> None:
    driver = Driver()
    driver.tape.block_bytes = 4096
    driver.go(*SITUATIONS["newfile"], m.MoverSetRecordSize(1000), m.MoverSetWindow(0, ONES), STARTS[0])


@pytest.mark.parametrize(("offset", "number"), [(0, 0), (511, 0), (5120, 10), (512 << 33, 0), ((512 << 32) + 512, 1)])
def test_a_window_in_idle_sets_the_record_number(offset: int, number: int) -> None:
    """The field has 32 bits (draft 3.6.2.2)."""
    driver = Driver().go(LOGIN, m.MoverSetRecordSize(512), m.MoverSetWindow(offset, 512))
    assert state_of(driver).record_num == number
    driver.go(m.MoverSetRecordSize(512))
    assert state_of(driver).record_num == 0


def test_a_window_during_a_pause_sets_the_record_number() -> None:
    driver = Driver().go(*SITUATIONS["paused"])
    driver.movers.made[0].progress = MoverCounters(record_num=7)
    assert state_of(driver).record_num == 7
    assert driver.error(m.MoverSetWindow(0, 1)) == Error.ILLEGAL_ARGS
    assert state_of(driver).record_num == 7
    driver.go(m.MoverSetWindow(5120, 512))
    assert state_of(driver).record_num == 10
    driver.go(m.MoverContinue())
    driver.movers.made[0].progress = MoverCounters(record_num=11)
    assert state_of(driver).record_num == 11, "the mover counts on from there"
    driver.go(MoverPaused(MoverPauseReason.EOW))
    assert state_of(driver).record_num == 11


def test_the_record_number_is_zero_after_stop() -> None:
    driver = Driver().go(*SITUATIONS["paused"], m.MoverSetWindow(5120, 512), m.MoverAbort(), m.MoverStop())
    assert state_of(driver).record_num == 0


def test_get_state_shows_one_address_without_environment() -> None:
    driver = Driver().go(*SITUATIONS["listen"], MoverStarted(TcpAddress("127.0.0.9", 9, (("NIC", "fast"),))))
    assert state_of(driver).address == m.TcpAddresses((m.TcpEndpoint(0x7F000009, 9),))


def test_an_interrupt_ends_a_connect_and_those_that_follow() -> None:
    driver = Driver().go(*SITUATIONS["writable"])
    driver.movers.meanwhile = driver.session.interrupt
    assert driver.error(STARTS[1]) == Error.CONNECT
    assert driver.movers.made[0].asked[-2:] == ["connect 127.0.0.2:99", "stop"]
    assert driver.error(STARTS[1]) == Error.CONNECT
    assert driver.movers.made[1].asked == [f"window 0 {ONES:#x}"]
    assert state_of(driver).state == State.IDLE


def test_an_interrupt_leaves_a_mover_in_use_to_the_end_of_the_session() -> None:
    driver = Driver().go(*SITUATIONS["active"])
    driver.session.interrupt()
    assert "stop" not in driver.movers.made[0].asked
    driver.session.shut_down()
    assert driver.movers.made[0].asked[-1] == "stop"
