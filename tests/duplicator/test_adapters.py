"""Drives of scsi as tapes of ndmp: positions by draft 3.4.5, errors by their numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from duplicator.adapters import DriveTape, VirtualTapeBackend
from ndmp.backends import ReadEnd, RecordsRead, RecordsWritten, TapeHandle, TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi import errors
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import cartridge_files, create_cartridge
from scsi.virtual.url import VirtualUrl
from tests.duplicator.datapath import DEADLINE, blocks_on, open_tape, recorded, stream


def refused(error: Error, call: Callable[..., object], *arguments: object) -> str:
    """The call is answered with this error; its text."""
    with pytest.raises(ReplyError) as refusal:
        call(*arguments)
    assert refusal.value.error == error, (arguments, refusal.value)
    return refusal.value.text


# Objects 0..7 of the tape that is moved over: two files of two blocks, an empty one, a block behind the last mark.
OBJECTS = [b"aaaa", b"bbbb", None, b"cccc", b"dddd", None, None, b"e"]
# Where NDMP counts each place on it: (file, block).
PLACES = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)]


def tape_at(tape: DriveTape, place: int) -> DriveTape:
    """The tape, moved to before object ``place`` from BOT."""
    tape.rewind()
    file_number, block = PLACES[place]
    assert tape.space_filemarks(file_number) == 0
    assert tape.space_records(block) == 0
    return tape


def stands(tape: TapeHandle) -> tuple[int | None, int | None]:
    """File and block number."""
    return tape.status().file_num, tape.status().block_num


# From which place, by how many: what was not done, and where it ends.
RECORD_MOVES = (
    (0, 1, 0, 1),
    (0, 2, 0, 2),
    (0, 3, 1, 2),  # before the mark, not behind it
    (2, 1, 1, 2),
    (2, 7, 7, 2),
    (3, 2, 0, 5),
    (5, 1, 1, 5),
    (6, 1, 1, 6),
    (7, 1, 0, 8),
    (7, 2, 1, 8),
    (8, 1, 1, 8),
    (8, -1, 0, 7),
    (8, -2, 1, 7),  # behind the mark, not before it
    (7, -1, 1, 7),
    (6, -1, 1, 6),
    (5, -2, 0, 3),
    (5, -3, 1, 3),
    (3, -1, 1, 3),
    (2, -2, 0, 0),
    (2, -3, 1, 0),
    (0, -1, 1, 0),
)
MARK_MOVES = (
    (0, 1, 0, 3),
    (0, 2, 0, 6),
    (0, 3, 0, 7),
    (0, 4, 1, 8),
    (1, 1, 0, 3),
    (2, 1, 0, 3),
    (7, 1, 1, 8),
    (8, -1, 0, 6),
    (8, -2, 0, 5),
    (8, -3, 0, 2),
    (8, -4, 1, 0),
    (4, -1, 0, 2),
    (2, -1, 1, 0),
)


def test_moves_over_records_stay_on_this_side_of_a_mark(tmp_path: Path) -> None:
    with open_tape(recorded(tmp_path / "VT0001", OBJECTS)) as tape:
        for start, count, left, end in RECORD_MOVES:
            assert tape_at(tape, start).space_records(count) == left, (start, count)
            assert stands(tape) == PLACES[end], (start, count)


def test_moves_over_marks_end_beyond_the_last(tmp_path: Path) -> None:
    with open_tape(recorded(tmp_path / "VT0001", OBJECTS)) as tape:
        for start, count, left, end in MARK_MOVES:
            assert tape_at(tape, start).space_filemarks(count) == left, (start, count)
            assert stands(tape) == PLACES[end], (start, count)


def test_reads_stay_before_a_mark_however_often(tmp_path: Path) -> None:
    buffer = memoryview(bytearray(12))
    table = (
        (0, RecordsRead(2, 8, ReadEnd.FILEMARK), b"aaaabbbb", 2),
        (1, RecordsRead(1, 4, ReadEnd.FILEMARK), b"bbbb", 2),
        (2, RecordsRead(0, 0, ReadEnd.FILEMARK), b"", 2),
        (6, RecordsRead(0, 0, ReadEnd.FILEMARK), b"", 6),
        (7, RecordsRead(1, 1, ReadEnd.BLANK), b"e", 8),
        (8, RecordsRead(0, 0, ReadEnd.BLANK), b"", 8),
    )
    with open_tape(recorded(tmp_path / "VT0001", OBJECTS)) as tape:
        for start, outcome, content, end in table:
            assert tape_at(tape, start).read_records(buffer, 4) == outcome, start
            assert bytes(buffer[: len(content)]) == content
            assert stands(tape) == PLACES[end]
            again = tape.read_records(buffer, 4)
            assert (again.records, again.end) == (0, outcome.end)


def test_a_record_that_does_not_fit_is_told(tmp_path: Path) -> None:
    buffer = memoryview(bytearray(9))
    with open_tape(recorded(tmp_path / "VT0001", [b"abc", b"defg", b"hij"])) as tape:
        assert tape.read_records(buffer, 3) == RecordsRead(2, 6, None, truncated=True)
        assert bytes(buffer[:6]) == b"abcdef"
        assert tape.read_records(buffer, 3) == RecordsRead(1, 3, ReadEnd.BLANK)


def test_writes_and_marks(tmp_path: Path) -> None:
    path = tmp_path / "VT0001"
    with open_tape(path, capacity=1000, early_warning=400) as tape:
        assert tape.write_records(memoryview(stream(300)), 100) == RecordsWritten(3)
        tape.write_filemarks(1)
        assert tape.write_records(memoryview(stream(500)), 100) == RecordsWritten(3, early_warning=True)
        assert tape.write_records(memoryview(stream(500)), 100) == RecordsWritten(4, early_warning=True)
        assert "no room" in refused(Error.IO, tape.write_records, memoryview(bytes(100)), 100)
        tape.write_filemarks(2)  # marks always have room
        assert tape.status() == TapeStatus(3, 0, 0, 1000, 0, 0, write_protected=False)
    assert blocks_on(path)[0] == [(3, 100), (1, 0), (7, 100), (2, 0)]


class BrokenDrive:
    """A drive that answers everything with one condition."""

    loaded = True

    def __init__(self, condition: errors.ScsiError) -> None:
        self._condition = condition

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*arguments: object) -> object:
            raise self._condition

        return fail


ERRORS = (
    (errors.DeviceBusy, Error.DEVICE_BUSY),
    (errors.NoMedium, Error.NO_TAPE_LOADED),
    (errors.WriteProtected, Error.WRITE_PROTECT),
    (errors.AccessDenied, Error.PERMISSION),
    (errors.BlankCheck, Error.IO),
    (errors.MediumError, Error.IO),
    (errors.EndOfMedium, Error.IO),
    (errors.NotAVirtualTape, Error.IO),
    (errors.CorruptImage, Error.IO),
    (errors.ScsiError, Error.IO),
)


@pytest.mark.parametrize(("condition", "error"), ERRORS)
def test_every_condition_has_its_number_in_every_call(condition: type[errors.ScsiError], error: Error) -> None:
    tape = DriveTape(BrokenDrive(condition("why")))  # type: ignore[arg-type]
    block = memoryview(bytearray(4))
    calls: tuple[tuple[Callable[..., object], tuple[object, ...]], ...] = (
        (tape.write_records, (block, 4)),
        (tape.read_records, (block, 4)),
        (tape.space_records, (1,)),
        (tape.space_filemarks, (-1,)),
        (tape.write_filemarks, (1,)),
        (tape.rewind, ()),
        (tape.unload, ()),
        (tape.status, ()),
        (tape.close, ()),
    )
    for call, arguments in calls:
        assert refused(error, call, *arguments) == "why", call


def test_an_unloaded_tape_is_gone(tmp_path: Path) -> None:
    url = VirtualUrl(tmp_path / "VT0001")
    backend = VirtualTapeBackend(url)
    tape = backend.open(TapeOpenMode.RDWR)
    tape.write_records(memoryview(b"abcd"), 4)
    tape.test_ready()
    tape.unload()
    block = memoryview(bytearray(4))
    for call in (tape.rewind, tape.test_ready, tape.status, lambda: tape.read_records(block, 4)):
        refused(Error.NO_TAPE_LOADED, call)
    with open_tape(url.path) as again:  # others have it, with all that was written
        assert again.read_records(block, 4).bytes_read == 4
    tape.close()


def test_a_cartridge_is_in_one_drive(tmp_path: Path) -> None:
    backend = VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001"))
    for mode in (TapeOpenMode.READ, TapeOpenMode.RDWR):
        held = backend.open(mode)
        for other in (TapeOpenMode.READ, TapeOpenMode.RDWR, TapeOpenMode.RAW):
            refused(Error.DEVICE_BUSY, backend.open, other)
        held.close()
        held.close()
    backend.open(TapeOpenMode.RAW).close()


def test_a_protected_cartridge_is_read_only(tmp_path: Path) -> None:
    path = tmp_path / "VT0001"
    create_cartridge(path, capacity_bytes=1000, early_warning_bytes=0, write_protected=True)
    backend = VirtualTapeBackend(VirtualUrl(path))
    refused(Error.WRITE_PROTECT, backend.open, TapeOpenMode.RDWR)
    for mode in (TapeOpenMode.READ, TapeOpenMode.RAW):
        tape = backend.open(mode)
        assert tape.status().write_protected
        refused(Error.WRITE_PROTECT, tape.write_records, memoryview(b"abcd"), 4)
        refused(Error.WRITE_PROTECT, tape.write_filemarks, 1)
        tape.close()


def test_a_cartridge_opened_for_reading_takes_no_writes(tmp_path: Path) -> None:
    tape = VirtualTapeBackend(VirtualUrl(tmp_path / "VT0001")).open(TapeOpenMode.READ)
    refused(Error.WRITE_PROTECT, tape.write_records, memoryview(b"abcd"), 4)
    tape.close()


def test_a_cartridge_that_cannot_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "VT0001"
    backend = VirtualTapeBackend(VirtualUrl(path))
    assert backend.capabilities == (("BARCODE", "VT0001"),)
    _, index_file = cartridge_files(path)
    index_file.write_bytes(b"this is no index of a tape, but it is long enough to be one" * 9)
    refused(Error.IO, backend.open, TapeOpenMode.READ)
    index_file.unlink()
    refused(Error.NO_TAPE_LOADED, backend.open, TapeOpenMode.READ)


def test_a_new_cartridge_is_made_and_an_old_one_kept(tmp_path: Path) -> None:
    url = VirtualUrl(tmp_path / "shelf" / "VT0001", capacity_bytes=5000, early_warning_bytes=100)
    tape = VirtualTapeBackend(url).open(TapeOpenMode.RDWR)
    assert tape.status() == TapeStatus(0, 0, 0, 5000, 5000, 0, write_protected=False)
    tape.write_records(memoryview(b"abcd"), 4)
    tape.close()
    tape = VirtualTapeBackend(url).open(TapeOpenMode.READ)
    assert tape.read_records(memoryview(bytearray(4)), 4).bytes_read == 4
    tape.close()


class SlowDrive:
    """A real drive whose reads wait until the test says so."""

    def __init__(self, path: Path) -> None:
        self._drive = open_cartridge(path, sync=False)
        self.entered, self.leave = threading.Event(), threading.Event()

    def read_blocks(self, into: memoryview, block_bytes: int) -> object:
        """See TapeDrive."""
        self.entered.set()
        assert self.leave.wait(DEADLINE)
        return self._drive.read_blocks(into, block_bytes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._drive, name)


def test_status_does_not_wait_for_a_running_read(tmp_path: Path) -> None:
    drive = SlowDrive(recorded(tmp_path / "VT0001", [b"aaaa"] * 3))
    tape = DriveTape(drive)  # type: ignore[arg-type]
    reading = threading.Thread(target=tape.read_records, args=(memoryview(bytearray(12)), 4))
    reading.start()
    assert drive.entered.wait(DEADLINE)
    assert stands(tape) == (0, 0)
    assert tape.status().remaining_bytes == 1 << 30
    assert reading.is_alive()
    drive.leave.set()
    reading.join(DEADLINE)
    assert stands(tape) == (0, 3)
    tape.close()
