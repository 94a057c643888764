"""Sense that is cut anywhere, residues and counts that cannot be: errors of ours, true outcomes, no wrong position."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from scsi.cdb import Command
from scsi.completion import Completion
from scsi.drive import ScsiDrive
from scsi.errors import EndOfMedium, MediumError, ScsiError
from scsi.ssc import Read6
from scsi.tape import ReadOutcome, Stop, WriteOutcome
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import LONG, SHORT, A, B, C
from tests.scsi.faulty import AT_ONCE, checks_with, told
from tests.scsi.target_bench import drive_target

Spoil = Callable[[Completion], Completion]
Work = Callable[[ScsiDrive], ReadOutcome | WriteOutcome | None]


ITEMS = (A, B, C, SHORT, None, A, LONG, B)
"""What is on the tape; None is a filemark."""
ROOM = memoryview(bytearray(2048))
"""Where blocks are read to."""


class Spoiling(TargetTransport):
    """A way on which completions of check conditions, or of reads, are spoilt."""

    def __init__(self, target: DriveTarget, *, reads: bool = False) -> None:
        super().__init__(target.session())
        self.spoil: Spoil | None = None
        self._reads = reads

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        done = super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)
        met = isinstance(command, Read6) if self._reads else bool(done.sense)
        return self.spoil(done) if self.spoil and met else done


@contextmanager
def spoiling(directory: Path, *, equal_blocks: bool, reads: bool = False) -> Iterator[Callable[[], Rig]]:
    """Makes drives on a tape of A B C SHORT filemark A LONG B, whose zone begins behind 60 more blocks of 512 bytes."""
    directory.mkdir()
    with drive_target(directory, capacity=36 << 10, early_warning=2 << 10) as target:

        def make() -> Rig:
            tape = target.deck.drive
            tape.rewind()
            for item in ITEMS:
                if item is None:
                    tape.write_filemarks(1)
                else:
                    tape.write_blocks(memoryview(item), len(item))
            way = Spoiling(target, reads=reads)
            checks = checks_with(equal_blocks=equal_blocks)
            drive = ScsiDrive(way, equal_blocks=equal_blocks, checks=checks, patience=AT_ONCE)
            drive.rewind()
            return Rig(drive, way, target)

        yield make


class Rig:
    """A drive, and the truth about it."""

    def __init__(self, drive: ScsiDrive, way: Spoiling, target: DriveTarget) -> None:
        self.drive, self.way, self.target = drive, way, target

    @property
    def really(self) -> int:
        """Where the tape stands."""
        return self.target.deck.drive.position().block_number

    def at(
        self, place: int, spoil: Spoil, work: Callable[[ScsiDrive], ReadOutcome | WriteOutcome | None]
    ) -> ScsiError | None:
        """Go there, and work while answers are spoilt. What it says is true, or it raises an error of ours."""
        self.drive.locate(place)
        before, failure = self.really, None
        self.way.spoil = spoil
        try:
            outcome = work(self.drive)
        except ScsiError as raised:
            failure, outcome = raised, None
        finally:
            self.way.spoil = None
        after = self.really
        if isinstance(outcome, ReadOutcome):
            assert outcome.blocks + (outcome.stop is Stop.FILEMARK) == after - before
            blocks = [block or b"" for block in ITEMS[before : before + outcome.blocks]]
            assert bytes(ROOM[: outcome.bytes_read]) == b"".join(block[:512] for block in blocks)
            # A longer one is told of, and nothing is read behind it.
            assert [len(block) > 512 for block in blocks].count(True) == outcome.truncated
            assert not any(len(block) > 512 for block in blocks[:-1])
        elif isinstance(outcome, WriteOutcome):
            assert outcome.blocks == after - before
        elif isinstance(failure, EndOfMedium):
            assert failure.blocks_written == after - before
        assert told(self.drive) == after
        return failure


def reading(drive: ScsiDrive) -> ReadOutcome:
    """Up to four blocks of up to 512 bytes."""
    return drive.read_blocks(ROOM, 512)


def writing(drive: ScsiDrive) -> WriteOutcome:
    """Eight blocks."""
    return drive.write_blocks(memoryview(bytes(4096)), 512)


def writing_two(drive: ScsiDrive) -> WriteOutcome:
    """Two blocks."""
    return drive.write_blocks(memoryview(bytes(1024)), 512)


def marking(drive: ScsiDrive) -> WriteOutcome:
    """Two filemarks."""
    return drive.write_filemarks(2)


def spacing(drive: ScsiDrive) -> None:
    """Forwards into a filemark or the end, backwards into the beginning."""
    drive.space_blocks(9)
    drive.space_blocks(-9)
    drive.space_filemarks(3)
    drive.space_filemarks(-3)


# Places: before a short block, a filemark, a long block, the end of data, and in the middle.
READS = (0, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("equal_blocks", [False, True])
@pytest.mark.parametrize("descriptors", [False, True])
def test_sense_cut_anywhere(descriptors: bool, equal_blocks: bool, tmp_path: Path) -> None:
    with spoiling(tmp_path / "tape", equal_blocks=equal_blocks) as make:
        for size in range(45 if descriptors else 19):

            def cut(done: Completion, size: int = size) -> Completion:
                return replace(done, sense=done.sense[:size])

            rig = make()
            rig.target.settings = replace(rig.target.settings, descriptor_sense=descriptors)
            for place in READS:
                rig.at(place, cut, reading)
            rig.at(1, cut, spacing)
            fill(rig, cut)
            rig.way.close()


def fill(rig: Rig, spoil: Spoil) -> Sequence[ScsiError]:
    """Write past the early warning to the physical end, and filemarks there."""
    failures = list[ScsiError | None]()
    for _ in range(14):
        failures.append(rig.at(rig.really, spoil, writing))
    failures.append(rig.at(rig.really, spoil, marking))
    return [failure for failure in failures if failure]


def informed(number: int | None) -> Spoil:
    """The fixed sense with this as its information; None: none that is valid."""

    def spoil(done: Completion) -> Completion:
        raw = bytearray(done.sense)
        raw[0] = raw[0] & 0x7F | (0 if number is None else 0x80)
        raw[3:7] = ((number or 0) & 0xFFFFFFFF).to_bytes(4, "big")
        return replace(done, sense=bytes(raw))

    return spoil


@pytest.mark.parametrize("equal_blocks", [False, True])
def test_residues_that_cannot_be(equal_blocks: bool, tmp_path: Path) -> None:
    """More than was asked for, or less than nothing: of no command here can that be what is left."""
    with spoiling(tmp_path / "tape", equal_blocks=equal_blocks) as make:
        for number in (None, -0x80000000, -5000, 4097, 0x7FFFFFFF):
            rig = make()
            for place in READS:
                rig.at(place, informed(number), reading)
            rig.at(1, informed(number), spacing)
            failures = fill(rig, informed(number))
            assert number is None or any(isinstance(each, MediumError) for each in failures)
            rig.way.close()


@pytest.mark.parametrize("equal_blocks", [False, True])
def test_a_warning_with_a_residue_that_cannot_be(equal_blocks: bool, tmp_path: Path) -> None:
    """All may have been written, or nothing: whatever it was, it is not told as done."""
    with spoiling(tmp_path / "tape", equal_blocks=equal_blocks) as make:
        for number in (-5000, 4097):
            rig = make()
            while not (failure := rig.at(rig.really, informed(number), writing_two)):
                continue
            assert isinstance(failure, MediumError)
            # It was at the warning: there is room for more.
            assert writing_two(rig.drive).blocks == 2
            rig.way.close()


def test_a_full_count_before_a_filemark_cannot_be(tmp_path: Path) -> None:
    with spoiling(tmp_path / "tape", equal_blocks=True) as make:
        rig = make()

        def full(done: Completion) -> Completion:
            return replace(informed(0)(done), bytes_in=2048)

        # The short block, or the filemark, has stopped it: so something is left, whatever sense and adapter say.
        for place in (1, 2, 3):
            assert isinstance(rig.at(place, full, reading), MediumError)


@pytest.mark.parametrize("equal_blocks", [False, True])
def test_counts_of_the_way_that_cannot_be(equal_blocks: bool, tmp_path: Path) -> None:
    """Too few bytes: the block is refused, and the tape stands before it. Too many: the sense counts."""
    with spoiling(tmp_path / "tape", equal_blocks=equal_blocks, reads=True) as make:
        for count in (-1, 0, 99, 511):
            rig = make()
            failure = rig.at(0, lambda done, count=count: replace(done, bytes_in=count), reading)
            assert isinstance(failure, MediumError)
            assert rig.really == 0
            rig.way.close()
        rig = make()
        for place in READS:
            assert rig.at(place, lambda done: replace(done, bytes_in=1 << 20), reading) is None
        rig.drive.locate(0)
        room = bytearray(2048)
        rig.way.spoil = lambda done: replace(done, bytes_in=1 << 20)
        assert rig.drive.read_blocks(memoryview(room), 512).bytes_read == 3 * 512 + 100
        assert room[: 3 * 512 + 100] == A + B + C + SHORT
