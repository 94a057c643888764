"""Movers that send records from a device to a data connection (draft 3.6, mode WRITE)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from duplicator.units import DirectoryUnits
from ndmp.backends import MoverHalted, MoverPaused, ReadEnd
from ndmp.enums import DigestAlgorithm, Error, MoverHaltReason, MoverMode, MoverPauseReason
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64
from tests.duplicator.datapath import (
    DEADLINE,
    ENDLESS,
    FailingDevice,
    GatedDevice,
    Rig,
    batch_bytes,
    no_leaks,
    open_tape,
    recorded,
    reset,
    stream,
    take,
    take_all,
)

CLOSED = MoverHalted(MoverHaltReason.CONNECT_CLOSED)
EOF = MoverPaused(MoverPauseReason.EOF)
EOM = MoverPaused(MoverPauseReason.EOM)
WRITE = MoverMode.WRITE


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


def seek(offset: int) -> MoverPaused:
    """The pause that asks for another window."""
    return MoverPaused(MoverPauseReason.SEEK, offset)


def lengths(record: int) -> list[int]:
    """Streams that end at and around the edges of records and of batches."""
    batch = batch_bytes(record)
    return sorted({1, record - 1, record, record + 1, batch - 1, batch, batch + 1, 2 * batch + record // 2 + 1} - {0})


# -- everything up to the filemark -----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [1, 80, 10240, 65536, 1 << 20, 3 << 20])
def test_a_file_on_tape_is_sent_to_its_mark_and_the_tape_stays_before_it(tmp_path: Path, record: int) -> None:
    for number, size in enumerate(lengths(record)):
        content = stream(size)
        path = recorded(tmp_path / f"VT{number:04}", [content, None, b"behind"], block_bytes=record)
        with open_tape(path) as tape, Rig(WRITE, record, tape) as rig:
            peer = rig.meet() if number % 2 else rig.called()
            rig.mover.read(*ENDLESS)
            assert take(peer, size) == content, size
            rig.expect(EOF)
            told = rig.mover.counters()
            assert (told.bytes_moved, told.record_num, told.seek_offset) == (size, -(-size // record), 0)
            assert told.bytes_left_to_read == ALL_ONES_64 - size
            assert tape.read_records(memoryview(bytearray(8)), 8).end is ReadEnd.FILEMARK
            assert tape.status().file_num == 0
            rig.mover.stop()
            assert take_all(peer) == b""


@pytest.mark.parametrize("record", [512, 10240, 65536, 3 << 20])
def test_an_image_fragment_ends_as_a_file_on_tape_does(tmp_path: Path, record: int) -> None:
    for size in (0, *lengths(record)):
        content = stream(size)
        (tmp_path / "image").write_bytes(content)
        with DirectoryUnits({"lsu": tmp_path}) as units:
            fragment = units.open_read("lsu", "image", 0, DigestAlgorithm.NONE)
            with Rig(WRITE, record, fragment) as rig:
                peer = rig.called()
                rig.mover.read(*ENDLESS)
                assert take(peer, size) == content, size
                rig.expect(EOF)
            assert fragment.status().bytes_moved == size
            fragment.close(keep=False)


def test_close_delivers_all_that_was_sent(tmp_path: Path) -> None:
    content = stream(200_000)
    path = recorded(tmp_path / "VT0001", [content, None], block_bytes=10240)
    with open_tape(path) as tape, Rig(WRITE, 10240, tape) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        rig.expect(EOF)  # all of it is with the kernel, nothing was received yet
        rig.mover.stop()
        assert take_all(peer) == content
        rig.expect_silence()


def test_a_blank_tape_and_the_end_of_the_recording_are_the_end_of_the_medium(tmp_path: Path) -> None:
    for number, blocks in enumerate(([], [stream(80)] * 3)):
        path = recorded(tmp_path / f"VT{number}", blocks)
        with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
            peer = rig.meet()
            rig.mover.read(*ENDLESS)
            assert take(peer, 80 * len(blocks)) == b"".join(blocks)
            rig.expect(EOM)


def test_short_records_among_long_ones_are_sent_as_they_are(tmp_path: Path) -> None:
    blocks = [stream(size, seed) for seed, size in enumerate((80, 3, 80, 79, 1, 1, 80, 40))]
    path = recorded(tmp_path / "VT0001", [*blocks, None])
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        assert take(peer, sum(map(len, blocks))) == b"".join(blocks)
        rig.expect(EOF)
        assert rig.mover.counters().record_num == len(blocks)


def test_short_records_do_not_pass_for_a_filemark(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [b"a" * 80, b"b" * 50, b"c" * 80, None])
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        for offset, size, expected in ((0, 80, b"a" * 80), (80, 50, b"b" * 50), (130, 70, b"c" * 70)):
            rig.mover.read(offset, size)
            assert take(peer, size) == expected
        rig.mover.read(150, 20)
        assert take(peer, 20) == b"c" * 20
        rig.expect_silence()


def test_a_record_longer_than_the_record_size_is_a_media_error(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [bytes(80), bytes(81)])
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        halted = rig.next_event()
        assert isinstance(halted, MoverHalted)
        assert halted.reason == MoverHaltReason.MEDIA_ERROR
        assert "longer than the record size" in halted.text
        assert take_all(peer) in (b"", bytes(80))


def test_a_device_that_breaks_halts_the_mover(tmp_path: Path) -> None:
    table = (
        (ReplyError(Error.IO, "torn"), MoverHaltReason.MEDIA_ERROR),
        (OSError(5, "torn"), MoverHaltReason.INTERNAL_ERROR),
    )
    for number, (failure, reason) in enumerate(table):
        path = recorded(tmp_path / f"VT{number}", [bytes(80)] * 9)
        with open_tape(path) as tape, Rig(WRITE, 80, FailingDevice(tape, 5, failure)) as rig:
            peer = rig.meet()
            rig.mover.read(*ENDLESS)
            assert take_all(peer) == bytes(400)
            halted = rig.next_event()
            assert isinstance(halted, MoverHalted)
            assert halted.reason == reason
            assert "torn" in halted.text


# -- reads of parts --------------------------------------------------------------------------------------------------

# A file of 12 full records of 80 and one of 33 bytes: 993 bytes.
SIZE, RECORD = 12 * 80 + 33, 80
READS = {
    "in sequence": [(0, 80), (80, 80), (160, 800), (960, 33)],
    "in odd sequence": [(0, 1), (1, 78), (79, 2), (81, 500), (581, 412)],
    "whole": [(0, 993)],
    "forwards": [(5, 3), (80, 1), (400, 90), (950, 43)],
    "backwards": [(900, 60), (800, 100), (79, 2), (0, 80)],
    "within one record": [(170, 10), (160, 5), (239, 1), (160, 80)],
    "back from a short last record": [(960, 33), (880, 80), (992, 1), (80, 80), (0, 993), (160, 80)],
    "to and fro": [(500, 100), (100, 100), (500, 100), (0, 1), (992, 1), (480, 80)],
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("kind", ["tape", "fragment"])
def test_reads_go_to_their_offset(tmp_path: Path, kind: str, name: str) -> None:
    content = stream(SIZE)
    with ExitStack() as stack:
        if kind == "tape":
            path = recorded(tmp_path / "VT0001", [content, None], block_bytes=RECORD)
            rig = stack.enter_context(Rig(WRITE, RECORD, stack.enter_context(open_tape(path))))
        else:
            (tmp_path / "image").write_bytes(content)
            units = stack.enter_context(DirectoryUnits({"lsu": tmp_path}))
            fragment = units.open_read("lsu", "image", 0, DigestAlgorithm.NONE)
            stack.callback(fragment.close, keep=False)
            rig = stack.enter_context(Rig(WRITE, RECORD, fragment))
        peer, moved = rig.meet(), 0
        for offset, size in READS[name]:
            rig.mover.read(offset, size)
            assert take(peer, size) == content[offset : offset + size], (offset, size)
            moved += size
        rig.expect_silence()
        rig.mover.read(0, 1)  # accepted, so the last one is accounted for
        take(peer, 1)
        told = rig.mover.counters()
        assert (told.bytes_moved, told.seek_offset) in ((moved, 0), (moved + 1, 0))


def test_the_tape_stands_behind_the_last_record_that_was_needed(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [stream(SIZE), None], block_bytes=RECORD)
    with open_tape(path) as tape, Rig(WRITE, RECORD, tape) as rig:
        peer = rig.meet()
        for offset, size, block in ((0, 80, 1), (80, 81, 3), (400, 1, 6), (401, 79, 6), (85, 3, 2), (960, 33, 13)):
            rig.mover.read(offset, size)
            take(peer, size)
            assert tape.status().block_num == block, offset


def test_a_read_past_the_end_pauses_there(tmp_path: Path) -> None:
    table: tuple[tuple[list[bytes | None], int, int, int, MoverPaused], ...] = (
        ([None], 900, 200, 93, EOF),
        ([None], 993, 1, 0, EOF),
        ([None], 5000, 1, 0, EOF),
        ([], 900, 200, 93, EOM),
        ([], 5000, 1, 0, EOM),
    )
    for number, (mark, offset, size, sent, pause) in enumerate(table):
        content = stream(SIZE)
        path = recorded(tmp_path / f"VT{number}", [content, *mark], block_bytes=RECORD)
        with open_tape(path) as tape, Rig(WRITE, RECORD, tape) as rig:
            peer = rig.meet()
            rig.mover.read(offset, size)
            assert take(peer, sent) == content[offset : offset + sent]
            rig.expect(pause)
            assert rig.mover.counters().bytes_left_to_read == size - sent
            assert tape.status().file_num == 0
            assert tape.status().block_num == 13


def test_only_one_read_at_a_time(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [bytes(80)] * 4)
    with open_tape(path) as tape:
        device = GatedDevice(tape)
        with Rig(WRITE, 80, device) as rig:
            peer = rig.meet()
            rig.mover.read(80, 160)
            device.await_caller()
            for _ in range(2):
                with pytest.raises(ReplyError) as refused:
                    rig.mover.read(0, 80)
                assert refused.value.error == Error.READ_IN_PROGRESS
            told = rig.mover.counters()
            assert (told.seek_offset, told.bytes_left_to_read, told.bytes_moved) == (80, 160, 0)
            device.open_gate()
            take(peer, 160)
            rig.mover.read(0, 80)
            take(peer, 80)


def test_the_next_read_may_follow_as_soon_as_the_last_byte_is_there(tmp_path: Path) -> None:
    content = stream(80 * 50)
    path = recorded(tmp_path / "VT0001", [content], block_bytes=80)
    busy = threading.Event()

    def hold_the_interpreter() -> None:
        while not busy.is_set():
            pass

    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        neighbour = threading.Thread(target=hold_the_interpreter)
        neighbour.start()
        try:
            for offset in range(0, 80 * 50, 80):
                rig.mover.read(offset, 80)
                assert take(peer, 80) == content[offset : offset + 80]
        finally:
            busy.set()
            neighbour.join(DEADLINE)


# -- windows ---------------------------------------------------------------------------------------------------------


def test_an_offset_outside_the_window_asks_for_another_one(tmp_path: Path) -> None:
    content = stream(SIZE)
    path = recorded(tmp_path / "VT0001", [content, None], block_bytes=RECORD)
    for offset in (0, 159, 320, 900):
        with open_tape(path) as tape:
            assert tape.space_records(2) == 0
            with Rig(WRITE, RECORD, tape, window=(160, 160)) as rig:
                peer = rig.meet()
                rig.mover.read(offset, 10)
                rig.expect(seek(offset))
                told = rig.mover.counters()
                assert (told.seek_offset, told.bytes_left_to_read) == (offset, 10)
                rig.go_on()  # the window is what it was
                rig.expect(seek(offset))
                tape.rewind()
                rig.go_on(*ENDLESS)
                assert take(peer, 10) == content[offset : offset + 10]
                rig.expect_silence()


def test_a_read_over_the_end_of_the_window_goes_on_in_the_next(tmp_path: Path) -> None:
    content = stream(SIZE)
    path = recorded(tmp_path / "VT0001", [content, None], block_bytes=RECORD)
    with open_tape(path) as tape, Rig(WRITE, RECORD, tape, window=(0, 240)) as rig:
        peer = rig.meet()
        rig.mover.read(100, 800)
        assert take(peer, 140) == content[100:240]
        rig.expect(seek(240))
        assert rig.mover.counters().seek_offset == 100
        rig.go_on(240, 80)
        rig.expect(seek(320))
        tape.rewind()
        assert tape.space_records(3) == 0
        rig.go_on(240, ALL_ONES_64 - 240)  # the window may begin before what is wanted
        assert take(peer, 660) == content[240:900]
        assert rig.mover.counters().record_num == 12
        rig.expect_silence()


def test_a_window_may_end_inside_the_last_record(tmp_path: Path) -> None:
    content = stream(SIZE)
    path = recorded(tmp_path / "VT0001", [content + bytes(47), None], block_bytes=RECORD)
    with open_tape(path) as tape, Rig(WRITE, RECORD, tape, window=(0, SIZE)) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        assert take(peer, SIZE) == content
        rig.expect(seek(SIZE))
        rig.mover.stop()
        assert take_all(peer) == b""


def test_a_stream_on_three_tapes_is_sent_as_one(tmp_path: Path) -> None:
    content = stream(3 * 800 - 55)
    parts = [content[:800], content[800:1600], content[1600:]]
    paths = [
        recorded(tmp_path / f"VT{number}", [b"label", None, part, *([None] if number else [])], block_bytes=80)
        for number, part in enumerate(parts)
    ]
    with ExitStack() as stack:
        tapes = [stack.enter_context(open_tape(path)) for path in paths]
        for tape in tapes:
            assert tape.space_filemarks(1) == 0
        with Rig(WRITE, 80, tapes[0]) as rig:
            peer = rig.meet()
            rig.mover.read(*ENDLESS)
            assert take(peer, 800) == parts[0]
            rig.expect(EOM)
            rig.device = tapes[1]
            rig.go_on(800, ALL_ONES_64 - 800)
            assert take(peer, 800) == parts[1]
            rig.expect(EOF)
            rig.device = tapes[2]
            rig.go_on(1600, ALL_ONES_64 - 1600)
            assert take(peer, 745) == parts[2]
            rig.expect(EOF)
            told = rig.mover.counters()
            assert (told.bytes_moved, told.record_num) == (len(content), 30)


@pytest.mark.parametrize("last", [80, 33])
def test_going_on_without_a_new_window_goes_on_where_it_was(tmp_path: Path, last: int) -> None:
    first, second = stream(240 + last, 1), stream(400, 2)
    path = recorded(tmp_path / "VT0001", [first, None, second, None], block_bytes=80)
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        assert take(peer, len(first)) == first
        rig.expect(EOF)
        rig.go_on()  # the mark is still there
        rig.expect(EOF)
        assert tape.space_filemarks(1) == 0
        rig.go_on()
        assert take(peer, 400) == second
        rig.expect(EOF)
        told = rig.mover.counters()
        assert (told.bytes_moved, told.record_num) == (len(first) + 400, 9)


def test_going_back_stops_behind_a_mark(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [stream(240), None, stream(400), None], block_bytes=80)
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        rig.mover.read(0, 640)
        take(peer, 240)
        rig.expect(EOF)
        assert tape.space_filemarks(1) == 0
        rig.go_on()
        take(peer, 400)
        rig.mover.read(0, 80)  # lies in the file before
        rig.expect(EOF)
        assert (tape.status().file_num, tape.status().block_num) == (1, 0)
        told = rig.mover.counters()
        assert (told.record_num, told.bytes_left_to_read, told.bytes_moved) == (3, 80, 640)


def test_a_new_window_is_new_once(tmp_path: Path) -> None:
    content = stream(800)
    path = recorded(tmp_path / "VT0001", [content[:400], None, content[400:], None], block_bytes=80)
    with open_tape(path) as tape:
        assert tape.space_records(2) == 0
        with Rig(WRITE, 80, tape, window=(160, ALL_ONES_64 - 160)) as rig:
            peer = rig.meet()
            rig.mover.read(160, 600)
            assert take(peer, 240) == content[160:400]
            rig.expect(EOF)
            tape.space_filemarks(1)
            rig.go_on()
            assert take(peer, 360) == content[400:760]


# -- a receiver that leaves ------------------------------------------------------------------------------------------


def test_a_receiver_that_leaves_ends_the_transfer(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [bytes(1 << 20)] * 16)
    with open_tape(path) as tape:
        for leave in (lambda peer: peer.close(), reset):
            for busy in (False, True):
                tape.rewind()
                with Rig(WRITE, 1 << 20, tape) as rig:
                    peer = rig.meet()
                    if busy:
                        rig.mover.read(*ENDLESS)
                        take(peer, 1000)
                    leave(peer)
                    rig.expect(CLOSED)


def test_a_receiver_that_leaves_during_a_pause_ends_the_transfer(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [bytes(80), None])
    with open_tape(path) as tape, Rig(WRITE, 80, tape) as rig:
        peer = rig.meet()
        rig.mover.read(*ENDLESS)
        rig.expect(EOF)
        take(peer, 80)
        peer.close()
        rig.expect(CLOSED)


# -- any reads in any windows ----------------------------------------------------------------------------------------


@hypothesis_settings(max_examples=40)
@given(
    record=st.sampled_from([1, 7, 80, 512]),
    size=st.integers(1, 4000),
    reads=st.lists(st.tuples(st.integers(0, 3999), st.integers(1, 4000)), min_size=1, max_size=12),
    windows=st.lists(st.tuples(st.integers(0, 10), st.integers(1, 3000)), min_size=1, max_size=5),
)
def test_no_plan_of_reads_and_windows_gives_wrong_bytes(
    tmp_path_factory: pytest.TempPathFactory,
    record: int,
    size: int,
    reads: list[tuple[int, int]],
    windows: list[tuple[int, int]],
) -> None:
    """Windows come in turn, each begins up to some records before what is wanted; the tape is put at its start."""
    content, path = stream(size), tmp_path_factory.mktemp("plan") / "VT0001"
    recorded(path, [content, None], block_bytes=record)
    turn = 0
    with open_tape(path) as tape, Rig(WRITE, record, tape, window=(0, windows[0][1])) as rig:
        peer, window, moved = rig.meet(), (0, windows[0][1]), 0
        for wish, length in reads:
            at, left = wish % size, min(length, size - wish % size)
            rig.mover.read(at, left)
            while left:
                low, high = window[0], sum(window)
                reach = min(left, high - at) if low <= at < high else 0
                assert take(peer, reach) == content[at : at + reach]
                at, left, moved = at + reach, left - reach, moved + reach
                if not left:
                    break
                rig.expect(seek(at))
                turn += 1
                before, room = windows[turn % len(windows)]
                start = max(at // record - before, 0) * record
                window = (start, at - start + room)
                tape.rewind()
                assert tape.space_records(start // record) == 0
                rig.go_on(*window)
        rig.mover.stop()
        rig.expect_silence()
        assert rig.mover.counters().bytes_moved == moved
