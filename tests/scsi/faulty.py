"""A way to a virtual drive on which one command ends otherwise, and what is done by the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.drive import BlockChecks, ScsiDrive
from scsi.errors import ScsiError
from scsi.patience import Patience
from scsi.ssc import ReadPosition
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import A, B, C
from tests.scsi.target_bench import drive_target

__all__ = ["AT_ONCE", "Fault", "Faulty", "bench", "checks_with", "fresh", "objects", "told"]

NOWHERE = bytes.fromhex("14" + 19 * "00")
"""READ POSITION: block and byte count unknown, location unknown, as tgtd's drive answers."""
AT_ONCE = Patience(seconds=0)


@dataclass(frozen=True)
class Fault:
    """What comes instead of an answer; sense that tells of a result comes with it.

    ``carried_out``: the command was, all the same. ``resets``: the tape is rewound. ``lasts``: for every command after
    it.
    """

    comes: Completion | ScsiError
    carried_out: bool = False
    resets: bool = False
    lasts: bool = False


class Faulty:
    """A transport that lets command number ``at`` of all ``commands`` end in a fault."""

    def __init__(self, target: DriveTarget, *, telling: bool = True) -> None:
        self.commands = list[Command]()
        self.at: int | None = None
        self.fault: Fault | None = None
        self.telling = telling
        self._target = target
        self._way = TargetTransport(target.session())

    def plan(self, ahead: int, fault: Fault) -> None:
        """Let the command fail that comes after ``ahead`` others."""
        self.at, self.fault = len(self.commands) + ahead, fault

    def heal(self) -> None:
        """Nothing fails any more."""
        self.at = self.fault = None

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
        fault = self.fault
        if fault is None or self.at is None or not (number == self.at or (fault.lasts and number > self.at)):
            return self._answer(command, data_out, data_in)
        done = self._answer(command, data_out, data_in) if fault.carried_out and number == self.at else None
        if fault.resets:
            self._target.deck.drive.rewind()
        if isinstance(fault.comes, ScsiError):
            raise fault.comes
        if done is not None and done.status == Status.GOOD and fault.comes.status == Status.CHECK_CONDITION:
            return replace(done, status=fault.comes.status, sense=fault.comes.sense)
        return fault.comes

    def close(self) -> None:
        self._way.close()

    def _answer(self, command: Command, data_out: bytes | memoryview, data_in: Room) -> Completion:
        if isinstance(command, ReadPosition) and not self.telling:
            return Completion(Status.GOOD, NOWHERE, bytes_in=len(NOWHERE))
        return self._way.execute(encoded(command), data_out=data_out, data_in=data_in)


@cache
def encoded(command: Command) -> bytes:
    """The bytes of a command, made once: the matrices send the same few over and over."""
    return command.encode()


def fresh(target: DriveTarget) -> None:
    """Put four blocks and two filemarks on the tape, and rewind it, behind the backs of all hosts."""
    tape = target.deck.drive
    tape.rewind()
    for block in (A, B, C):
        tape.write_blocks(memoryview(block), 512)
    tape.write_filemarks(1)
    tape.write_blocks(memoryview(A), 512)
    tape.write_filemarks(1)
    tape.rewind()


def objects(target: DriveTarget) -> Sequence[bytes | None]:
    """All that is on the tape; None is a filemark."""
    tape, found, room = target.deck.drive, list[bytes | None](), memoryview(bytearray(2048))
    tape.rewind()
    while True:
        outcome = tape.read_blocks(room, 2048)
        found += [bytes(room[: outcome.bytes_read])] if outcome.blocks else []
        if outcome.stop is not None and outcome.stop.value == "end of data":
            return found
        found += [None] if outcome.stop else []


@contextmanager
def bench(
    directory: Path, *, telling: bool = True, equal_blocks: bool = False
) -> Iterator[tuple[ScsiDrive, Faulty, DriveTarget]]:
    """A drive at the beginning of the tape of :func:`fresh`, the way to it, and where it really stands."""
    with drive_target(directory) as target:
        yield *opened(target, telling=telling, equal_blocks=equal_blocks), target


def opened(target: DriveTarget, *, telling: bool = True, equal_blocks: bool = False) -> tuple[ScsiDrive, Faulty]:
    """Another host's drive on a fresh tape, and the way to it."""
    fresh(target)
    way = Faulty(target, telling=telling)
    drive = ScsiDrive(way, equal_blocks=equal_blocks, checks=checks_with(equal_blocks=equal_blocks), patience=AT_ONCE)
    drive.rewind()
    return drive, way


def checks_with(*, equal_blocks: bool) -> BlockChecks:
    """Blocks that both ends check travel one by one."""
    return BlockChecks.OFF if equal_blocks else BlockChecks.ON


def told(drive: ScsiDrive) -> int | None:
    """Where the drive says that it stands, if it does."""
    try:
        return drive.position().block_number
    except ScsiError:
        return None
