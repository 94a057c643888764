"""What a virtual library consists of and what is where in it, kept in one file that is replaced as a whole."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from scsi.elements import ElementType, MediumType
from scsi.errors import CorruptLibrary, DeviceUrlError, HardwareError, NoMedium, NoSuchElement
from scsi.virtual.durable import replace_file
from scsi.virtual.image import cartridge_files

__all__ = ["INVENTORY_FILE", "Configuration", "Inventory", "Volume", "read_inventory"]

INVENTORY_FILE: Final = "library.json"
_FORMAT: Final = 1
_LARGEST_FILE_BYTES: Final = 16 << 20
_LARGEST_ADDRESS: Final = 0xFFFF
_KINDS: Final = {"data": MediumType.DATA, "cleaning": MediumType.CLEANING}
_KIND_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def _new_serial() -> str:
    return uuid.uuid4().hex[:10].upper()


@dataclass(frozen=True, slots=True)
class Configuration:
    """Counts and first addresses of the elements, and what all say they are. ValueError if impossible."""

    drives: int = 2
    slots: int = 10
    import_exports: int = 2
    first_arm: int = 1
    first_import_export: int = 16
    first_drive: int = 256
    first_slot: int = 1024
    vendor: str = "VIRTUAL"
    product: str = "TAPE LIBRARY"
    drive_vendor: str = "VIRTUAL"
    drive_product: str = "TAPE DRIVE"
    serial: str = field(default_factory=_new_serial)

    def __post_init__(self) -> None:
        last = 0
        for kind, addresses in sorted(self.ranges().items(), key=lambda item: item[1].start):
            if kind != ElementType.IMPORT_EXPORT and not addresses:
                raise ValueError(f"a library has at least one {kind.name.lower()}")
            if addresses.start <= last or addresses.stop - 1 > _LARGEST_ADDRESS:
                raise ValueError(f"addresses {addresses.start}..{addresses.stop - 1} overlap others or are none")
            last = max(last, addresses.stop - 1)
        for name, longest in _TEXTS.items():
            text = getattr(self, name)
            if not text.isascii() or not text.isprintable() or not 1 <= len(text) <= longest:
                raise ValueError(f"{name} {text!r} is not 1 to {longest} ASCII characters")

    def ranges(self) -> Mapping[ElementType, range]:
        """The addresses of each type of element."""
        return {
            ElementType.ARM: range(self.first_arm, self.first_arm + 1),
            ElementType.IMPORT_EXPORT: range(self.first_import_export, self.first_import_export + self.import_exports),
            ElementType.DRIVE: range(self.first_drive, self.first_drive + self.drives),
            ElementType.SLOT: range(self.first_slot, self.first_slot + self.slots),
        }

    def type_of(self, address: int) -> ElementType:
        """What is at an address; NoSuchElement."""
        for kind, addresses in self.ranges().items():
            if address in addresses:
                return kind
        raise NoSuchElement(f"there is no element at {address}")

    def drive_serial(self, number: int) -> str:
        """The serial number of drive ``number``, counted from 0."""
        return f"{self.serial[:8]}{number:02d}"


_TEXTS: Final = {"vendor": 8, "product": 16, "drive_vendor": 8, "drive_product": 16, "serial": 10}


@dataclass(frozen=True, slots=True)
class Volume:
    """A cartridge in the library: in which element, and from which slot or import/export element it was last taken."""

    barcode: str
    kind: MediumType
    at: int
    source: int | None = None

    def __post_init__(self) -> None:
        """DeviceUrlError for a barcode that cannot name the files of a cartridge."""
        cartridge_files(Path(self.barcode))
        if Path(self.barcode).name != self.barcode:
            raise DeviceUrlError(f"barcode {self.barcode!r} is a path")


class Inventory:
    """What is where. Never changed: every change makes a new one."""

    def __init__(self, configuration: Configuration, volumes: Iterable[Volume] = ()) -> None:
        """CorruptLibrary if two cartridges have one place or one barcode, or a place is none."""
        self.configuration = configuration
        self.volumes: Sequence[Volume] = tuple(volumes)
        self._by_address = {volume.at: volume for volume in self.volumes}
        self._by_barcode = {volume.barcode: volume for volume in self.volumes}
        if not len(self._by_address) == len(self._by_barcode) == len(self.volumes):
            message = "two cartridges have one barcode, or are in one element"
            raise CorruptLibrary(message)

    def at(self, address: int) -> Volume | None:
        """The cartridge in an element."""
        return self._by_address.get(address)

    def named(self, barcode: str) -> Volume | None:
        """The cartridge with a barcode."""
        return self._by_barcode.get(barcode)

    def moved(self, moves: Mapping[int, int]) -> Inventory:
        """With the cartridges at some addresses in others, all at once."""
        drives = self.configuration.ranges()[ElementType.DRIVE]
        return Inventory(
            self.configuration,
            (
                replace(volume, at=moves[volume.at], source=volume.source if volume.at in drives else volume.at)
                if volume.at in moves
                else volume
                for volume in self.volumes
            ),
        )

    def with_volume(self, volume: Volume) -> Inventory:
        """With one more."""
        return Inventory(self.configuration, (*self.volumes, volume))

    def without(self, volume: Volume) -> Inventory:
        """With one less."""
        return Inventory(self.configuration, (other for other in self.volumes if other != volume))

    def save(self, directory: Path) -> None:
        """Replace the file; killed at any moment, the old one is there or the new one. HardwareError if it cannot be.

        One writer at a time: who holds the library.
        """
        try:
            replace_file(directory / INVENTORY_FILE, json.dumps(self._to_json(), indent=1).encode())
        except OSError as error:
            raise HardwareError(f"{directory / INVENTORY_FILE}: {error.strerror}") from error

    def _to_json(self) -> object:
        volumes = [
            {"barcode": volume.barcode, "kind": _KIND_NAMES[volume.kind], "at": volume.at, "source": volume.source}
            for volume in self.volumes
        ]
        return {"format": _FORMAT, "configuration": asdict(self.configuration), "cartridges": volumes}


def read_inventory(directory: Path) -> Inventory:
    """Read the file; NoMedium if there is none, CorruptLibrary if it is not what it should be."""
    path = directory / INVENTORY_FILE
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LARGEST_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoMedium(f"there is no virtual library in {directory}") from error
    except OSError as error:
        raise HardwareError(f"{path}: {error.strerror}") from error
    if len(raw) > _LARGEST_FILE_BYTES:
        raise CorruptLibrary(f"{path} has more than {_LARGEST_FILE_BYTES} bytes")
    try:
        return _from_json(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, DeviceUrlError, NoSuchElement) as error:
        raise CorruptLibrary(f"{path} describes no library: {error}") from error


def _from_json(document: Any) -> Inventory:  # noqa: ANN401 (JSON is of no type)
    if document["format"] != _FORMAT:
        raise ValueError(f"format {document['format']!r}")
    described = document["configuration"]
    if described.keys() != {each.name for each in fields(Configuration)}:
        message = "its configuration is not complete"
        raise ValueError(message)
    configuration = Configuration(**described)
    return Inventory(configuration, [_volume(configuration, entry) for entry in document["cartridges"]])


def _volume(configuration: Configuration, entry: Any) -> Volume:  # noqa: ANN401 (JSON is of no type)
    volume = Volume(entry["barcode"], _KINDS[entry["kind"]], entry["at"], entry["source"])
    if configuration.type_of(volume.at) == ElementType.ARM:
        raise ValueError(f"{volume.barcode} hangs in the arm")
    if volume.source is not None:
        configuration.type_of(volume.source)
    return volume
