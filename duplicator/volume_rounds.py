"""Brings volumes one after the other into the drives that there are, all drives at once, to have their labels read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from duplicator.broker import Broker, Need
from duplicator.catalog import CatalogError
from duplicator.drives import DriveSpec
from duplicator.job import NO_JOB
from duplicator.mounts.protocol import Mounts, volume_of
from duplicator.plan import Place
from duplicator.status import JobError
from duplicator.tape_import import Shelf, TapeImport
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType, MediumType

__all__ = ["VolumeRounds", "shelves_of", "unreadable"]

_HOLDERS: Final = (ElementType.SLOT, ElementType.DRIVE, ElementType.IMPORT_EXPORT)


@dataclass(frozen=True, slots=True)
class VolumeRounds:
    """Drives, what mounts their volumes, and where they are opened. Drives and volumes are shared by the broker."""

    drives: Sequence[DriveSpec]
    mounts_of: Callable[[DriveSpec], Mounts]
    place_of: Callable[[DriveSpec], Place]
    broker: Broker

    async def run(self, work: TapeImport, shelves: Iterable[Shelf]) -> None:
        """Read these volumes; a trouble with one is told and keeps nobody from the next.

        A shelf without a volume is for what lies in a drive, one for each drive.
        """
        named = [shelf for shelf in shelves if shelf.volume]
        async with asyncio.TaskGroup() as group:
            for drive in self.drives:
                group.create_task(self._several(work, named) if named else self._read(work, Shelf(), [drive]))

    async def _several(self, work: TapeImport, left: list[Shelf]) -> None:
        while left:
            await self._read(work, left.pop(0), self.drives)

    async def _read(self, work: TapeImport, shelf: Shelf, drives: Sequence[DriveSpec]) -> None:
        name = ""
        need = Need(NO_JOB, tuple(drives), reads=(shelf.volume,) if shelf.volume else ())
        try:
            async with self.broker.granted(need, note=work.told) as grant:
                name = str(grant.drive.url)
                if shelf.volume:
                    await self.mounts_of(grant.drive).mount(grant.drive, shelf.volume, note=work.told)
                    self.broker.mounted(grant.drive, shelf.volume)
                await work.take(self.place_of(grant.drive), shelf)
        except JobError as error:
            work.failed(shelf, name, error.reason)
        except CatalogError as error:
            work.failed(shelf, name, str(error))


def shelves_of(inventory: Inventory, library: str) -> list[Shelf]:
    """The volumes of a library, by label; cleaning cartridges and those without a readable barcode are none."""
    shelves = [
        Shelf(volume_of(each.barcode), each.barcode, each.barcode[6:], _home(each, library))
        for each in _tapes(inventory)
        if each.barcode
    ]
    return sorted(shelves, key=lambda shelf: shelf.volume)


def unreadable(inventory: Inventory) -> list[Element]:
    """The elements with a cartridge whose barcode cannot be read."""
    return [each for each in _tapes(inventory) if not each.barcode]


def _tapes(inventory: Inventory) -> list[Element]:
    there = (each for kind in _HOLDERS for each in inventory.of(kind) if each.full)
    return [each for each in there if each.medium != MediumType.CLEANING]


def _home(element: Element, library: str) -> str:
    """Where the volume belongs: its slot, also while it is in a drive."""
    if element.type == ElementType.SLOT:
        return f"{library} slot {element.address}"
    return f"{library} slot {element.source}" if element.source_valid else ""
