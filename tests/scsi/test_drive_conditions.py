"""Every condition of the table, at every command of a write and of a read: its exception, no wrong position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from scsi import errors
from scsi.asc import describe
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import ScsiDrive
from scsi.errors import ScsiError
from scsi.ssc import Locate10, Read6, ReadPosition, Space6, Write6, WriteFilemarks6
from scsi.tape import Stop
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import B, C
from tests.scsi.faults import After, Condition, conditions, descriptors, fixed
from tests.scsi.faulty import Fault, Faulty, bench, fresh, objects, opened, told
from tests.scsi.target_bench import drive_target


def write(drive: ScsiDrive) -> None:
    """A block."""
    assert drive.write_blocks(memoryview(B), 512).blocks == 1


def write_mark(drive: ScsiDrive) -> None:
    """A filemark, and a look whether all is there."""
    drive.write_filemarks(1)


def read(drive: ScsiDrive) -> None:
    """A block."""
    assert drive.read_blocks(memoryview(bytearray(512)), 512).blocks == 1


def space(drive: ScsiDrive) -> None:
    """Over a filemark, and a look where that is."""
    assert drive.space_filemarks(1).moved == 1


def locate(drive: ScsiDrive) -> None:
    """To an object, and a look."""
    drive.locate(2)


STEPS: Sequence[tuple[Callable[[ScsiDrive], None], Sequence[type[Command]]]] = (
    (write, (Write6,)),
    (write_mark, (WriteFilemarks6, ReadPosition, ReadPosition)),
    (read, (Read6,)),
    (space, (Space6, ReadPosition, ReadPosition)),
    (locate, (Locate10, ReadPosition, ReadPosition)),
)
"""What a write and a read consist of, and the commands of each."""


@dataclass
class Case:
    """A condition at one command of some work."""

    condition: Condition
    deferred: bool
    command: type[Command]
    failure: ScsiError | None = None

    @property
    def kind(self) -> type[ScsiError] | None:
        """What has to be raised; None: nothing."""
        want, command = self.condition.kind, self.command
        if self.deferred:
            took = (errors.BlankCheck, errors.EndOfMedium, errors.IllegalRequest, errors.WriteProtected)
            by_itself = {0: errors.CheckCondition, 1: errors.RecoveredError}
            lost = want is not None and issubclass(want, took)
            return errors.MediumError if lost else by_itself.get(self.condition.key, want)
        if command is ReadPosition and want is not None and issubclass(want, errors.IllegalRequest):
            return None  # a drive that does not tell
        if command is Locate10 and want is errors.UnknownCommand:
            return None  # a drive that is moved by counting
        if command is Read6 and want is errors.BlankCheck:
            return None  # the end of data is a value
        if command is Space6 and want is errors.BlankCheck:
            return errors.PositionUnknown  # since it does not tell how far it came
        return want


def test_conditions(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive, way = opened(target)
        for number, condition in enumerate(conditions()):
            for turn, (step, ahead) in enumerate(PLACES, number):
                command = dict(STEPS)[step][ahead]
                for deferred in (False, True) if deferrable(condition, turn) else (False,):
                    # One block behind the beginning, where a wrong count would show.
                    drive.rewind()
                    read(drive)
                    case = Case(condition, deferred, command)
                    build = descriptors if turn % 2 else fixed
                    sense = build(condition.key, condition.asc, condition.ascq, deferred=deferred)
                    fault = Fault(Completion(Status.CHECK_CONDITION, sense=sense), carried_out(case, turn))
                    way.plan(ahead, fault)
                    judge(case, step, drive=drive, way=way, target=target)
                if condition.kind is errors.UnknownCommand:
                    # That it believes for good.
                    way.close()
                    drive, way = opened(target)
                if step is write_mark:
                    fresh(target)
            check_that_all_is_well(drive, target, condition)


def check_that_all_is_well(drive: ScsiDrive, target: DriveTarget, condition: Condition) -> None:
    """After all of it, what is written is what comes back, and lies where it should."""
    drive.rewind()
    for step, _ in STEPS[:2]:
        step(drive)
    write(drive)
    assert told(drive) == 3 == target.deck.drive.position().block_number, condition
    assert objects(target) == [B, None, B], condition
    fresh(target)
    drive.rewind()
    for step, _ in STEPS[2:]:
        step(drive)
    assert told(drive) == 2 == target.deck.drive.position().block_number, condition


PLACES = [(step, ahead) for step, commands in STEPS for ahead in range(len(commands))]


def deferrable(condition: Condition, turn: int) -> bool:
    """Whether it is also told of an earlier command: not an attention; by turns, for it is the same everywhere."""
    return condition.key != 6 and turn % 4 == 0


def carried_out(case: Case, turn: int) -> bool:
    """Whether the command was; by turns where nobody can know."""
    if case.deferred or case.command is ReadPosition:
        return case.condition.after is After.DONE and not case.deferred
    if case.command is Read6 and case.condition.kind is errors.BlankCheck:
        return False  # nothing was there
    return case.condition.after is After.DONE or (case.condition.after is After.OPEN and turn % 3 == 0)


def judge(case: Case, step: Callable[[ScsiDrive], None], *, drive: ScsiDrive, way: Faulty, target: DriveTarget) -> None:
    """Do the work, in which the command fails: the right exception, and no wrong position, not even a moment."""
    at = way.at
    assert at is not None
    try:
        step(drive)
    except ScsiError as failure:
        case.failure = failure
    except AssertionError:
        # A wrong end of data is believed.
        assert case.condition.kind is errors.BlankCheck, case
    assert type(way.commands[at]) is case.command
    failure, condition = case.failure, case.condition
    if case.kind is None and case.command is ReadPosition and failure is not None:
        # Behind a movement over filemarks there is no other way to know.
        assert type(failure) is errors.PositionUnknown, case
        way.heal()
        assert told(drive) == target.deck.drive.position().block_number, case
        return
    assert type(failure) is (case.kind or type(None)), case
    if failure is not None:
        assert f"{describe(condition.asc, condition.ascq)} ({condition.numbers})" in str(failure), case
        assert ("of an earlier command" in str(failure)) == case.deferred, case
    tape = target.deck.drive
    really = tape.position().block_number
    doubtful = case.deferred or condition.after in (After.GONE, After.OPEN)
    # After these the drive itself goes back, or asks where it is.
    settled = type(failure) in {Read6: (errors.MediumError,), Locate10: (errors.BlankCheck,)}.get(case.command, ())
    if failure and doubtful and not settled:
        # Nothing goes to a place that nobody knows.
        for use in (lambda: drive.write_blocks(memoryview(C), 512), lambda: drive.space_blocks(1)):
            with pytest.raises(errors.PositionUnknown):
                use()
        assert tape.position().block_number == really, case
    assert told(drive) in (None, really), case
    way.heal()
    assert told(drive) == really, case


def test_the_end_of_data_is_not_believed_for_longer(tmp_path: Path) -> None:
    with bench(tmp_path) as (drive, way, _):
        # The first command asks for the sizes of blocks.
        way.plan(1, Fault(Completion(Status.CHECK_CONDITION, sense=fixed(8, 0, 5))))
        room = memoryview(bytearray(2048))
        assert drive.read_blocks(room, 512).stop is Stop.END_OF_DATA
        assert drive.read_blocks(room, 512).blocks == 3
