"""What a virtual drive tells of itself and its cartridge, and what hosts can set; by hand from SPC-4 and SSC-4."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.densities import parse_densities
from scsi.parameters import parse_attributes, parse_log_page
from scsi.virtual.target import DriveSession
from tests.scsi.hexes import b
from tests.scsi.target_bench import check, drive_target, good, run

NAMES = "5649525455414c20 54415045204452495645 20*6 312e3030"
SERIAL = "533031323334353637383030"
LABEL = "565430303031 4c38 20*24"
CONTROL, PROTECTION = "0a 0a 00*10", "4a f0 001c 00*28"
COMPRESSION, CONFIGURATION = "0f 0e 00*14", "10 0e 00*6 40 00 18 00*5"
PARTITIONS, EXCEPTIONS, MEDIUM = "11 06 00*6", "1c 0a 08 00*9", "1d 1e 00*30"
PAGES = f"{CONTROL} {COMPRESSION} {CONFIGURATION} {PARTITIONS} {EXCEPTIONS} {MEDIUM}"
BLOCKS = "5e 000000 00 000000"

ANSWERS = (
    ("TEST UNIT READY", "00 00*5", ""),
    ("REQUEST SENSE", "03 00 00 00 ff 00", "70 00*6 0a 00*10"),
    ("REQUEST SENSE, cut", "03 00 00 00 08 00", "70 00*6 0a"),
    ("REQUEST SENSE, descriptors", "03 01 00 00 ff 00", "72 00*7"),
    ("INQUIRY", "12 00 00 00 60 00", f"01 80 06 02 5b 01 00 00 {NAMES} 00*60"),
    ("INQUIRY, pages", "12 01 00 00 ff 00", "01 00 0005 00 80 83 b0 b5"),
    ("INQUIRY, protection", "12 01 b5 00 ff 00", "01 b5 0014 00*4 07 01 04 c0 00*4 07 02 04 c0 00*4"),
    ("INQUIRY, serial", "12 01 80 00 ff 00", f"01 80 000c {SERIAL}"),
    ("INQUIRY, identification", "12 01 83 00 ff 00", f"01 83 0028 02 01 00 24 {NAMES[:-9]} {SERIAL}"),
    ("INQUIRY, write once", "12 01 b0 00 ff 00", "01 b0 0002 01 00"),
    ("REPORT LUNS", "a0 00*5 00000010 00 00", "00000008 00*4 00*8"),
    ("READ BLOCK LIMITS", "05 00*5", "00 ffffff 0001"),
    ("READ BLOCK LIMITS, objects", "05 01 00*4", "00*12 3fffffffffffffff"),
    ("MODE SENSE(6) of Linux's st", "1a 00 00 00 0c 00", f"0b 88 10 08 {BLOCKS}"),
    ("MODE SENSE(6), compression", "1a 08 0f 00 ff 00", f"13 88 10 00 {COMPRESSION}"),
    ("MODE SENSE(6), all", "1a 00 3f 00 ff 00", f"6b 88 10 08 {BLOCKS} {PAGES}"),
    ("MODE SENSE(6), default", "1a 08 90 00 ff 00", f"13 88 10 00 {CONFIGURATION}"),
    ("MODE SENSE(6), changeable", "1a 08 50 00 ff 00", "13 88 10 00 10 0e 00*8 04 00*5"),
    ("MODE SENSE(6), a subpage", "1a 08 4a f0 ff 00", "23 88 10 00 4a f0 001c ff 3f c0 00*25"),
    ("MODE SENSE(10)", "5a 00 1c 00 00 00 00 00ff 00", f"001a 88 10 00 00 0008 {BLOCKS} {EXCEPTIONS}"),
    ("MODE SENSE(10) of LTFS", "5a 00 0a f0 00 00 00 0030 00", f"002e 88 10 00 00 0008 {BLOCKS} {PROTECTION}"),
    ("LOG SENSE, pages", "4d 00 40 00 00 0000 00ff 00", "00 00 0007 00 0c 11 12 17 2e 31"),
    (
        "LOG SENSE, access",
        "4d 00 4c 00 00 0004 0400 00",
        "0c 00 0030 0004 03 08 00*8 0005 03 08 00*7 09 0006 03 08 00*7 01 0007 03 08 00*8",
    ),
    ("LOG SENSE, status", "4d 00 51 00 00 0000 00ff 00", "11 00 0008 0000 03 04 21 13 00 00"),
    ("LOG SENSE, alert response", "4d 00 52 00 00 0000 00ff 00", "12 00 000c 0000 03 08 00*8"),
    ("LOG SENSE, an alert", "4d 00 6e 00 00 0040 00ff 00", "2e 00 0005 0040 03 01 00"),
    ("LOG SENSE, the volume", "4d 00 57 00 00 0042 0028 00", f"17 00 002e 0042 01 20 {LABEL}"),
    ("LOG SENSE, capacity", "4d 00 71 00 00 0000 00ff 00", "31 00 0010 0001 03 04 0000000a 0003 03 04 0000000a"),
    ("READ ATTRIBUTE, list", "8c 01 00*8 00000100 00 00", "00000012 0000 0001 0004 0400 0401 0405 0407 0408 0806"),
    ("READ ATTRIBUTE, label", "8c 00 00*6 0806 00000100 00 00", f"00000025 0806 01 0020 {LABEL}"),
    ("READ ATTRIBUTE, cut", "8c 00 00*6 0405 0000000a 00 00", "0000003e 0405 80 0001 5e"),
    ("PERSISTENT RESERVE IN", "5e 00 00*5 00ff 00", "00*8"),
    ("ONE CODE", "a3 0c 01 08 0000 00000020 00 00", "00 03 0006 08 03 ffffff 00"),
    ("ANOTHER CODE", "a3 0c 01 2b 0000 00000020 00 00", "00 03 000a 2b 07 00 ffffffff 00 ff 00"),
    ("AN UNKNOWN CODE", "a3 0c 01 0b 0000 00000020 00 00", "00 01 0000"),
    ("A CODE AND ITS TIME", "a3 0c 81 08 0000 00000020 00 00", "00 83 0006 08 03 ffffff 00 000a 0000 00*4 00000960"),
    ("ALL CODES AND TIMES", "a3 0c 80 00*3 00000018 00 00", "00000370 00 00 0000 00 02 0006 000a 0000 00*4 0000003c"),
    ("A FIELD AS AN ACTION", "a3 0c 02 5e 0001 00000020 00 00", "00 03 000a 5e 01 00*5 ffff 00"),
    ("NO SUCH ACTION", "a3 0c 02 5e 0003 00000020 00 00", "00 01 0000"),
    ("A CODE WITH AN ACTION", "a3 0c 02 a3 000c 00000020 00 00", "00 03 000c a3 0c 87 ff ffff ffffffff 00 00"),
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DriveSession]:
    with drive_target(tmp_path, capacity=10 << 20, early_warning=1 << 20) as target:
        yield target.session()


@pytest.mark.parametrize(("words", "expected"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_answers(host: DriveSession, words: str, expected: str) -> None:
    assert good(host, words).hex() == b(expected).hex()


def test_refusals(host: DriveSession) -> None:
    for words, sense in (
        ("12 00 80 00 ff 00", "70 05 00000000 2400 c00002"),
        ("12 01 b6 00 ff 00", "70 05 00000000 2400 c00002"),
        ("1a 00 02 00 ff 00", "70 05 00000000 2400 cd0002"),
        ("1a 00 0a 01 ff 00", "70 05 00000000 2400 cd0002"),
        ("1a 00 ff 00 ff 00", "70 05 00000000 3900"),
        ("4d 00 43 00 00 0000 00ff 00", "70 05 00000000 2400 cd0002"),
        ("4d 00 51 00 00 0009 00ff 00", "70 05 00000000 2400 c00005"),
        ("4d 00 51 01 00 0000 00ff 00", "70 05 00000000 2400 c00003"),
        ("44 02 00*5 0400 00", "70 05 00000000 2400 c90001"),
        ("8c 00 00*6 0002 00000100 00 00", "70 05 00000000 2400 c00008"),
        ("8c 00 00*5 01 0000 00000100 00 00", "70 05 00000000 2400 c00007"),
        ("8c 02 00*8 00000100 00 00", "70 05 00000000 2400 cc0001"),
        ("a3 0c 03 00 0000 00000020 00 00", "70 05 00000000 2400 ca0002"),
        ("a3 0f 00*10", "70 05 00000000 2000"),
    ):
        assert check(host, words) == sense, words


def test_densities(host: DriveSession) -> None:
    all_of_them = parse_densities(good(host, "44 00 00*5 0400 00"))
    assert [each.primary for each in all_of_them] == [0x46, 0x58, 0x5A, 0x5C, 0x5D, 0x5E, 0x60, 0x62, 0x63]
    assert [each.primary for each in all_of_them if each.default] == [0x5E]
    (loaded,) = parse_densities(good(host, "44 01 00*5 0400 00"))
    assert (loaded.primary, loaded.megabytes, loaded.name) == (0x5E, 10, "U-832")


def test_numbers_that_change(host: DriveSession) -> None:
    good(host, "0a 00 200000 00", bytes(2 << 20))
    good(host, "10 00 000001 00")
    good(host, "0a 00 200000 00", bytes(2 << 20))
    good(host, "01 00*5")
    good(host, "08 00 200000 00")
    access = parse_log_page(good(host, "4d 00 4c 00 00 0000 0400 00")).parameters
    moved, read = 4 << 20, 2 << 20
    assert [int.from_bytes(each.value, "big") for each in access] == [moved, moved, read, read, 4, 9, 1, 2]
    volume = {each.code: each.value for each in parse_log_page(good(host, "4d 00 57 00 00 0000 0400 00")).parameters}
    assert (volume[0x16], volume[0x17], volume[0x80], volume[0x81]) == (b("0000000a"), b("00000004"), b"\0", b"\0")
    left, total, *_ = parse_attributes(good(host, "8c 00*9 00000400 00 00"))
    assert (left.number, total.number) == (8, 10)


def test_without_a_tape(host: DriveSession) -> None:
    good(host, "1b 00*5")
    assert good(host, "1a 00 00 00 ff 00") == b("0b 00 10 08 00*8")
    assert good(host, "4d 00 51 00 00 0000 00ff 00") == b("11 00 0008 0000 03 04 00*4")
    assert good(host, "4d 00 71 00 00 0000 00ff 00") == b("31 00 0000")
    assert good(host, "4d 00 57 00 00 0000 00ff 00") == b("17 00 0005 0000 03 01 00")
    assert len(parse_densities(good(host, "44 00 00*5 0400 00"))) == 9


def test_all_supported_codes_work_or_say_why(host: DriveSession) -> None:
    raw = good(host, "a3 0c 00 00 0000 00001000 00 00")
    assert int.from_bytes(raw[:4], "big") == len(raw) - 4
    for start in range(4, len(raw), 8):
        code, action, flags = raw[start], raw[start + 3], raw[start + 5]
        size = int.from_bytes(raw[start + 6 : start + 8], "big")
        assert flags in (0, 1)
        done = run(host, f"{code:02x} {action:02x} 00*{size - 2}")
        assert done.sense[12:13] != b"\x20", hex(code)


SELECTED = (
    ("a size of blocks", "00 00 10 08 00 000000 00 000400", "00 00 0b 88 10 08 5e 000000 00 000400"),
    ("the density that is there", "00 00 10 08 5e 000000 00 000000", "00 00 0b 88 10 08 5e 000000 00 000000"),
    ("no other density", "00 00 10 08 7f 000000 00 000001", "00 00 0b 88 10 08 5e 000000 00 000001"),
    ("unbuffered", "00 00 00 00", "00 00 0b 88 00 08 5e 000000 00 000000"),
    ("the medium type is not looked at", "00 38 10 00", "00 00 0b 88 10 08 5e 000000 00 000000"),
    ("descriptors", "00 00 10 00 0a 0a 04 00*9", "0a 00 17 88 10 08 5e 00*7 0a 0a 04 00*9"),
    ("protection", "00 00 10 00 4a f0 001c 01 04 80 00*25", "0a f0 2b 88 10 08 5e 00*7 4a f0 001c 01 04 80 00*25"),
    ("none", "00 00 10 00 4a f0 001c 00 00 c0 00*25", "0a f0 2b 88 10 08 5e 00*7 4a f0 001c 00*28"),
    ("nothing changed", f"00 00 10 00 {COMPRESSION} {EXCEPTIONS}", "0f 00 1b 88 10 08 5e 00*7 0f 0e 00*14"),
)


@pytest.mark.parametrize(("words", "expected"), [row[1:] for row in SELECTED], ids=[row[0] for row in SELECTED])
def test_selecting(host: DriveSession, words: str, expected: str) -> None:
    parameters, (page, subpage, *answer) = b(words), b(expected)
    done = run(host, f"15 10 00 00 {len(parameters):02x} 00", parameters)
    assert (done.status, done.bytes_out) == (0, len(parameters))
    assert good(host, f"1a 00 {page:02x} {subpage:02x} ff 00") == bytes(answer)
    # The same by the long command, whose head has eight bytes.
    head, tail = parameters[:4], parameters[4:]
    long = bytes((0, 0, head[1], head[2], 0, 0, 0, head[3])) + tail
    good(host, f"55 10 00*5 {len(long):04x} 00", long)
    assert good(host, f"1a 00 {page:02x} {subpage:02x} ff 00") == bytes(answer)


def test_what_cannot_be_selected(host: DriveSession) -> None:
    """The sense points into the parameter list; nothing of it counts."""
    for words, sense in (
        ("00 00 30 00", "2600 8e0002"),
        ("00 00 11 00", "2600 8b0002"),
        ("00 00 10 08 44 000000 00 000400", "2600 800004"),
        ("00 00 10 08 00 000000 00 000400 0f 0e c0 00*13", "2600 8f000e"),
        ("00 00 10 08 00 000000 00 000400 11 06 00 01 00*4", "2600 88000f"),
        ("00 00 10 08 00 000000 00 000400 3e 02 00 00", "2600 8d000c"),
        ("00 00 10 08 00 000000 00 000400 0f 02 00 00", "2600 8d000c"),
        ("00 00 10 08 00 000000 00 000400 4a f0 001c 03 04 c0 00*25", "2600 800010"),
        ("00 00 10 08 00 000000 00 000400 4a f0 001c 01 05 c0 00*25", "2600 8d0011"),
        ("00 00 10 04 00 000000", "2600 800003"),
        ("00 00 10 08 00 00", "1a00 800000"),
        ("00 00", "1a00 800000"),
        ("00 00 10 08 00 000000 00 000400 0f 0e 00", "1a00 80000c"),
    ):
        parameters = b(words)
        got = check(host, f"15 10 00 00 {len(parameters):02x} 00", parameters)
        assert got == f"70 05 00000000 {sense}", words
    assert check(host, "15 11 00 00 04 00", b("00 00 10 00")) == "70 05 00000000 2400 c80001"
    assert check(host, "55 10 00*5 0008 00", b("00*3 20 00*4")) == "70 05 00000000 2600 8e0003"
    assert good(host, "15 10 00 00 00 00") == b""
    assert good(host, "1a 00 00 00 ff 00") == b("0b 88 10 08 5e 00*7")
