"""SCSI requests, and commands to a tape: audits, what passes through, and one device at a time (draft 3.3, 3.4.8)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndmp.backends import CdbOutcome, Host, MoverPaused, ScsiAddress
from ndmp.enums import CdbFlag, DigestAlgorithm, Error, MoverPauseReason, TapeOpenMode, TapeOperation
from ndmp.messages.extensions.fse import FseOpenRead
from ndmp.messages.mover import MoverContinue, MoverSetWindow
from ndmp.messages.scsi import (
    ScsiClose,
    ScsiExecuteCdb,
    ScsiExecuteCdbReply,
    ScsiGetState,
    ScsiOpen,
    ScsiResetDevice,
)
from ndmp.messages.tape import TapeClose, TapeExecuteCdb, TapeExecuteCdbReply, TapeMtio, TapeOpen, TapeWrite
from tests.ndmp.driver import LOGIN, ONES, SITUATIONS, Driver
from tests.ndmp.fakes import MARK, MemoryTape, MemoryUnit, ScriptedMovers
from tests.ndmp.fakes_scsi import INQUIRY, INVALID_OPCODE, TEST_UNIT_READY, Asked, MemoryChanger

IN, OUT, NONE = CdbFlag.DATA_IN, CdbFlag.DATA_OUT, CdbFlag(0)
READY = ScsiExecuteCdb(NONE, 0, 0, TEST_UNIT_READY, b"")
OPEN = ScsiOpen("c")
TAPE = TapeOpen("t", TapeOpenMode.RDWR)
MIB = 1 << 20


class Site:
    """A host with a changer "c", a tape "t" and a unit "u", and any number of sessions on it."""

    def __init__(self) -> None:
        self.changer, self.tape, self.movers = MemoryChanger(), MemoryTape(), ScriptedMovers()
        self.host = Host(
            "h",
            movers=self.movers,
            tapes={"t": self.tape, "t2": MemoryTape()},
            changers={"c": self.changer, "c2": MemoryChanger()},
            files=MemoryUnit(),
        )

    def session(self, *steps: Any) -> Driver:  # noqa: ANN401
        """A session that has logged in and done these steps."""
        driver = Driver(self.host)
        driver.movers = self.movers
        return driver.go(LOGIN, *steps)


@pytest.mark.parametrize("device", ["", "bogus", "u", "C"])
def test_names_that_are_no_device(device: str) -> None:
    assert Site().session().error(ScsiOpen(device)) == Error.NO_DEVICE


WITHOUT_DEVICE = [ScsiClose(), ScsiGetState(), ScsiResetDevice(), READY]


@pytest.mark.parametrize("request_", WITHOUT_DEVICE)
def test_nothing_works_without_a_device_opened_here(request_: Any) -> None:  # noqa: ANN401
    site = Site()
    assert site.session().error(request_) == Error.DEV_NOT_OPEN
    assert site.session(TAPE).error(request_) == Error.DEV_NOT_OPEN, "a tape was opened by the tape service"
    assert site.session(OPEN, ScsiClose()).error(request_) == Error.DEV_NOT_OPEN


OPENED = {"tape": TAPE, "changer": OPEN, "fragment": FseOpenRead("u", "img", 0, DigestAlgorithm.NONE)}
OPENS = [ScsiOpen("c2"), ScsiOpen("t2"), ScsiOpen("bogus"), TapeOpen("t2", TapeOpenMode.READ), *OPENED.values()]


@pytest.mark.parametrize("first", OPENED)
def test_a_session_has_one_device_at_a_time(first: str) -> None:
    driver = Site().session(OPENED[first])
    for second in OPENS:
        assert driver.error(second) == Error.DEVICE_OPENED, second


@pytest.mark.parametrize(
    ("first", "second"),
    [(OPEN, OPEN), (TAPE, TAPE), (TAPE, ScsiOpen("t")), (ScsiOpen("t"), TAPE), (ScsiOpen("t"), ScsiOpen("t"))],
)
def test_a_device_has_one_session_at_a_time(first: Any, second: Any) -> None:  # noqa: ANN401
    site = Site()
    holder, other = site.session(first), site.session()
    assert other.error(second) == Error.DEVICE_BUSY
    holder.session.shut_down()
    other.go(second)


def test_opening_gives_no_command() -> None:
    site = Site()
    site.session(OPEN, ScsiClose())
    assert site.changer.asked == []


COMMANDS: list[tuple[ScsiExecuteCdb, Asked]] = [
    (READY, Asked(TEST_UNIT_READY, b"", 0, None)),
    (ScsiExecuteCdb(NONE, 1, 0, b"\x35" + bytes(5), b""), Asked(b"\x35" + bytes(5), b"", 0, 0.001)),
    (ScsiExecuteCdb(IN, 90_000, 36, INQUIRY, b""), Asked(INQUIRY, b"", 36, 90.0)),
    (ScsiExecuteCdb(IN, 0xFFFFFFFF, 0, INQUIRY, b""), Asked(INQUIRY, b"", 0, 4294967.295)),
    (ScsiExecuteCdb(IN, 0, MIB, bytes(16), b"ignored"), Asked(bytes(16), b"", MIB, None)),
    (ScsiExecuteCdb(OUT, 0, 0xFFFFFFFF, bytes(12), b"\0out"), Asked(bytes(12), b"\0out", 0, None)),
    (ScsiExecuteCdb(OUT, 0, 0, b"\x15" + bytes(5), b""), Asked(b"\x15" + bytes(5), b"", 0, None)),
    (ScsiExecuteCdb(NONE, 0, 0xFFFFFFFF, bytes(32), b"ignored"), Asked(bytes(32), b"", 0, None)),
    (ScsiExecuteCdb(OUT, 0, 0, b"\x7f" + bytes(259), bytes(MIB)), Asked(b"\x7f" + bytes(259), bytes(MIB), 0, None)),
]


@pytest.mark.parametrize(("request_", "asked"), COMMANDS)
def test_a_command_reaches_the_device_as_it_is(request_: ScsiExecuteCdb, asked: Asked) -> None:
    site = Site()
    site.session(OPEN, request_)
    assert site.changer.asked == [asked]


BAD = [
    ScsiExecuteCdb(IN, 0, 0, b"", b""),
    ScsiExecuteCdb(IN, 0, 0, bytes(261), b""),
    ScsiExecuteCdb(IN | OUT, 0, 36, INQUIRY, b""),
    ScsiExecuteCdb(CdbFlag(4), 0, 36, INQUIRY, b""),
    ScsiExecuteCdb(IN | CdbFlag(0x80000000), 0, 36, INQUIRY, b""),
    ScsiExecuteCdb(IN, 0, MIB + 1, INQUIRY, b""),
    ScsiExecuteCdb(IN, 0, 0xFFFFFFFF, INQUIRY, b""),
    ScsiExecuteCdb(OUT, 0, 0, INQUIRY, bytes(MIB + 1)),
]


@pytest.mark.parametrize("request_", BAD, ids=range(len(BAD)))
def test_arguments_that_cannot_be_meant_reach_no_device(request_: ScsiExecuteCdb) -> None:
    site = Site()
    assert site.session(OPEN).error(request_) == Error.ILLEGAL_ARGS
    to_tape = TapeExecuteCdb(request_.flags, request_.timeout, request_.datain_len, request_.cdb, request_.dataout)
    assert site.session(TAPE).error(to_tape) == Error.ILLEGAL_ARGS
    assert site.changer.asked == []
    assert site.tape.asked == ["open"]


def test_a_check_condition_is_an_answer() -> None:
    answer = Site().session(OPEN).ask(ScsiExecuteCdb(OUT, 0, 0, b"\xa5" + bytes(11), b"abc"))
    assert answer == ScsiExecuteCdbReply(Error.NO_ERR, status=2, dataout_len=3, datain=b"", sense=INVALID_OPCODE)


def test_what_a_device_reads_is_the_answer() -> None:
    answer = Site().session(OPEN).ask(ScsiExecuteCdb(IN, 0, 36, INQUIRY, b""))
    assert (answer.status, answer.dataout_len, answer.sense) == (0, 0, b"")
    assert answer.datain[:1] + answer.datain[8:16] == b"\x08MEMORY  "


class Talkative(MemoryChanger):
    """Gives more than it is asked for."""

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        return CdbOutcome(0, b"\x08" * (data_in_bytes + 10))


def test_an_answer_is_cut_to_what_was_asked_for() -> None:
    driver = Driver(Host("h", changers={"c": Talkative()})).go(LOGIN, OPEN)
    assert driver.ask(ScsiExecuteCdb(IN, 0, 5, INQUIRY, b"")).datain == b"\x08" * 5
    assert driver.ask(READY).datain == b""


@pytest.mark.parametrize("error", [Error.TIMEOUT, Error.IO, Error.ILLEGAL_ARGS, Error.NOT_SUPPORTED])
def test_trouble_on_the_way_to_the_device(error: Error) -> None:
    site = Site()
    driver = site.session(OPEN)
    site.changer.broken = error
    assert driver.error(READY) == error
    driver.go(READY)


def test_where_a_changer_sits() -> None:
    site = Site()
    driver = site.session(OPEN)
    state = driver.ask(ScsiGetState())
    assert (state.controller, state.target_id, state.lun) == (0, 3, -1)
    site.changer.where = ScsiAddress(-1, -1, 7)
    assert driver.ask(ScsiGetState()).lun == 7
    site.changer.where = None
    assert driver.error(ScsiGetState()) == Error.NOT_SUPPORTED


def test_a_reset_is_the_devices_own() -> None:
    site = Site()
    driver = site.session(OPEN, ScsiResetDevice())
    assert site.changer.resets == 1
    site.changer.resets = None
    assert driver.error(ScsiResetDevice()) == Error.NOT_SUPPORTED
    driver.go(READY)


def test_a_lost_session_releases_the_changer() -> None:
    site = Site()
    site.session(OPEN).session.shut_down()
    assert not site.changer.taken


def test_a_tape_opened_by_scsi_takes_commands_and_nothing_else() -> None:
    site = Site()
    driver = site.session(ScsiOpen("t"), ScsiExecuteCdb(OUT, 0, 0, b"\x0a" + bytes(5), b"written"))
    assert site.tape.asked == ["open", "cdb 0a0000000000"]
    for request in (TapeWrite(b"a"), TapeClose()):
        assert driver.error(request) == Error.DEV_NOT_OPEN
    for request in (ScsiGetState(), ScsiResetDevice()):
        assert driver.error(request) == Error.NOT_SUPPORTED
    driver.go(ScsiClose())
    assert site.tape.asked == ["open", "cdb 0a0000000000", "close"], "no filemark of its own"


def test_a_write_protected_tape_opens_by_scsi() -> None:
    site = Site()
    site.tape.write_protected = True
    site.session(ScsiOpen("t"), READY)


def test_a_command_to_a_tape() -> None:
    answer = Site().session(TAPE).ask(TapeExecuteCdb(IN, 500, 3, INQUIRY, b""))
    assert answer == TapeExecuteCdbReply(Error.NO_ERR, 0, 0, b"\x05\x05\x05", b"")


def test_what_a_command_wrote_is_followed_by_no_mark() -> None:
    write = TapeExecuteCdb(OUT, 0, 0, b"\x0a" + bytes(5), b"block")
    site = Site()
    driver = site.session(TAPE, write, TapeMtio(TapeOperation.REW, 1), TapeClose())
    assert site.tape.tape == []
    driver.go(TAPE, TapeWrite(b"a"), write, TapeClose())
    assert site.tape.tape == [b"a", MARK], "what TAPE_WRITE wrote is"


def test_the_changer_changes_the_tape_of_a_mover_that_waits_for_it() -> None:
    site = Site()
    driver = site.session(*SITUATIONS["active"], MoverPaused(MoverPauseReason.EOM))
    driver.go(TapeClose(), OPEN, READY, ScsiClose(), TAPE, MoverSetWindow(0, ONES), MoverContinue())
    assert site.movers.made[-1].asked[-1] == "resume"


STEPS = st.sampled_from([*OPENS, *WITHOUT_DEVICE, *BAD, TapeClose(), TapeWrite(b"a"), TapeMtio(TapeOperation.REW, 1)])


@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=30))
def test_any_order_in_two_sessions(steps: list[tuple[Any, bool]]) -> None:
    site = Site()
    sessions = site.session(), site.session()
    for request, which in steps:
        assert sessions[which].error(request) != Error.UNDEFINED
    for each in sessions:
        each.session.shut_down()
    assert not site.tape.taken
    assert not site.changer.taken
    assert not site.tape.tape or site.tape.tape[-1] is MARK
