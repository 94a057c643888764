"""What every drive must do, whatever is behind it: a test module per kind of drive inherits it and gives ``drive``."""

from __future__ import annotations

from typing import ClassVar

import pytest

from scsi.errors import BlankCheck, NoMedium
from scsi.tape import Position, ReadOutcome, SpaceOutcome, Stop, TapeDrive

A, B, C = b"A" * 512, b"B" * 512, b"C" * 512
LONG, SHORT = b"l" * 1500, b"s" * 100


def write(drive: TapeDrive, *objects: bytes | int) -> None:
    """Write blocks (bytes) one by one and filemarks (a number of them)."""
    for item in objects:
        if isinstance(item, int):
            drive.write_filemarks(item)
        else:
            assert drive.write_blocks(memoryview(item), len(item)).blocks == 1


def read(drive: TapeDrive, room: int, block_bytes: int) -> tuple[bytes, ReadOutcome]:
    """One read into a buffer of ``room`` bytes; what it brought and how it ended."""
    buffer = bytearray(b"\xee" * room)
    outcome = drive.read_blocks(memoryview(buffer), block_bytes)
    assert buffer[outcome.bytes_read :] == b"\xee" * (room - outcome.bytes_read), "bytes past the outcome were touched"
    return bytes(buffer[: outcome.bytes_read]), outcome


def where(drive: TapeDrive) -> tuple[int, int, int]:
    """Object number, file number and block in file."""
    position = drive.position()
    return position.block_number, position.file_number, position.block_in_file


class DriveContract:
    """Tests for any writable drive with a blank tape of at least 1 MiB and no early warning within it."""

    scale: ClassVar[int] = 1
    """Blocks, and room for them, are so many times as large; for drives that take no small ones."""

    @pytest.fixture
    def drive(self) -> TapeDrive:
        raise NotImplementedError

    def kept(self, block: bytes) -> bytes:
        """What comes back of a block that was written."""
        return block

    def test_blank_tape(self, drive: TapeDrive) -> None:
        assert drive.loaded
        assert not drive.write_protected
        assert drive.position() == Position(0, 0, 0, at_bot=True, at_eod=True)
        assert self.read(drive, 512, 512) == (b"", ReadOutcome(0, 0, Stop.END_OF_DATA))

    def test_what_is_written_is_read(self, drive: TapeDrive) -> None:
        blocks = [block * self.scale for block in (A, B, C)]
        assert drive.write_blocks(memoryview(b"".join(blocks)), 512 * self.scale).blocks == 3
        self.write(drive, SHORT, 1, LONG, 2)
        drive.rewind()
        found = self.back(A) + self.back(B) + self.back(C) + self.back(SHORT)
        assert self.read(drive, 4096, 512) == (found, ReadOutcome(4, 1636 * self.scale, Stop.FILEMARK))
        assert where(drive) == (5, 1, 0)
        assert self.read(drive, 4096, 2048) == (self.back(LONG), ReadOutcome(1, 1500 * self.scale, Stop.FILEMARK))
        assert self.read(drive, 512, 512) == (b"", ReadOutcome(0, 0, Stop.FILEMARK))
        assert self.read(drive, 512, 512) == (b"", ReadOutcome(0, 0, Stop.END_OF_DATA))
        assert drive.position() == Position(8, 3, 0, at_bot=False, at_eod=True)

    def test_reading_ends_where_another_full_block_has_no_room(self, drive: TapeDrive) -> None:
        self.write(drive, SHORT, SHORT, SHORT, A, 1)
        for least, want in ((512, 1), (612, 2), (712, 3), (812, 4)):
            for room in (least * self.scale, (least + 100) * self.scale - 1):
                drive.rewind()
                assert read(drive, room, 512 * self.scale)[1].blocks == want, room

    def test_a_longer_block_is_truncated_and_passed(self, drive: TapeDrive) -> None:
        self.write(drive, A, LONG, B, 1)
        drive.rewind()
        found = self.back(A) + self.back(LONG)[: 600 * self.scale]
        assert self.read(drive, 4096, 600) == (found, ReadOutcome(2, 1112 * self.scale, None, truncated=True))
        assert where(drive) == (2, 0, 2)
        assert self.read(drive, 600, 600) == (self.back(B), ReadOutcome(1, 512 * self.scale, None))

    def test_overwriting_drops_everything_after(self, drive: TapeDrive) -> None:
        for keep in range(6):
            drive.rewind()
            self.write(drive, A, B, 1, A, B, 1)
            drive.locate(keep)
            self.write(drive, C)
            assert drive.position().at_eod
            assert where(drive)[0] == keep + 1
            drive.rewind()
            expected = [*[A, B, None, A, B, None][:keep], C]
            assert self.everything(drive) == self.objects(*expected), keep

    def test_a_filemark_in_the_middle_drops_everything_after(self, drive: TapeDrive) -> None:
        self.write(drive, A, B, C, 1)
        drive.locate(1)
        drive.write_filemarks(1)
        drive.rewind()
        assert self.everything(drive) == self.objects(A, None)

    def test_no_filemarks_overwrite_nothing(self, drive: TapeDrive) -> None:
        self.write(drive, A, B, 1)
        drive.rewind()
        assert drive.write_filemarks(0).blocks == 0
        assert self.everything(drive) == self.objects(A, B, None)

    def test_space_blocks(self, drive: TapeDrive) -> None:
        self.write(drive, A, SHORT, C, 1, A, 2, B, 1)
        #      objects:  A s C | A | | B |    numbers: 0 1 2 3 4 5 6 7 8, end 9
        for start, count, moved, stop, end in (
            (0, 2, 2, None, 2),
            (0, 3, 3, None, 3),
            (0, 4, 3, Stop.FILEMARK, 4),
            (3, 1, 0, Stop.FILEMARK, 4),
            (7, 2, 1, Stop.FILEMARK, 9),
            (9, 1, 0, Stop.END_OF_DATA, 9),
            (2, 0, 0, None, 2),
            (3, -3, 3, None, 0),
            (5, -1, 1, None, 4),
            (7, -1, 0, Stop.FILEMARK, 6),
            (6, -1, 0, Stop.FILEMARK, 5),
            (0, -1, 0, Stop.BEGINNING, 0),
        ):
            drive.locate(start)
            assert drive.space_blocks(count) == SpaceOutcome(moved, stop), (start, count)
            assert where(drive)[0] == end, (start, count)

    def test_space_blocks_up_to_the_end_of_data(self, drive: TapeDrive) -> None:
        self.write(drive, A, 2, B, C)
        for start, count, moved, stop in (
            (3, 2, 2, None),
            (3, 3, 2, Stop.END_OF_DATA),
            (5, 1, 0, Stop.END_OF_DATA),
        ):
            drive.locate(start)
            assert drive.space_blocks(count) == SpaceOutcome(moved, stop), (start, count)
            assert where(drive)[0] == 5, (start, count)

    def test_space_blocks_back_beyond_the_first_of_a_file(self, drive: TapeDrive) -> None:
        self.write(drive, A, SHORT, C, 1, A, 2, B, 1)
        for start, count, moved, stop, end in (
            (5, -2, 1, Stop.FILEMARK, 3),
            (8, -(1 << 40), 1, Stop.FILEMARK, 6),
            (3, -5, 3, Stop.BEGINNING, 0),
            (3, -4, 3, Stop.BEGINNING, 0),
        ):
            drive.locate(start)
            assert drive.space_blocks(count) == SpaceOutcome(moved, stop), (start, count)
            assert where(drive)[0] == end, (start, count)

    def test_space_filemarks(self, drive: TapeDrive) -> None:
        self.write(drive, A, SHORT, C, 1, A, 1, B, 1)
        #      objects:  A s C | A | B |      numbers: 0 1 2 3 4 5 6 7, end 8
        for start, count, moved, stop, end in (
            (0, 1, 1, None, 4),
            (0, 2, 2, None, 6),
            (4, 2, 2, None, 8),
            (0, 4, 3, Stop.END_OF_DATA, 8),
            (8, 1, 0, Stop.END_OF_DATA, 8),
            (2, 0, 0, None, 2),
            (8, -1, 1, None, 7),
            (8, -3, 3, None, 3),
            (8, -4, 3, Stop.BEGINNING, 0),
            (6, -1, 1, None, 5),
            (3, -1, 0, Stop.BEGINNING, 0),
        ):
            drive.locate(start)
            assert drive.space_filemarks(count) == SpaceOutcome(moved, stop), (start, count)
            assert where(drive)[0] == end, (start, count)

    def test_space_filemarks_with_nothing_between(self, drive: TapeDrive) -> None:
        self.write(drive, A, SHORT, C, 1, A, 2, B)
        #      objects:  A s C | A | | B     numbers: 0 1 2 3 4 5 6 7, end 8
        for start, count, moved, stop, end in (
            (0, 3, 3, None, 7),
            (0, 4, 3, Stop.END_OF_DATA, 8),
            (7, 1, 0, Stop.END_OF_DATA, 8),
            (8, -1, 1, None, 6),
            (8, -2, 2, None, 5),
            (8, -3, 3, None, 3),
            (8, -4, 3, Stop.BEGINNING, 0),
            (6, -1, 1, None, 5),
        ):
            drive.locate(start)
            assert drive.space_filemarks(count) == SpaceOutcome(moved, stop), (start, count)
            assert where(drive)[0] == end, (start, count)

    def test_position_counts_files(self, drive: TapeDrive) -> None:
        self.write(drive, A, B, 1, C, 2)
        for number, expected in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (3, 0))):
            drive.locate(number)
            assert where(drive) == (number, *expected)
        drive.rewind()
        drive.space_end_of_data()
        assert drive.position() == Position(6, 3, 0, at_bot=False, at_eod=True)

    def test_locate_past_the_end(self, drive: TapeDrive) -> None:
        self.write(drive, A, B, 1)
        drive.locate(3)
        drive.rewind()
        with pytest.raises(BlankCheck):
            drive.locate(4)
        assert drive.position().at_eod

    def test_unloading(self, drive: TapeDrive) -> None:
        self.write(drive, A)
        drive.unload()
        assert not drive.loaded
        for call in (drive.rewind, drive.position, drive.capacity, lambda: drive.write_filemarks(1)):
            with pytest.raises(NoMedium):
                call()
        drive.close()

    def test_impossible_arguments(self, drive: TapeDrive) -> None:
        room = memoryview(bytearray(1024))
        for call in (
            lambda: drive.write_blocks(room, 0),
            lambda: drive.write_blocks(room, 1000),
            lambda: drive.write_blocks(room, (16 << 20) + 1),
            lambda: drive.read_blocks(room, 1025),
            lambda: drive.read_blocks(room, 0),
            lambda: drive.write_filemarks(-1),
            lambda: drive.write_filemarks(1 << 24),
            lambda: drive.locate(-1),
        ):
            with pytest.raises(ValueError, match=r"[0-9]"):
                call()
        assert drive.write_blocks(room[:0], 512).blocks == 0
        assert drive.position().at_bot

    def write(self, drive: TapeDrive, *objects: bytes | int) -> None:
        """Write blocks, scaled, and filemarks."""
        write(drive, *(item if isinstance(item, int) else item * self.scale for item in objects))

    def read(self, drive: TapeDrive, room: int, block_bytes: int) -> tuple[bytes, ReadOutcome]:
        """One read of blocks that were written like that."""
        return read(drive, room * self.scale, block_bytes * self.scale)

    def back(self, block: bytes) -> bytes:
        """What comes back of it."""
        return self.kept(block * self.scale)

    def objects(self, *objects: bytes | None) -> list[bytes | None]:
        """What comes back of all these; None is a filemark."""
        return [item if item is None else self.back(item) for item in objects]

    def everything(self, drive: TapeDrive) -> list[bytes | None]:
        """All objects from here to the end, block by block; None is a filemark."""
        found = list[bytes | None]()
        while True:
            block, outcome = self.read(drive, 2048, 2048)
            found += [block] if outcome.blocks else []
            if outcome.stop is Stop.END_OF_DATA:
                return found
            found += [None] if outcome.stop is Stop.FILEMARK else []
