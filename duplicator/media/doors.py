"""Volumes in and out of a library: its robot carries them to its import/export elements, and from there to slots."""

from __future__ import annotations

from duplicator.mounts.carrying import find_volume, place_words
from duplicator.mounts.protocol import Note
from duplicator.mounts.refusals import refusal
from duplicator.mounts.robot import RobotMounts
from duplicator.status import Status
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType

__all__ = ["LibraryDoors"]


class LibraryDoors(RobotMounts):
    """A library whose doors an operator opens. JobError for what cannot be, or fails."""

    @property
    def name(self) -> str:
        """What the library is called."""
        return self._library.name

    async def export(self, volume: str, *, note: Note) -> str:
        """Carry a volume to a free import/export element; where it is then, in words."""
        inventory, element = await self._find(volume)
        if element.type == ElementType.IMPORT_EXPORT:
            return place_words(element)
        if element.type == ElementType.DRIVE:
            await self._empty(inventory, element, volume, note)
        barcode = element.barcode
        address = await self._use(lambda changer: changer.export_cartridge(barcode), note)
        return place_words(inventory.at(address))

    async def admit(self, volume: str, *, note: Note) -> str:
        """Carry a volume from an import/export element to a free slot; where it is then, in words."""
        inventory, element = await self._find(volume)
        if element.type != ElementType.IMPORT_EXPORT:
            return place_words(element)
        barcode = element.barcode
        address = await self._use(lambda changer: changer.import_cartridge(barcode), note)
        return place_words(inventory.at(address))

    async def _find(self, volume: str) -> tuple[Inventory, Element]:
        inventory = await self.inventory()
        element = find_volume(inventory, volume)
        if element is None:
            raise refusal(Status.NO_MEDIA, self._missing(volume, inventory))
        return inventory, element

    async def _empty(self, inventory: Inventory, element: Element, volume: str, note: Note) -> None:
        """Have a drive give its tape out, which only one that is configured can be asked for."""
        number = [each.address for each in inventory.of(ElementType.DRIVE)].index(element.address)
        if number not in self._drives:
            reason = f"volume {volume} is in {place_words(element)}, which no drive of the configuration is: unload it"
            raise refusal(Status.MOUNT_FAILED, reason)
        await self.dismount(self._drives[number], note=note)
