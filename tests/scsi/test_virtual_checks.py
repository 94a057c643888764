"""Blocks of a virtual tape that are not what they were: found by reading and by the drive alone, never passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi.errors import CorruptImage, MediumError
from scsi.tape import ReadOutcome, Stop
from scsi.virtual.drive import open_cartridge
from tests.scsi.drive_contract import SHORT, A, B, C, read, write
from tests.scsi.shelf import blank, loaded, objects_on

# XXH3 of 64 bits, as `xxhsum -H3` (0.8.1) prints it of 512 times "A" and 100 times "s".
CHECKS = bytes.fromhex("baca519a34e6fb45 d6840f9dfb93e577")


def checks_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.check")


def flip(file: Path, at: int) -> None:
    """Change one bit."""
    with file.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes((byte ^ 0x04,)))


def test_the_file_byte_by_byte(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, 1, SHORT, 1)
        assert checks_of(path).read_bytes() == CHECKS
        drive.locate(1)
        write(drive, SHORT, 1)
        assert checks_of(path).read_bytes() == CHECKS
        drive.rewind()
        write(drive, 1)
        assert checks_of(path).read_bytes() == b""
    assert checks_of(path).stat().st_mode & 0o777 == 0o600


def test_one_bit_in_each_place(tmp_path: Path) -> None:
    for number, (at, before) in enumerate(((0, 0), (511, 0), (512, 1), (1300, 2), (1535, 2), (1536, 3), (1635, 3))):
        directory = tmp_path / str(number)
        directory.mkdir()
        path = blank(directory)
        with loaded(path) as drive:
            write(drive, A, B, C, SHORT, 1)
        flip(path.with_name("VT0001.data"), at)
        with loaded(path) as drive:
            whole = (A + B + C)[: before * 512]
            if before:
                assert drive.read_blocks(memoryview(bytearray(4096)), 512) == ReadOutcome(before, len(whole))
            assert drive.position().block_number == before
            for _ in range(2):
                with pytest.raises(MediumError, match=f"object {before} "):
                    read(drive, 4096, 512)
                assert drive.position().block_number == before
            # What lies behind can be read.
            drive.space_blocks(1)
            assert read(drive, 4096, 512)[1].blocks == 3 - before


def test_a_check_that_changed_or_is_missing_is_damage_too(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, B, 1)
    flip(checks_of(path), 15)
    with loaded(path) as drive:
        assert drive.read_blocks(memoryview(bytearray(4096)), 512) == ReadOutcome(1, 512)
    checks_of(path).write_bytes(checks_of(path).read_bytes()[:7])
    with loaded(path) as drive, pytest.raises(MediumError, match="object 0 "):
        read(drive, 4096, 512)
    checks_of(path).unlink()
    with pytest.raises(CorruptImage, match=r"VT0001\.check is missing"):
        open_cartridge(path)


def test_overwriting_heals(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, B, 1)
    flip(path.with_name("VT0001.data"), 600)
    with loaded(path) as drive:
        drive.locate(1)
        write(drive, C, 1)
    assert objects_on(path) == [A, C, None]


def test_checks_of_many_small_blocks_are_neither_lost_nor_mixed_up(tmp_path: Path) -> None:
    path, blocks = blank(tmp_path), bytes(number % 251 for number in range(20_000))
    with loaded(path) as drive:
        for _ in range(3):
            assert drive.write_blocks(memoryview(blocks), 1).blocks == len(blocks)
            # What is not committed is checked as well.
            drive.write_filemarks(1)
        drive.rewind()
        for _ in range(3):
            assert read(drive, 30_000, 1) == (blocks, ReadOutcome(len(blocks), len(blocks), Stop.FILEMARK))
    flip(path.with_name("VT0001.data"), 59_000)
    with loaded(path) as drive:
        drive.space_filemarks(2)
        assert drive.read_blocks(memoryview(bytearray(30_000)), 1) == ReadOutcome(19_000, 19_000)
        with pytest.raises(MediumError):
            read(drive, 10, 1)
