"""Everything that can go wrong, at every command of a write and of a read: the right exception, no wrong position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from scsi import errors
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import ScsiDrive
from scsi.errors import PositionUnknown, ScsiError
from scsi.ssc import Read6, ReadPosition, Space6, Write6, WriteFilemarks6
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import A, B, C
from tests.scsi.target_bench import drive_target

NOWHERE = bytes.fromhex("14" + 19 * "00")
"""READ POSITION: block and byte count unknown, location unknown, as tgtd's drive answers."""


def sense(key: int, asc: int, ascq: int, *, deferred: bool = False) -> Completion:
    """CHECK CONDITION with fixed sense, 18 bytes (SPC-4 4.5.3)."""
    raw = bytes((0x71 if deferred else 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0))
    return Completion(Status.CHECK_CONDITION, sense=raw)


@dataclass(frozen=True)
class Fault:
    """What comes instead of an answer; ``undone`` if the command was surely not begun, ``resets`` if it rewinds."""

    comes: Completion | ScsiError
    ends_in: type[ScsiError]
    undone: bool = False
    resets: bool = False
    lasts: bool = False


FAULTS = {
    "no medium": Fault(sense(2, 0x3A, 0x00), errors.NoMedium, undone=True),
    "not ready": Fault(sense(2, 0x04, 0x01), errors.NotReady, undone=True),
    "medium error": Fault(sense(3, 0x0C, 0x00), errors.MediumError),
    "hardware error": Fault(sense(4, 0x44, 0x00), errors.HardwareError),
    "unknown command": Fault(sense(5, 0x20, 0x00), errors.UnknownCommand, undone=True),
    "invalid field": Fault(sense(5, 0x24, 0x00), errors.InvalidField, undone=True),
    "other medium": Fault(sense(6, 0x28, 0x00), errors.UnitAttention, undone=True),
    "reset": Fault(sense(6, 0x29, 0x00), errors.UnitAttention, undone=True, resets=True),
    "modes changed": Fault(sense(6, 0x2A, 0x01), errors.UnitAttention, undone=True),
    "write protected": Fault(sense(7, 0x27, 0x00), errors.WriteProtected, undone=True),
    "vendor's own": Fault(sense(9, 0x80, 0x01), errors.CheckCondition),
    "aborted": Fault(sense(0xB, 0x4B, 0x00), errors.CommandAborted),
    "deferred": Fault(sense(3, 0x0C, 0x00, deferred=True), errors.MediumError),
    "unknown key": Fault(sense(0xF, 0x00, 0x00), errors.CheckCondition),
    "busy": Fault(Completion(Status.BUSY), errors.Busy, undone=True),
    "queue full": Fault(Completion(Status.TASK_SET_FULL), errors.Busy, undone=True),
    "reserved": Fault(Completion(Status.RESERVATION_CONFLICT), errors.ReservationConflict, undone=True),
    "task aborted": Fault(Completion(Status.TASK_ABORTED), errors.CommandAborted),
    "strange status": Fault(Completion(Status(0x22)), errors.CheckCondition),
    "late": Fault(errors.CommandTimeout("late"), errors.CommandTimeout),
    "lost": Fault(errors.TransportLost("lost"), errors.TransportLost, lasts=True),
}


class Faulty:
    """A transport that lets command number ``at`` fail, before or after the target has carried it out."""

    def __init__(self, target: DriveTarget, *, telling: bool) -> None:
        self.commands = list[Command]()
        self.plan: tuple[int, Fault, bool] | None = None
        self._target, self._telling = target, telling
        self._way = TargetTransport(target.session())

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        assert isinstance(command, Command)
        number = len(self.commands)
        self.commands.append(command)
        if self.plan is None or not (number == self.plan[0] or (self.plan[1].lasts and number > self.plan[0])):
            return self._answer(command, data_out, data_in)
        _, fault, carried_out = self.plan
        if carried_out and number == self.plan[0]:
            self._answer(command, data_out, data_in)
        if fault.resets:
            self._target.deck.drive.rewind()
        if isinstance(fault.comes, ScsiError):
            raise fault.comes
        return fault.comes

    def close(self) -> None:
        self._way.close()

    def _answer(self, command: Command, data_out: bytes | memoryview, data_in: Room) -> Completion:
        if isinstance(command, ReadPosition) and not self._telling:
            return Completion(Status.GOOD, NOWHERE, bytes_in=len(NOWHERE))
        return self._way.execute(command, data_out=data_out, data_in=data_in)


@contextmanager
def bench(directory: Path, *, telling: bool) -> Iterator[tuple[ScsiDrive, Faulty, DriveTarget]]:
    """A drive with a tape of four blocks and two filemarks, at its beginning, and where it really stands."""
    with drive_target(directory) as target:
        for block in (A, B, C):
            target.deck.drive.write_blocks(memoryview(block), 512)
        target.deck.drive.write_filemarks(1)
        target.deck.drive.write_blocks(memoryview(A), 512)
        target.deck.drive.write_filemarks(1)
        target.deck.drive.rewind()
        way = Faulty(target, telling=telling)
        drive = ScsiDrive(way)
        drive.rewind()
        yield drive, way, target


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


def told(drive: ScsiDrive) -> int | None:
    """Where the drive says that it stands, if it does."""
    try:
        return drive.position().block_number
    except ScsiError:
        return None


@pytest.mark.parametrize("telling", [True, False])
@pytest.mark.parametrize("work", [writes, reads])
@pytest.mark.parametrize("name", FAULTS)
def test_never_a_wrong_position(name: str, work: Callable[[ScsiDrive], None], telling: bool, tmp_path: Path) -> None:
    fault = FAULTS[name]
    with bench(_made(tmp_path / "dry"), telling=telling) as (drive, way, _):
        before = len(way.commands)
        work(drive)
        commands = len(way.commands) - before
    for number in range(commands):
        for carried_out in (False,) if fault.undone else (False, True):
            with bench(_made(tmp_path / f"{number}{carried_out}"), telling=telling) as (drive, way, target):
                assert len(way.commands) == before
                way.plan = before + number, fault, carried_out
                at_fault = None
                try:
                    work(drive)
                except ScsiError as failure:
                    at_fault = failure
                command = way.commands[before + number]
                where = (command, carried_out, at_fault)
                known, really = told(drive), target.deck.drive.position().block_number
                assert known in (None, really), where
                if telling and not fault.lasts:
                    assert known == really, where
                if isinstance(command, Write6 | WriteFilemarks6 | Read6 | Space6) and at_fault is not None:
                    assert isinstance(at_fault, fault.ends_in), where


@pytest.mark.parametrize(("name", "kinds"), [("reset", (Write6, Read6)), ("late", (Write6, Read6))])
def test_nothing_is_written_where_nobody_knows(name: str, kinds: tuple[type[Command], ...], tmp_path: Path) -> None:
    for work in (writes, reads):
        with bench(_made(tmp_path / work.__name__), telling=True) as (drive, way, target):
            # The first command of writes asks for the sizes of blocks.
            way.plan = len(way.commands) + 1, FAULTS[name], False
            with pytest.raises(FAULTS[name].ends_in):
                work(drive)
            assert isinstance(way.commands[way.plan[0]], kinds)
            at = target.deck.drive.position()
            with pytest.raises(PositionUnknown):
                drive.write_blocks(memoryview(C), 512)
            with pytest.raises(PositionUnknown):
                drive.read_blocks(memoryview(bytearray(512)), 512)
            assert target.deck.drive.position() == at
            assert drive.position().block_number == at.block_number
            assert drive.write_blocks(memoryview(C), 512).blocks == 1


def test_attentions_that_are_no_matter(tmp_path: Path) -> None:
    with bench(_made(tmp_path / "one"), telling=True) as (drive, way, _):
        way.plan = len(way.commands) + 1, Fault(sense(6, 0x3F, 0x01), errors.UnitAttention), False
        writes(drive)
        assert drive.position().block_number == 4


def test_recovered_errors_are_done(tmp_path: Path) -> None:
    with bench(_made(tmp_path / "one"), telling=True) as (drive, way, _):
        way.plan = len(way.commands) + 1, Fault(sense(1, 0x18, 0x00), errors.RecoveredError), True
        writes(drive)
        assert drive.position().block_number == 4


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
