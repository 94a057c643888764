"""How people name the places of a library: slots by mtx's numbers, drives, cartridges by barcode, element addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from duplicator.cli.endings import UsageProblem
from scsi.changer import Inventory
from scsi.elements import Element, ElementType

__all__ = ["Places"]

_DRIVE: Final = "drive"
_ADDRESS: Final = "@"
_BARCODE: Final = "barcode:"
_KINDS: Final = {
    ElementType.ARM: "arm",
    ElementType.SLOT: "slot",
    ElementType.IMPORT_EXPORT: "import/export",
    ElementType.DRIVE: "drive",
}


class Places:
    """The elements of an inventory by name: slots from 1, import/export elements behind them, drives from drive0."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        stores = [*inventory.of(ElementType.SLOT), *inventory.of(ElementType.IMPORT_EXPORT)]
        named = {str(number): element for number, element in enumerate(stores, start=1)}
        drives = enumerate(inventory.of(ElementType.DRIVE))
        self._elements: Mapping[str, Element] = {f"{_DRIVE}{number}": element for number, element in drives} | named
        self._names = {element.address: name for name, element in self._elements.items()}

    def find(self, text: str) -> Element:
        """A place by number, driveN, @ADDRESS or the barcode that lies there; UsageProblem, NoSuchElement."""
        if text.startswith(_ADDRESS):
            return self._inventory.at(_number(text.removeprefix(_ADDRESS)))
        if text in self._elements:
            return self._elements[text]
        if text.isascii() and text.isdecimal():
            raise UsageProblem(f"there is no slot {text}: `inventory` shows the numbers")
        return self._inventory.find(text.removeprefix(_BARCODE))

    def find_drive(self, text: str) -> Element:
        """A drive by number from 0, driveN, @ADDRESS, or the barcode in it; UsageProblem."""
        element = self.find(f"{_DRIVE}{text}" if text.isascii() and text.isdecimal() else text)
        if element.type != ElementType.DRIVE:
            raise UsageProblem(f"{text} is in no drive, but at {self.name(element.address)}")
        return element

    def name(self, address: int) -> str:
        """What a place is called; its address if it has no name."""
        return self._names.get(address, f"{_ADDRESS}{address}")

    def rows(self) -> list[tuple[str, ...]]:
        """A row for each place: name, what it is, address, what is in it, barcode, where that came from."""
        return [
            (name, _KINDS[element.type], str(element.address), _state(element), element.barcode, self._origin(element))
            for name, element in self._elements.items()
        ]

    def document(self) -> list[dict[str, Any]]:
        """The places for `--json`."""
        return [
            {
                "place": name,
                "kind": _KINDS[element.type],
                "address": element.address,
                "full": element.full,
                "barcode": element.barcode or None,
                "from": self._origin(element) or None,
                "accessible": element.access,
                "trouble": f"{element.asc:02x}/{element.ascq:02x}" if element.trouble else None,
            }
            for name, element in self._elements.items()
        ]

    def _origin(self, element: Element) -> str:
        return self.name(element.source) if element.full and element.source_valid else ""


def _state(element: Element) -> str:
    words = ["full" if element.full else "empty"]
    if element.disabled:
        words.append("disabled")
    if element.trouble:
        words.append(f"trouble {element.asc:02x}/{element.ascq:02x}")
    return ", ".join(words)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5:
        raise UsageProblem(f"{_ADDRESS}{text}: an element address is a number, as in {_ADDRESS}1000")
    return int(text)
