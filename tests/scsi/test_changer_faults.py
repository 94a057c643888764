"""What goes wrong in a library, at every command: the right exception, and nothing believed that was seen before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scsi import errors
from scsi.changer import Changer
from scsi.completion import Completion, Status
from scsi.errors import ScsiError
from scsi.smc import ExchangeMedium, MoveMedium
from scsi.virtual.library import Library
from tests.scsi.faults import After, conditions, descriptors, fixed
from tests.scsi.faulty import AT_ONCE
from tests.scsi.faulty_library import HOME, bench, seen, tidy
from tests.scsi.library_shelf import DOOR, DRIVE, SLOT, where


def full_drive(library: Library) -> None:
    """The first cartridge in the first drive."""
    tidy(library)
    library.move(SLOT, DRIVE)


def at_the_door(library: Library) -> None:
    """The first cartridge before the door."""
    tidy(library)
    library.move(SLOT, DOOR)


Work = Callable[[Changer], object]
WORKS: dict[str, tuple[Callable[[Library], None], Work, dict[int, str]]] = {
    "inventory": (tidy, Changer.inventory, HOME),
    "load": (tidy, lambda robot: robot.load(SLOT, DRIVE), {DRIVE: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"}),
    "unload": (full_drive, lambda robot: robot.unload(DRIVE), HOME),
    "exchange": (
        tidy,
        lambda robot: robot.exchange(SLOT, SLOT + 1, SLOT),
        {SLOT: "VT0002", SLOT + 1: "VT0001", SLOT + 2: "CLN001"},
    ),
    "import": (at_the_door, lambda robot: robot.import_cartridge("VT0001"), HOME),
    "export": (
        tidy,
        lambda robot: robot.export_cartridge("VT0001"),
        {DOOR: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"},
    ),
}
"""What is there before, what is done, and what is there afterwards."""


@pytest.mark.parametrize("name", WORKS)
def test_conditions_at_every_command(name: str, tmp_path: Path) -> None:
    """Every condition, by turns; whether a movement was made or not, the inventory tells the truth."""
    prepare, work, done = WORKS[name]
    with bench(tmp_path) as (robot, way, library):
        prepare(library)
        before, start = where(library), len(way.commands)
        work(robot)
        commands = way.commands[start:]
        assert where(library) == done
        for number, condition in enumerate(conditions(), [*WORKS].index(name)):
            if number % 3:
                continue  # the turn of other work
            ahead = number // 3 % len(commands)
            moving = isinstance(commands[ahead], MoveMedium | ExchangeMedium)
            prepare(library)
            way.at, way.carried_out = len(way.commands) + ahead, condition.after is After.OPEN and number % 2 == 0
            build = descriptors if number % 2 else fixed
            raw = build(condition.key, condition.asc, condition.ascq)
            way.comes = Completion(Status.CHECK_CONDITION, sense=raw)
            failure = failure_of(work, robot)
            if condition.key not in (0, 1, 5, 6):
                assert type(failure) is condition.kind, (condition, failure)
                assert f"({condition.numbers})" in str(failure)
            elif condition.key == 6 and moving and condition.kind and name in ("load", "exchange"):
                assert type(failure) is errors.UnitAttention, condition
            elif condition.key == 6:
                assert failure is None, condition
            elif condition.key == 5 and moving and condition.kind is not errors.UnknownCommand:
                assert isinstance(failure, errors.IllegalRequest | errors.EncryptionError), (condition, failure)
            assert where(library) in (before, done), condition
            way.at = None
            assert seen(robot) == where(library), condition
            if condition.kind is errors.UnknownCommand:
                # That it believes for good.
                robot = Changer(way, patience=AT_ONCE)
                seen(robot)


def failure_of(work: Work, robot: Changer) -> ScsiError | None:
    """What the work raises of ours; anything else is not caught."""
    try:
        work(robot)
    except ScsiError as failure:
        return failure
    return None


ON_THE_WAY = {
    "busy": (Completion(Status.BUSY), errors.Busy),
    "reserved": (Completion(Status.RESERVATION_CONFLICT), errors.ReservationConflict),
    "queue full": (Completion(Status.TASK_SET_FULL), errors.Busy),
    "aborted": (Completion(Status.TASK_ABORTED), errors.CommandAborted),
    "strange": (Completion(Status(0x22)), errors.CheckCondition),
    "no sense": (Completion(Status.CHECK_CONDITION), errors.CheckCondition),
    "late": (errors.CommandTimeout("late"), errors.CommandTimeout),
    "lost": (errors.TransportLost("lost"), errors.TransportLost),
}


@pytest.mark.parametrize("lasts", [False, True])
@pytest.mark.parametrize("name", WORKS)
def test_the_way_at_every_command(name: str, lasts: bool, tmp_path: Path) -> None:
    prepare, work, done = WORKS[name]
    with bench(tmp_path) as (robot, way, library):
        prepare(library)
        before, start = where(library), len(way.commands)
        work(robot)
        for ahead in range(len(way.commands[start:])):
            for comes, kind in ON_THE_WAY.values():
                prepare(library)
                way.at, way.comes, way.lasts = len(way.commands) + ahead, comes, lasts
                with pytest.raises(kind) as raised:
                    work(robot)
                assert type(raised.value) is kind
                assert where(library) in (before, done)
                way.at = None
                assert seen(robot) == where(library)


def test_answers_that_are_cut(tmp_path: Path) -> None:
    with bench(tmp_path) as (robot, way, _):
        whole = robot.inventory()
        start = len(way.commands)
        robot.inventory()
        for ahead in range(len(way.commands) - start):
            for size in (0, 1, 7, 8, 15, 20, 67):
                way.at, way.comes = len(way.commands) + ahead, Completion(Status.GOOD, bytes(size), bytes_in=size)
                failure = failure_of(Changer.inventory, robot)
                assert failure is None or isinstance(failure, errors.FieldError), (ahead, size)
                way.at = None
                assert robot.inventory() == whole
