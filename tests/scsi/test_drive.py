"""The drive behind a transport: the contract of all drives on the virtual target, block by block and many at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import BlockChecks, ScsiDrive
from scsi.errors import EndOfMedium, MediumError, ReservationConflict, WriteProtected
from scsi.reservation import ReservationKind
from scsi.ssc import Read6, Write6
from scsi.tape import Capacity, ReadOutcome, Stop, TapeDrive, WriteOutcome
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import SHORT, A, B, C, DriveContract, read, write
from tests.scsi.target_bench import drive_target


class TestOneByOne(DriveContract):
    """Blocks of any size, each by a command of its own."""

    @pytest.fixture
    def drive(self, tmp_path: Path) -> Iterator[TapeDrive]:
        with drive_target(tmp_path, capacity=4 << 20) as target:
            yield ScsiDrive(TargetTransport(target.session()))


class TestTogether(DriveContract):
    """Equal blocks many to a command, in the drive's fixed mode."""

    @pytest.fixture
    def drive(self, tmp_path: Path) -> Iterator[TapeDrive]:
        with drive_target(tmp_path, capacity=4 << 20) as target:
            yield ScsiDrive(TargetTransport(target.session()), equal_blocks=True, checks=BlockChecks.OFF)


def opened(target: DriveTarget, *, equal_blocks: bool = False) -> ScsiDrive:
    """A host's drive."""
    checks = BlockChecks.OFF if equal_blocks else BlockChecks.ON
    return ScsiDrive(TargetTransport(target.session()), equal_blocks=equal_blocks, checks=checks)


@pytest.mark.parametrize("equal_blocks", [False, True])
def test_early_warning_and_end(equal_blocks: bool, tmp_path: Path) -> None:
    # A tape of ten blocks, whose last three are the zone; blocks offered a call, and what the call must give.
    with drive_target(tmp_path, capacity=1000, early_warning=300) as target:
        drive = opened(target, equal_blocks=equal_blocks)
        calls: list[tuple[int, WriteOutcome | None]] = [
            (5, WriteOutcome(5, False)),
            (1, WriteOutcome(1, False)),
            (1, WriteOutcome(1, True)),
            (2, WriteOutcome(2, True)),
            (4, WriteOutcome(1, True)),
            (1, None),
            (1, None),
        ]
        for offered, want in calls:
            blocks = memoryview(bytes(100 * offered))
            if want is None:
                with pytest.raises(EndOfMedium):
                    drive.write_blocks(blocks, 100)
            else:
                assert drive.write_blocks(blocks, 100) == want
        assert drive.position().block_number == 10 == target.deck.drive.position().block_number
        assert drive.write_filemarks(1).early_warning
        drive.rewind()
        assert drive.write_blocks(memoryview(bytes(100)), 100) == WriteOutcome(1, False)


def test_the_block_that_meets_the_warning_is_the_last_of_a_call(tmp_path: Path) -> None:
    with drive_target(tmp_path, capacity=1000, early_warning=300) as target:
        drive = opened(target)
        assert drive.write_blocks(memoryview(bytes(1000)), 100) == WriteOutcome(7, True)
        assert drive.position().block_number == 7


def test_equal_blocks_to_the_end_of_data_and_a_stranger_among_them(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target, equal_blocks=True)
        write(drive, A, B, C, SHORT, A, B)
        drive.rewind()
        assert read(drive, 8 * 512, 512) == (A + B + C + SHORT + A + B, ReadOutcome(6, 2660, Stop.END_OF_DATA))
        assert drive.position().block_number == 6


def test_what_the_drive_tells(tmp_path: Path) -> None:
    with drive_target(tmp_path, capacity=8 << 20) as target:
        drive = opened(target)
        assert drive.capacity() == Capacity(8 << 20, 8 << 20)
        assert drive.inquiry().product == "TAPE DRIVE"
        assert drive.alerts() == frozenset()
        assert not drive.write_once


def test_write_protected(tmp_path: Path) -> None:
    with drive_target(tmp_path, write_protected=True) as target:
        drive = opened(target)
        assert drive.write_protected
        for call in (lambda: write(drive, A), lambda: write(drive, 1), drive.erase):
            with pytest.raises(WriteProtected):
                call()
        assert drive.position().at_bot


def test_reservation_keeps_others_off_until_it_is_closed(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive, other = opened(target), opened(target)
        assert drive.reserve() is ReservationKind.PERSISTENT
        write(drive, A)
        for call in (other.reserve, other.rewind, lambda: read(other, 512, 512)):
            with pytest.raises(ReservationConflict):
                call()
        drive.close()
        other.rewind()
        assert read(other, 512, 512)[0] == A


def test_unloaded_and_loaded_again(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        write(drive, A, 1)
        drive.unload()
        drive.unload()
        assert not drive.loaded
        drive.load()
        assert drive.loaded
        assert drive.position().block_number == 0
        assert read(drive, 512, 512)[0] == A


def test_position_is_told_while_the_drive_works(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        write(drive, A)
        entered, leave = threading.Event(), threading.Event()
        with target.exclusive(None):
            worker = threading.Thread(target=lambda: (entered.set(), write(drive, B), leave.set()))
            worker.start()
            assert entered.wait(5)
            assert drive.position().block_number == 1
            assert drive.capacity().total_bytes >= 0
            assert not leave.is_set()
        worker.join(10)
        assert drive.position().block_number == 2


@pytest.mark.parametrize(
    ("sense", "written", "at"),
    [
        # fixed sense: VOLUME OVERFLOW, EOM, 00/02, INFORMATION: of three blocks one, all, or a senseless number is left
        ("f0004d 00000001 0a 00000000 0002 00000000", 2, 2),
        ("f0004d 00000003 0a 00000000 0002 00000000", None, 0),
        # NO SENSE, EOM: early warning, with everything written, or one left over
        ("f00040 00000000 0a 00000000 0002 00000000", 3, 3),
        ("f00040 00000001 0a 00000000 0002 00000000", 2, 2),
    ],
)
def test_how_many_equal_blocks_were_written_is_told_by_sense(
    sense: str, written: int | None, at: int, tmp_path: Path
) -> None:
    with drive_target(tmp_path) as target:
        drive = ScsiDrive(Answering(target, Write6, bytes.fromhex(sense)), equal_blocks=True, checks=BlockChecks.OFF)
        drive.rewind()
        if written is None:
            with pytest.raises(EndOfMedium):
                drive.write_blocks(memoryview(A + B + C), 512)
        else:
            assert drive.write_blocks(memoryview(A + B + C), 512) == WriteOutcome(written, True)
        assert drive.position().block_number == at


def test_a_block_that_was_not_wholly_written_is_not_counted(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        sense = bytes.fromhex("f00040 00000200 0a 00000000 0002 00000000")
        drive = ScsiDrive(Answering(target, Write6, sense), checks=BlockChecks.OFF)
        drive.rewind()
        with pytest.raises(EndOfMedium):
            drive.write_blocks(memoryview(A), 512)
        assert drive.position().block_number == 0


class Answering(TargetTransport):
    """A way that answers commands of one kind with this sense, and lets nothing of them through."""

    def __init__(self, target: DriveTarget, kind: type[Command], sense: bytes, *, bytes_in: int = 0) -> None:
        super().__init__(target.session())
        self._kind, self._sense, self._bytes_in = kind, sense, bytes_in

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, self._kind):
            return Completion(Status.CHECK_CONDITION, sense=self._sense, bytes_in=self._bytes_in)
        return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)


def test_a_block_of_which_less_came_than_the_drive_read_is_refused(tmp_path: Path) -> None:
    # fixed sense: NO SENSE, ILI, INFORMATION 412: the block has 100 of the 512 bytes that were asked for
    sense = bytes.fromhex("f00020 0000019c 0a 00000000 0000 00000000")
    with drive_target(tmp_path) as target:
        write(opened(target), SHORT, 1)
        for came, complete in ((100, True), (99, False)):
            drive = ScsiDrive(Answering(target, Read6, sense, bytes_in=came), checks=BlockChecks.OFF)
            drive.locate(0)
            if complete:
                assert drive.read_blocks(memoryview(bytearray(512)), 512).bytes_read == 100
            else:
                with pytest.raises(MediumError, match="99 bytes came of 100"):
                    drive.read_blocks(memoryview(bytearray(512)), 512)


class Staying(TargetTransport):
    """A way whose host does not go when its drive is closed."""

    def close(self) -> None:
        return


def test_a_reservation_is_given_back(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = ScsiDrive(Staying(target.session()))
        drive.reserve()
        drive.close()
        assert opened(target).reserve() is ReservationKind.PERSISTENT
