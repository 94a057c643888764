"""Element status and mode pages of changers: tgtd's bytes, and bytes by hand from SMC-3's tables."""

from __future__ import annotations

import pytest

from scsi.elements import Element, ElementStatus, ElementType, MediumType, VolumeTag, build_status, parse_status
from scsi.errors import FieldError
from scsi.inquiry import CodeSet, Designator, DesignatorType
from scsi.modes import DeviceCapabilities, ElementAddresses, ModeParameters, OtherPage, TransportGeometry
from tests.scsi.hexes import b, recorded

ARM, SLOT, DOOR, DRIVE = ElementType.ARM, ElementType.SLOT, ElementType.IMPORT_EXPORT, ElementType.DRIVE
TGTD = recorded("tgtd_changer.hex")
ANY = 1 << 20


def tgtd_status(what: str) -> ElementStatus:
    """An answer of tgtd, which ends eight bytes before it says: what a host sees in a buffer of zeros."""
    answer = TGTD[f"READ ELEMENT STATUS, {what}"].answer
    assert parse_status(answer).bytes_available == len(answer) + 8
    return parse_status(answer + bytes(8))


def test_tgtd_arm() -> None:
    status = tgtd_status("the arm")
    assert (status.first, status.available, status.bytes_available) == (2, 1, 68)  # tgtd counts "first" wrong
    assert status.elements == (Element(ARM, 1, tag=VolumeTag("")),)


def test_tgtd_slots() -> None:
    status = tgtd_status("slots")
    labels = ["A0000001L3", "A0000002L3", "", "", "", "CLN001L1"]
    assert [(each.type, each.address, each.barcode) for each in status.elements] == [
        (SLOT, 1000 + number, label) for number, label in enumerate(labels)
    ]
    assert [each.full for each in status.elements] == [bool(label) for label in labels]


def test_tgtd_drives() -> None:
    before, after = (tgtd_status(f"drives{when}").elements[0] for when in (", with identifiers", " after the move"))
    assert (before.full, before.barcode, before.source_valid) == (False, "", False)
    assert (after.full, after.barcode, after.source_valid, after.source) == (True, "A0000001L3", True, 1000)
    assert before.designator is not None
    assert (before.designator.code_set, before.designator.type) == (CodeSet.ASCII, DesignatorType.T10_VENDOR)
    assert str(before.designator).startswith("HP      Ultrium 3-SCSI  HU")


def test_tgtd_import_export() -> None:
    element = tgtd_status("import/export after the move").elements[0]
    assert element == Element(DOOR, 900, full=True, source_valid=True, source=2, tag=VolumeTag("A0000001L3"))


def test_tgtd_without_tags() -> None:
    status = tgtd_status("slots from 1001 on, two of them, without volume tags")
    assert [(each.address, each.tag) for each in status.elements] == [(1001 + n, None) for n in range(5)]


SPACES = "20*32 00*4"
LABEL = "5654303030314c38 20*24 00*4"  # VT0001L8
REPORT = (
    (
        "0001 0002 00 000054",
        "01 80 0034 00 000034  0001 00 00 0000 00 00 00 00 0000 " + SPACES + " 00000000",
        "03 00 0010 00 000010  0010 3b 00 3b18 00 00 00 8a 0400 00000000",
    ),
    [
        Element(ARM, 1, tag=VolumeTag()),
        Element(
            DOOR,
            16,
            full=True,
            by_operator=True,
            access=True,
            export_enabled=True,
            import_enabled=True,
            asc=0x3B,
            ascq=0x18,
            medium=MediumType.CLEANING,
            disabled=True,
            source_valid=True,
            source=0x400,
        ),
    ],
)
DRIVES = (
    (
        "0100 0002 00 0000d0",
        "04 c0 0064 00 0000c8",
        "0100 0d 00 3003 b1 07 00 c1 0401 " + LABEL + " " + SPACES.replace("00*4", "0000 0007"),
        "02 01 00 0c 56454e444f522020 53313233",
        "0101 00 00 0000 00 00 00 00 0000 " + SPACES + " " + SPACES,
        "00*16",
    ),
    [
        Element(
            DRIVE,
            0x100,
            full=True,
            trouble=True,
            access=True,
            asc=0x30,
            ascq=3,
            lun=1,
            lun_valid=True,
            bus_address_valid=True,
            other_bus=True,
            bus_address=7,
            medium=MediumType.DATA,
            inverted=True,
            source_valid=True,
            source=0x401,
            tag=VolumeTag("VT0001L8"),
            alternate_tag=VolumeTag("", 7),
            designator=Designator.t10("VENDOR", "S123"),
        ),
        Element(DRIVE, 0x101, tag=VolumeTag(), alternate_tag=VolumeTag()),
    ],
)


def test_reports_by_hand() -> None:
    """Pages differ in the size of their descriptors; within one it is that of the longest."""
    for words, elements in (REPORT, DRIVES):
        raw = b(" ".join(words))
        assert build_status(elements, allocation_bytes=ANY) == raw
        assert list(parse_status(raw).elements) == elements
        assert parse_status(raw).bytes_available == len(raw)


def test_a_report_is_cut_between_descriptors() -> None:
    elements = [Element(ARM, 1), *(Element(SLOT, 100 + number) for number in range(3))]
    whole = b("0001 0004 00 000050  01 00 0010 00 000010  0001 00*14  02 00 0010 00 000030")
    whole += b("0064 00*14  0065 00*14  0066 00*14")
    for allocated, length, reported in (
        *((size, size, 0) for size in range(9)),
        *((31, 8, 0), (32, 32, 1), (55, 32, 1), (56, 56, 2), (71, 56, 2), (72, 72, 3), (87, 72, 3)),
        *((88, 88, 4), (1000, 88, 4)),
    ):
        assert build_status(elements, allocation_bytes=allocated) == whole[:length], allocated
        if length >= 8:
            status = parse_status(whole[:length])
            assert (status.available, status.bytes_available) == (4, 88)
            assert list(status.elements) == elements[:reported]


def test_nothing_comes_after_a_cut() -> None:
    """A later, smaller descriptor would have room, but where the one that is missing should be."""
    elements = [Element(DOOR, 16, tag=VolumeTag()), Element(DOOR, 17, tag=VolumeTag()), Element(SLOT, 100)]
    report = build_status(elements, allocation_bytes=8 + 8 + 52 + 8 + 16)
    assert len(report) == 8 + 8 + 52
    assert [each.address for each in parse_status(report).elements] == [16]


def test_nothing_to_report() -> None:
    raw = b("0000 0000 00 000000")
    assert build_status([], allocation_bytes=ANY) == raw
    assert parse_status(raw).elements == ()


def test_reports_that_lie() -> None:
    """Lengths are held to what is there; a descriptor that can be none is an error, not an endless loop."""
    for words in ("", "0001 0001 00", "0001 0001 00 000010 01 00 0000 00 000008 00*8", "00"):
        with pytest.raises((FieldError, ValueError)):
            parse_status(b(words))
    for size in (11, 12 + 35):
        with pytest.raises(FieldError):
            parse_status(b(f"0001 0001 00 000100 01 80 {size:04x} 00 000008 00*100"))
    long = b("0001 0001 00 ffffff 02 00 0010 00 ffffff 0064 00*14 0065 00*3")
    assert [each.address for each in parse_status(long).elements] == [100]
    cut_name = b("0100 0001 00 00001c 04 00 0014 00 000014 0100 00*10 02 01 00 ff 00*4")
    with pytest.raises(FieldError, match="255 bytes"):
        parse_status(cut_name)


ADDRESSES = "1d 12 0001 0001 0400 000a 0010 0002 0100 0002 0000"
PAGES = (
    (ADDRESSES, ElementAddresses(1, 1, 0x400, 10, 0x10, 2, 0x100, 2)),
    ("9e 02 01 03", TransportGeometry(True, 3, savable=True)),
    ("1f 12 0e 00 00 0e 0c 08 00*4 01 02 04 08 00*4", DeviceCapabilities(14, 0, 14, 12, 8, 1, 2, 4, 8)),
    ("02 0e 80 80 000a 00*10", OtherPage(2, 0, b("02 0e 80 80 000a 00*10"))),
    ("50 01 0002 abcd", OtherPage(0x10, 1, b("50 01 0002 abcd"))),
    ("1d 02 0001", OtherPage(0x1D, 0, b("1d 02 0001"))),
)


def test_mode_pages() -> None:
    body = " ".join(words for words, _ in PAGES)
    pages = tuple(page for _, page in PAGES)
    size = len(b(body))
    short, long = b(f"{size + 3:02x} 00 10 00 {body}"), b(f"{size + 6:04x} 00 10 00 00 0000 {body}")
    parameters = ModeParameters(pages, device_specific=0x10)
    for raw, is_long in ((short, False), (long, True)):
        assert ModeParameters.parse(raw, long=is_long) == parameters
        assert parameters.encode(long=is_long) == raw
    assert parameters.encode(long=False, select=True) == b"\0" + short[1:]


def test_block_descriptors() -> None:
    raw = b("0f 00 00 08 58 000000 00 000200 1e 02 00 00")
    parameters = ModeParameters.parse(raw, long=False)
    assert parameters == ModeParameters((TransportGeometry(),), block_descriptors=b("58 000000 00 000200"))
    assert parameters.encode(long=False) == raw
    with pytest.raises(FieldError):
        ModeParameters.parse(raw[:11], long=False)


def test_mode_pages_that_are_cut() -> None:
    raw = b(f"1b 00 00 00 1e 02 00 00 {ADDRESSES}")
    for size in range(4, 28):
        pages = (TransportGeometry(),) if size >= 8 else ()
        assert ModeParameters.parse(raw[:size], long=False).pages == pages
    with pytest.raises(FieldError):
        ModeParameters.parse(raw[:3], long=False)


def test_tgtd_modes() -> None:
    """tgtd puts a block descriptor of 8 bytes before the page."""
    for title, page in (
        ("MODE SENSE(6), element addresses", ElementAddresses(1, 1, 1000, 6, 900, 1, 2, 1)),
        ("MODE SENSE(6), transport geometry", TransportGeometry()),
        ("MODE SENSE(6), device capabilities", DeviceCapabilities(15, 7, 15, 15, 15, 0, 0, 0, 0)),
    ):
        found = ModeParameters.parse(TGTD[title].answer, long=False).pages
        assert len(found) == 1, title
        assert type(found[0]) is type(page), title


def test_too_many_pages_for_the_short_head() -> None:
    with pytest.raises(FieldError):
        ModeParameters([OtherPage(0x20, 0, bytes(253))]).encode(long=False)
