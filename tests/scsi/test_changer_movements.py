"""Movements that fail, and what is said of them; attentions, behind which other cartridges may lie at an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi import errors
from scsi.cdb import Command
from scsi.changer import Changer, Inventory
from scsi.completion import Completion
from scsi.drive import ScsiDrive
from scsi.elements import Element, ElementType, VolumeTag
from scsi.smc import MoveMedium
from scsi.spc import ModeSense6
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual.drive_answers import Identity
from scsi.virtual.target import DriveTarget
from tests.scsi.faulty import AT_ONCE
from tests.scsi.faulty_library import HOME, FaultyLibrary, bench, sense, tidy
from tests.scsi.library_shelf import DOOR, DRIVE, SLOT, where

MOVE_FAULTS = (
    (sense(4, 0x15, 0x01), errors.HardwareError),
    (sense(4, 0x53, 0x00), errors.HardwareError),
    (sense(4, 0x44, 0x00), errors.HardwareError),
    (sense(3, 0x53, 0x01), errors.MediumError),
    (sense(2, 0x04, 0x03), errors.NotReady),
    (sense(2, 0x3B, 0x12), errors.NotReady),
    (sense(0xB, 0x4B, 0x00), errors.CommandAborted),
    (errors.CommandTimeout("late"), errors.CommandTimeout),
)


def test_a_movement_that_failed_says_what_is_where(tmp_path: Path) -> None:
    """Made or not: the truth; if nobody answers any more, that."""
    with bench(tmp_path) as (robot, way, library):
        arm = robot.addresses.first_arm
        for comes, kind in MOVE_FAULTS:
            for carried_out, words in (
                (False, f"slot {SLOT} holds VT0001, drive {DRIVE} is empty"),
                (True, f"slot {SLOT} is empty, drive {DRIVE} holds VT0001"),
            ):
                tidy(library)
                way.at, way.comes, way.carried_out = len(way.commands), comes, carried_out
                with pytest.raises(kind) as raised:
                    robot.move(SLOT, DRIVE)
                assert type(raised.value) is kind
                assert str(raised.value).endswith(f"; now arm {arm} is empty, {words}")
        way.lasts = True
        way.at, way.comes = len(way.commands), errors.TransportLost("gone")
        with pytest.raises(errors.TransportLost, match=r"gone; where the cartridges are now is not known \(gone"):
            robot.move(SLOT, SLOT + 3)


def test_the_arm_is_always_told_of() -> None:
    found = Inventory(
        [
            Element(ElementType.ARM, 1, full=True, tag=VolumeTag("VT0001")),
            Element(ElementType.SLOT, 10),
            Element(ElementType.SLOT, 11),
            Element(ElementType.DRIVE, 20, full=True),
        ]
    )
    assert found.words((10, 20)) == "arm 1 holds VT0001, slot 10 is empty, drive 20 holds a cartridge"


def test_refusals_are_told_as_they_are(tmp_path: Path) -> None:
    with bench(tmp_path) as (robot, way, _):
        for (asc, ascq), kind in (
            ((0x3B, 0x0D), errors.DestinationFull),
            ((0x3B, 0x0E), errors.SourceEmpty),
            ((0x21, 0x01), errors.NoSuchElement),
            ((0x53, 0x02), errors.RemovalPrevented),
            ((0x53, 0x03), errors.RemovalPrevented),
            ((0x3B, 0x11), errors.IllegalRequest),
            ((0x3B, 0x12), errors.IllegalRequest),
            ((0x3B, 0x18), errors.IllegalRequest),
            ((0x24, 0x00), errors.InvalidField),
        ):
            way.at, way.comes = len(way.commands), sense(5, asc, ascq)
            with pytest.raises(kind) as raised:
                robot.move(SLOT, DRIVE)
            assert type(raised.value) is kind
        # Vague ones are explained, if the library still tells what it has; forbidden removal is not explained away.
        way.at, way.comes = len(way.commands), sense(5, 0x24, 0x00)
        with pytest.raises(errors.DestinationFull):
            robot.move(SLOT, SLOT + 1)
        way.at, way.comes = len(way.commands), sense(5, 0x53, 0x02)
        with pytest.raises(errors.RemovalPrevented):
            robot.move(SLOT, SLOT + 1)
        way.at, way.comes, way.lasts = len(way.commands), sense(5, 0x24, 0x00), True
        way.later = sense(4, 0x44, 0x00)
        with pytest.raises(errors.InvalidField):
            robot.move(SLOT, SLOT + 1)


ATTENTIONS = ((0x28, 0x00), (0x28, 0x01), (0x29, 0x00), (0x2A, 0x01), (0x3B, 0x12), (0x3B, 0x13), (0x3F, 0x01))


def test_an_attention_stops_a_movement_by_address(tmp_path: Path) -> None:
    """An operator has swapped the cartridges: the wrong one stays where it is."""
    with bench(tmp_path) as (robot, way, library):
        for code in ATTENTIONS:
            for work in (lambda: robot.move(SLOT, DRIVE), lambda: robot.exchange(SLOT, SLOT + 1, SLOT)):
                # At the movement, and where the geometry is asked for before it: it was forgotten with the first one.
                for _ in range(2):
                    way.at, way.comes = len(way.commands), sense(6, *code)
                    with pytest.raises(errors.UnitAttention):
                        work()
                    assert where(library) == HOME
                way.at = None
                robot.inventory()
        way.at, way.comes = len(way.commands), sense(6, 0x5B, 0x01)
        robot.move(SLOT, DRIVE)
        assert where(library)[DRIVE] == "VT0001"


def test_what_looks_for_a_cartridge_looks_again(tmp_path: Path) -> None:
    with bench(tmp_path) as (robot, way, library):

        def swap() -> None:
            library.move(SLOT, SLOT + 3)
            library.move(SLOT + 1, SLOT)

        for code in ATTENTIONS:
            tidy(library)
            start = len(way.commands)
            robot.export_cartridge("VT0001")
            moved = next(n for n, each in enumerate(way.commands[start:]) if isinstance(each, MoveMedium))
            tidy(library)
            way.at, way.comes, way.meanwhile = len(way.commands) + moved, sense(6, *code), swap
            assert robot.export_cartridge("VT0001") == DOOR
            assert where(library) == {DOOR: "VT0001", SLOT: "VT0002", SLOT + 2: "CLN001"}
            # The geometry was asked for again too.
            assert any(isinstance(each, ModeSense6) for each in way.commands[way.at :])
            way.at, way.meanwhile = None, lambda: None


def test_it_does_not_look_again_for_ever(tmp_path: Path) -> None:
    with bench(tmp_path) as (_, _, library):
        moves = Restless(library)
        restless = Changer(moves, patience=AT_ONCE)
        with pytest.raises(errors.UnitAttention):
            restless.export_cartridge("VT0001")
        assert moves.moves == 3
        assert where(library) == HOME


class Restless(FaultyLibrary):
    """An attention at every movement."""

    moves = 0

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, MoveMedium):
            self.moves += 1
            return sense(6, 0x28, 0x01)
        return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)


def test_an_exchange_by_moves_that_stops_halfway(tmp_path: Path) -> None:
    with bench(tmp_path, exchanges=False) as (robot, way, library):
        robot.exchange(SLOT, SLOT + 1, SLOT)
        start = len(way.commands)
        robot.exchange(SLOT, SLOT + 1, SLOT)
        moves = [n for n, each in enumerate(way.commands[start:]) if isinstance(each, MoveMedium)]
        assert (len(moves), where(library)) == (3, HOME)
        free = SLOT + 3
        for nth, before, words in (
            (0, HOME, ""),
            (1, {SLOT: "VT0001", SLOT + 2: "CLN001", free: "VT0002"}, f"; moved before: {SLOT + 1} to {free}"),
            (
                2,
                {SLOT + 1: "VT0001", SLOT + 2: "CLN001", free: "VT0002"},
                f"; moved before: {SLOT + 1} to {free}, {SLOT} to {SLOT + 1}",
            ),
        ):
            tidy(library)
            way.at, way.comes = len(way.commands) + moves[nth], sense(4, 0x15, 0x01)
            with pytest.raises(errors.HardwareError) as raised:
                robot.exchange(SLOT, SLOT + 1, SLOT)
            assert isinstance(way.commands[way.at], MoveMedium)
            assert where(library) == before
            assert str(raised.value).endswith(words)
            way.at = None


class Mouth:
    """A drive that does not draw the tape in."""

    def load(self) -> None:
        message = "jammed"
        raise errors.HardwareError(message)


def test_a_drive_that_does_not_draw_in(tmp_path: Path) -> None:
    with bench(tmp_path) as (robot, _, library):
        with pytest.raises(errors.HardwareError, match=f"jammed; the cartridge is in drive {DRIVE}"):
            robot.load(SLOT, DRIVE, tape=Mouth())  # type: ignore[arg-type]
        assert where(library)[DRIVE] == "VT0001"


def test_a_drive_that_somebody_has_emptied_before(tmp_path: Path) -> None:
    with bench(tmp_path) as (robot, _, library):
        robot.load(SLOT, DRIVE)
        target = DriveTarget(library.drive(0), library.drive(0).open(), Identity(serial="S0123456700"))
        target.deck.drive.unload()
        drive = ScsiDrive(TargetTransport(target.session()))
        assert robot.unload(DRIVE, tape=drive) == SLOT
        assert where(library)[SLOT] == "VT0001"
        target.deck.drive.close()
