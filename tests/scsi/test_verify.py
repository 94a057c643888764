"""VERIFY: the drive reads and checks by itself, at its target and through our drive."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi.drive import BlockChecks, ScsiDrive
from scsi.drive_reports import TapeAlert
from scsi.errors import IllegalRequest, MediumError, UnknownCommand, WriteOnce
from scsi.ssc import ReadPosition, Verify6
from scsi.tape import SpaceOutcome, Stop
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import LONG, A, B, C, where, write
from tests.scsi.hexes import b
from tests.scsi.target_bench import check, drive_target, good
from tests.scsi.target_bench import where as told_by
from tests.scsi.test_drive_protection import Refusing
from tests.scsi.test_virtual_checks import flip

HUGE = bytes(300 << 10)


def opened(target: DriveTarget, checks: BlockChecks = BlockChecks.ON) -> ScsiDrive:
    """A host's drive at the beginning of A B | LONG C HUGE | | A; objects 0 1 2 3 4 5 6 7 8, end 9."""
    drive = ScsiDrive(TargetTransport(target.session()), checks=checks)
    write(drive, A, B, 1, LONG, C, HUGE, 2, A)
    drive.rewind()
    return drive


def test_up_to_filemarks_and_to_the_end(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        for start, filemarks, moved, stop, end, file in (
            (0, 1, 1, None, 3, 1),
            (0, 2, 2, None, 7, 2),
            (1, 3, 3, None, 8, 3),
            (0, 0, 0, None, 0, 0),
            (4, 3, 2, Stop.END_OF_DATA, 9, 3),
            (0, None, 0, Stop.END_OF_DATA, 9, 3),
            (9, None, 0, Stop.END_OF_DATA, 9, 3),
        ):
            drive.locate(start)
            assert drive.verify(filemarks) == SpaceOutcome(moved, stop), (start, filemarks)
            assert where(drive)[:2] == (end, file), (start, filemarks)
            assert told_by(target.session()) == (end, file)
        assert drive.position().at_eod


@pytest.mark.parametrize("checks", [BlockChecks.ON, BlockChecks.OFF])
def test_damage_is_found_and_located(checks: BlockChecks, tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target, checks)
        flip(tmp_path / "VT0001L8.data", 1024 + 1500 + 17)
        for filemarks in (2, None):
            drive.rewind()
            with pytest.raises(MediumError, match=r"\(03/11/00\).*; the drive stands at object 4$"):
                drive.verify(filemarks)
            assert drive.position().block_number == 4
        drive.rewind()
        assert drive.verify(1) == SpaceOutcome(1)


def test_drives_that_cannot(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        opened(target)
        for drive, trouble in (
            (ScsiDrive(Refusing(target, Verify6)), IllegalRequest),
            (ScsiDrive(Refusing(target, ReadPosition)), UnknownCommand),
        ):
            drive.rewind()
            with pytest.raises(trouble):
                drive.verify(1)
            assert drive.position().block_number == 0
            drive.close()


def test_the_target_says_what_is_damaged_and_goes_where_it_shall(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        opened(target).close()
        host = target.session()
        flip(tmp_path / "VT0001L8.data", 600)
        for words, sense, end in (
            # VERIFY(6): block by block, up to a filemark, to the end
            ("13 00 000200 00", "", 1),
            ("13 00 000200 00", "f0 03 00000200 1100", 1),
            ("13 08 000001 00", "f0 03 00000001 1100", 1),
            ("13 20 000000 00", "70 03 00000000 1100", 1),
            # VERIFY(16): from object 3 on; from object 99, which is not there; in another partition
            ("8f 08 00 00 0000000000000003 000002 00", "", 8),
            ("8f 20 00 00 0000000000000003 000000 00", "", 9),
            ("8f 20 00 00 0000000000000063 000000 00", "70 08 00000000 0005", 9),
            ("8f 20 00 01 0000000000000003 000000 00", "70 05 00000000 2400 c00003", 9),
        ):
            if sense:
                assert check(host, words) == sense, words
            else:
                good(host, words)
            assert told_by(host)[0] == end, words


def test_a_drive_complains_until_somebody_has_heard_it(tmp_path: Path) -> None:
    with drive_target(tmp_path, barcode="VT0001LY") as target:
        drive = opened(target)
        assert drive.alerts() == frozenset()
        flip(tmp_path / "VT0001LY.data", 0)
        with pytest.raises(MediumError):
            drive.verify()
        with pytest.raises(WriteOnce):
            write(drive, A)
        host = target.session()
        # Page 12 tells flags 4, 5 and 60 without clearing them.
        assert good(host, "4d 00 52 00 00 00 00 00 40 00") == b("12 00 000c 0000 03 08 18 00*6 10")
        expected = {TapeAlert.MEDIA, TapeAlert.READ_FAILURE, TapeAlert.WORM_OVERWRITE}
        assert drive.alerts() == expected
        assert drive.alerts() == frozenset()
