"""Commands and parameter data of tape drives, byte by byte as SSC-4's tables draw them."""

from __future__ import annotations

import pytest

from scsi import cdb, ssc
from scsi.cdb import Command, Direction
from scsi.densities import DensityDescriptor, build_densities, parse_densities
from scsi.errors import FieldError
from scsi.fields import pack, unpack
from scsi.media import DENSITIES, MEDIA, DensityCode, medium_of
from scsi.modes import ModeParameters, OtherPage
from scsi.positions import BlockLimits, ExtendedPosition, LongPosition, ObjectLimit, ShortPosition
from scsi.protection import ProtectionMethod
from scsi.smc import PositionToElement
from scsi.tape_modes import (
    BlockDescriptor,
    Control,
    DataCompression,
    DataProtection,
    DeviceConfiguration,
    DeviceSpecific,
    InformationalExceptions,
    MediumConfiguration,
    MediumPartition,
    as_mode_page,
    as_tape_page,
)
from tests.scsi.hexes import b

NONE, IN, OUT = Direction.NONE, Direction.IN, Direction.OUT
HUGE = 0x0102030405060708

COMMANDS = (
    ("08 00 012345 00", ssc.Read6(0x12345), IN),
    ("08 02 000000 00", ssc.Read6(0, silent=True), IN),
    ("08 01 000010 07", ssc.Read6(16, fixed=True, control=7), IN),
    ("88 03 00 02 0102030405060708 012345 00", ssc.Read16(0x12345, HUGE, 2, fixed=True, silent=True), IN),
    ("0a 00 ffffff 00", ssc.Write6(0xFFFFFF), OUT),
    ("0a 01 000001 00", ssc.Write6(1, fixed=True), OUT),
    ("8a 0d 00 01 0102030405060708 000400 00", ssc.Write16(1024, HUGE, 1, fixed=True, first=True, last=True), OUT),
    ("13 00 000200 00", ssc.Verify6(512), NONE),
    (
        "13 3f 000001 00",
        ssc.Verify6(1, fixed=True, compare=True, immediate=True, filemarks=True, protection=True, to_end=True),
        NONE,
    ),
    ("8f 20 00 00 0000000000000005 000000 00", ssc.Verify16(0, 5, to_end=True), NONE),
    ("14 01 000002 00", ssc.RecoverBufferedData(2, fixed=True), IN),
    ("10 00 000003 00", ssc.WriteFilemarks6(3), NONE),
    ("10 03 000001 00", ssc.WriteFilemarks6(1, immediate=True, setmarks=True), NONE),
    ("80 0d 00 00 0000000000000009 000002 00", ssc.WriteFilemarks16(2, 9, 0, True, True, True), NONE),
    ("11 00 000001 00", ssc.Space6.over(ssc.SpaceCode.BLOCKS, 1), NONE),
    ("11 01 ffffff 00", ssc.Space6.over(ssc.SpaceCode.FILEMARKS, -1), NONE),
    ("11 00 800000 00", ssc.Space6.over(ssc.SpaceCode.BLOCKS, -(1 << 23)), NONE),
    ("11 03 000000 00", ssc.Space6.over(ssc.SpaceCode.END_OF_DATA, 0), NONE),
    ("91 02 00 00 fffffffffffffffe 0000 00 00", ssc.Space16.over(ssc.SpaceCode.SEQUENTIAL_FILEMARKS, -2), NONE),
    ("2b 00 00 00010203 00 00 00", ssc.Locate10(0x10203), NONE),
    ("2b 07 00 00000000 00 01 00", ssc.Locate10(0, 1, change=True, immediate=True, vendor_numbers=True), NONE),
    ("92 00 00 00 0102030405060708 0000 00 00", ssc.Locate16(HUGE), NONE),
    ("92 08 00 00 0000000000000002 0000 00 00", ssc.Locate16(2, ssc.DestinationType.FILE), NONE),
    (
        "92 1b 01 03 0000000000000000 0000 00 00",
        ssc.Locate16(0, ssc.DestinationType.END_OF_DATA, 3, change=True, immediate=True, explicit=True),
        NONE,
    ),
    ("34 00 0000000000 0000 00", ssc.ReadPosition(), IN),
    ("34 06 0000000000 0000 00", ssc.ReadPosition(ssc.PositionForm.LONG), IN),
    ("34 08 0000000000 0020 00", ssc.ReadPosition(ssc.PositionForm.EXTENDED, 32), IN),
    ("05 00 000000 00", ssc.ReadBlockLimits(), IN),
    ("05 01 000000 00", ssc.ReadBlockLimits(object_limit=True), IN),
    ("44 00 00 00 00 00 00 0400 00", ssc.ReportDensitySupport(1024), IN),
    ("44 03 00 00 00 00 00 0038 00", ssc.ReportDensitySupport(56, loaded=True, medium_types=True), IN),
    ("01 01 000000 00", ssc.Rewind(immediate=True), NONE),
    ("19 01 000000 00", ssc.Erase6(), NONE),
    ("19 02 000000 00", ssc.Erase6(long=False, immediate=True), NONE),
    ("93 0f 00 00 0000000000000001 0000 00 00", ssc.Erase16(1, 0, True, True, True, True), NONE),
    ("1b 00 00 00 01 00", ssc.LoadUnload(load=True), NONE),
    ("1b 01 00 00 0e 00", ssc.LoadUnload(False, immediate=True, tension=True, end=True, hold=True), NONE),
    ("0b 01 00 8000 00", ssc.SetCapacity(0x8000, immediate=True), NONE),
    ("04 03 01 0000 00", ssc.FormatMedium(1, verify=True, immediate=True), OUT),
    ("82 00 01 02 0000000000000003 0000 00 00", ssc.AllowOverwrite(1, 3, 2), NONE),
)


@pytest.mark.parametrize(("words", "command", "direction"), COMMANDS, ids=lambda value: str(value)[:40])
def test_both_ways(words: str, command: Command, direction: Direction) -> None:
    raw = b(words)
    assert command.encode() == raw
    assert cdb.decode(raw, tape=True) == command
    assert command.direction == direction
    assert command.timeout >= 60


def test_each_command_is_in_the_table() -> None:
    declared = {kind for kind in cdb.commands(tape=True).values() if kind.__module__ == ssc.__name__}
    assert {type(command) for _, command, _ in COMMANDS} == declared


def test_a_code_that_changers_use_otherwise() -> None:
    raw = b("2b 00 0001 0002 00 00 00 00")
    assert cdb.decode(raw) == PositionToElement(1, 2)
    assert cdb.decode(raw, tape=True) == ssc.Locate10(0x00010002 << 8 & 0xFFFFFFFF)


def test_lengths_of_transfers() -> None:
    for command, size in (
        (ssc.Read6(5), 5),
        (ssc.Write16(6, 0), 6),
        (ssc.ReadPosition(), 20),
        (ssc.ReadPosition(ssc.PositionForm.LONG), 32),
        (ssc.ReadPosition(ssc.PositionForm.EXTENDED, 28), 28),
        (ssc.ReadBlockLimits(), 6),
        (ssc.ReadBlockLimits(True), 20),
        (ssc.ReportDensitySupport(99), 99),
        (ssc.WriteFilemarks6(2), 0),
    ):
        assert command.transfer_bytes == size, command
    assert ssc.Read6(3, fixed=True).bytes_of(1024) == 3072
    assert ssc.Read6(3).bytes_of(1024) == 3
    with pytest.raises(ValueError, match="3 blocks"):
        _ = ssc.Write6(3, fixed=True).transfer_bytes


def test_counts_are_signed() -> None:
    for count in (0, 1, -1, (1 << 23) - 1, -(1 << 23)):
        assert ssc.Space6.over(ssc.SpaceCode.BLOCKS, count).count == count
    for count in ((1 << 63) - 1, -(1 << 63)):
        assert ssc.Space16.over(ssc.SpaceCode.BLOCKS, count).count == count
    for count in (1 << 23, -(1 << 23) - 1, 1 << 70):
        with pytest.raises(FieldError):
            ssc.Space6.over(ssc.SpaceCode.BLOCKS, count).encode()


STRUCTURES = (
    ("80 00 0000 00000000 00000000 00 000000 00000000", ShortPosition(True, False, 0, 0)),
    (
        "40 01 0000 00000007 00000009 00 000002 00000400",
        ShortPosition(False, True, 7, 9, False, False, False, False, False, 1, 2, 1024),
    ),
    (
        "37 00 0000 00000000 00000000 00 000000 00000000",
        ShortPosition(False, False, 0, 0, True, True, True, True, True),
    ),
    ("40 000000 00000000 0000000100000000 0000000000000002 00*8", LongPosition(False, True, 1 << 32, 2)),
    ("8d 000000 00000001 00*24", LongPosition(True, False, 0, 0, True, True, True, 1)),
    (
        "c0 00 001c 00 000000 0000000100000000 0000000100000001 00*8",
        ExtendedPosition(True, True, 1 << 32, (1 << 32) + 1),
    ),
    (
        "33 02 001c 00 000003 00*16 0000000000000004",
        ExtendedPosition(False, False, 0, 0, True, True, False, True, True, 2, 28, 3, 4),
    ),
    ("02 800000 0001", BlockLimits(0x800000, 1, 2)),
    ("00*12 7fffffffffffffff", ObjectLimit((1 << 63) - 1)),
    ("90", DeviceSpecific(True, 1)),
    ("05", DeviceSpecific(False, 0, 5)),
    ("5e 000001 00 040000", BlockDescriptor(0x5E, 0x40000, 1)),
    ("0a 0a 04 00*9", Control(True)),
    ("4a f0 001c 02 04 c0 00*25", DataProtection(ProtectionMethod.CRC32C, 4, True, True)),
    ("4a f0 001c 01 04 a0 00*25", DataProtection(ProtectionMethod.REED_SOLOMON, 4, True, False, True)),
    ("0f 0e c0 80 00000001 00000001 00*4", DataCompression(True, True, True, 1, 1)),
    (
        "10 0e 00 00 00 00 0064 41 00 1c 000000 01 00",
        DeviceConfiguration(0, 100, warns_reads=True, write_protected=True, compression=1),
    ),
    ("11 06 03 01 00*4", MediumPartition(3, 1)),
    ("1c 0a 08 03 00*8", InformationalExceptions(True, 3)),
    ("1d 1e 01 00*29", MediumConfiguration(True)),
)


@pytest.mark.parametrize(("words", "values"), STRUCTURES, ids=lambda value: str(value)[:50])
def test_structures(words: str, values: object) -> None:
    assert pack(values) == b(words)
    assert unpack(type(values), b(words)) == values


def test_mode_pages_of_tapes_in_mode_parameters() -> None:
    """What LTFS reads and sends to switch the protection on: subpage F0 behind a head of MODE SENSE(10)."""
    raw = b("002e 78 10 00 00 0008 5c 000000 00 000000 4a f0 001c 02 04 c0 00*25")
    parameters = ModeParameters.parse(raw, long=True)
    (page,) = parameters.pages
    expected = DataProtection(ProtectionMethod.CRC32C, 4, True, True)
    assert as_tape_page(page) == expected
    assert as_mode_page(expected) == page
    assert unpack(BlockDescriptor, parameters.block_descriptors) == BlockDescriptor(DensityCode.LTO_7, 0)
    assert ModeParameters([as_mode_page(expected)], 0x78, 0x10, parameters.block_descriptors).encode(long=True) == raw
    assert as_tape_page(OtherPage(0x0A, 0xF0, b("4a f0 0001 02"))) is None
    assert as_tape_page(OtherPage(0x3E, 0, b("3e 01 00"))) is None


LTO_4 = "46 46 a0 00 00 0031b5 007f 0380 000c3500 4c544f2d43564520 552d343136202020 556c747269756d20342f313654 20*7"


def test_densities() -> None:
    """LTO-4's numbers are those of Quantum's manual of the drive."""
    descriptor = DensityDescriptor.of(DENSITIES[DensityCode.LTO_4], writable=True, default=True)
    raw = b(f"0036 0000 {LTO_4}")
    assert build_densities([descriptor]) == raw
    assert parse_densities(raw) == (descriptor,)
    assert parse_densities(raw[:-1]) == ()
    assert parse_densities(b"") == ()
    twice = build_densities([descriptor, descriptor])
    assert (twice[:2], len(parse_densities(twice))) == (b("006a"), 2)


def test_labels() -> None:
    for barcode, code, kind, write_once in (
        ("AAA001L4", 0x46, 0x48, False),
        ("AAA001LU", 0x46, 0x4C, True),
        ("AAA001L5", 0x58, 0x58, False),
        ("AAA001L7", 0x5C, 0x78, False),
        ("AAA001M8", 0x5D, 0x78, False),
        ("AAA001LY", 0x5E, 0x8C, True),
        ("AAA001L9", 0x60, 0x98, False),
        ("AAA001LZ", 0x60, 0x9C, True),
        ("AAA001LA", 0x62, 0xA8, False),
    ):
        medium = medium_of(barcode)
        assert medium is not None
        assert (medium.density, medium.medium_type, medium.write_once) == (code, kind, write_once)
    for barcode in ("", "L8", "VT0001", "AAA0001L8", "AAA001L3", "AAA001l8"):
        assert medium_of(barcode) is None
    assert {medium.density for medium in MEDIA.values()} <= DENSITIES.keys()
