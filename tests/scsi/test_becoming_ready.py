"""Devices that are becoming ready: waited for up to a deadline by what needs them, told at once by what asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scsi.cdb import Command
from scsi.changer import Changer
from scsi.completion import Completion, Status
from scsi.drive import ScsiDrive
from scsi.errors import BecomingReady, NotReady
from scsi.patience import Patience
from scsi.spc import Inquiry
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetSession, TargetTransport
from scsi.virtual import changer as virtual
from tests.scsi.faults import fixed
from tests.scsi.library_shelf import DRIVE, SLOT, small_library
from tests.scsi.target_bench import drive_target


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 1000.0

    def patience(self, seconds: float) -> Patience:
        """Asks every two of its seconds."""
        return Patience(seconds, 2.0, lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


class Waking(TargetTransport):
    """A way to a device that tells (02, code) until its time has come."""

    def __init__(self, session: TargetSession, clock: Clock, *, at: float, code: tuple[int, int]) -> None:
        super().__init__(session)
        self._clock, self.until, self._code = clock, at, code
        self.commands = list[Command]()

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        assert isinstance(command, Command)
        self.commands.append(command)
        if self._clock.now < self.until and not isinstance(command, Inquiry):
            return Completion(Status.CHECK_CONDITION, sense=fixed(2, *self._code))
        return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)


USES: tuple[Callable[[ScsiDrive], object], ...] = (
    ScsiDrive.load,
    ScsiDrive.rewind,
    lambda drive: drive.write_blocks(memoryview(b"x"), 1),
    lambda drive: drive.read_blocks(memoryview(bytearray(1)), 1),
    lambda drive: drive.locate(0),
)
REPORTS: tuple[Callable[[ScsiDrive], object], ...] = (
    ScsiDrive.position,
    ScsiDrive.capacity,
    lambda drive: drive.write_protected,
    lambda drive: drive.write_once,
)


@pytest.mark.parametrize("use", USES)
def test_a_drive_that_draws_its_tape_in(use: Callable[[ScsiDrive], object], tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        clock = Clock()
        way = Waking(target.session(), clock, at=1061, code=(0x04, 0x01))
        drive = ScsiDrive(way, patience=clock.patience(300))
        use(drive)
        assert 1061 <= clock.now <= 1063
        assert drive.loaded


@pytest.mark.parametrize("use", USES)
def test_a_drive_that_never_gets_ready(use: Callable[[ScsiDrive], object], tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        clock = Clock()
        drive = ScsiDrive(Waking(target.session(), clock, at=9999, code=(0x04, 0x01)), patience=clock.patience(301))
        with pytest.raises(BecomingReady, match=r"becoming ready \(02/04/01\); still so after 301 seconds"):
            use(drive)
        assert clock.now == 1301


def test_reports_do_not_wait(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        clock = Clock()
        drive = ScsiDrive(Waking(target.session(), clock, at=9999, code=(0x04, 0x01)), patience=clock.patience(300))
        assert not drive.loaded
        assert drive.inquiry().product == "TAPE DRIVE"
        for report in REPORTS:
            with pytest.raises(BecomingReady):
                report(drive)
        assert clock.now == 1000


def test_what_will_not_pass_is_not_waited_for(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        for code in ((0x04, 0x00), (0x04, 0x02), (0x04, 0x03), (0x04, 0x12), (0x30, 0x03), (0x3E, 0x00)):
            clock = Clock()
            drive = ScsiDrive(Waking(target.session(), clock, at=9999, code=code), patience=clock.patience(300))
            for use in (ScsiDrive.load, ScsiDrive.rewind):
                with pytest.raises(NotReady) as raised:
                    use(drive)
                assert not isinstance(raised.value, BecomingReady)
            assert clock.now == 1000


def test_amid_the_work_nothing_is_waited_for(tmp_path: Path) -> None:
    """Whoever was writing has to learn that the tape was away."""
    with drive_target(tmp_path) as target:
        clock = Clock()
        way = Waking(target.session(), clock, at=0, code=(0x04, 0x01))
        drive = ScsiDrive(way, patience=clock.patience(300))
        drive.write_blocks(memoryview(b"x"), 1)
        way.until = 1010
        with pytest.raises(BecomingReady):
            drive.write_blocks(memoryview(b"y"), 1)
        assert clock.now == 1000
        drive.rewind()
        assert clock.now >= 1010


def test_a_library_that_looks_into_its_slots(tmp_path: Path) -> None:
    uses: tuple[Callable[[Changer], object], ...] = (
        Changer.inventory,
        Changer.initialize,
        lambda robot: robot.move(SLOT, DRIVE),
        lambda robot: robot.unload(DRIVE),
        lambda robot: robot.exchange(SLOT, SLOT + 1, SLOT),
    )
    with small_library(tmp_path) as library:
        for use in uses:
            clock = Clock()
            session = virtual.Changer(library).session()
            way = Waking(session, clock, at=1200, code=(0x04, 0x01))
            robot = Changer(way, patience=clock.patience(600))
            assert not robot.ready()
            assert robot.inquiry().vendor
            assert clock.now == 1000
            use(robot)
            assert 1200 <= clock.now <= 1202
            late = Changer(Waking(session, clock, at=9999, code=(0x04, 0x07)), patience=clock.patience(60))
            with pytest.raises(BecomingReady, match="still so after 60 seconds"):
                use(late)
            assert clock.now <= 1262


def test_the_progress_that_is_told_is_shown(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        # fixed sense: NOT READY, 04/01, progress 0x4000 of 0x10000
        raw = bytes.fromhex("70 00 02 00000000 0a 00000000 04 01 00 80 40 00")
        way = Waking(target.session(), Clock(), at=9999, code=(0x04, 0x01))
        way.execute = lambda *_, **__: Completion(Status.CHECK_CONDITION, sense=raw)  # type: ignore[assignment]
        with pytest.raises(BecomingReady, match=r"25\.0% done"):
            ScsiDrive(way, patience=Clock().patience(4)).rewind()
