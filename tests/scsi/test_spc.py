"""Parameter data of SPC-4: bytes by hand from its tables, and tgtd's."""

from __future__ import annotations

import pytest

from scsi.errors import FieldError
from scsi.fields import pack, unpack
from scsi.inquiry import (
    Association,
    CodeSet,
    Designator,
    DesignatorType,
    DeviceType,
    InquiryData,
    SequentialCapabilities,
    VitalPage,
    build_identification,
    build_page_list,
    build_serial,
    parse_identification,
    parse_page_list,
    parse_serial,
    split_vital,
)
from scsi.parameters import (
    Attribute,
    AttributeFormat,
    LogParameter,
    Registrations,
    Reservation,
    ReserveParameters,
    build_attributes,
    build_log_page,
    build_units,
    parse_attributes,
    parse_log_page,
    parse_registrations,
    parse_reservation,
    parse_units,
)
from scsi.spc import ReserveType
from tests.scsi.hexes import b, recorded

TGTD = recorded("tgtd_changer.hex")
NAMES = "564952545541 4c 20 54415045204c494252415259 20*4 312e3030"  # "VIRTUAL " "TAPE LIBRARY    " "1.00"


def test_standard_inquiry() -> None:
    raw = b(f"08 80 06 02 5b 00 00 00 {NAMES} 00*60")
    library = InquiryData(DeviceType.CHANGER, "VIRTUAL", "TAPE LIBRARY", "1.00", removable=True)
    assert library.encode() == raw
    assert InquiryData.parse(raw) == library
    drive = InquiryData.parse(b(f"21 00 05 12 1f 00 08 02 {NAMES}"))
    assert (drive.device_type, drive.qualifier, drive.version, drive.changer_attached) == (DeviceType.TAPE, 1, 5, True)
    assert drive.command_queue
    with pytest.raises(FieldError):
        InquiryData.parse(raw[:35])


def test_tgtd_inquiry() -> None:
    found = InquiryData.parse(TGTD["INQUIRY"].answer)
    assert (found.vendor, found.product, found.revision) == ("HP", "MSL G3 Series", "3.00")
    assert (found.device_type, found.removable, found.additional_bytes) == (DeviceType.CHANGER, True, 61)
    assert parse_serial(TGTD["INQUIRY, serial number"].answer) == "ABC01234G3"
    names = parse_identification(TGTD["INQUIRY, identification"].answer)
    assert [name.type for name in names] == [DesignatorType.T10_VENDOR, DesignatorType.NAA, DesignatorType.NAA]
    assert str(names[0]).startswith("IET     00010002")
    assert str(names[1]) == "3000000100000002"


def test_vital_pages() -> None:
    pages = (VitalPage.SERIAL, VitalPage.LIST, VitalPage.IDENTIFICATION)
    assert build_page_list(DeviceType.CHANGER, pages) == b("08 00 0003 00 80 83")
    assert parse_page_list(b("01 00 0004 00 80 b0 c7")) == (0, 0x80, 0xB0, 0xC7)
    assert build_serial(DeviceType.TAPE, "S123") == b("01 80 0004 53313233")
    assert parse_serial(b("01 80 0006 2053313220 00")) == "S12"
    page = split_vital(b("68 b3 00ff 41"))
    assert (page.device_type, page.page, page.body) == (DeviceType.CHANGER, VitalPage.AUTOMATION_SERIAL, b"A")
    worm = SequentialCapabilities(write_once=True)
    assert pack(worm) == b("01 b0 0002 01 00")
    assert unpack(SequentialCapabilities, b("01 b0 0002 01 00")) == worm
    for short in (b(""), b("08 83 00")):
        with pytest.raises(FieldError):
            split_vital(short)


def test_identifiers() -> None:
    names = (
        Designator.t10("VENDOR", "S123"),
        Designator(CodeSet.BINARY, DesignatorType.NAA, 8, Association.PORT, True, 6, identifier=b("50*8")),
    )
    raw = b("08 83 001c  02 01 00 0c 56454e444f522020 53313233  61 93 00 08 50*8")
    assert build_identification(DeviceType.CHANGER, names) == raw
    assert parse_identification(raw) == names
    assert parse_identification(raw[:-1]) == names[:1]


def test_log_pages() -> None:
    raw = b("2e 00 000a  0001 03 01 00  0002 03 01 01")
    flags = [LogParameter.of(1, b"\0"), LogParameter.of(2, b"\1")]
    assert build_log_page(0x2E, flags) == raw
    page = parse_log_page(raw)
    assert (page.page, page.subpage, list(page.parameters)) == (0x2E, 0, flags)
    assert list(parse_log_page(raw[:13]).parameters) == flags[:1]
    assert build_log_page(0, b"\0\x2e") == b("00 00 0002 00 2e")
    counter = parse_log_page(b("51 03 0008  8000 60 04 00000102"))
    assert (counter.page, counter.subpage) == (0x11, 3)
    assert counter.parameters == (LogParameter(0x8000, 4, format=0, not_saved=True, value=b("00000102")),)
    with pytest.raises(FieldError):
        parse_log_page(b"\0\0\0")


def test_units() -> None:
    raw = b("00000010 00000000  0000 00*6  0001 00*6")
    assert build_units([0, 1]) == raw
    assert parse_units(raw) == (bytes(8), b("0001 00*6"))
    assert parse_units(raw[:20]) == (bytes(8),)
    assert parse_units(b"") == ()


def test_attributes() -> None:
    raw = b("00000019  0001 80 0008 0000000000001000  0806 01 0007 5654303031 2020")
    capacity = Attribute(1, AttributeFormat.BINARY, 8, True, b("0000000000001000"))
    barcode = Attribute(0x806, AttributeFormat.ASCII, 7, value=b"VT001  ")
    assert build_attributes([capacity, barcode]) == raw
    assert parse_attributes(raw) == (capacity, barcode)
    assert (capacity.number, barcode.text) == (4096, "VT001")
    assert parse_attributes(raw[:-1]) == (capacity,)
    assert Attribute(0x803, AttributeFormat.TEXT, 2, value=b("c3 a4")).text == "ä"
    assert Attribute(0x803, AttributeFormat.TEXT, 1, value=b("ff")).text == "\ufffd"


def test_reservations() -> None:
    keys = b("00000007 00000010  1111111111111111 2222222222222222")
    assert parse_registrations(keys) == Registrations(7, (0x1111111111111111, 0x2222222222222222))
    assert parse_registrations(keys[:20]) == Registrations(7, (0x1111111111111111,))
    held = b("00000007 00000010  1111111111111111 00000000 00 03 0000")
    assert parse_reservation(held) == Reservation(7, 0x1111111111111111, 0, ReserveType.EXCLUSIVE_ACCESS)
    assert parse_reservation(b("00000007 00000000")) is None
    parameters = ReserveParameters(1, 2, persist_power_loss=True)
    assert pack(parameters) == b("0000000000000001 0000000000000002 00000000 01 00 0000")
