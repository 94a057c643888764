"""What lies where in a library, for the catalog: jobs are given only volumes that a robot can bring."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from duplicator.broker_needs import drive_resource
from duplicator.catalog import Catalog
from duplicator.drives import DriveSpec
from duplicator.media.places import in_vault
from duplicator.mounts.protocol import volume_of
from scsi.changer_survey import Inventory
from scsi.elements import ElementType

__all__ = ["note_inventory"]


def note_inventory(catalog: Catalog, library: str, drives: Sequence[DriveSpec], inventory: Inventory) -> None:
    """Record where the volumes that the catalog knows are in a library, and which are not there any more."""
    known = {volume.label: volume for volume in catalog.volumes()}
    seen: set[str] = set()
    for element in inventory.elements:
        volume = known.get(volume_of(element.barcode)) if element.full and element.barcode else None
        if volume is None:
            continue
        seen.add(volume.label)
        if in_vault(volume.location) and element.type is ElementType.IMPORT_EXPORT:
            continue  # it is on its way out
        location = f"{library} {element.type.name.lower()} {element.address}"
        if volume.location != location or not volume.barcode:
            catalog.update_volume(volume.label, location=location, barcode=element.barcode)
    for volume in known.values():
        if volume.label not in seen and volume.location.partition(" ")[0] == library:
            catalog.update_volume(volume.label, location=f"not in library {library} on {datetime.now(UTC):%Y-%m-%d}")
    _note_drives(catalog, drives, inventory)


def _note_drives(catalog: Catalog, drives: Sequence[DriveSpec], inventory: Inventory) -> None:
    """What is in the drives that no job has."""
    taken = {lease.resource for lease in catalog.leases()}
    elements = inventory.of(ElementType.DRIVE)
    for drive in drives:
        if drive.number < len(elements) and drive_resource(drive) not in taken:
            element = elements[drive.number]
            volume = volume_of(element.barcode) if element.full else ""
            catalog.update_drive(drive_resource(drive).name, volume=volume)
