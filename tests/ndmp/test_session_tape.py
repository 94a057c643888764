"""TAPE requests: opening, implicit filemarks, early warning, ends of reading (draft 3.4)."""

from __future__ import annotations

from typing import Any

import pytest

from ndmp.backends import Host, MoverCounters, MoverHalted, MoverPaused
from ndmp.enums import (
    Error,
    MoverHaltReason,
    MoverPauseReason,
    TapeFlag,
    TapeOpenMode,
    TapeOperation,
    TapeUnsupported,
)
from ndmp.messages.mover import MoverContinue, MoverSetWindow
from ndmp.messages.tape import TapeClose, TapeGetState, TapeMtio, TapeOpen, TapeRead, TapeWrite
from tests.ndmp.driver import LOGIN, ONES, SITUATIONS, Driver
from tests.ndmp.fakes import MARK, MemoryTape

READ, RDWR, RAW = TapeOpen("t", TapeOpenMode.READ), TapeOpen("t", TapeOpenMode.RDWR), TapeOpen("t", TapeOpenMode.RAW)
EOF, REW, TUR = (TapeMtio(TapeOperation[name], 1) for name in ("EOF", "REW", "TUR"))


def opened(mode: TapeOpen = RDWR, *, tape: list[bytes | None] | None = None) -> Driver:
    driver = Driver()
    driver.tape.tape = tape or []
    return driver.go(LOGIN, mode)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (TapeOpen("bogus", TapeOpenMode.READ), Error.NO_DEVICE),
        (TapeOpen("", TapeOpenMode.READ), Error.NO_DEVICE),
        (TapeOpen("t", TapeOpenMode(3)), Error.ILLEGAL_ARGS),
        (TapeOpen("bogus", TapeOpenMode(123)), Error.ILLEGAL_ARGS),
    ],
)
def test_what_cannot_be_opened(request_: TapeOpen, error: Error) -> None:
    driver = Driver().go(LOGIN)
    assert driver.error(request_) == error
    driver.go(READ)


def test_a_protected_tape_opens_for_reading_and_raw() -> None:
    for request, error in ((READ, Error.NO_ERR), (RDWR, Error.WRITE_PROTECT), (RAW, Error.NO_ERR)):
        driver = Driver().go(LOGIN)
        driver.tape.write_protected = True
        assert driver.error(request) == error


STILL = [TapeMtio(TapeOperation[name], count) for name, count in (("FSF", 0), ("BSF", 0), ("FSR", 0), ("BSR", 0))]
MOVES = {
    "FSF": ("space_filemarks 3", 3),
    "BSF": ("space_filemarks -3", 2),
    "FSR": ("space_records 3", 3),
    "BSR": ("space_records -3", 3),
    "REW": ("rewind", 0),
    "OFF": ("unload", 0),
}


@pytest.mark.parametrize("name", MOVES)
def test_every_motion_is_preceded_by_the_filemark_that_is_due(name: str) -> None:
    asked, resid = MOVES[name]
    driver = opened().go(TapeWrite(b"a"))
    driver.tape.asked.clear()
    assert driver.ask(TapeMtio(TapeOperation[name], 3)).resid_count == resid
    assert driver.tape.asked == ["mark 1", asked]
    driver.tape.asked.clear()
    driver.go(TapeMtio(TapeOperation[name], 3))
    assert driver.tape.asked == [asked], "one mark is enough"


@pytest.mark.parametrize("mode", [READ, RDWR], ids=["read", "rdwr"])
def test_counts_that_mean_no_motion(mode: TapeOpen) -> None:
    driver = opened(mode)
    driver.tape.asked.clear()
    for request in [*STILL, TapeMtio(TapeOperation.EOF, 0)]:
        assert driver.ask(request).resid_count == 0
    assert driver.tape.asked == []


def test_no_motion_needs_no_filemark_before_it() -> None:
    driver = opened().go(TapeWrite(b"a"), *STILL, TapeWrite(b"b"))
    assert driver.tape.tape == [b"a", b"b"], "the mark would have moved the tape"
    driver.go(TapeClose())
    assert driver.tape.tape == [b"a", b"b", MARK]


FILEMARKS = [
    ("close", [TapeWrite(b"a"), TapeClose()], [b"a", MARK]),
    ("close after a mark", [TapeWrite(b"a"), EOF, TapeClose()], [b"a", MARK]),
    ("close after a block behind a mark", [EOF, TapeWrite(b"a"), TapeClose()], [MARK, b"a", MARK]),
    ("nothing written", [REW, TapeClose()], []),
    ("an empty block is nothing", [TapeWrite(b""), TapeClose()], []),
    ("the mark that is asked for is the mark", [TapeWrite(b"a"), EOF, EOF, TapeClose()], [b"a", MARK, MARK]),
    ("no mark before a test", [TapeWrite(b"a"), TUR, TapeWrite(b"b"), TapeClose()], [b"a", b"b", MARK]),
    ("no marks asked for", [TapeWrite(b"a"), TapeMtio(TapeOperation.EOF, 0), TapeClose()], [b"a", MARK]),
    ("several marks", [TapeWrite(b"a"), TapeMtio(TapeOperation.EOF, 3), TapeClose()], [b"a", MARK, MARK, MARK]),
    ("rewound", [TapeWrite(b"a"), REW, TapeRead(1), TapeClose()], [b"a", MARK]),
]


@pytest.mark.parametrize(("story", "steps", "left"), FILEMARKS, ids=[story for story, *_ in FILEMARKS])
@pytest.mark.parametrize("mode", [RDWR, RAW], ids=["rdwr", "raw"])
def test_implicit_filemarks(mode: TapeOpen, story: str, steps: list[TapeClose], left: list[bytes | None]) -> None:
    assert opened(mode).go(*steps).tape.tape == left


def test_a_close_that_fails_leaves_the_drive_open_and_the_next_one_does_not() -> None:
    driver = failed_close()
    driver.go(TapeClose())
    assert driver.tape.asked == ["close"], "no second try of the mark"
    assert driver.error(TapeClose()) == Error.DEV_NOT_OPEN


def failed_close() -> Driver:
    """A drive whose implicit filemark just failed."""
    driver = opened().go(TapeWrite(b"a"))
    driver.tape.broken = ["mark"]
    assert driver.error(TapeClose()) == Error.IO
    assert driver.tape.taken
    driver.tape.asked.clear()
    return driver


@pytest.mark.parametrize(
    "between", [TapeGetState(), TUR, TapeRead(0), TapeWrite(b""), READ, TapeMtio(TapeOperation(8), 1)]
)
def test_a_request_after_a_close_that_failed_makes_the_mark_due_again(between: Any) -> None:  # noqa: ANN401
    driver = failed_close()
    driver.reply(between)
    driver.tape.asked.clear()
    driver.go(TapeClose())
    assert driver.tape.asked == ["mark 1", "close"]
    assert driver.tape.tape == [b"a", MARK]


def test_the_end_of_a_session_is_a_close_too() -> None:
    driver = failed_close()
    driver.session.shut_down()
    assert driver.tape.asked == ["close"]


def test_what_a_mover_writes_after_a_close_that_failed_is_marked() -> None:
    driver = Driver().go(*SITUATIONS["active"], MoverPaused(MoverPauseReason.EOM))
    driver.go(TapeWrite(b"a"))
    driver.tape.broken = ["mark"]
    assert driver.error(TapeClose()) == Error.IO
    driver.go(MoverSetWindow(0, ONES), MoverContinue())
    driver.movers.made[-1].progress = MoverCounters(bytes_moved=512)
    driver.happen(MoverHalted(MoverHaltReason.CONNECT_CLOSED))
    driver.tape.asked.clear()
    driver.go(TapeClose())
    assert driver.tape.asked == ["mark 1", "close"]


def test_a_filemark_that_failed_before_a_motion_stays_due() -> None:
    driver = opened().go(TapeWrite(b"a"))
    driver.tape.broken = ["mark"]
    assert driver.error(REW) == Error.IO
    assert driver.tape.at == 1, "no motion without the mark"
    driver.go(TapeClose())
    assert driver.tape.tape == [b"a", MARK]


def test_a_drive_that_fails_to_let_go_is_let_go_by_the_next_close() -> None:
    driver = opened().go(TapeWrite(b"a"))
    driver.tape.broken = ["close"]
    assert driver.error(TapeClose()) == Error.IO
    driver.go(TapeGetState(), TapeClose())
    assert driver.tape.tape == [b"a", MARK], "one mark is enough"
    assert driver.error(TapeClose()) == Error.DEV_NOT_OPEN


def test_reading_writes_no_mark_and_may_not_write() -> None:
    driver = opened(READ, tape=[b"a"]).go(TapeRead(9), REW)
    for request in (TapeWrite(b"x"), TapeWrite(b""), EOF):
        assert driver.error(request) == Error.PERMISSION
    driver.go(TapeClose())
    assert driver.tape.tape == [b"a"]


def writes(driver: Driver, count: int) -> list[tuple[Error, int]]:
    """What so many writes of two bytes answer."""
    answers = [driver.reply(TapeWrite(b"xx")).message for _ in range(count)]
    return [(answer.error, answer.count) for answer in answers]


DONE, TOLD = (Error.NO_ERR, 2), (Error.EOM, 0)


def test_early_warning_is_told_by_the_next_write_and_once() -> None:
    driver = opened()
    driver.tape.warn_after = 2
    assert writes(driver, 6) == [DONE, DONE, DONE, TOLD, DONE, DONE]
    assert len(driver.tape.tape) == 5, "the write that was refused wrote nothing"
    assert driver.error(EOF) == Error.NO_ERR


def test_a_filemark_does_not_make_early_warning_forgotten() -> None:
    driver = opened()
    driver.tape.warn_after = 0
    assert writes(driver, 1) == [DONE]
    driver.go(EOF)
    assert writes(driver, 2) == [TOLD, DONE]


def test_early_warning_is_told_again_to_who_comes_back() -> None:
    driver = opened()
    driver.tape.warn_after = 1
    assert writes(driver, 4) == [DONE, DONE, TOLD, DONE]
    driver.go(REW)
    assert writes(driver, 4) == [DONE, DONE, TOLD, DONE]


def test_early_warning_that_a_motion_kept_from_being_told_is_told_later() -> None:
    driver = opened()
    driver.tape.warn_after = 1
    assert writes(driver, 2) == [DONE, DONE]
    driver.go(TapeMtio(TapeOperation.BSR, 1))
    assert writes(driver, 2) == [DONE, TOLD]


def test_a_new_opening_is_told_again() -> None:
    driver = opened()
    driver.tape.warn_after = 0
    assert writes(driver, 3) == [DONE, TOLD, DONE]
    driver.go(TapeClose(), RDWR)
    assert writes(driver, 3) == [DONE, TOLD, DONE]


def test_reading_stops_on_the_near_side_of_a_mark() -> None:
    driver = opened(READ, tape=[b"abcdef", MARK, b"g"])
    assert driver.ask(TapeRead(4)).block == b"abcd", "what does not fit is dropped"
    for _ in range(2):
        answer = driver.reply(TapeRead(4)).message
        assert (answer.error, answer.block) == (Error.EOF, b"")
    driver.go(TapeMtio(TapeOperation.FSF, 1))
    assert driver.ask(TapeRead(4)).block == b"g", "a shorter block comes as it is"
    for _ in range(2):
        assert driver.error(TapeRead(4)) == Error.EOM
    assert driver.ask(TapeRead(0)).block == b""


SIZES = [(0, 0), (1, 0), (1 << 20, 0), ((1 << 20) + 1, 9)]


@pytest.mark.parametrize(("count", "error"), SIZES)
def test_sizes_of_blocks(count: int, error: int) -> None:
    driver = opened(tape=[bytes(1 << 20)])
    assert driver.error(TapeRead(count)) == error
    assert driver.error(TapeWrite(bytes(count))) == error


@pytest.mark.parametrize("situation", ["listen", "active", "sending", "digest"])
def test_nothing_is_moved_whatever_uses_the_drive(situation: str) -> None:
    driver = Driver().go(*SITUATIONS[situation])
    assert driver.ask(TapeWrite(b"")).count == 0
    assert driver.ask(TapeRead(0)).block == b""
    for request in (TapeWrite(b"a"), TapeRead(1)):
        assert driver.error(request) == Error.DEVICE_BUSY


def fixed(*tape: bytes | None) -> Driver:
    """A session with a drive in fixed block mode, and this on its tape."""
    driver = Driver(Host("h", tapes={"t": MemoryTape(list(tape), block_bytes=4)})).go(LOGIN, RDWR)
    assert driver.ask(TapeGetState()).block_size == 4
    return driver


def test_fixed_blocks_are_written_several_at_once() -> None:
    driver = fixed()
    assert driver.ask(TapeWrite(b"aaaabbbb")).count == 8
    assert driver.ask(TapeGetState()).blockno == 2
    for odd in (b"x", b"aaaab", b"aaaabbb"):
        assert driver.error(TapeWrite(odd)) == Error.ILLEGAL_ARGS
    driver.go(TapeWrite(b"cccc"), REW)
    assert driver.ask(TapeRead(12)).block == b"aaaabbbbcccc"


FIXED_READS = [
    (4, b"aaaa", 1),
    (8, b"aaaabbbb", 2),
    (3, b"aaa", 1),
    (5, b"aaaab", 2),
    (16, b"aaaabbbb", 2),
]


@pytest.mark.parametrize(("count", "block", "blockno"), FIXED_READS)
def test_fixed_blocks_are_read_as_many_as_hold_the_count(count: int, block: bytes, blockno: int) -> None:
    """The last one's excess is dropped; a filemark ends the read and is left for the next one."""
    driver = fixed(b"aaaa", b"bbbb", MARK, b"cccc")
    assert driver.ask(TapeRead(count)).block == block
    assert driver.ask(TapeGetState()).blockno == blockno
    if blockno == 2:
        assert driver.error(TapeRead(4)) == Error.EOF


def test_early_warning_in_the_middle_of_a_write_of_fixed_blocks() -> None:
    tape = MemoryTape(warn_after=1, block_bytes=4)
    driver = Driver(Host("h", tapes={"t": tape})).go(LOGIN, RDWR)
    assert driver.ask(TapeWrite(b"aaaabbbbcccc")).count == 12
    assert tape.tape == [b"aaaa", b"bbbb", b"cccc"]
    assert [driver.error(TapeWrite(b"dddd")) for _ in range(2)] == [Error.EOM, Error.NO_ERR]


def test_a_drive_has_one_session() -> None:
    tape = MemoryTape()
    served = Host("h", tapes={"t": tape})
    holder, other = Driver(served).go(LOGIN, RDWR), Driver(served).go(LOGIN)
    for mode in (READ, RDWR, RAW):
        assert other.error(mode) == Error.DEVICE_BUSY
    holder.go(TapeClose())
    other.go(RDWR)


def test_a_huge_count_of_filemarks_is_refused() -> None:
    driver = opened()
    assert driver.error(TapeMtio(TapeOperation.EOF, 0x1000000)) == Error.ILLEGAL_ARGS
    assert driver.tape.tape == []


def test_the_state_of_a_tape() -> None:
    driver = opened(RAW, tape=[b"a", MARK, b"b", b"c"]).go(*[TapeMtio(TapeOperation.FSF, 1)], TapeRead(1))
    state = driver.ask(TapeGetState())
    assert (state.file_num, state.blockno, state.block_size) == (1, 1, 0)
    unknown = TapeUnsupported.SOFT_ERRORS | TapeUnsupported.TOTAL_SPACE | TapeUnsupported.SPACE_REMAIN
    assert state.unsupported == unknown | TapeUnsupported.RESERVED1
    assert (state.soft_errors, state.total_space, state.space_remain) == (0xFFFFFFFF, (1 << 64) - 1, (1 << 64) - 1)
    assert state.flags == TapeFlag.NOREWIND
    driver.tape.write_protected = True
    assert driver.ask(TapeGetState()).flags == TapeFlag.NOREWIND | TapeFlag.WR_PROT


@pytest.mark.parametrize(
    ("method", "request_"), [("write", TapeWrite(b"a")), ("read", TapeRead(1)), ("rewind", REW), ("test_ready", TUR)]
)
def test_a_device_that_fails_is_an_answer(method: str, request_: TapeWrite) -> None:
    driver = opened(tape=[b"a"])
    driver.tape.broken = [method]
    assert driver.error(request_) == Error.IO
    driver.go(request_)
