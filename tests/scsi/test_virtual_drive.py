"""The virtual drive: the contract of all drives, and what only it promises."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scsi.errors import EndOfMedium, MediumError, WriteProtected
from scsi.tape import Capacity, Position, TapeDrive, WriteOutcome
from scsi.virtual.drive import VirtualDrive
from scsi.virtual.image import MapRun, RunKind, cartridge_map
from tests.scsi.drive_contract import A, B, DriveContract, write
from tests.scsi.shelf import blank, loaded, objects_on

REPOSITORY = Path(__file__).parents[2]


class TestVirtualDrive(DriveContract):
    """The contract."""

    @pytest.fixture
    def drive(self, tmp_path: Path) -> Iterator[TapeDrive]:
        with loaded(blank(tmp_path)) as drive:
            yield drive


def test_early_warning_to_the_byte(tmp_path: Path) -> None:
    # capacity, zone, block, then blocks offered a call and what the call must give (None: EndOfMedium)
    table: list[tuple[int, int, int, list[tuple[int, tuple[int, bool] | None]]]] = [
        (100, 30, 10, [(6, (6, False)), (9, (1, True)), (2, (2, True)), (9, (1, True)), (1, None)]),
        (100, 31, 10, [(9, (7, True)), (9, (3, True)), (1, None)]),
        (100, 29, 10, [(9, (8, True)), (9, (2, True)), (1, None)]),
        (100, 0, 10, [(99, (10, True)), (1, None)]),
        (105, 0, 10, [(99, (10, False)), (1, None)]),
        (105, 4, 10, [(99, (10, False)), (1, None)]),
        (105, 5, 10, [(99, (10, True)), (1, None)]),
        (100, 100, 10, [(3, (3, True)), (99, (7, True)), (1, None)]),
        (9, 0, 10, [(1, None)]),
    ]
    for row, (capacity, zone, block_bytes, calls) in enumerate(table):
        directory = tmp_path / str(row)
        directory.mkdir()
        with loaded(blank(directory, capacity=capacity, early_warning=zone)) as drive:
            for number, (offered, want) in enumerate(calls):
                blocks = memoryview(bytes(offered * block_bytes))
                if want is None:
                    with pytest.raises(EndOfMedium) as caught:
                        drive.write_blocks(blocks, block_bytes)
                    assert caught.value.blocks_written == 0
                else:
                    assert drive.write_blocks(blocks, block_bytes) == WriteOutcome(*want), (row, number)


def test_the_zone_is_left_by_going_back(tmp_path: Path) -> None:
    with loaded(blank(tmp_path, capacity=1024, early_warning=512)) as drive:
        write(drive, A)
        assert drive.write_filemarks(1) == WriteOutcome(1, early_warning=True)
        assert drive.capacity() == Capacity(1024, 512)
        drive.rewind()
        assert drive.capacity() == Capacity(1024, 1024)
        assert drive.write_blocks(memoryview(bytes(10)), 10) == WriteOutcome(1, early_warning=False)


def test_a_full_tape_refuses_without_losing_what_follows(tmp_path: Path) -> None:
    path = blank(tmp_path, capacity=1024)
    with loaded(path) as drive:
        write(drive, A, B)
        drive.locate(1)
        with pytest.raises(EndOfMedium):
            drive.write_blocks(memoryview(bytes(600)), 600)
    assert objects_on(path) == [A, B]


def test_write_protection(tmp_path: Path) -> None:
    path = blank(tmp_path, write_protected=True)
    with loaded(path) as drive:
        assert drive.write_protected
        for call in (lambda: write(drive, A), lambda: drive.write_filemarks(1), lambda: drive.write_filemarks(0)):
            with pytest.raises(WriteProtected):
                call()


def test_opened_for_reading_only(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A)
    with loaded(path, read_only=True) as drive:
        assert drive.write_protected
        with pytest.raises(WriteProtected):
            write(drive, B)
    assert objects_on(path) == [A]


def test_block_bytes_lie_contiguous_and_alone_in_their_file(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, 1, B, b"xyz", 2)
        drive.locate(3)
        write(drive, b"end")
    assert path.with_name("VT0001.data").read_bytes() == A + B + b"end"


def test_going_back_from_blocks_without_a_filemark_commits_them(tmp_path: Path) -> None:
    table: list[tuple[Callable[[VirtualDrive], object], list[bytes]]] = [
        (lambda drive: drive.locate(1), [A]),
        (lambda drive: drive.space_blocks(-2), [A]),
        (lambda drive: drive.rewind(), []),
        (lambda drive: drive.space_filemarks(-1), []),
        (lambda drive: drive.space_end_of_data(), [A, B, A]),
    ]
    for row, (move, kept) in enumerate(table):
        directory = tmp_path / str(row)
        directory.mkdir()
        path = blank(directory)
        with loaded(path) as drive:
            write(drive, A, B, A)
            move(drive)
            assert cartridge_map(path) == [MapRun(0, RunKind.BLOCKS, 3, 512)], row
            write(drive, b"over")
        assert objects_on(path) == [*kept, b"over"], row


def test_block_bytes_that_vanish_under_an_open_drive(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, B, 1)
        drive.rewind()
        path.with_name("VT0001.data").write_bytes(A)
        with pytest.raises(MediumError):
            drive.read_blocks(memoryview(bytearray(1024)), 512)
        assert drive.position().at_bot


FULL_FILE_SYSTEM = """
import resource, sys
from pathlib import Path
from scsi.errors import EndOfMedium
from scsi.virtual.drive import open_cartridge
drive = open_cartridge(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))
assert drive.write_blocks(memoryview(b"k" * 10000), 1000).blocks == 2
try:
    drive.write_blocks(memoryview(b"k" * 10000), 1000)
except EndOfMedium as error:
    assert error.blocks_written == 0
else:
    raise SystemExit("no end of medium")
assert drive.write_filemarks(1).blocks == 1
drive.close()
"""


def test_a_file_system_without_room_is_the_end_of_medium(tmp_path: Path) -> None:
    path = blank(tmp_path)
    subprocess.run([sys.executable, "-c", FULL_FILE_SYSTEM, str(path)], cwd=REPOSITORY, check=True, timeout=30)
    assert objects_on(path) == [b"k" * 1000, b"k" * 1000, None]


NO_ROOM_FOR_THE_INDEX = """
import resource, sys
from pathlib import Path
from scsi.errors import EndOfMedium
from scsi.virtual.drive import open_cartridge
drive = open_cartridge(Path(sys.argv[1]))
drive.write_blocks(memoryview(b"first"), 5)
drive.write_filemarks(1)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
drive.write_blocks(memoryview(b"lost."), 5)
try:
    drive.write_filemarks(1)
except EndOfMedium:
    assert drive.position().block_number == 2, drive.position()
else:
    raise SystemExit("a commit without room succeeded")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
drive.write_blocks(memoryview(b"again"), 5)
drive.write_filemarks(1)
drive.close()
"""


def test_a_commit_that_fails_takes_its_blocks_off_the_tape(tmp_path: Path) -> None:
    path = blank(tmp_path)
    subprocess.run([sys.executable, "-c", NO_ROOM_FOR_THE_INDEX, str(path)], cwd=REPOSITORY, check=True, timeout=30)
    assert objects_on(path) == [b"first", None, b"again", None]


def test_position_may_be_asked_while_another_thread_works(tmp_path: Path) -> None:
    finished, seen = threading.Event(), list[Position]()
    with loaded(blank(tmp_path)) as drive, ThreadPoolExecutor(1) as pool:

        def watch() -> None:
            while not finished.is_set():
                seen.append(drive.position())
                assert drive.capacity().remaining_bytes <= drive.capacity().total_bytes

        watching = pool.submit(watch)
        try:
            for number in range(300):
                write(drive, A, B, number % 3)
                drive.locate(number % 5)
        finally:
            finished.set()
        watching.result(10)
    assert all(position.at_bot == (position.block_number == 0) for position in seen)
    assert all(position.block_number >= position.file_number + position.block_in_file for position in seen)
