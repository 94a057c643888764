"""A way to a virtual library on which one command ends otherwise, and its cartridges where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scsi.cdb import Command
from scsi.changer import Changer
from scsi.completion import Completion, Status
from scsi.errors import ScsiError
from scsi.smc import ExchangeMedium
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual import changer as virtual
from scsi.virtual.library import Library
from tests.scsi.faults import fixed
from tests.scsi.faulty import AT_ONCE
from tests.scsi.library_shelf import SLOT, small_library, where

__all__ = ["HOME", "FaultyLibrary", "bench", "seen", "sense", "tidy"]

HOME = {SLOT: "VT0001", SLOT + 1: "VT0002", SLOT + 2: "CLN001"}
"""Where cartridges are in the beginning."""


class FaultyLibrary(TargetTransport):
    """A way to a library on which one command ends otherwise, and ``meanwhile`` something is done to the library.

    If that ``lasts``, all behind it do, in the same way or in that of ``later``.
    """

    def __init__(self, library: Library, *, exchanges: bool = True) -> None:
        super().__init__(virtual.Changer(library).session())
        self.commands = list[Command]()
        self.at: int | None = None
        self.comes: Completion | ScsiError = Completion(Status.BUSY)
        self.carried_out = self.lasts = False
        self.later: Completion | None = None
        self.meanwhile: Callable[[], object] = lambda: None
        self._exchanges = exchanges

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
        if self.at is None or not (number == self.at or (self.lasts and number > self.at)):
            if isinstance(command, ExchangeMedium) and not self._exchanges:
                return Completion(Status.CHECK_CONDITION, sense=fixed(5, 0x20, 0x00))
            return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)
        if self.carried_out and number == self.at:
            super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)
        self.meanwhile()
        if number > self.at and self.later:
            return self.later
        if isinstance(self.comes, ScsiError):
            raise self.comes
        return self.comes


def sense(key: int, asc: int, ascq: int) -> Completion:
    """CHECK CONDITION with fixed sense."""
    return Completion(Status.CHECK_CONDITION, sense=fixed(key, asc, ascq))


@contextmanager
def bench(directory: Path, *, exchanges: bool = True) -> Iterator[tuple[Changer, FaultyLibrary, Library]]:
    """A library with cartridges in its first three slots, whose geometry is known."""
    with small_library(directory) as library:
        way = FaultyLibrary(library, exchanges=exchanges)
        robot = Changer(way, patience=AT_ONCE)
        assert robot.addresses.first_slot == SLOT
        yield robot, way, library


def tidy(library: Library) -> None:
    """Everything back to where it was."""
    for _ in range(3):
        for home, barcode in HOME.items():
            for address, found in where(library).items():
                if found == barcode and address != home:
                    library.move(address, home if home not in where(library) else SLOT + 3)


def seen(robot: Changer) -> dict[int, str]:
    """Barcodes by address, as the library tells them."""
    return {each.address: each.barcode for each in robot.inventory().elements if each.full}
