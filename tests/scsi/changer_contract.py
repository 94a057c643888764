"""What every library must do through our Changer: a test module per kind of library inherits it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from scsi.changer import Changer
from scsi.elements import ElementType
from scsi.errors import DestinationFull, NoSuchElement, SourceEmpty


@dataclass(frozen=True)
class Layout:
    """A library at rest: two cartridges in two slots, all else empty. Addresses of elements."""

    changer: Changer
    first_slot: int
    slots: int
    import_export: int
    drive: int
    barcodes: tuple[str, str]


class ChangerContract:
    """Tests for a library with a free import/export element and a free slot; each leaves it as it was."""

    @pytest.fixture
    def library(self) -> Layout:
        raise NotImplementedError

    def test_inventory(self, library: Layout) -> None:
        found = library.changer.inventory()
        slots = found.of(ElementType.SLOT)
        assert [slot.address for slot in slots] == list(range(library.first_slot, library.first_slot + library.slots))
        assert [(slot.full, slot.barcode) for slot in slots[:2]] == [(True, name) for name in library.barcodes]
        assert not found.at(library.drive).full
        assert found.at(library.import_export).type == ElementType.IMPORT_EXPORT
        assert len(found.of(ElementType.ARM)) == 1
        assert found.find(library.barcodes[1]).address == library.first_slot + 1
        for missing in (lambda: found.find("NOSUCH01"), lambda: found.at(0xFFF0)):
            with pytest.raises((SourceEmpty, NoSuchElement)):
                missing()

    def test_load_and_unload(self, library: Layout) -> None:
        changer, home = library.changer, library.first_slot + 1
        # A free slot before its own is no reason to put it there.
        changer.move(library.first_slot, library.import_export)
        changer.load(home, library.drive)
        loaded = changer.inventory().at(library.drive)
        assert (loaded.full, loaded.barcode) == (True, library.barcodes[1])
        assert (loaded.source_valid, loaded.source) == (True, home)
        assert not changer.inventory().at(home).full
        assert changer.unload(library.drive) == home
        assert changer.inventory().at(home).barcode == library.barcodes[1]
        changer.move(library.import_export, library.first_slot)

    def test_what_cannot_be_moved(self, library: Layout) -> None:
        changer, first = library.changer, library.first_slot
        free = first + library.slots - 1
        for source, destination, kind in (
            (first, first + 1, DestinationFull),
            (free, library.drive, SourceEmpty),
            (first, 0xFFF0, NoSuchElement),
            (0xFFF0, library.drive, NoSuchElement),
        ):
            with pytest.raises(kind):
                changer.move(source, destination)
        with pytest.raises(SourceEmpty):
            changer.unload(library.drive)

    def test_import_and_export(self, library: Layout) -> None:
        changer, (barcode, _) = library.changer, library.barcodes
        assert changer.export_cartridge(barcode) == library.import_export
        assert changer.inventory().find(barcode).address == library.import_export
        assert changer.import_cartridge(barcode, to=library.first_slot) == library.first_slot
        with pytest.raises(SourceEmpty):
            changer.import_cartridge(barcode)

    def test_exchange(self, library: Layout) -> None:
        changer, first = library.changer, library.first_slot
        for _ in range(2):
            changer.exchange(first, first + 1, first)
            found = changer.inventory()
            assert {found.at(first).barcode, found.at(first + 1).barcode} == set(library.barcodes)
        assert changer.inventory().at(first).barcode == library.barcodes[0]

    def test_initialize(self, library: Layout) -> None:
        before = [(each.address, each.barcode) for each in library.changer.inventory().elements]
        library.changer.initialize()
        assert library.changer.ready()
        assert [(each.address, each.barcode) for each in library.changer.inventory().elements] == before
