"""Filemark, end of data, early warning, end of medium, a longer block, a shorter one, a blank tape and the beginning:
each is its own outcome or its own exception, by commands and by the kernel's driver alike."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from scsi import errors
from scsi.drive import ScsiDrive
from scsi.errors import ScsiError
from scsi.tape import Position, ReadOutcome, SpaceOutcome, Stop, TapeDrive, WriteOutcome
from scsi.transports.virtual import TargetTransport
from tests.scsi.drive_contract import LONG, SHORT, A, B, read, write
from tests.scsi.st_node import Node, opened_node
from tests.scsi.target_bench import drive_target

BLOCK = 512


@contextmanager
def by_commands(directory: Path) -> Iterator[TapeDrive]:
    """Blocks one by one; eight have room, six before the early warning."""
    with drive_target(directory, capacity=8 * BLOCK, early_warning=2 * BLOCK) as target:
        yield ScsiDrive(TargetTransport(target.session()))


@contextmanager
def many_at_once(directory: Path) -> Iterator[TapeDrive]:
    """Equal blocks together."""
    with drive_target(directory, capacity=8 * BLOCK, early_warning=2 * BLOCK) as target:
        yield ScsiDrive(TargetTransport(target.session()), equal_blocks=True)


@contextmanager
def by_the_kernel(directory: Path) -> Iterator[TapeDrive]:
    """The kernel's driver."""
    with opened_node(Node(capacity=8, zone=2), directory / "nst0") as drive:
        drive.rewind()
        yield drive


Way = Callable[[Path], AbstractContextManager[TapeDrive]]
WAYS = pytest.mark.parametrize("way", [by_commands, many_at_once, by_the_kernel])


@WAYS
def test_ends_of_reading(way: Way, tmp_path: Path) -> None:
    with way(tmp_path) as drive:
        assert drive.position() == Position(0, 0, 0, at_bot=True, at_eod=True)
        assert read(drive, BLOCK, BLOCK) == (b"", ReadOutcome(0, 0, Stop.END_OF_DATA))
        write(drive, A, SHORT, 1, LONG, 1)
        drive.rewind()
        assert not drive.position().at_eod
        for got, outcome in (
            (A, ReadOutcome(1, BLOCK)),
            (SHORT, ReadOutcome(1, 100)),
            (b"", ReadOutcome(0, 0, Stop.FILEMARK)),
            (LONG[:BLOCK], ReadOutcome(1, BLOCK, truncated=True)),
            (b"", ReadOutcome(0, 0, Stop.FILEMARK)),
            (b"", ReadOutcome(0, 0, Stop.END_OF_DATA)),
        ):
            assert read(drive, BLOCK, BLOCK) == (got, outcome)


@WAYS
def test_ends_of_moving(way: Way, tmp_path: Path) -> None:
    with way(tmp_path) as drive:
        write(drive, A, B, 1, A, 1)
        drive.rewind()
        assert drive.space_blocks(-1) == SpaceOutcome(0, Stop.BEGINNING)
        assert drive.space_blocks(9) == SpaceOutcome(2, Stop.FILEMARK)
        assert drive.space_filemarks(9) == SpaceOutcome(1, Stop.END_OF_DATA)
        assert drive.space_blocks(1) == SpaceOutcome(0, Stop.END_OF_DATA)
        assert drive.space_filemarks(-9) == SpaceOutcome(2, Stop.BEGINNING)
        with pytest.raises(errors.BlankCheck):
            drive.locate(99)
        assert drive.position().at_eod


@WAYS
def test_ends_of_writing(way: Way, tmp_path: Path) -> None:
    with way(tmp_path) as drive:
        outcomes = [drive.write_blocks(memoryview(bytes(BLOCK)), BLOCK) for _ in range(8)]
        warned = [outcome.early_warning for outcome in outcomes]
        assert all(outcome.blocks == 1 for outcome in outcomes)
        assert (warned[0], warned[-1]) == (False, True)
        assert warned == sorted(warned)
        with pytest.raises(errors.EndOfMedium) as caught:
            drive.write_blocks(memoryview(bytes(BLOCK)), BLOCK)
        assert caught.value.blocks_written == 0
        assert drive.position().block_number == 8
        assert drive.write_filemarks(1) == WriteOutcome(1, early_warning=True)


@WAYS
def test_all_of_them_are_different(way: Way, tmp_path: Path) -> None:
    """No two of these can be taken for each other by who reads."""
    with way(tmp_path) as drive:
        write(drive, A, SHORT, 1, LONG, 1)
        drive.rewind()
        seen = list[object]()
        for place in (0, 1, 2, 3, 5):
            drive.locate(place)
            outcome = read(drive, BLOCK, BLOCK)[1]
            seen.append((outcome.bytes_read, outcome.stop, outcome.truncated))
        assert len(set(seen)) == len(seen)
        kinds = {errors.BlankCheck, errors.EndOfMedium, errors.MediumError, errors.NoMedium, errors.WriteProtected}
        assert not any(issubclass(one, other) for one in kinds for other in kinds if one is not other)


ERRNOS = {
    errno.EIO: errors.MediumError,
    errno.ENXIO: errors.TransportLost,
    errno.ENODEV: errors.TransportLost,
    errno.EBUSY: errors.DeviceBusy,
    errno.EACCES: errors.WriteProtected,
    errno.ENOMEDIUM: errors.NoMedium,
    errno.ETIMEDOUT: errors.CommandTimeout,
    errno.EINVAL: errors.IllegalRequest,
    errno.EPERM: errors.AccessDenied,
    errno.E2BIG: errors.HardwareError,
}
CALLS = ("read", "write", "state", "tell", "REWIND", "WRITE_MARKS", "SEEK", "FORWARD_FILES", "BACK_BLOCKS")
USES: tuple[Callable[[TapeDrive], object], ...] = (
    lambda drive: drive.write_blocks(memoryview(A), BLOCK),
    lambda drive: drive.write_filemarks(1),
    lambda drive: drive.read_blocks(memoryview(bytearray(BLOCK)), BLOCK),
    lambda drive: drive.space_filemarks(1),
    lambda drive: drive.space_blocks(-1),
    lambda drive: drive.locate(1),
    lambda drive: drive.rewind(),
    lambda drive: drive.space_end_of_data(),
    lambda drive: drive.position(),
    lambda drive: drive.loaded,
    lambda drive: drive.write_protected,
)


@pytest.mark.parametrize("number", ERRNOS)
def test_error_numbers_at_every_call_of_the_driver(number: int, tmp_path: Path) -> None:
    """Before or after a call is done: an error of ours, and no wrong position."""

    def fail(call: str, times: list[str]) -> Callable[[str], None]:
        def fails(name: str) -> None:
            if name == call:
                times.append(name)
                raise OSError(number, os.strerror(number))

        return fails

    for call in CALLS:
        for use in USES:
            node, times = Node(), list[str]()
            node.tape, node.at = [A, LONG, None, B, None, B], 0
            with opened_node(node, tmp_path / "nst0") as drive:
                drive.locate(3)
                node.fails = fail(call, times)
                failure: ScsiError | None = None
                try:
                    use(drive)
                except ScsiError as raised:
                    failure = raised
                known = told(drive)
                assert known in (None, node.at), (call, use, failure)
                node.fails = lambda _: None
                if times and number != errno.EIO:
                    assert isinstance(failure, ERRNOS[number]), (call, use)
                drive.rewind()
                assert told(drive) == 0 == node.at


def told(drive: TapeDrive) -> int | None:
    """Where the drive says that it stands, if it does."""
    try:
        return drive.position().block_number
    except ScsiError:
        return None


def test_counts_that_the_kernel_has_no_room_for(tmp_path: Path) -> None:
    node = Node()
    with opened_node(node, tmp_path / "node") as drive:
        write(drive, A, 1, A, B, 1)
        drive.locate(4)
        assert drive.space_blocks(-(1 << 40)) == SpaceOutcome(2, Stop.FILEMARK)
        assert drive.position().block_number == 1
        drive.rewind()
        assert drive.space_blocks(1 << 40) == SpaceOutcome(1, Stop.FILEMARK)
        with pytest.raises(ValueError, match="more than 8388607"):
            drive.space_filemarks(1 << 40)
