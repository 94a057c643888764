"""What goes wrong on the way or in the drive, at every command: the right exception, and no wrong position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scsi import errors
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import ScsiDrive
from scsi.errors import PositionUnknown, ScsiError
from scsi.ssc import Read6, Write6, WriteFilemarks6
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import A, B, C
from tests.scsi.faults import fixed
from tests.scsi.faulty import AT_ONCE, Fault, Faulty, bench, fresh, objects, opened, told
from tests.scsi.target_bench import drive_target


def sense(key: int, asc: int, ascq: int, *, deferred: bool = False) -> Completion:
    """CHECK CONDITION with fixed sense."""
    return Completion(Status.CHECK_CONDITION, sense=fixed(key, asc, ascq, deferred=deferred))


UNDONE: dict[str, tuple[Fault, type[ScsiError]]] = {
    "no medium": (Fault(sense(2, 0x3A, 0x00)), errors.NoMedium),
    "not ready": (Fault(sense(2, 0x04, 0x01)), errors.BecomingReady),
    "unknown command": (Fault(sense(5, 0x20, 0x00)), errors.UnknownCommand),
    "invalid field": (Fault(sense(5, 0x24, 0x00)), errors.InvalidField),
    "other medium": (Fault(sense(6, 0x28, 0x00)), errors.UnitAttention),
    "reset": (Fault(sense(6, 0x29, 0x00), resets=True), errors.UnitAttention),
    "modes changed": (Fault(sense(6, 0x2A, 0x01)), errors.UnitAttention),
    "write protected": (Fault(sense(7, 0x27, 0x00)), errors.WriteProtected),
    "busy": (Fault(Completion(Status.BUSY)), errors.Busy),
    "queue full": (Fault(Completion(Status.TASK_SET_FULL)), errors.Busy),
    "reserved": (Fault(Completion(Status.RESERVATION_CONFLICT)), errors.ReservationConflict),
    "auto contingent allegiance": (Fault(Completion(Status.ACA_ACTIVE)), errors.CheckCondition),
    "not sent": (Fault(errors.AccessDenied("not sent")), errors.AccessDenied),
}
"""The command was surely not begun."""
OPEN: dict[str, tuple[Fault, type[ScsiError]]] = {
    "medium error": (Fault(sense(3, 0x0C, 0x00)), errors.MediumError),
    "hardware error": (Fault(sense(4, 0x44, 0x00)), errors.HardwareError),
    "vendor's own": (Fault(sense(9, 0x80, 0x01)), errors.CheckCondition),
    "aborted": (Fault(sense(0xB, 0x4B, 0x00)), errors.CommandAborted),
    "deferred": (Fault(sense(3, 0x0C, 0x00, deferred=True)), errors.MediumError),
    "deferred refusal": (Fault(sense(5, 0x24, 0x00, deferred=True)), errors.MediumError),
    "unknown key": (Fault(sense(0xF, 0x00, 0x00)), errors.CheckCondition),
    "task aborted": (Fault(Completion(Status.TASK_ABORTED)), errors.CommandAborted),
    "strange status": (Fault(Completion(Status(0x22))), errors.CheckCondition),
    "no sense": (Fault(Completion(Status.CHECK_CONDITION)), errors.CheckCondition),
    "sense of zeros": (Fault(Completion(Status.CHECK_CONDITION, sense=bytes(18))), errors.CheckCondition),
    "sense that says nothing": (Fault(sense(0, 0, 0)), errors.CheckCondition),
    "late": (Fault(errors.CommandTimeout("late")), errors.CommandTimeout),
    "lost": (Fault(errors.TransportLost("lost"), lasts=True), errors.TransportLost),
}
"""It may have been carried out, or not."""


def writes(drive: ScsiDrive) -> None:
    """One of each way to write; three commands that write."""
    drive.write_blocks(memoryview(A + B), 512)
    drive.write_filemarks(1)
    drive.write_blocks(memoryview(C), 512)


def reads(drive: ScsiDrive) -> None:
    """One of each way to read and to move."""
    buffer = memoryview(bytearray(2048))
    drive.read_blocks(buffer[:1024], 512)
    drive.space_blocks(1)
    drive.read_blocks(buffer, 512)
    drive.space_filemarks(1)
    drive.space_filemarks(-1)
    drive.locate(2)
    drive.space_end_of_data()


def faults() -> Iterator[tuple[str, Fault, type[ScsiError]]]:
    """All of them, carried out and not where that can be."""
    for name, (fault, kind) in UNDONE.items():
        yield name, fault, kind
    for name, (fault, kind) in OPEN.items():
        yield name, fault, kind
        yield name, replace(fault, carried_out=True), kind


@pytest.mark.parametrize("telling", [True, False])
@pytest.mark.parametrize("work", [writes, reads])
def test_never_a_wrong_position(work: Callable[[ScsiDrive], None], telling: bool, tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        for name, fault, kind in faults():
            drive, way = opened(target, telling=telling)
            work(drive)
            fresh(target)
            drive.rewind()
            before = len(way.commands)
            work(drive)
            commands = way.commands[before:]
            for ahead, command in enumerate(commands):
                if kind is errors.UnknownCommand:
                    # That it believes for good.
                    drive, way = opened(target, telling=telling)
                    read_two(drive)
                fresh(target)
                drive.rewind()
                way.plan(ahead, fault)
                failure = failure_of(work, drive)
                where = (name, command, fault.carried_out, failure)
                judge(drive, way, target=target, where=where)
                assert failure is None or isinstance(failure, kind | PositionUnknown), where
                if ahead == 0 or isinstance(command, WriteFilemarks6):
                    # The first of a call: nothing was done that could be told instead.
                    assert isinstance(failure, kind), where


def test_arriving(tmp_path: Path) -> None:
    """At every command by which a drive is looked at for the first time."""
    with drive_target(tmp_path) as target:
        commands = opened(target)[1].commands
        for name, fault, kind in faults():
            for number, command in enumerate(commands):
                fresh(target)
                # Nor is it as whoever was here last has left it.
                target.reset()
                way = Faulty(target)
                way.plan(number, fault)
                drive = ScsiDrive(way, patience=AT_ONCE)
                failure = failure_of(writes, drive)
                where = (name, command, fault.carried_out, failure)
                assert failure is None or isinstance(failure, kind | PositionUnknown), where
                judge(drive, way, target=target, where=where)
                way.close()


def judge(drive: ScsiDrive, way: Faulty, *, target: DriveTarget, where: object) -> None:
    """The position is right or unknown; and right once the drive can be asked."""
    really = target.deck.drive.position().block_number
    assert told(drive) in (None, really), where
    way.heal()
    assert told(drive) == (really if way.telling else told(drive)), where


def failure_of(work: Callable[[ScsiDrive], None], drive: ScsiDrive) -> ScsiError | None:
    """What the work raises of ours. Anything else is not caught."""
    try:
        work(drive)
    except ScsiError as failure:
        return failure
    return None


@pytest.mark.parametrize("name", ["reset", "late", "medium error", "strange status", "other medium", "no medium"])
@pytest.mark.parametrize(("work", "kind"), [(writes, Write6), (reads, Read6)])
def test_nothing_is_written_where_nobody_knows(
    name: str, work: Callable[[ScsiDrive], None], kind: type[Command], tmp_path: Path
) -> None:
    fault, raised = (UNDONE | OPEN)[name]
    if (name, work) == ("medium error", reads):
        return  # the drive goes back by itself, and asks
    with bench(tmp_path) as (drive, way, target):
        # The first command asks for the sizes of blocks.
        way.plan(1, fault)
        with pytest.raises(raised):
            work(drive)
        assert isinstance(way.commands[way.at or 0], kind)
        before = target.deck.drive.position()
        for _ in range(2):
            with pytest.raises(PositionUnknown):
                drive.write_blocks(memoryview(C), 512)
            with pytest.raises(PositionUnknown):
                drive.write_filemarks(1)
            with pytest.raises(PositionUnknown):
                drive.read_blocks(memoryview(bytearray(512)), 512)
        assert target.deck.drive.position() == before
        assert drive.position().block_number == before.block_number
        assert drive.write_blocks(memoryview(C), 512).blocks == 1


def test_what_was_done_of_a_call_is_told_first(tmp_path: Path) -> None:
    """Of two blocks the second fails. Where that says nothing of the first, one is told, and the failure comes next."""
    refusals = (errors.IllegalRequest, errors.ReservationConflict, errors.WriteProtected)
    told_first = (*refusals, errors.Busy, errors.AccessDenied)
    with drive_target(tmp_path) as target:
        for name, (fault, kind) in (UNDONE | OPEN).items():
            for work in (write_two, read_two):
                drive, way = opened(target)
                # The first command asks for the sizes of blocks.
                way.plan(2, replace(fault, lasts=True))
                if issubclass(kind, told_first):
                    assert work(drive) == 1, name
                with pytest.raises(kind):
                    work(drive)
                way.heal()
                assert told(drive) == (0 if fault.resets else 1), name
                if work is write_two:
                    assert objects(target)[:1] == [A], name


def test_what_puts_the_rest_in_doubt_is_told_at_once(tmp_path: Path) -> None:
    """Of two blocks the second meets, once, what says something of earlier ones, or of the position."""
    with drive_target(tmp_path) as target:
        for work in (write_two, read_two):
            for comes, kind in (
                (sense(3, 0x0C, 0x00, deferred=True), errors.MediumError),
                (sense(5, 0x24, 0x00, deferred=True), errors.MediumError),
                (sense(0xD, 0x00, 0x02, deferred=True), errors.MediumError),
                (sense(5, 0x3B, 0x00), errors.IllegalRequest),
            ):
                drive, way = opened(target)
                way.plan(2, Fault(comes))
                with pytest.raises(kind) as raised:
                    work(drive)
                assert raised.value.sense == comes.sense
                assert told(drive) == 1


def write_two(drive: ScsiDrive) -> int:
    """Two blocks; how many were written."""
    return drive.write_blocks(memoryview(A + B), 512).blocks


def read_two(drive: ScsiDrive) -> int:
    """Two blocks; how many were read."""
    return drive.read_blocks(memoryview(bytearray(1024)), 512).blocks


def test_what_has_come_to_the_tape_is_not_flushed_again(tmp_path: Path) -> None:
    moves: dict[str, tuple[Callable[[ScsiDrive], object], bool]] = {
        "none": (lambda drive: drive.position(), True),
        "over nothing": (lambda drive: drive.space_blocks(0), True),
        "rewind": (lambda drive: drive.rewind(), False),
        "back": (lambda drive: drive.space_blocks(-1), False),
        "filemark": (lambda drive: drive.write_filemarks(1), False),
    }
    for name, (move, flushes) in moves.items():
        directory = tmp_path / name
        directory.mkdir()
        with bench(directory) as (drive, way, _):
            drive.write_blocks(memoryview(A + B), 512)
            move(drive)
            drive.close()
            assert (WriteFilemarks6(0) in way.commands) == flushes, name
