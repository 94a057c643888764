"""A virtual tape library in a directory: drives, slots, import/export elements and one arm, over virtual cartridges.

Every method may be called by any thread. A library is open in one process at a time.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

from scsi.elements import ElementType, MediumType
from scsi.errors import (
    AccessDenied,
    CartridgeExists,
    CommandTimeout,
    DestinationFull,
    DeviceBusy,
    HardwareError,
    LibraryExists,
    NoMedium,
    NoSuchElement,
    RemovalPrevented,
    SourceEmpty,
)
from scsi.virtual.bay import DriveBay
from scsi.virtual.inventory import INVENTORY_FILE, Configuration, Inventory, Volume, read_inventory
from scsi.virtual.mechanics import AT_ONCE, Mechanics
from scsi.virtual.url import VirtualUrl, ensure_cartridge

__all__ = ["Library", "NewVolume", "create_library", "open_library"]

_LOCK_FILE: Final = "library.lock"
_CAPACITY_BYTES: Final = 1 << 40
_LARGEST_USUAL_WARNING_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A cartridge to be put in; its sizes, in bytes, are for one that is yet to be made. Cleaning ones hold nothing.

    Early warning begins that far before the end; None: a tenth of the capacity, at most 256 MiB.
    """

    barcode: str
    kind: MediumType = MediumType.DATA
    capacity_bytes: int = _CAPACITY_BYTES
    early_warning_bytes: int | None = None


def create_library(
    directory: Path, configuration: Configuration | None = None, *, volumes: Sequence[NewVolume] = ()
) -> None:
    """Make a library whose slots hold ``volumes``, in their order. LibraryExists if one is there.

    Cartridges that are there already are taken as they are. DestinationFull if there are too few slots.
    """
    configuration = configuration or Configuration()
    slots = configuration.ranges()[ElementType.SLOT]
    if len(volumes) > len(slots):
        raise DestinationFull(f"{len(volumes)} cartridges for {len(slots)} slots")
    placed = [Volume(new.barcode, new.kind, at) for new, at in zip(volumes, slots, strict=False)]
    inventory = Inventory(configuration, placed)
    _make_directory(directory)
    with _held(directory):
        if (directory / INVENTORY_FILE).exists():
            raise LibraryExists(f"{directory} holds a library already")
        for new in volumes:
            _ensure_volume(directory, new)
        inventory.save(directory)


def open_library(directory: Path, *, sync: bool = True, mechanics: Mechanics = AT_ONCE) -> Library:
    """Open a library; NoMedium if there is none, DeviceBusy if another process has it, CorruptLibrary.

    ``sync=False`` gives up what a power failure would take of the cartridges' data. The arm and the drives take as long
    as ``mechanics`` says.
    """
    return Library(directory, sync=sync, mechanics=mechanics)


class Library:
    """An open library. Elements are named by their addresses, drives by numbers counted from 0."""

    def __init__(self, directory: Path, *, sync: bool, mechanics: Mechanics) -> None:
        if not (directory / INVENTORY_FILE).exists():
            raise NoMedium(f"there is no virtual library in {directory}")
        self.directory = directory
        self._arm = threading.RLock()
        """Whoever moves something has it first, and keeps it while that takes its time."""
        self._lock = threading.RLock()
        self._mechanics = mechanics
        self._lock_fd: int | None = _hold(directory)
        try:
            self._inventory = read_inventory(directory)
        except BaseException:
            self.close()
            raise
        self.configuration = self._inventory.configuration
        self.accesses = 0
        """How often an operator has used the import/export elements."""
        self._preventing = set[object]()
        drives = self.configuration.ranges()[ElementType.DRIVE]
        self._bays: Mapping[int, DriveBay] = {
            address: DriveBay(self._lock, partial(self._loadable, address), sync=sync, mechanics=mechanics)
            for address in drives
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others have it. Drives that are still open keep their cartridges until they are closed."""
        lock_fd, self._lock_fd = self._lock_fd, None
        if lock_fd is not None:
            os.close(lock_fd)

    @contextmanager
    def exclusive(self, timeout: float | None = None) -> Iterator[None]:
        """Nobody else changes anything meanwhile; CommandTimeout if that takes more than ``timeout`` seconds to get."""
        if not self._arm.acquire(timeout=-1 if timeout is None else timeout):
            raise CommandTimeout(f"the library was busy for {timeout} seconds")
        try:
            yield
        finally:
            self._arm.release()

    def drive(self, number: int) -> DriveBay:
        """A drive by its number; NoSuchElement."""
        drives = self.configuration.ranges()[ElementType.DRIVE]
        if not 0 <= number < len(drives):
            raise NoSuchElement(f"there is no drive {number}")
        return self._bays[drives[number]]

    def volume_at(self, address: int) -> Volume | None:
        """The cartridge in an element."""
        with self._lock:
            return self._inventory.at(address)

    def in_use(self, address: int) -> bool:
        """Whether it is a drive whose cartridge is being used."""
        bay = self._bays.get(address)
        return bay is not None and bay.in_use

    def move(self, source: int, destination: int) -> None:
        """Carry a cartridge; NoSuchElement, SourceEmpty, DestinationFull, RemovalPrevented."""

        def audit() -> None:
            self._audit_source(source)
            self._audit_destination(destination)

        self._carry({source: destination}, audit)

    def exchange(self, source: int, first: int, second: int) -> None:
        """Carry a cartridge to ``first`` and what was there to ``second``, which may be the source; see move."""

        def audit() -> None:
            self._audit_source(source)
            self._audit_source(first)
            if first == source:
                raise DestinationFull(f"the cartridge at {source} is there already")
            if second != source:
                self._audit_destination(second)

        self._carry({source: first, first: second}, audit)

    def insert(self, new: NewVolume) -> int:
        """Put a cartridge into the first free import/export element, as an operator does; its address.

        CartridgeExists, DestinationFull, or RemovalPrevented if a host has locked the elements.
        """
        with self._arm, self._lock:
            self._audit_access()
            if self._inventory.named(new.barcode):
                raise CartridgeExists(f"{new.barcode} is in the library already")
            elements = self.configuration.ranges()[ElementType.IMPORT_EXPORT]
            free = next((address for address in elements if not self._inventory.at(address)), None)
            if free is None:
                message = "no import/export element is free"
                raise DestinationFull(message)
            inventory = self._inventory.with_volume(Volume(new.barcode, new.kind, free))
            _ensure_volume(self.directory, new)
            self._replace(inventory)
            self.accesses += 1
            return free

    def remove(self, address: int) -> str:
        """Take the cartridge out of an import/export element, as an operator does; its barcode. Its files stay.

        SourceEmpty, NoSuchElement, or RemovalPrevented if a host has locked the elements.
        """
        with self._arm, self._lock:
            self._audit_access()
            if self.configuration.type_of(address) != ElementType.IMPORT_EXPORT:
                raise NoSuchElement(f"{address} is no import/export element")
            volume = self._inventory.at(address)
            if volume is None:
                raise SourceEmpty(f"there is no cartridge at {address}")
            self._replace(self._inventory.without(volume))
            self.accesses += 1
            return volume.barcode

    def prevent_access(self, host: object, prevent: bool) -> None:
        """Lock the import/export elements for operators, or unlock them; locked while any host wants it."""
        with self._lock:
            (self._preventing.add if prevent else self._preventing.discard)(host)

    def allow_access(self) -> None:
        """Unlock the import/export elements, whoever locked them."""
        with self._lock:
            self._preventing.clear()

    def _audit_source(self, address: int) -> None:
        self._audit_place(address)
        if self._inventory.at(address) is None:
            raise SourceEmpty(f"there is no cartridge at {address}")
        if self.in_use(address):
            raise RemovalPrevented(f"the cartridge at {address} is in use")

    def _audit_destination(self, address: int) -> None:
        self._audit_place(address)
        if self._inventory.at(address):
            raise DestinationFull(f"there is a cartridge at {address}")

    def _audit_place(self, address: int) -> None:
        if self.configuration.type_of(address) == ElementType.ARM:
            message = "the arm keeps no cartridges"
            raise NoSuchElement(message)

    def _audit_access(self) -> None:
        if self._preventing:
            message = "a host has locked the import/export elements"
            raise RemovalPrevented(message)

    def _carry(self, moves: Mapping[int, int], audit: Callable[[], None]) -> None:
        """Move cartridges if the audit allows it, before and after the arm has taken its time."""
        with self._arm:
            with self._lock:
                audit()
            for _ in moves:
                self._mechanics.carry()
            with self._lock:
                audit()
                self._replace(self._inventory.moved(moves))
                for address in {*moves, *moves.values()} & self._bays.keys():
                    self._bays[address].changed()

    def _replace(self, inventory: Inventory) -> None:
        if self._lock_fd is None:
            message = "the library is closed"
            raise HardwareError(message)
        inventory.save(self.directory)
        self._inventory = inventory

    def _loadable(self, address: int) -> Path | None:
        """The cartridge that a drive can read and write, if one is in it."""
        volume = self._inventory.at(address)
        return self.directory / volume.barcode if volume and volume.kind == MediumType.DATA else None


def _ensure_volume(directory: Path, new: NewVolume) -> None:
    if new.kind == MediumType.DATA:
        usual_warning = min(new.capacity_bytes // 10, _LARGEST_USUAL_WARNING_BYTES)
        early_warning = usual_warning if new.early_warning_bytes is None else new.early_warning_bytes
        ensure_cartridge(VirtualUrl(directory / new.barcode, new.capacity_bytes, early_warning))


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AccessDenied(f"{directory} cannot be made: {error.strerror}") from error


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    lock_fd = _hold(directory)
    try:
        yield
    finally:
        os.close(lock_fd)


def _hold(directory: Path) -> int:
    """Take the library for this process; the file that is locked is never replaced."""
    path = directory / _LOCK_FILE
    try:
        lock_fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AccessDenied(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock_fd)
        raise DeviceBusy(f"the library in {directory} is in use") from error
    return lock_fd
