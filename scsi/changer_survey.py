"""What lies where in a library: asking for it, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scsi.cdb import Command
from scsi.device import Device
from scsi.elements import Element, ElementStatus, ElementType, parse_status
from scsi.errors import DestinationFull, IllegalRequest, NoSuchElement, SourceEmpty
from scsi.modes import ElementAddresses, ModeParameters
from scsi.patience import Patience
from scsi.smc import ReadElementStatus
from scsi.spc import ModeSense6

__all__ = ["Inventory", "Survey"]

_PAGE_BYTES: Final = 255
_HEADS_BYTES: Final = 16
_DESCRIPTOR_BYTES: Final = 160
"""Room for an element with two volume tags and a long identifier; more is asked for again."""
_MOST_ELEMENTS: Final = 1024
"""Elements that are asked for at once."""
_ALL_ELEMENTS: Final = 0xFFFF
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
        raise DestinationFull(f"no {_name(kind)} is free")

    def words(self, addresses: Iterable[int]) -> str:
        """What is at these addresses, and in the arms."""
        wanted = set(addresses)
        told = [each for each in self.elements if each.address in wanted or each.type == ElementType.ARM]
        return ", ".join(f"{_name(each.type)} {each.address} {_content(each)}" for each in told)


class Survey:
    """Asks a changer; of its answers only the geometry is kept, until :meth:`forget`."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._addresses: ElementAddresses | None = None
        self._identifies = True
        self.begun = False
        """Whether it was ever answered."""

    def forget(self) -> None:
        """The geometry may have changed."""
        self._addresses = None

    def addresses(self, patience: Patience) -> ElementAddresses:
        """First address and number of the elements of each type."""
        if self._addresses is None:
            answer = self._answer(ModeSense6(ElementAddresses.PAGE, _PAGE_BYTES), patience)
            pages = ModeParameters.parse(answer, long=False).pages
            self._addresses = next((page for page in pages if isinstance(page, ElementAddresses)), None)
            self.begun = True
        if self._addresses is None:
            message = "the changer does not tell which elements it has"
            raise NoSuchElement(message)
        return self._addresses

    def inventory(self, patience: Patience) -> Inventory:
        """What lies where. Each type is asked for by itself: some changers answer for all at once with nonsense.

        One that refuses that, as ndmjob's does, is asked for all at once, and has to tell of every element.
        """
        ranges = self._ranges(self.addresses(patience))
        try:
            return Inventory([each for place in ranges for each in self._report(*place, patience=patience)])
        except IllegalRequest as refusal:
            found = self._everything(ranges, patience)
            if len(found) != sum(count for _, _, count in ranges):
                raise refusal from None
            return Inventory(found)

    def _everything(self, ranges: Sequence[tuple[ElementType, int, int]], patience: Patience) -> Sequence[Element]:
        """Every element, in the order of ``ranges``; none if that is refused too."""
        room = _HEADS_BYTES * len(ElementType) + sum(count for _, _, count in ranges) * _DESCRIPTOR_BYTES
        try:
            told = self._read(ElementType.ALL, 0, _ALL_ELEMENTS, room=room, patience=patience)
        except IllegalRequest:
            return ()
        return [each for kind, first, count in ranges for each in _within(told, kind, range(first, first + count))]

    def _ranges(self, found: ElementAddresses) -> Sequence[tuple[ElementType, int, int]]:
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

    def _report(self, kind: ElementType, first: int, count: int, *, patience: Patience) -> Sequence[Element]:
        room = _HEADS_BYTES + count * _DESCRIPTOR_BYTES
        return _within(self._read(kind, first, count, room=room, patience=patience), kind, range(first, first + count))

    def _read(self, kind: ElementType, first: int, count: int, *, room: int, patience: Patience) -> Sequence[Element]:
        status = self._status(kind, first, count, room=room, patience=patience)
        if room < status.bytes_available <= _MOST_BYTES:
            status = self._status(kind, first, count, room=status.bytes_available, patience=patience)
        return status.elements

    def _status(self, kind: ElementType, first: int, count: int, *, room: int, patience: Patience) -> ElementStatus:
        identifies = self._identifies and kind == ElementType.DRIVE
        command = ReadElementStatus(first, count, room, type=kind, identifiers=identifies)
        try:
            answer = self._answer(command, patience)
        except IllegalRequest:
            if not identifies:
                raise
            self._identifies = False
            return self._status(kind, first, count, room=room, patience=patience)
        status = parse_status(answer)
        if len(answer) < room and status.bytes_available == len(answer) + _LEFT_OUT_BYTES:
            return parse_status(answer + bytes(_LEFT_OUT_BYTES))
        return status

    def _answer(self, command: Command, patience: Patience) -> bytes:
        return patience.until_ready(lambda: self._device.ask(command))


def _within(elements: Iterable[Element], kind: ElementType, addresses: range) -> Sequence[Element]:
    return [element for element in elements if element.type == kind and element.address in addresses]


def _name(kind: ElementType) -> str:
    return kind.name.lower().replace("_", " ")


def _content(element: Element) -> str:
    return f"holds {element.barcode or 'a cartridge'}" if element.full else "is empty"
