"""A tape library: what lies where, and carrying cartridges about. Elements are named by their addresses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scsi.device import Device
from scsi.elements import Element, ElementStatus, ElementType, parse_status
from scsi.errors import DestinationFull, IllegalRequest, NoSuchElement, SourceEmpty, UnknownCommand
from scsi.inquiry import InquiryData
from scsi.modes import ElementAddresses, ModeParameters
from scsi.smc import ExchangeMedium, InitializeElementStatus, MoveMedium, ReadElementStatus
from scsi.spc import ModeSense6, PreventAllowMediumRemoval
from scsi.tape import TapeDrive
from scsi.transports.transport import Transport

__all__ = ["Changer", "Inventory"]

_PAGE_BYTES: Final = 255
_HEADS_BYTES: Final = 16
_DESCRIPTOR_BYTES: Final = 160
"""Room for an element with two volume tags and a long identifier; more is asked for again."""
_MOST_ELEMENTS: Final = 1024
"""Elements that are asked for at once."""
_LEFT_OUT_BYTES: Final = 8
"""tgtd counts no head when it sends a report: its last descriptor ends too early, by bytes that seldom matter."""
_MOST_BYTES: Final = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every element, in the order of types that the library's geometry has."""

    elements: Sequence[Element]

    def of(self, kind: ElementType) -> Sequence[Element]:
        """The elements of a type."""
        return [element for element in self.elements if element.type == kind]

    def at(self, address: int) -> Element:
        """An element; NoSuchElement."""
        for element in self.elements:
            if element.address == address:
                return element
        raise NoSuchElement(f"the library has no element {address}")

    def find(self, barcode: str) -> Element:
        """Where a cartridge is; SourceEmpty if it is not in the library."""
        for element in self.elements:
            if element.full and element.barcode == barcode:
                return element
        raise SourceEmpty(f"there is no cartridge {barcode} in the library")

    def free(self, kind: ElementType) -> Element:
        """The first empty element of a type; DestinationFull."""
        for element in self.of(kind):
            if not element.full and not element.disabled:
                return element
        raise DestinationFull(f"no {kind.name.lower().replace('_', ' ')} is free")


class Changer:
    """A library on a transport, which it owns; every method also raises what the transport does.

    Unit attentions are no matter: nothing is remembered between two methods but the geometry.
    """

    def __init__(self, transport: Transport) -> None:
        self._lock = threading.RLock()
        self._device = Device(transport, dismiss=self._dismiss)
        self._addresses: ElementAddresses | None = None
        self._identifies = True
        self._exchanges = True

    @property
    def addresses(self) -> ElementAddresses:
        """First address and number of the elements of each type."""
        with self._lock:
            if self._addresses is None:
                answer = self._device.ask(ModeSense6(ElementAddresses.PAGE, _PAGE_BYTES))
                pages = ModeParameters.parse(answer, long=False).pages
                self._addresses = next((page for page in pages if isinstance(page, ElementAddresses)), None)
            if self._addresses is None:
                message = "the changer does not tell which elements it has"
                raise NoSuchElement(message)
            return self._addresses

    def inquiry(self) -> InquiryData:
        """What library it is."""
        with self._lock:
            return self._device.inquiry()

    def ready(self) -> bool:
        """Whether it would move cartridges now."""
        with self._lock:
            return self._device.is_ready()

    def inventory(self) -> Inventory:
        """What lies where. Each type is asked for by itself: some changers answer for all at once with nonsense."""
        with self._lock:
            found = [element for kind, first, count in self._ranges() for element in self._report(kind, first, count)]
        return Inventory(found)

    def initialize(self) -> None:
        """Have the library look into every element, which may take long."""
        with self._lock:
            self._device.run(InitializeElementStatus())

    def move(self, source: int, destination: int) -> None:
        """Carry a cartridge; SourceEmpty, DestinationFull, NoSuchElement, RemovalPrevented."""
        with self._lock:
            try:
                self._device.run(MoveMedium(self.addresses.first_arm, source, destination))
            except IllegalRequest as refusal:
                self._explain(refusal, source, destination)
                raise

    def load(self, source: int, drive: int, *, tape: TapeDrive | None = None) -> None:
        """Carry a cartridge to a drive's element; ``tape`` is that drive, if it is open, to draw it in."""
        self.move(source, drive)
        draw_in = getattr(tape, "load", None)
        if draw_in is not None:
            draw_in()

    def unload(self, drive: int, *, to: int | None = None, tape: TapeDrive | None = None) -> int:
        """Empty a drive's element: back to the slot that it came from, or any free one; the address.

        ``tape`` is that drive, if it is open: it gives the cartridge out first, as most drives must.
        """
        with self._lock:
            if tape is not None:
                tape.unload()
            destination = self._way_back(drive) if to is None else to
            self.move(drive, destination)
            return destination

    def exchange(self, source: int, first: int, second: int) -> None:
        """Carry a cartridge to ``first`` and what was there to ``second``, which may be the source.

        A library without EXCHANGE MEDIUM moves them one by one, by way of a free slot if it must.
        """
        with self._lock:
            if self._exchanges:
                try:
                    self._device.run(ExchangeMedium(self.addresses.first_arm, source, first, second))
                    return
                except UnknownCommand:
                    self._exchanges = False
            self._exchange_by_moves(source, first, second)

    def import_cartridge(self, barcode: str, *, to: int | None = None) -> int:
        """Carry a cartridge from an import/export element to a slot, the first free one; its address."""
        with self._lock:
            inventory = self.inventory()
            source = inventory.find(barcode)
            if source.type != ElementType.IMPORT_EXPORT:
                raise SourceEmpty(f"{barcode} is at {source.address}, in the library already")
            destination = inventory.free(ElementType.SLOT).address if to is None else to
            self.move(source.address, destination)
            return destination

    def export_cartridge(self, barcode: str, *, to: int | None = None) -> int:
        """Carry a cartridge to an import/export element, the first free one; its address."""
        with self._lock:
            inventory = self.inventory()
            destination = inventory.free(ElementType.IMPORT_EXPORT).address if to is None else to
            self.move(inventory.find(barcode).address, destination)
            return destination

    def lock(self, prevent: bool) -> None:
        """Keep operators out of the import/export elements, or let them in again; UnknownCommand."""
        with self._lock:
            self._device.run(PreventAllowMediumRemoval(prevent))

    def close(self) -> None:
        """Let the library go."""
        with self._lock:
            self._device.close()

    def _dismiss(self, _: object) -> bool:
        self._addresses = None
        return True

    def _ranges(self) -> Sequence[tuple[ElementType, int, int]]:
        found = self.addresses
        ranges = (
            (ElementType.ARM, found.first_arm, found.arms),
            (ElementType.SLOT, found.first_slot, found.slots),
            (ElementType.IMPORT_EXPORT, found.first_import_export, found.import_exports),
            (ElementType.DRIVE, found.first_drive, found.drives),
        )
        return [
            (kind, start, min(_MOST_ELEMENTS, first + count - start))
            for kind, first, count in ranges
            for start in range(first, first + count, _MOST_ELEMENTS)
        ]

    def _report(self, kind: ElementType, first: int, count: int) -> Sequence[Element]:
        room = _HEADS_BYTES + count * _DESCRIPTOR_BYTES
        status = self._ask(kind, first, count, room)
        if room < status.bytes_available <= _MOST_BYTES:
            status = self._ask(kind, first, count, status.bytes_available)
        wanted = range(first, first + count)
        return [element for element in status.elements if element.type == kind and element.address in wanted]

    def _ask(self, kind: ElementType, first: int, count: int, room: int) -> ElementStatus:
        identifies = self._identifies and kind == ElementType.DRIVE
        command = ReadElementStatus(first, count, room, type=kind, identifiers=identifies)
        try:
            answer = self._device.ask(command)
        except IllegalRequest:
            if not identifies:
                raise
            self._identifies = False
            return self._ask(kind, first, count, room)
        status = parse_status(answer)
        if len(answer) < room and status.bytes_available == len(answer) + _LEFT_OUT_BYTES:
            return parse_status(answer + bytes(_LEFT_OUT_BYTES))
        return status

    def _way_back(self, drive: int) -> int:
        inventory = self.inventory()
        element = inventory.at(drive)
        if not element.full:
            raise SourceEmpty(f"there is no cartridge in element {drive}")
        if element.source_valid and not inventory.at(element.source).full:
            return element.source
        return inventory.free(ElementType.SLOT).address

    def _exchange_by_moves(self, source: int, first: int, second: int) -> None:
        inventory = self.inventory()
        for address in (source, first):
            if not inventory.at(address).full:
                raise SourceEmpty(f"there is no cartridge in element {address}")
        if second != source:
            self.move(first, second)
            self.move(source, first)
            return
        spare = inventory.free(ElementType.SLOT).address
        self.move(first, spare)
        self.move(source, first)
        self.move(spare, source)

    def _explain(self, refusal: IllegalRequest, source: int, destination: int) -> None:
        """Raise what a changer means by INVALID FIELD IN CDB: tgtd's says no more of an element that there is not."""
        if type(refusal) in (NoSuchElement, SourceEmpty, DestinationFull):
            return
        inventory = self.inventory()
        if not inventory.at(source).full:
            raise SourceEmpty(f"there is no cartridge in element {source}") from refusal
        if inventory.at(destination).full:
            raise DestinationFull(f"there is a cartridge in element {destination}") from refusal
