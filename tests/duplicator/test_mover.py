"""Movers that take a stream from a data connection to a device (draft 3.6, mode READ), and how any mover ends."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from duplicator.dataconn import NetworkSettings
from duplicator.units import DirectoryUnits
from ndmp.backends import MoverHalted, MoverPaused, RecordDevice, RecordsWritten
from ndmp.enums import DigestAlgorithm, Error, MoverHaltReason, MoverMode, MoverPauseReason
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64
from scsi.virtual.image import create_cartridge, remove_cartridge
from tests.duplicator.datapath import (
    DEADLINE,
    ENDLESS,
    PROMPT,
    FailingDevice,
    GatedDevice,
    Rig,
    batch_bytes,
    blocks_on,
    feeding,
    no_leaks,
    open_tape,
    pieces_of,
    recorded,
    reset,
    stream,
)

CLOSED = MoverHalted(MoverHaltReason.CONNECT_CLOSED)
EOW = MoverPaused(MoverPauseReason.EOW)
EOM = MoverPaused(MoverPauseReason.EOM)
EOF = MoverPaused(MoverPauseReason.EOF)
RECORD_SIZES = (1, 80, 512, 10240, 65536, 262144, 1 << 20, 3 << 20)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


def zero_padded(content: bytes, record_bytes: int) -> bytes:
    """The stream as it lies on tape."""
    return content + bytes(-len(content) % record_bytes)


def runs_of(content: bytes, record_bytes: int) -> list[tuple[int, int]]:
    """One run of equal blocks, or none."""
    return [(-(-len(content) // record_bytes), record_bytes)] if content else []


def lengths(record: int) -> list[int]:
    """Streams that end at and around the edges of records and of batches."""
    batch = batch_bytes(record)
    around = {0, 1, record - 1, record, record + 1, batch - 1, batch, batch + 1, 2 * batch + record // 2 + 1}
    return sorted(around)


@pytest.mark.parametrize("record", RECORD_SIZES)
def test_every_length_becomes_whole_records_with_zeros_at_the_end_only(tmp_path: Path, record: int) -> None:
    for number, size in enumerate(lengths(record)):
        content, path = stream(size), tmp_path / f"VT{number:04}"
        with open_tape(path) as tape, Rig(MoverMode.READ, record, tape) as rig:
            with feeding(rig.meet() if number % 2 else rig.called(), [content]):
                rig.expect(CLOSED)
            told = rig.mover.counters()
        assert (told.bytes_moved, told.record_num) == (size, -(-size // record)), size
        assert blocks_on(path) == (runs_of(content, record), zero_padded(content, record)), size
        remove_cartridge(path)


PIECES = {
    "a byte at a time": (400, 80, (1,)),
    "a record at a time": (20 * 512, 512, (512,)),
    "a byte short of a record": (100 * 512, 512, (511,)),
    "odd": (700_001, 10240, (1, 9973, 3, 40961, 20480)),
    "odd, and more than a batch": (5_000_001, 65536, (1_500_001, 7, 65536)),
}


@pytest.mark.parametrize("name", PIECES)
def test_the_cuts_of_the_sender_do_not_show_on_tape(tmp_path: Path, name: str) -> None:
    size, record, sizes = PIECES[name]
    content, path = stream(size), tmp_path / "VT0001"
    with open_tape(path) as tape, Rig(MoverMode.READ, record, tape) as rig:
        peer = rig.meet()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with feeding(peer, pieces_of(content, sizes)):
            rig.expect(CLOSED)
    assert blocks_on(path) == (runs_of(content, record), zero_padded(content, record))


def test_full_records_of_a_sender_that_rests_are_written_soon(tmp_path: Path) -> None:
    content, path = stream(1000), tmp_path / "VT0001"
    with ExitStack() as stack:
        tape = stack.enter_context(open_tape(path))
        device = GatedDevice(tape, is_open=True)
        with Rig(MoverMode.READ, 80, device) as rig:
            peer = rig.meet()
            for start, end, records in ((0, 250, 3), (250, 320, 1), (320, 810, 6)):
                peer.sendall(content[start:end])
                while records:
                    records -= device.written.get(timeout=DEADLINE)
                assert records == 0
                assert tape.status().block_num == end // 80
            peer.sendall(content[810:])
            peer.close()
            rig.expect(CLOSED)
    assert blocks_on(path) == ([(13, 80)], content + bytes(40))


# -- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [80, 65536, 1 << 20])
def test_a_window_ends_only_when_more_comes(tmp_path: Path, record: int) -> None:
    window = 3 * record
    for number, size in enumerate((window - 1, window, window + 1, 2 * window, 2 * window + 1, 3 * window - 1)):
        content, path = stream(size), tmp_path / f"VT{number:04}"
        with open_tape(path) as tape, Rig(MoverMode.READ, record, tape, window=(0, window)) as rig:
            with feeding(rig.meet(), [content]):
                for end in range(window, size, window):
                    rig.expect(EOW)
                    assert rig.mover.counters().bytes_moved == end
                    assert tape.status().block_num == end // record
                    rig.go_on(0, window)  # only the length counts
                rig.expect(CLOSED)
            rig.expect_silence()
            assert rig.mover.counters().bytes_moved == size
        assert blocks_on(path) == (runs_of(content, record), zero_padded(content, record)), size


def test_record_numbers_start_again_with_each_window(tmp_path: Path) -> None:
    with open_tape(tmp_path / "VT0001") as tape, Rig(MoverMode.READ, 80, tape, window=(800, 160)) as rig:
        assert rig.mover.counters().record_num == 10
        with feeding(rig.meet(), [stream(400)]):
            rig.expect(EOW)
            assert rig.mover.counters().record_num == 12
            rig.go_on(0, ALL_ONES_64)
            rig.expect(CLOSED)
        assert rig.mover.counters().record_num == 3


def test_going_on_without_a_new_window_meets_its_end_again(tmp_path: Path) -> None:
    path = tmp_path / "VT0001"
    with (
        open_tape(path) as tape,
        Rig(MoverMode.READ, 80, tape, window=(0, 160)) as rig,
        feeding(rig.meet(), [stream(240)]),
    ):
        for _ in range(3):
            rig.expect(EOW)
            rig.go_on()
        rig.expect(EOW)
        rig.go_on(0, 160)
        rig.expect(CLOSED)
    assert blocks_on(path) == ([(3, 80)], stream(240))


# -- the end of the medium -------------------------------------------------------------------------------------------

# 40 records to a tape; the last zone begins behind the 30th.
SMALL = {"capacity": 40 * 10240, "early_warning": 10 * 10240}


def test_a_stream_goes_on_over_three_tapes(tmp_path: Path) -> None:
    content, record = stream(70 * 10240 + 5000), 10240
    paths = [tmp_path / f"VT{number}" for number in range(3)]
    with ExitStack() as stack:
        tapes = [stack.enter_context(open_tape(path, **SMALL)) for path in paths]
        with Rig(MoverMode.READ, record, tapes[0]) as rig, feeding(rig.meet(), [content]):
            for number in (1, 2):
                rig.expect(EOM)
                assert rig.mover.counters().bytes_moved == number * 30 * record
                rig.device = tapes[number]
                rig.go_on(number * 30 * record, ALL_ONES_64 - number * 30 * record)
            rig.expect(CLOSED)
            assert rig.mover.counters().bytes_moved == len(content)
    assert [blocks_on(path)[0] for path in paths] == [[(30, record)], [(30, record)], [(11, record)]]
    assert b"".join(blocks_on(path)[1] for path in paths) == zero_padded(content, record)


def test_early_warning_is_told_once_and_then_the_tape_ends(tmp_path: Path) -> None:
    content, path = stream(50 * 10240), tmp_path / "VT0001"
    with open_tape(path, **SMALL) as tape, Rig(MoverMode.READ, 10240, tape) as rig:
        with feeding(rig.meet(), [content]):
            rig.expect(EOM)
            rig.go_on(*ENDLESS)
            halted = rig.next_event()
            assert isinstance(halted, MoverHalted)
            assert halted.reason == MoverHaltReason.MEDIA_ERROR
            assert "no room" in halted.text
        assert rig.mover.counters().bytes_moved == 40 * 10240
    assert blocks_on(path) == ([(40, 10240)], content[: 40 * 10240])


@pytest.mark.parametrize("records", [30, 29, 31, 40])
def test_early_warning_is_no_pause_for_a_stream_that_ends_there(tmp_path: Path, records: int) -> None:
    content, path = stream(records * 10240 - 7), tmp_path / "VT0001"
    with open_tape(path, **SMALL) as tape, Rig(MoverMode.READ, 10240, tape) as rig, feeding(rig.meet(), [content]):
        if records > 30:
            rig.expect(EOM)
            rig.go_on(*ENDLESS)
        rig.expect(CLOSED)
    assert blocks_on(path) == ([(records, 10240)], content + bytes(7))


def test_a_sender_may_leave_while_the_mover_is_paused(tmp_path: Path) -> None:
    content, paths = stream(35 * 10240 + 1), [tmp_path / "VT1", tmp_path / "VT2"]
    with open_tape(paths[0], **SMALL) as first, open_tape(paths[1]) as second, Rig(MoverMode.READ, 10240, first) as rig:
        peer = rig.meet()
        peer.sendall(content)
        peer.close()
        rig.expect(EOM)
        rig.device = second
        rig.go_on(*ENDLESS)
        rig.expect(CLOSED)
    assert [blocks_on(path)[0] for path in paths] == [[(30, 10240)], [(6, 10240)]]
    assert blocks_on(paths[0])[1] + blocks_on(paths[1])[1] == zero_padded(content, 10240)


# -- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [512, 65536])
def test_an_image_fragment_takes_the_stream_without_its_padding(tmp_path: Path, record: int) -> None:
    for number, size in enumerate((0, 1, record, 5 * record - 1, batch_bytes(record) + 1)):
        content = stream(size)
        with DirectoryUnits({"lsu": tmp_path}) as units:
            fragment = units.open_write("lsu", f"image{number}", 0, "", size, DigestAlgorithm.NONE)
            with Rig(MoverMode.READ, record, fragment) as rig, feeding(rig.meet(), [content]):
                rig.expect(CLOSED)
            assert fragment.status().bytes_moved == rig.mover.counters().bytes_moved == size
            fragment.close(keep=True)
            units.commit("lsu", f"image{number}", 1)
        assert (tmp_path / f"image{number}").read_bytes() == content


# -- failures --------------------------------------------------------------------------------------------------------


class FullDevice:
    """A device that takes nothing and says nothing, which no device should."""

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """See RecordDevice."""
        return RecordsWritten(0)


FAILURES = (
    (ReplyError(Error.IO, "the head fell off"), MoverHaltReason.MEDIA_ERROR, "the head fell off"),
    (OSError(5, "not a reply"), MoverHaltReason.INTERNAL_ERROR, "not a reply"),
    (ValueError("not a reply"), MoverHaltReason.INTERNAL_ERROR, "not a reply"),
)


@pytest.mark.parametrize(("failure", "reason", "text"), FAILURES)
@pytest.mark.parametrize("good", [0, 5, 150])
def test_a_device_that_breaks_halts_the_mover(
    tmp_path: Path, good: int, failure: Exception, reason: MoverHaltReason, text: str
) -> None:
    content, path = stream(200 * 10240), tmp_path / "VT0001"
    with open_tape(path) as tape, Rig(MoverMode.READ, 10240, FailingDevice(tape, good, failure)) as rig:
        peer = rig.meet()
        with feeding(peer, [content], then_close=False):
            halted = rig.next_event()
            with pytest.raises((ConnectionError, AssertionError)):
                assert peer.recv(1)  # the mover hung up
        assert isinstance(halted, MoverHalted)
        assert halted.reason == reason
        assert text in halted.text
        assert rig.mover.counters().bytes_moved == good * 10240
    assert blocks_on(path)[1] == content[: good * 10240]


def test_a_device_that_takes_nothing_is_broken() -> None:
    device: RecordDevice = FullDevice()  # type: ignore[assignment]
    with Rig(MoverMode.READ, 80, device) as rig, feeding(rig.meet(), [stream(80)]):
        halted = rig.next_event()
    assert isinstance(halted, MoverHalted)
    assert halted.reason == MoverHaltReason.MEDIA_ERROR


@pytest.mark.parametrize("size", [0, 100, 160, 3 << 20])
def test_a_connection_that_breaks_off_is_not_the_end_of_the_stream(tmp_path: Path, size: int) -> None:
    path = tmp_path / "VT0001"
    with open_tape(path) as tape:
        device = GatedDevice(tape, is_open=True)
        with Rig(MoverMode.READ, 80, device) as rig:
            peer = rig.meet()
            peer.sendall(stream(size))
            written = 0
            while written < size // 80:
                written += device.written.get(timeout=DEADLINE)
            reset(peer)
            halted = rig.next_event()
            assert isinstance(halted, MoverHalted)
            assert halted.reason == MoverHaltReason.CONNECT_ERROR
            assert "reset" in halted.text
            assert rig.mover.counters().bytes_moved == size // 80 * 80
    assert blocks_on(path)[1] == stream(size)[: size // 80 * 80]  # nothing was padded


def test_a_reset_behind_the_end_of_the_stream_costs_nothing(tmp_path: Path) -> None:
    content, path = stream(1000), tmp_path / "VT0001"
    with open_tape(path) as tape:
        device = GatedDevice(tape)
        with Rig(MoverMode.READ, 80, device) as rig:
            peer = rig.meet()
            peer.sendall(content)
            peer.shutdown(socket.SHUT_WR)
            device.await_caller()
            reset(peer)
            device.open_gate()
            rig.expect(CLOSED)
    assert blocks_on(path) == ([(13, 80)], content + bytes(40))


def test_a_peer_that_never_comes_is_a_connect_error(tmp_path: Path) -> None:
    with (
        open_tape(tmp_path / "VT0001") as tape,
        Rig(MoverMode.READ, 80, tape, settings=NetworkSettings(accept_deadline=0.05)) as rig,
    ):
        rig.mover.listen()
        halted = rig.next_event()
    assert halted == MoverHalted(MoverHaltReason.CONNECT_ERROR, "data connection: no peer within 0.05 s")


def test_a_mover_takes_one_peer(tmp_path: Path) -> None:
    with open_tape(tmp_path / "VT0001") as tape, Rig(MoverMode.READ, 80, tape) as rig:
        address = rig.mover.listen()[0]
        with socket.create_connection((address.host, address.port), timeout=DEADLINE):
            rig.next_event()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address.host, address.port), timeout=DEADLINE)


# -- the end that the host asks for ----------------------------------------------------------------------------------


def _listening(rig: Rig) -> None:
    rig.mover.listen()


def _waiting(rig: Rig) -> None:
    rig.meet()


def _waiting_with_half_a_record(rig: Rig) -> None:
    rig.meet().sendall(bytes(40))


def _paused(rig: Rig) -> None:
    peer = rig.meet()
    peer.sendall(bytes(800))
    rig.expect(EOW)


def _flooded(rig: Rig) -> None:
    peer = rig.meet()
    peer.setblocking(False)
    with suppress(BlockingIOError):
        while peer.send(bytes(1 << 20)):
            pass


MOMENTS = (_listening, _waiting, _waiting_with_half_a_record, _paused, _flooded)


@pytest.mark.parametrize("moment", MOMENTS)
def test_abort_ends_at_once_and_tells_nothing(tmp_path: Path, moment: Callable[[Rig], None]) -> None:
    with open_tape(tmp_path / "VT0001") as tape, Rig(MoverMode.READ, 80, tape, window=(0, 160)) as rig:
        moment(rig)
        if moment is _flooded:
            rig.expect(EOW)
        begun = time.monotonic()
        rig.mover.stop()
        assert time.monotonic() - begun < PROMPT
        rig.mover.stop()  # a second time is no error
        rig.expect_silence()


def test_abort_waits_for_the_device_and_for_nothing_else(tmp_path: Path) -> None:
    with open_tape(tmp_path / "VT0001") as tape:
        device = GatedDevice(tape)
        with Rig(MoverMode.READ, 80, device) as rig:
            rig.meet().sendall(bytes(8000))
            device.await_caller()
            aborting = threading.Thread(target=rig.mover.stop)
            aborting.start()
            aborting.join(0.05)
            assert aborting.is_alive()
            device.open_gate()
            aborting.join(DEADLINE)
            assert not aborting.is_alive()
            rig.expect_silence()


def test_an_aborted_sender_stops_although_its_peer_takes_nothing(tmp_path: Path) -> None:
    recorded(tmp_path / "VT0001", [bytes(1 << 20)] * 16)
    with open_tape(tmp_path / "VT0001") as tape, Rig(MoverMode.WRITE, 1 << 20, tape) as rig:
        rig.meet()
        rig.mover.read(*ENDLESS)
        before, moment = -1, threading.Event()
        while before != rig.mover.counters().bytes_moved or not before:  # until the connection is full
            before = rig.mover.counters().bytes_moved
            moment.wait(0.05)
        assert before < 16 << 20
        begun = time.monotonic()
        rig.mover.stop()
        assert time.monotonic() - begun < PROMPT
        rig.expect_silence()


def test_a_mover_that_ended_by_itself_may_be_stopped(tmp_path: Path) -> None:
    with open_tape(tmp_path / "VT0001") as tape, Rig(MoverMode.READ, 80, tape) as rig:
        rig.meet().close()
        rig.expect(CLOSED)
        rig.mover.stop()
        rig.expect_silence()


# -- any stream, any cuts, any windows, any tapes --------------------------------------------------------------------


@hypothesis_settings(max_examples=40)
@given(
    record=st.sampled_from([1, 7, 80, 512]),
    size=st.integers(0, 5000),
    cuts=st.lists(st.integers(1, 900), min_size=1, max_size=5),
    windows=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    rooms=st.lists(st.integers(1, 3000), max_size=3),
    seed=st.integers(0, 3),
)
def test_no_plan_loses_or_doubles_a_byte(
    tmp_path_factory: pytest.TempPathFactory,
    record: int,
    size: int,
    cuts: list[int],
    windows: list[int],
    rooms: list[int],
    seed: int,
) -> None:
    """Each tape warns after its room; windows come in turn, the last of them again and again."""
    directory, content = tmp_path_factory.mktemp("plan"), stream(size, seed)
    turn = random.Random(seed)
    paths = [directory / f"VT{number}" for number in range(len(rooms) + 1)]
    with ExitStack() as stack:
        tapes = []
        for path, room in zip(paths, [*rooms, 1 << 20], strict=True):
            create_cartridge(path, capacity_bytes=room * record + 4096, early_warning_bytes=4096)
            tapes.append(stack.enter_context(open_tape(path)))
        with Rig(MoverMode.READ, record, tapes.pop(0), window=(0, windows[0] * record)) as rig:
            with feeding(rig.meet(), pieces_of(content, cuts)):
                while (event := rig.next_event()) != CLOSED:
                    if event == EOM:
                        rig.device = tapes.pop(0)
                    else:
                        assert event == EOW
                    rig.go_on(0, turn.choice(windows) * record)
            assert rig.mover.counters().bytes_moved == size
    assert b"".join(blocks_on(path)[1] for path in paths) == zero_padded(content, record)
    for path in paths[: len(rooms)]:
        remove_cartridge(path)


def test_two_cartridges_do_not_disturb_each_other(tmp_path: Path) -> None:
    contents = [stream(3_000_001, seed) for seed in (1, 2)]
    paths = [tmp_path / "VT1", tmp_path / "VT2"]
    with ExitStack() as stack:
        rigs = [stack.enter_context(Rig(MoverMode.READ, 65536, stack.enter_context(open_tape(path)))) for path in paths]
        for rig, content in zip(rigs, contents, strict=True):
            stack.enter_context(feeding(rig.meet(), [content]))
        for rig in rigs:
            rig.expect(CLOSED)
    for path, content in zip(paths, contents, strict=True):
        assert blocks_on(path)[1] == zero_padded(content, 65536)


def test_bytes_pass_from_mover_to_mover(tmp_path: Path) -> None:
    content = [stream(65536, seed) for seed in range(40)]
    recorded(tmp_path / "VT1", [*content, None, b"behind"])
    with (
        open_tape(tmp_path / "VT1") as source,
        open_tape(tmp_path / "VT2") as target,
        Rig(MoverMode.READ, 10240, target) as to_tape,
        Rig(MoverMode.WRITE, 65536, source) as from_tape,
    ):
        from_tape.mover.connect(to_tape.mover.listen())
        to_tape.next_event()
        from_tape.mover.read(*ENDLESS)
        from_tape.expect(EOF)
        from_tape.mover.stop()
        to_tape.expect(CLOSED)
        assert to_tape.mover.counters().bytes_moved == 40 * 65536
    assert blocks_on(tmp_path / "VT2") == ([(256, 10240)], b"".join(content))
