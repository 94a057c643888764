"""What an inventory of a library says of the volumes that the catalog knows."""

from __future__ import annotations

from pathlib import Path

from duplicator.broker_needs import drive_resource
from duplicator.catalog import Catalog, VolumeState
from duplicator.drives import DriveSpec
from duplicator.inventories import note_inventory
from duplicator.urls import NdmpUrl
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType, VolumeTag

DRIVE = DriveSpec("d0", NdmpUrl.parse("ndmp://u@h/d0"), "lib", 0)
BEFORE = {
    "SLOT01": "",
    "DRIVE1": "lib slot 1002",
    "LEAVES": "vault",
    "GONE01": "lib slot 1003",
    "ELSE01": "other slot 1",
}


def element(kind: ElementType, address: int, barcode: str = "") -> Element:
    return Element(kind, address, full=bool(barcode), access=True, tag=VolumeTag(barcode))


def test_where_volumes_are(tmp_path: Path) -> None:
    found = Inventory(
        [
            element(ElementType.SLOT, 1001, "SLOT01L8"),
            element(ElementType.SLOT, 1002),
            element(ElementType.IMPORT_EXPORT, 10, "LEAVESL8"),
            element(ElementType.DRIVE, 256, "DRIVE1L8"),
            element(ElementType.SLOT, 1003, "NEWONEL8"),
        ]
    )
    with Catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        for label, location in BEFORE.items():
            catalog.add_volume(label, tape_url="", state=VolumeState.SCRATCH, location=location)
        note_inventory(catalog, "lib", [DRIVE], found)
        places = {volume.label: volume.location for volume in catalog.volumes()}
        assert places.pop("GONE01").startswith("not in library lib on ")
        assert places == {
            "SLOT01": "lib slot 1001",
            "DRIVE1": "lib drive 256",
            "LEAVES": "vault",  # it lies in the door, on its way out
            "ELSE01": "other slot 1",
        }
        assert catalog.drive_uses()[drive_resource(DRIVE).name].volume == "DRIVE1"
