"""Commands and their CDBs, byte by byte as SPC-4 and SMC-3 draw them."""

from __future__ import annotations

from typing import Annotated

import pytest

from scsi import cdb, smc, spc
from scsi.cdb import Command, Direction
from scsi.elements import ElementType
from scsi.errors import CdbLengthError, FieldError, UnknownCommand
from scsi.fields import at, structure
from tests.scsi.hexes import b

IN, OUT, NONE = Direction.IN, Direction.OUT, Direction.NONE
COMMANDS: tuple[tuple[str, Command, Direction, int], ...] = (
    ("00 00 00 00 00 00", spc.TestUnitReady(), NONE, 0),
    ("00 00 00 00 00 04", spc.TestUnitReady(control=4), NONE, 0),
    ("03 01 00 00 fc 00", spc.RequestSense(252, descriptors=True), IN, 252),
    ("07 00 00 00 00 00", smc.InitializeElementStatus(), NONE, 0),
    ("12 00 00 00 60 00", spc.Inquiry(96), IN, 96),
    ("12 01 83 01 02 00", spc.Inquiry(0x102, 0x83, vital=True), IN, 0x102),
    ("15 11 00 00 18 00", spc.ModeSelect6(24, save=True), OUT, 24),
    ("1a 08 1d 00 ff 00", spc.ModeSense6(0x1D, 255, without_blocks=True), IN, 255),
    ("1a 00 ff ff 20 00", spc.ModeSense6(0x3F, 32, 0xFF, spc.PageControl.SAVED), IN, 32),
    ("1e 00 00 00 01 00", spc.PreventAllowMediumRemoval(True), NONE, 0),
    ("2b 00 00 01 04 05 00 00 01 00", smc.PositionToElement(1, 0x405, True), NONE, 0),
    ("37 03 04 00 00 00 00 0a 00 00", smc.InitializeElementStatusWithRange(0x400, 10, fast=True), NONE, 0),
    ("4d 01 6e 01 00 00 05 10 00 00", spc.LogSense(0x2E, 0x1000, 1, first_parameter=5, save=True), IN, 0x1000),
    ("55 10 00 00 00 00 00 01 00 00", spc.ModeSelect10(256), OUT, 256),
    ("5a 18 5d 00 00 00 00 01 00 00", spc.ModeSense10(0x1D, 256, 0, spc.PageControl(1), True, True), IN, 256),
    ("5e 01 00 00 00 00 00 00 18 00", spc.PersistentReserveIn(spc.ReserveReport.RESERVATION, 24), IN, 24),
    (
        "5f 04 03 00 00 00 00 00 18 00",
        spc.PersistentReserveOut(spc.ReserveAction.PREEMPT, spc.ReserveType.EXCLUSIVE_ACCESS, 24),
        OUT,
        24,
    ),
    (
        "8c 01 04 05 00 02 00 03 08 06 00 01 00 00 01 00",
        spc.ReadAttribute(spc.AttributeAction.LIST, 0x10000, 0x806, 0x405, 2, 3, True),
        IN,
        0x10000,
    ),
    ("8d 01 00 00 00 00 00 00 00 00 00 00 00 2a 00 00", spc.WriteAttribute(42, write_through=True), OUT, 42),
    ("a0 00 02 00 00 00 00 00 10 00 00 00", spc.ReportLuns(4096, 2), IN, 4096),
    (
        "a3 0c 83 5e 00 01 00 00 02 00 00 00",
        spc.ReportSupportedOperationCodes(512, 3, 0x5E, 1, with_timeouts=True),
        IN,
        512,
    ),
    ("a5 00 00 01 04 05 01 02 00 00 01 00", smc.MoveMedium(1, 0x405, 0x102, True), NONE, 0),
    ("a6 00 00 01 04 05 01 02 04 06 02 00", smc.ExchangeMedium(1, 0x405, 0x102, 0x406, True), NONE, 0),
    ("a6 00 00 01 04 05 01 02 04 06 01 00", smc.ExchangeMedium(1, 0x405, 0x102, 0x406, False, True), NONE, 0),
    (
        "b8 14 01 00 ff ff 03 01 00 00 00 00",
        smc.ReadElementStatus(0x100, 0xFFFF, 0x10000, ElementType.DRIVE, True, True, True),
        IN,
        0x10000,
    ),
    ("b8 00 00 00 00 50 00 00 20 00 00 00", smc.ReadElementStatus(0, 80, 8192, volume_tags=False), IN, 8192),
)


@pytest.mark.parametrize(("words", "command", "direction", "size"), COMMANDS, ids=lambda value: str(value)[:40])
def test_both_ways(words: str, command: Command, direction: Direction, size: int) -> None:
    raw = b(words)
    assert command.encode() == raw
    assert cdb.decode(raw) == command
    assert (command.direction, command.transfer_bytes) == (direction, size)
    assert command.timeout >= 30


def test_each_command_is_in_the_table() -> None:
    declared = {kind for kind in cdb.commands().values() if kind.__module__ in (spc.__name__, smc.__name__)}
    assert {type(command) for _, command, _, _ in COMMANDS} == declared


def test_no_other_length() -> None:
    for words, _, _, _ in COMMANDS:
        raw = b(words)
        for wrong in [raw + b"\0", *(raw[:end] for end in range(2, len(raw)))]:
            with pytest.raises(CdbLengthError):
                cdb.decode(wrong)
    with pytest.raises(CdbLengthError):
        cdb.decode(b"")


def test_unknown_commands() -> None:
    for words in ("02 00*5", "27 00*9", "c0 00*5", "7f 00*31", "a3 05 00*10", "a3", "ff"):
        with pytest.raises(UnknownCommand):
            cdb.decode(b(words))


def test_reserved_bits_are_not_looked_at() -> None:
    """SCSI-2 hosts have the unit's number in the second byte."""
    assert cdb.decode(b("1a e8 1d 00 ff 00")) == spc.ModeSense6(0x1D, 255, without_blocks=True)


def test_strange_numbers_survive() -> None:
    raw = b("b8 0d 00 00 ff ff 00 00 10 00 00 00")
    command = cdb.decode(raw)
    assert isinstance(command, smc.ReadElementStatus)
    assert (command.type, command.type.name) == (13, "UNKNOWN_0xd")
    assert command.encode() == raw


def test_values_that_do_not_fit() -> None:
    for command in (
        spc.RequestSense(256),
        spc.RequestSense(-1),
        smc.MoveMedium(1, 0x10000, 1),
        smc.ReadElementStatus(0, 1, 1 << 24),
        spc.ModeSense6(0x40, 1),
        spc.TestUnitReady(control=256),
        smc.MoveMedium(1, "two", 1),  # type: ignore[arg-type]
    ):
        with pytest.raises(FieldError):
            command.encode()


def test_lengths_by_group() -> None:
    for code, length in ((0x00, 6), (0x1F, 6), (0x20, 10), (0x5F, 10), (0x80, 16), (0x9F, 16), (0xA0, 12), (0xBF, 12)):
        assert cdb.cdb_bytes_of(code) == length


def test_a_code_is_declared_once() -> None:
    with pytest.raises(TypeError, match="twice"):
        cdb.command(0x00)(type("Again", (Command,), {"__annotations__": {}}))


def test_fields_do_not_overlap() -> None:
    with pytest.raises(TypeError, match="overlaps"):

        @structure(2)
        class _Overlapping:
            first: Annotated[int, at(0, bytes=2)]
            second: Annotated[int, at(1, bit=3)]

    with pytest.raises(TypeError, match="ends after"):

        @structure(1)
        class _Long:
            first: Annotated[int, at(0, bytes=2)]
