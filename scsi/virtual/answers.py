"""What a virtual changer tells of itself and its elements: answers that depend on nobody's past commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from scsi.cdb import Command, place_of
from scsi.elements import Element, ElementType, MediumType, VolumeTag, build_status
from scsi.errors import InvalidField, SavingNotSupported
from scsi.inquiry import (
    Designator,
    DeviceType,
    InquiryData,
    VitalPage,
    build_identification,
    build_page_list,
    build_serial,
)
from scsi.modes import (
    ALL_PAGES,
    ALL_SUBPAGES,
    DeviceCapabilities,
    ElementAddresses,
    ModePage,
    ModeParameters,
    OtherPage,
    TransportGeometry,
)
from scsi.parameters import LogParameter, build_log_page
from scsi.smc import ReadElementStatus
from scsi.spc import Inquiry, LogSense, ModeSense6, ModeSense10, PageControl
from scsi.virtual.inventory import Configuration
from scsi.virtual.library import Library

__all__ = ["element_status", "inquiry", "log_page", "mode_parameters", "wrong_field"]

_REVISION: Final = "1.00"
_LOG_PAGES: Final = 0x00
_ALERTS: Final = 0x2E
_ALERT_FLAGS: Final = 64
_EVERYWHERE: Final = 0b1110
"""Slots, import/export elements and drives, as page 1F has them; not the arm."""
_PAGE_HEAD_BYTES: Final = 2


def wrong_field(command: Command, field: str, message: str) -> InvalidField:
    """The refusal of a command for one of its fields, with the place of that."""
    place = place_of(type(command), field)
    return InvalidField(message, byte=place.byte, bit=None if place.width % 8 == 0 else place.highest_bit)


def inquiry(configuration: Configuration, command: Inquiry) -> bytes:
    """Standard data, or a page of vital product data."""
    if not command.vital:
        if command.page:
            raise wrong_field(command, "page", "a page of standard data")
        names = (configuration.vendor, configuration.product, _REVISION)
        return InquiryData(DeviceType.CHANGER, *names, removable=True).encode()
    match command.page:
        case VitalPage.LIST:
            pages = (VitalPage.LIST, VitalPage.SERIAL, VitalPage.IDENTIFICATION)
            return build_page_list(DeviceType.CHANGER, pages)
        case VitalPage.SERIAL:
            return build_serial(DeviceType.CHANGER, configuration.serial)
        case VitalPage.IDENTIFICATION:
            name = Designator.t10(configuration.vendor, configuration.product.ljust(16) + configuration.serial)
            return build_identification(DeviceType.CHANGER, [name])
    raise wrong_field(command, "page", f"there is no page {command.page:#04x}")


def mode_parameters(configuration: Configuration, command: ModeSense6 | ModeSense10) -> bytes:
    """The pages of a changer; nothing in them can be changed."""
    if command.page_control == PageControl.SAVED:
        message = "no values are saved"
        raise SavingNotSupported(message)
    if command.subpage not in (0, ALL_SUBPAGES):
        raise wrong_field(command, "subpage", f"there is no subpage {command.subpage:#04x}")
    pages = [page for page in _mode_pages(configuration) if command.page in (page.page, ALL_PAGES)]
    if not pages:
        raise wrong_field(command, "page", f"there is no page {command.page:#04x}")
    if command.page_control == PageControl.CHANGEABLE:
        pages = [_unchangeable(page) for page in pages]
    return ModeParameters(pages).encode(long=isinstance(command, ModeSense10))


def log_page(command: LogSense) -> bytes:
    """The list of pages, or the alert flags, none of which is up."""
    if command.subpage:
        raise wrong_field(command, "subpage", "no page has subpages")
    if command.page == _LOG_PAGES:
        return build_log_page(_LOG_PAGES, bytes((_LOG_PAGES, _ALERTS)))
    if command.page != _ALERTS:
        raise wrong_field(command, "page", f"there is no page {command.page:#04x}")
    if command.first_parameter > _ALERT_FLAGS:
        raise wrong_field(command, "first_parameter", f"there are {_ALERT_FLAGS} flags")
    codes = range(max(1, command.first_parameter), _ALERT_FLAGS + 1)
    return build_log_page(_ALERTS, [LogParameter.of(code, b"\0") for code in codes])


def element_status(library: Library, command: ReadElementStatus) -> bytes:
    """Elements in the order of their addresses."""
    if command.type not in (ElementType.ALL, *library.configuration.ranges()):
        raise wrong_field(command, "type", f"there is no element type {int(command.type)}")
    chosen = islice(_elements(library, command), command.count)
    return build_status(chosen, allocation_bytes=command.allocation_bytes)


def _mode_pages(configuration: Configuration) -> Sequence[ModePage]:
    ranges = configuration.ranges()
    arms, slots = ranges[ElementType.ARM], ranges[ElementType.SLOT]
    doors, drives = ranges[ElementType.IMPORT_EXPORT], ranges[ElementType.DRIVE]
    addresses = ElementAddresses(
        *(arms.start, len(arms), slots.start, len(slots), doors.start, len(doors), drives.start, len(drives))
    )
    capabilities = DeviceCapabilities(
        holds=_EVERYWHERE,
        moves_from_arm=0,
        moves_from_slot=_EVERYWHERE,
        moves_from_import_export=_EVERYWHERE,
        moves_from_drive=_EVERYWHERE,
        exchanges_arm=0,
        exchanges_slot=_EVERYWHERE,
        exchanges_import_export=_EVERYWHERE,
        exchanges_drive=_EVERYWHERE,
    )
    return addresses, TransportGeometry(), capabilities


def _unchangeable(page: ModePage) -> ModePage:
    """The page as it tells that nothing in it can be changed."""
    raw = page.encode()
    return OtherPage(page.page, 0, raw[:_PAGE_HEAD_BYTES] + bytes(len(raw) - _PAGE_HEAD_BYTES))


def _elements(library: Library, command: ReadElementStatus) -> Iterator[Element]:
    ranges = library.configuration.ranges()
    for kind, addresses in sorted(ranges.items(), key=lambda item: item[1].start):
        if command.type in (ElementType.ALL, kind):
            for address in addresses[max(0, command.first - addresses.start) :]:
                yield _element(library, command, kind, address)


def _element(library: Library, command: ReadElementStatus, kind: ElementType, address: int) -> Element:
    volume = library.volume_at(address)
    door = kind == ElementType.IMPORT_EXPORT
    source = volume.source if volume else None
    named = command.identifiers and kind == ElementType.DRIVE
    return Element(
        kind,
        address,
        full=volume is not None,
        by_operator=door and volume is not None and source is None,
        access=kind != ElementType.ARM and not library.in_use(address),
        export_enabled=door,
        import_enabled=door,
        medium=volume.kind if volume else MediumType.UNSPECIFIED,
        source_valid=source is not None,
        source=source or 0,
        tag=VolumeTag(volume.barcode if volume else "") if command.volume_tags else None,
        designator=_drive_name(library.configuration, address) if named else None,
    )


def _drive_name(configuration: Configuration, address: int) -> Designator:
    serial = configuration.drive_serial(address - configuration.first_drive)
    return Designator.t10(configuration.drive_vendor, configuration.drive_product.ljust(16) + serial)
