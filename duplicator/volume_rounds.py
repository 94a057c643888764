"""Brings volumes one after the other into the drives that there are, all drives at once, to have their labels read."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from duplicator.broker_needs import drive_resource, volume_resource
from duplicator.catalog import LEASE_SECONDS, Catalog, CatalogError, Resource
from duplicator.drives import DriveSpec
from duplicator.mounts.protocol import Mounts, volume_of
from duplicator.plan import Place, Step
from duplicator.status import JobError, Status
from duplicator.tape_import import Shelf, TapeImport
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType, MediumType

__all__ = ["VolumeRounds", "shelves_of", "unreadable"]

_HOLDERS: Final = (ElementType.SLOT, ElementType.DRIVE, ElementType.IMPORT_EXPORT)
_POLL: Final = 1.0
"""Seconds between looks whether a job has given a drive or volume back."""


@dataclass(frozen=True, slots=True)
class VolumeRounds:
    """Drives, what mounts their volumes, and where they are opened. Jobs do not get them meanwhile, nor the volumes."""

    catalog: Catalog
    drives: Sequence[DriveSpec]
    mounts_of: Callable[[DriveSpec], Mounts]
    place_of: Callable[[DriveSpec], Place]

    async def run(self, work: TapeImport, shelves: Iterable[Shelf]) -> None:
        """Read these volumes; a trouble with one is told and keeps nobody from the next.

        Without any, read what lies in each drive.
        """
        left = list(shelves)
        async with asyncio.TaskGroup() as group:
            for drive in self.drives:
                group.create_task(self._several(work, left, drive) if left else self._read(work, Shelf(), drive))

    async def _several(self, work: TapeImport, left: list[Shelf], drive: DriveSpec) -> None:
        while left:
            shelf = _nearest(left, drive)
            left.remove(shelf)
            await self._read(work, shelf, drive)

    async def _read(self, work: TapeImport, shelf: Shelf, drive: DriveSpec) -> None:
        used = [drive_resource(drive), *([volume_resource(shelf.volume)] if shelf.volume else [])]
        try:
            async with _held(self.catalog, used, seconds=work.deadlines.mount):
                if shelf.volume:
                    await self.mounts_of(drive).mount(drive, shelf.volume, note=work.told)
                    self.catalog.update_drive(used[0].name, volume=shelf.volume, used=datetime.now(UTC))
                await work.take(self.place_of(drive), shelf)
        except JobError as error:
            work.failed(shelf, str(drive.url), error.reason)
        except CatalogError as error:
            work.failed(shelf, str(drive.url), str(error))


def _nearest(left: Sequence[Shelf], drive: DriveSpec) -> Shelf:
    """What is in the drive already, before what is in a slot, before what is in another drive."""
    return min(left, key=lambda shelf: (shelf.drive != drive.number, shelf.drive is not None))


@asynccontextmanager
async def _held(catalog: Catalog, used: Collection[Resource], *, seconds: float) -> AsyncIterator[None]:
    """Have these for the block, as jobs have theirs; JobError if others have them for so long."""
    owner, end = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4()}", time.monotonic() + seconds
    while not catalog.take(owner, used):
        if time.monotonic() + _POLL > end:
            reason = f"{' or '.join(map(str, used))} is in use by a job"
            raise JobError(Status.MEDIA_OPEN_ERROR, step=Step.PREPARE.value, reason=reason)
        await asyncio.sleep(_POLL)
    renewing = asyncio.create_task(_renew(catalog, owner))
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError, CatalogError):
            await renewing
        catalog.release(owner)


async def _renew(catalog: Catalog, owner: str) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 5)
        catalog.renew(owner)


def shelves_of(inventory: Inventory, library: str) -> list[Shelf]:
    """The volumes of a library, by label; cleaning cartridges and those without a readable barcode are none."""
    drives = {element.address: number for number, element in enumerate(inventory.of(ElementType.DRIVE))}
    shelves = [
        Shelf(volume_of(each.barcode), each.barcode, each.barcode[6:], _home(each, library), drives.get(each.address))
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
