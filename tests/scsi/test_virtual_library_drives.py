"""The drives of a virtual library: what the changer brings, and what is in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi import errors
from tests.scsi.library_shelf import DRIVE, SLOT, small_library


def test_a_drive_has_what_the_changer_brings(tmp_path: Path) -> None:
    block = memoryview(bytearray(4))
    with small_library(tmp_path) as library:
        bay = library.drive(0)
        assert not bay.loaded
        with pytest.raises(errors.NoMedium):
            bay.open()
        library.move(SLOT, DRIVE)
        assert bay.loaded
        drive = bay.open()
        drive.write_blocks(memoryview(b"abcdefgh"), 4)
        with pytest.raises(errors.DeviceBusy):
            bay.open()
        with pytest.raises(errors.RemovalPrevented):
            library.move(DRIVE, SLOT)
        with pytest.raises(errors.RemovalPrevented):
            library.exchange(DRIVE, SLOT + 1, DRIVE)
        with pytest.raises(errors.RemovalPrevented):
            library.exchange(SLOT + 1, DRIVE, SLOT + 1)
        drive.unload()
        drive.unload()
        assert (drive.loaded, bay.loaded, bay.in_use) == (False, False, False)
        for call in (drive.rewind, drive.position, lambda: drive.read_blocks(block, 4)):
            with pytest.raises(errors.NoMedium):
                call()
        library.move(DRIVE, SLOT)
        library.move(SLOT + 1, DRIVE)  # the same open drive has the next tape
        assert drive.loaded
        assert drive.read_blocks(block, 4).blocks == 0
        drive.close()
        drive.close()
        for call in (drive.rewind, drive.position):
            with pytest.raises(errors.NoMedium):
                call()
        library.move(DRIVE, SLOT + 1)
        library.move(SLOT, DRIVE + 1)
        other = library.drive(1).open(read_only=True)
        assert other.position().at_bot
        assert other.read_blocks(block, 4).blocks == 1
        assert bytes(block) == b"abcd"
        assert other.write_protected
        other.close()


def test_a_closed_drive_keeps_its_place_until_the_tape_moves(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        library.move(SLOT, DRIVE)
        bay = library.drive(0)
        for number in range(3):
            drive = bay.open()
            assert drive.position().block_number == number
            drive.write_filemarks(1)
            drive.close()
        library.move(DRIVE, SLOT)
        library.move(SLOT, DRIVE)
        drive = bay.open()
        assert drive.position().at_bot
        drive.space_end_of_data()
        assert drive.position().block_number == 3
        drive.unload()
        drive.close()
        with pytest.raises(errors.NoMedium):
            bay.open()
        bay.load()
        drive = bay.open()
        assert drive.position().at_bot
        drive.close()


def test_an_empty_drive_waits_for_its_tape(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        drive = library.drive(1).open(empty=True)
        assert not drive.loaded
        with pytest.raises(errors.NoMedium):
            drive.rewind()
        library.move(SLOT, DRIVE + 1)
        assert drive.loaded
        library.move(DRIVE + 1, SLOT)  # nobody has used it
        library.move(SLOT, DRIVE + 1)
        drive.rewind()
        with pytest.raises(errors.RemovalPrevented):
            library.move(DRIVE + 1, SLOT)
        drive.close()
        library.move(DRIVE + 1, SLOT)
        with pytest.raises(errors.NoMedium):
            library.drive(1).load()


def test_a_cleaning_cartridge_is_no_tape(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        library.move(SLOT + 2, DRIVE)
        assert not library.drive(0).loaded
        with pytest.raises(errors.NoMedium):
            library.drive(0).open()
        library.move(DRIVE, SLOT + 2)


def test_a_cartridge_that_is_missing_or_in_use_elsewhere(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        library.move(SLOT, DRIVE)
        (tmp_path / "VT0001.index").rename(tmp_path / "away")
        with pytest.raises(errors.NoMedium):
            library.drive(0).open()
        (tmp_path / "away").rename(tmp_path / "VT0001.index")
        library.drive(0).open().close()
    for wrong in (-1, 2):
        with pytest.raises(errors.NoSuchElement):
            library.drive(wrong)
