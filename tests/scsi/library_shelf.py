"""A small virtual library for tests: 2 drives, 4 slots, 2 import/export elements, 3 cartridges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scsi.elements import MediumType
from scsi.virtual.inventory import Configuration
from scsi.virtual.library import Library, NewVolume, create_library, open_library

DOOR, DRIVE, SLOT = 16, 256, 1024
SMALL = Configuration(drives=2, slots=4, import_exports=2, serial="S012345678")
VOLUMES = (
    NewVolume("VT0001", capacity_bytes=1 << 20),
    NewVolume("VT0002", capacity_bytes=1 << 20),
    NewVolume("CLN001", MediumType.CLEANING),
)


@contextmanager
def small_library(directory: Path) -> Iterator[Library]:
    """The library, made if it is missing, without waiting for the disk."""
    if not (directory / "library.json").exists():
        create_library(directory, SMALL, volumes=VOLUMES)
    with open_library(directory, sync=False) as library:
        yield library


def where(library: Library) -> dict[int, str]:
    """Barcodes by address."""
    ranges = library.configuration.ranges().values()
    found = ((address, library.volume_at(address)) for addresses in ranges for address in addresses)
    return {address: volume.barcode for address, volume in found if volume}
