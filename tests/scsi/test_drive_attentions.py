"""Something happened to the drive meanwhile: what is asked anew, what is set again, and what is not written."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi import errors
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import BlockChecks, ScsiDrive
from scsi.errors import NoMedium, PositionUnknown, UnitAttention
from scsi.protection import ProtectionMethod
from scsi.reservation import ReservationKind
from scsi.sense import Sense, SenseKey
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.drive_answers import Identity
from scsi.virtual.library import Library
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import A, B, C
from tests.scsi.faults import fixed
from tests.scsi.faulty import Fault, Faulty, bench, fresh, objects, opened, told
from tests.scsi.library_shelf import DRIVE, SLOT, small_library
from tests.scsi.target_bench import drive_target


def attention(asc: int, ascq: int) -> Sense:
    """For every host of a target."""
    return Sense(SenseKey.UNIT_ATTENTION, asc, ascq)


def loaded(library: Library) -> DriveTarget:
    """The library's first drive, with its first cartridge."""
    library.move(SLOT, DRIVE)
    return DriveTarget(library.drive(0), library.drive(0).open(empty=True), Identity(serial="S01234567800"))


def test_nothing_goes_to_the_tape_that_came_in_between(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        target = loaded(library)
        drive = ScsiDrive(TargetTransport(target.session()))
        drive.write_blocks(memoryview(A), 512)
        target.deck.drive.unload()
        library.move(DRIVE, SLOT)
        library.move(SLOT + 1, DRIVE)
        with pytest.raises(UnitAttention, match="medium may have changed"):
            drive.write_blocks(memoryview(B), 512)
        for _ in range(2):
            with pytest.raises(PositionUnknown):
                drive.write_blocks(memoryview(B), 512)
            with pytest.raises(PositionUnknown):
                drive.write_filemarks(1)
        assert objects(target) == []
        drive.rewind()
        drive.write_blocks(memoryview(C), 512)
        assert objects(target) == [C]
        target.deck.drive.close()


def test_nor_to_one_that_came_after_the_drive_was_seen_empty(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        target = loaded(library)
        drive = ScsiDrive(TargetTransport(target.session()))
        drive.write_blocks(memoryview(A), 512)
        target.deck.drive.unload()
        library.move(DRIVE, SLOT)
        with pytest.raises(NoMedium):
            drive.write_blocks(memoryview(B), 512)
        assert not drive.loaded
        library.move(SLOT + 1, DRIVE)
        assert drive.loaded
        with pytest.raises(PositionUnknown):
            drive.write_blocks(memoryview(B), 512)
        assert objects(target) == []
        target.deck.drive.rewind()
        # To ask is to prove: then it is known which tape that is.
        assert drive.position().block_number == 0
        assert drive.write_blocks(memoryview(C), 512).blocks == 1
        target.deck.drive.close()


def test_a_tape_that_was_meant_needs_no_proof(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        target = loaded(library)
        drive = ScsiDrive(TargetTransport(target.session()))
        drive.write_blocks(memoryview(A), 512)
        drive.unload()
        library.move(DRIVE, SLOT)
        library.move(SLOT + 1, DRIVE)
        assert drive.write_blocks(memoryview(B), 512).blocks == 1
        drive.unload()
        drive.load()
        assert drive.write_blocks(memoryview(C), 512).blocks == 1
        assert objects(target) == [C]
        target.deck.drive.close()


@pytest.mark.parametrize("equal_blocks", [False, True])
def test_reset_amid_a_write(equal_blocks: bool, tmp_path: Path) -> None:
    """Position unknown until proven; what the drive had been set to is set again before the next block."""
    with bench(tmp_path, equal_blocks=equal_blocks) as (drive, _, target):
        drive.write_blocks(memoryview(A + B), 512)
        assert target.settings.block_bytes == (512 if equal_blocks else 0)
        target.reset()
        target.deck.drive.rewind()
        with pytest.raises(UnitAttention, match="reset"):
            drive.write_blocks(memoryview(C + C), 512)
        with pytest.raises(PositionUnknown):
            drive.write_blocks(memoryview(C + C), 512)
        assert target.settings.block_bytes == 0
        drive.locate(2)
        assert drive.write_blocks(memoryview(C + A), 512).blocks == 2
        assert target.settings.block_bytes == (512 if equal_blocks else 0)
        assert objects(target) == [A, B, C, A]


def test_block_size_set_by_another_host(tmp_path: Path) -> None:
    with bench(tmp_path, equal_blocks=True) as (drive, _, target):
        drive.write_blocks(memoryview(A + B), 512)
        other, _ = opened_beside(target)
        other.write_blocks(memoryview(bytes(2048)), 1024)
        assert target.settings.block_bytes == 1024
        # The other one has also moved the tape, of which no attention tells.
        with pytest.raises(UnitAttention, match="mode parameters changed"):
            drive.write_blocks(memoryview(C + C), 512)
        with pytest.raises(PositionUnknown):
            drive.write_blocks(memoryview(C + C), 512)
        drive.locate(1)
        assert drive.write_blocks(memoryview(C + A), 512).blocks == 2
        assert (target.settings.block_bytes, objects(target)) == (512, [bytes(1024), C, A])


def opened_beside(target: DriveTarget) -> tuple[ScsiDrive, Faulty]:
    """Another host on the same tape, at its beginning."""
    way = Faulty(target)
    drive = ScsiDrive(way, equal_blocks=True, checks=BlockChecks.OFF)
    drive.rewind()
    return drive, way


def test_protection_is_set_again_before_the_next_block(tmp_path: Path) -> None:
    for heard in (attention(0x29, 0x00), attention(0x2A, 0x01), attention(0x28, 0x00), attention(0x3F, 0x01)):
        directory = tmp_path / f"{heard.asc:02x}"
        directory.mkdir()
        with drive_target(directory) as target:
            drive, _ = opened(target)
            drive.protect_blocks(ProtectionMethod.CRC32C)
            drive.write_blocks(memoryview(A), 512)
            target.reset()
            target.tell(heard)
            for _ in range(2):
                with pytest.raises((UnitAttention, PositionUnknown)):
                    drive.write_blocks(memoryview(B), 512)
            assert told(drive) == 1
            drive.write_blocks(memoryview(B), 512)
            assert target.settings.protects_writes
            assert objects(target) == [A, B]


def test_several_at_once(tmp_path: Path) -> None:
    """Each is heard once; the harmless ones among them are passed over."""
    with bench(tmp_path) as (drive, _, target):
        drive.write_blocks(memoryview(A), 512)
        for heard in ((0x2A, 0x02), (0x5B, 0x01), (0x2A, 0x01), (0x5D, 0x00), (0x29, 0x00), (0x28, 0x00)):
            target.tell(attention(*heard))
        with pytest.raises(UnitAttention, match="mode parameters"):
            drive.write_blocks(memoryview(B), 512)
        # To ask for the position takes the next.
        with pytest.raises(UnitAttention, match="reset"):
            drive.position()
        with pytest.raises(UnitAttention, match="medium may have changed"):
            drive.position()
        with pytest.raises(PositionUnknown):
            drive.write_blocks(memoryview(B), 512)
        assert drive.position().block_number == 1
        drive.write_blocks(memoryview(B), 512)
        assert objects(target) == [A, B]


def test_attention_without_end(tmp_path: Path) -> None:
    with bench(tmp_path) as (drive, way, target):
        drive.write_blocks(memoryview(A), 512)
        harmless = Completion(Status.CHECK_CONDITION, sense=fixed(6, 0x5B, 0x01))
        way.plan(0, Fault(harmless, lasts=True))
        before = len(way.commands)
        with pytest.raises(UnitAttention, match="one unit attention after another"):
            drive.write_blocks(memoryview(B), 512)
        assert len(way.commands) - before == 16
        way.heal()
        assert drive.write_blocks(memoryview(B), 512).blocks == 1
        assert objects(target) == [A, B]


def test_the_first_command_of_all_may_be_any(tmp_path: Path) -> None:
    """What happened before anything was known has nothing to say."""
    for use in (ScsiDrive.reserve, ScsiDrive.alerts, ScsiDrive.inquiry, ScsiDrive.load, ScsiDrive.rewind):
        with drive_target(made(tmp_path / use.__name__)) as target:
            drive = ScsiDrive(TargetTransport(target.session(after_power_on=True)))
            target.tell(attention(0x28, 0x00))
            use(drive)
            assert drive.position().block_number == 0
            drive.write_blocks(memoryview(A), 512)


def test_a_reservation_that_was_taken_away(tmp_path: Path) -> None:
    with bench(tmp_path) as (drive, _, target):
        assert drive.reserve() is ReservationKind.PERSISTENT
        drive.write_blocks(memoryview(A), 512)
        for ascq in (0x03, 0x04, 0x05):
            target.tell(attention(0x2A, ascq))
            with pytest.raises(UnitAttention):
                drive.write_blocks(memoryview(B), 512)
            with pytest.raises(PositionUnknown):
                drive.write_blocks(memoryview(B), 512)
            assert told(drive) == 1


def test_protection_switched_by_an_operator(tmp_path: Path) -> None:
    with bench(tmp_path) as (drive, way, target):
        assert not drive.write_protected
        # The switch is moved: the attention tells of it, and the drive is asked for the tape's protection anew.
        target.tell(attention(0x5A, 0x02))
        with pytest.raises(UnitAttention, match="write protect"):
            drive.write_blocks(memoryview(A), 512)
        asked = len(way.commands)
        assert not drive.write_protected
        assert len(way.commands) > asked
        target.tell(attention(0x5A, 0x01))
        drive.rewind()
        assert drive.write_blocks(memoryview(A), 512).blocks == 1


class Rounding(TargetTransport):
    """A drive that takes another block size than it was told, and says so (01/37/00)."""

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        done = super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)
        if type(command).__name__ != "ModeSelect6":
            return done
        return Completion(Status.CHECK_CONDITION, sense=fixed(1, 0x37, 0x00))


def test_a_block_size_that_was_rounded_is_not_used(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        fresh(target)
        drive = ScsiDrive(Rounding(target.session()), equal_blocks=True, checks=BlockChecks.OFF)
        drive.rewind()
        with pytest.raises(errors.IllegalRequest, match="512 bytes"):
            drive.write_blocks(memoryview(A + B), 512)
        assert target.deck.drive.position().block_number == 0


def made(directory: Path) -> Path:
    """A new folder."""
    directory.mkdir()
    return directory
