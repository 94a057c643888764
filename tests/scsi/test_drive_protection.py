"""Logical block protection between our drive and a target: on where it is offered, off for strangers, found damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.devices import open_scsi_drive
from scsi.drive import BlockChecks, ScsiDrive
from scsi.errors import DeviceUrlError, HardwareError, IllegalRequest, MediumError, UnitAttention
from scsi.inquiry import VitalPage
from scsi.protection import ProtectionMethod
from scsi.sense import Sense, SenseKey
from scsi.spc import Inquiry, ModeSelect10
from scsi.ssc import Read6, Rewind, Write6
from scsi.tape import ReadOutcome
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.target import DriveTarget
from tests.scsi.drive_contract import LONG, A, B, read, write
from tests.scsi.target_bench import drive_target

REFUSED = Completion(Status.CHECK_CONDITION, sense=bytes.fromhex("70 00 05 00000000 0a 00000000 24 00 00 000000"))
"""ILLEGAL REQUEST, invalid field in CDB (SPC-4 4.5.3)."""


def opened(target: DriveTarget, checks: BlockChecks = BlockChecks.ON) -> ScsiDrive:
    """A host's drive."""
    return ScsiDrive(TargetTransport(target.session()), checks=checks)


class Refusing(TargetTransport):
    """A way to a drive that does not know some command, or some page of INQUIRY."""

    def __init__(self, target: DriveTarget, *unknown: type[Command] | VitalPage) -> None:
        super().__init__(target.session())
        self._unknown = unknown

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        page = command.page if isinstance(command, Inquiry) and command.vital else None
        if type(command) in self._unknown or page in self._unknown:
            return REFUSED
        return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)


def test_it_is_on_where_it_is_offered_and_off_behind_us(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        write(drive, A, 1)
        assert drive.protection is ProtectionMethod.CRC32C
        assert (target.settings.protects_writes, target.settings.protects_reads) == (True, True)
        assert not target.settings.unbuffered
        drive.close()
        assert (target.settings.protects_writes, target.settings.protects_reads) == (False, False)
        assert not target.settings.unbuffered


def test_it_is_off_where_it_is_not_wanted_offered_or_to_be_had(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        for drive in (
            opened(target, BlockChecks.OFF),
            ScsiDrive(Refusing(target, VitalPage.PROTECTION)),
            ScsiDrive(Refusing(target, ModeSelect10)),
        ):
            drive.rewind()
            write(drive, A, LONG, 1)
            drive.rewind()
            assert read(drive, 2012, 1500) == (A + LONG, ReadOutcome(2, 2012))
            assert drive.protection is ProtectionMethod.NONE
            assert not target.settings.protects_writes
            drive.close()
        with pytest.raises(IllegalRequest, match="CRC32C"):
            ScsiDrive(Refusing(target, ModeSelect10)).protect_blocks(ProtectionMethod.CRC32C)


def test_what_somebody_left_on_is_not_taken_for_off(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        killed = opened(target)
        write(killed, A, 1)
        looking = opened(target, BlockChecks.UNTOUCHED)
        assert looking.position().block_number == 2
        assert target.settings.protects_writes
        drive = opened(target, BlockChecks.OFF)
        drive.rewind()
        assert not target.settings.protects_writes
        assert read(drive, 512, 512) == (A, ReadOutcome(1, 512))


def test_it_is_off_behind_us_whatever_came_in_between(tmp_path: Path) -> None:
    """After a stranger's rewind, a reset by somebody, another tape: the last time nobody asks any more what is set."""
    with drive_target(tmp_path) as target:
        incidents: tuple[Callable[[ScsiDrive], object], ...] = (
            lambda drive: drive.pass_on(Rewind().encode()),
            lambda drive: target.tell(Sense(SenseKey.UNIT_ATTENTION, 0x3F, 0x01)),
            lambda drive: target.deck.drive.unload(),
        )
        for happens in incidents:
            drive = opened(target)
            drive.rewind()
            assert target.settings.protects_writes
            happens(drive)
            drive.close()
            assert not target.settings.protects_writes


def test_strangers_commands_move_blocks_as_they_are(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        write(drive, A, 1)
        drive.rewind()
        done = drive.pass_on(Read6(512).encode(), data_in=512)
        assert (done.status, done.data_in) == (Status.GOOD, A)
        drive.rewind()
        assert drive.pass_on(Write6(512).encode(), data_out=B).status == Status.GOOD
        drive.rewind()
        assert read(drive, 512, 512)[0] == B
        assert drive.protection is ProtectionMethod.NONE


def test_a_bit_lost_on_the_way_to_the_drive_is_not_written(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        write(opened(target), A)
        damaged = ScsiDrive(Damaging(target))
        damaged.locate(1)
        with pytest.raises(HardwareError, match="10/01"):
            damaged.write_blocks(memoryview(B), 512)
        assert target.deck.drive.position().block_number == 1


def test_the_url_can_leave_it_off(tmp_path: Path) -> None:
    url = f"virtual:{tmp_path}/VT0001L8"
    for query, expected in (
        ("?sync=no", ProtectionMethod.CRC32C),
        ("?sync=no&protection=yes", ProtectionMethod.CRC32C),
        ("?protection=no&sync=no", ProtectionMethod.NONE),
    ):
        drive = open_scsi_drive(url + query)
        assert drive.protection is expected, query
        drive.close()
    for query in ("?protection=maybe", "?protection=no&protection=no"):
        with pytest.raises(DeviceUrlError, match="protection"):
            open_scsi_drive(url + query)


def test_protected_blocks(tmp_path: Path) -> None:
    for method in (ProtectionMethod.CRC32C, ProtectionMethod.REED_SOLOMON):
        directory = tmp_path / method.name
        directory.mkdir()
        with drive_target(directory) as target:
            drive = opened(target)
            drive.protect_blocks(method)
            write(drive, A, LONG, 1)
            drive.rewind()
            assert read(drive, 2012, 1500) == (A + LONG, ReadOutcome(2, 2012))
            assert target.settings.protects_reads
            drive.protect_blocks(ProtectionMethod.NONE)
            assert not target.settings.protects_reads
            # The cartridge holds the blocks alone.
            target.deck.drive.rewind()
            assert target.deck.drive.read_blocks(memoryview(bytearray(512)), 512).bytes_read == 512


def test_protection_survives_a_reset_and_finds_damage(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        drive = opened(target)
        drive.protect_blocks(ProtectionMethod.CRC32C)
        write(drive, A, 1)
        target.reset()
        with pytest.raises(UnitAttention):
            write(drive, A)
        assert not target.settings.protects_writes
        drive.rewind()
        assert target.settings.protects_writes
        damaged = ScsiDrive(Damaging(target))
        damaged.protect_blocks(ProtectionMethod.CRC32C)
        damaged.rewind()
        with pytest.raises(MediumError, match="protection"):
            read(damaged, 512, 512)
        assert damaged.position().block_number == 0


class Damaging(TargetTransport):
    """A way on which the first byte of each block changes, in either direction."""

    def __init__(self, target: DriveTarget) -> None:
        super().__init__(target.session())

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, Write6):
            data_out = bytes((data_out[0] ^ 1,)) + bytes(data_out[1:])
        done = super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)
        if isinstance(command, Read6) and isinstance(data_in, memoryview):
            data_in[0] ^= 1
        return done
