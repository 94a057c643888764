"""A drive between commands: whether it has a tape, where that stands, how blocks are set, and what failures change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from enum import Enum
from typing import Final

from scsi import drive_reports
from scsi.attentions import Matter, matter_of
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.device import Device
from scsi.drive_position import Told, read_position
from scsi.errors import (
    AccessDenied,
    Busy,
    CommandTimeout,
    IllegalRequest,
    NoMedium,
    NotReady,
    PositionUnknown,
    ReservationConflict,
    ScsiError,
    TransportLost,
    UnitAttention,
    WriteProtected,
)
from scsi.patience import PATIENCE, Patience
from scsi.protection import ProtectionMethod
from scsi.sense import Sense
from scsi.spc import TestUnitReady
from scsi.ssc import LoadUnload
from scsi.track import UNKNOWN, Track
from scsi.transports.transport import Room, Transport

__all__ = ["NOT_BEGUN", "Attachment", "BlockChecks"]

NOT_BEGUN: Final = (AccessDenied, Busy, IllegalRequest, ReservationConflict, WriteProtected)
"""What a drive, or the way to it, says of a command of which it did nothing."""
_MOVED_ASTRAY: Final = (0x14, 0x15, 0x3B, 0x50)
"""Additional sense codes of trouble with the position: whatever the key says, the tape may have been moved."""
_BLOCK_COMMANDS: Final = frozenset(bytes((code,)) for code in (0x08, 0x0A, 0x13, 0x14, 0x88, 0x8A, 0x8F))
"""Commands whose lengths count what protects blocks."""
_ASKING: Final = frozenset(
    bytes((code,)) for code in (0x00, 0x05, 0x12, 0x1A, 0x34, 0x44, 0x4D, 0x5A, 0x5E, 0x8C, 0xA0)
)
"""Commands that change nothing, if they end well: they got no attention either, which was meant for us."""


class BlockChecks(Enum):
    """Whether both ends check each block (LBP), where the drive offers it; UNTOUCHED: as whoever was here left it."""

    ON = "on"
    OFF = "off"
    UNTOUCHED = "untouched"


class _Judged:
    """No generator: each block to and from a drive comes by here."""

    def __init__(
        self, judge: Callable[[BaseException, Sequence[type[ScsiError]]], None], handled: Sequence[type[ScsiError]]
    ) -> None:
        self._judge = judge
        self._handled = handled

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, failure: BaseException | None, _trace: object) -> None:
        if failure is not None:
            self._judge(failure, self._handled)


class Attachment:
    """A drive and what is known of it; whatever can't be known any more is forgotten, never guessed."""

    def __init__(self, transport: Transport, checks: BlockChecks, *, patience: Patience = PATIENCE) -> None:
        self.patience = patience
        self.device = Device(transport, dismiss=self._dismiss)
        self.track = Track()
        self.warning = False
        """Whether the tape stands in its last zone, as far as the drive has told."""
        self.telling = False
        """Whether the drive tells where it stands."""
        self.wanted_protection = ProtectionMethod.NONE
        self.write_protected = False
        self.closed = False
        self._arrived = self._arriving = self._ejected = self._unproven = False
        self._block_bytes: int | None = None
        self._protection: ProtectionMethod | None = ProtectionMethod.NONE
        self._offered: ProtectionMethod | None = None if checks is not BlockChecks.UNTOUCHED else ProtectionMethod.NONE
        self._choosing = checks is BlockChecks.ON

    @property
    def arrived(self) -> bool:
        """Whether there is a tape, and it was looked at."""
        return self._arrived

    @property
    def ejected(self) -> bool:
        """Whether the tape was unloaded, and none has come since."""
        return self._ejected

    def check_ready(self) -> None:
        """NoMedium or NotReady if the tape has gone."""
        try:
            self.run(TestUnitReady())
        except UnitAttention:
            self.require_tape()

    def load(self) -> None:
        """Draw the tape in, and look at it when it is next needed."""
        self.leave()
        self._arriving = True
        try:
            self.patience.until_ready(lambda: self.run(LoadUnload(load=True)))
        finally:
            self._arriving = False

    def require_tape(self, *, wait: bool = False) -> None:
        """Look at a tape that is new, or ``wait`` until it has been drawn in; NoMedium, NotReady."""
        if self.closed:
            message = "the drive is closed"
            raise NoMedium(message)
        if not self._arrived:
            self._arrive(wait=wait)
        if self._protection != self.wanted_protection:
            self._protect()

    def require_position(self) -> int:
        """The number of the next object; PositionUnknown if nobody knows."""
        if self.track.at is None:
            message = "where the tape stands is not known since something happened to the drive"
            raise PositionUnknown(message)
        return self.track.at

    def run(self, command: Command, *handled: type[ScsiError]) -> Completion:
        """Carry out a command without data; the caller deals with what failures of the ``handled`` kinds mean."""
        with self.judged(*handled):
            return self.device.run(command)

    def pass_on(self, cdb: bytes, *, data_out: bytes, data_in: Room, timeout: float | None) -> Completion:
        """Carry out a command of which only its bytes are known; unless it just asks, everything may be otherwise."""
        asks = False
        if cdb[:1] in _BLOCK_COMMANDS:
            self._leave_unprotected()
        try:
            done = self.device.pass_on(cdb, data_out=data_out, data_in=data_in, timeout=timeout)
            asks = cdb[:1] in _ASKING and done.status == Status.GOOD
            return done
        finally:
            if not asks:
                self.leave()
                self._block_bytes = self._protection = None

    def judged(self, *handled: type[ScsiError]) -> AbstractContextManager[None]:
        """Draw the consequences of what fails within."""
        return _Judged(self._judge, handled)

    def _judge(self, failure: BaseException, handled: Sequence[type[ScsiError]] = ()) -> None:
        """Draw the consequences of a failure; its caller deals with the ``handled`` kinds."""
        if isinstance(failure, NoMedium | NotReady):
            self._lose()
            return
        known = isinstance(failure, (*NOT_BEGUN, UnitAttention, *handled))
        astray = isinstance(failure, NOT_BEGUN) and Sense.parse(failure.sense).asc in _MOVED_ASTRAY
        if not known or astray:
            self.track.forget()

    def use_blocks_of(self, block_bytes: int) -> None:
        """Have the drive count blocks of this size, or with 0 take any."""
        if self._block_bytes != block_bytes:
            with self.judged():
                drive_reports.set_block_bytes(self.device, block_bytes)
            self._block_bytes = block_bytes

    def ask_position(self) -> Told | None:
        """Where the drive says that it stands, taken over; None, and nothing is changed, if it does not say.

        If that is not what was counted, nothing that was counted is believed any more.
        """
        with self.judged():
            told = read_position(self.device)
        self.telling = told is not None
        if told is not None:
            self._take_over(told)
        return told

    def leave(self, *, ejected: bool = False) -> None:
        """The tape is gone, or another one has come."""
        self.track, self.warning, self._arrived, self._ejected = Track(), False, False, ejected
        self._unproven = False

    def _lose(self) -> None:
        """The same, and nobody here meant it: of the tape that comes next, the position has to be proven first."""
        unproven = self._arrived or self._unproven
        self.leave()
        self._unproven = unproven

    def _arrive(self, *, wait: bool) -> None:
        self._arriving = True
        try:
            if wait:
                self.patience.until_ready(self.device.ready)
            else:
                self.device.ready()
            if self._ejected:
                message = "the tape was unloaded"
                raise NoMedium(message)
            self.write_protected = drive_reports.is_write_protected(self.device)
            self.ask_position()
            if self._offered is None:
                self._offered = self._protect_if_offered()
        except NotReady as failure:
            if self._ejected:
                raise NoMedium(str(failure)) from failure
            raise
        finally:
            self._arriving = False
        if self._unproven:
            self.track.forget()
        self._arrived, self._unproven = True, False

    def _take_over(self, told: Told) -> None:
        self.warning = told.warning
        if told.at != self.track.at:
            if self.track.at is not None:
                self.track.cut(0)
            self.track.stand(told.at, file=told.file)
        elif told.file not in (UNKNOWN, self.track.marks_before):
            self.track.stand(told.at, file=told.file, file_start=self.track.file_start)

    def want_protection(self, method: ProtectionMethod) -> None:
        """Have blocks protected by this method from now on, and by no other that the drive may offer."""
        self.wanted_protection, self._choosing = method, False

    def unprotect(self) -> None:
        """Before we go, have the drive forget it: others, the kernel's driver among them, know nothing of it."""
        if self._protection == ProtectionMethod.NONE:
            return
        # What has happened to the drive is no matter any more; one that is out of reach the next user sets right.
        self._arriving = True
        try:
            with suppress(CommandTimeout, TransportLost, NoMedium, NotReady):
                drive_reports.set_protection(self.device, ProtectionMethod.NONE)
        finally:
            self._arriving = False

    def _protect_if_offered(self) -> ProtectionMethod:
        offered = drive_reports.offered_protection(self.device)
        if self._choosing:
            self.wanted_protection = offered
        if offered != ProtectionMethod.NONE:
            # Somebody who was killed may have left it on.
            self._protection = None
        return offered

    def _leave_unprotected(self) -> None:
        """A stranger's commands move blocks as they are; what he sets himself is his own matter."""
        if self._protection not in (None, ProtectionMethod.NONE):
            with self.judged():
                drive_reports.set_protection(self.device, ProtectionMethod.NONE)
            self._protection = ProtectionMethod.NONE
        self.want_protection(ProtectionMethod.NONE)

    def _protect(self) -> None:
        with self.judged():
            done = drive_reports.set_protection(self.device, self.wanted_protection)
        if not done and self._choosing:
            # It is offered, but not to be had: then nothing must be left half set.
            self.want_protection(ProtectionMethod.NONE)
            self._protect()
            return
        if not done and self.wanted_protection != ProtectionMethod.NONE:
            raise IllegalRequest(f"the drive does not protect blocks by {self.wanted_protection.name}")
        self._protection = self.wanted_protection

    def _dismiss(self, attention: Sense) -> bool:
        """Note what an attention changes; whether the command behind it may be sent again: nothing was built on."""
        matter, idle = matter_of(attention), self._arriving or not self._arrived
        if matter is Matter.NOTHING:
            return True
        if matter is Matter.MEDIUM:
            self._lose()
        elif matter is Matter.ANYTHING:
            self.track.forget()
        self._block_bytes = None
        self._protection = None if self._offered else ProtectionMethod.NONE
        return idle
