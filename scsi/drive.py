"""A tape drive behind any transport. It counts what passes, asks the drive where that tells, and never guesses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from scsi import drive_reports
from scsi.completion import Completion, is_deferred
from scsi.drive_blocks import Brought, Mismatch, Reader, write_fixed, write_marks, write_one
from scsi.drive_moves import Mover
from scsi.drive_reports import TapeAlert
from scsi.drive_state import NOT_BEGUN, Attachment, BlockChecks
from scsi.errors import (
    EndOfMedium,
    IllegalRequest,
    MediumError,
    NoMedium,
    NotReady,
    PositionUnknown,
    WriteProtected,
)
from scsi.inquiry import InquiryData
from scsi.patience import PATIENCE, Patience
from scsi.positions import BlockLimits
from scsi.protection import PROTECTION_BYTES, ProtectionMethod
from scsi.reservation import Reservation, ReservationKind, release, reserve
from scsi.ssc import Erase6, LoadUnload, WriteFilemarks6
from scsi.tape import MAX_BLOCK_BYTES, MAX_FILEMARKS, Capacity, Position, ReadOutcome, SpaceOutcome, Stop, WriteOutcome
from scsi.transports.transport import Room, Transport

__all__ = ["BlockChecks", "ScsiDrive"]

T = TypeVar("T")

_FIXED_TRANSFER_BYTES = 1 << 20
"""What one command moves of equal blocks; adapters take that much."""


class ScsiDrive:
    """A :class:`scsi.tape.TapeDrive` on a transport, which it owns. Every method also raises what the transport does.

    After trouble that leaves the position open, reading, writing and moving by count raise PositionUnknown until the
    tape is rewound, located, or :meth:`position` has got an answer. With ``equal_blocks``, blocks of one size travel
    together, many in a command; the drive's block size is set for that. Where both ends check blocks (LBP), they
    travel one by one all the same. ``patience`` is with a tape that is still being drawn in, by what needs it; reports
    do not wait.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        read_only: bool = False,
        equal_blocks: bool = False,
        checks: BlockChecks = BlockChecks.ON,
        patience: Patience = PATIENCE,
    ) -> None:
        self._drive = Attachment(transport, checks, patience=patience)
        self._device = self._drive.device
        self._reader = Reader(self._device)
        self._mover = Mover(self._drive)
        self._lock = threading.RLock()
        self._read_only = read_only
        self._equal_blocks = equal_blocks
        self._unflushed = self._uneven = False
        self._position: Position | None = None
        self._capacity = Capacity(0, 0)
        self._limits: BlockLimits | None = None
        self._reservation = Reservation(ReservationKind.NONE)

    @property
    def loaded(self) -> bool:
        """Whether a tape is in the drive."""
        try:
            with self._turn(wait=False):
                self._drive.check_ready()
        except (NoMedium, NotReady):
            return False
        return True

    @property
    def write_protected(self) -> bool:
        """Protected by its tab, by the drive, or opened for reading only."""
        with self._turn(wait=False):
            return self._read_only or self._drive.write_protected

    @property
    def write_once(self) -> bool:
        """Whether what is on the tape can never be overwritten (WORM)."""
        with self._turn(wait=False), self._drive.judged():
            return drive_reports.is_write_once(self._device)

    def write_blocks(self, blocks: memoryview, block_bytes: int) -> WriteOutcome:
        """See TapeDrive; after trouble with a later block, what is written is told first, the trouble next time."""
        with self._turn():
            self._check_block_bytes(block_bytes)
            if len(blocks) % block_bytes:
                raise ValueError(f"{len(blocks)} bytes are not whole blocks of {block_bytes}")
            self._require_writable()
            written, warned = 0, self._drive.warning
            while written * block_bytes < len(blocks) and warned == self._drive.warning:
                try:
                    written += self._write_some(blocks[written * block_bytes :], block_bytes)
                except (EndOfMedium, *NOT_BEGUN):
                    if not written or self._drive.track.at is None:
                        raise
                    break
            return WriteOutcome(written, self._drive.warning)

    def read_blocks(self, into: memoryview, block_bytes: int) -> ReadOutcome:
        """See TapeDrive; after trouble with a later block, what was read is told first, the trouble next time."""
        with self._turn():
            self._check_block_bytes(block_bytes)
            if len(into) < block_bytes:
                raise ValueError(f"a buffer of {len(into)} bytes has no room for one block of {block_bytes}")
            blocks = used = 0
            brought, stop = Brought(0, 0), None
            while stop is None and not brought.truncated and len(into) - used >= block_bytes:
                try:
                    brought, stop = self._read_some(into[used:], block_bytes)
                except (MediumError, *NOT_BEGUN) as failure:
                    if not blocks or self._drive.track.at is None or is_deferred(failure):
                        raise
                    break
                blocks, used = blocks + brought.blocks, used + brought.bytes_read
            return ReadOutcome(blocks, used, stop, brought.truncated)

    def write_filemarks(self, count: int) -> WriteOutcome:
        """See TapeDrive; a drive that tells where it stands is asked whether all is there that was written."""
        with self._turn():
            if not 0 <= count <= MAX_FILEMARKS:
                raise ValueError(f"{count} filemarks are not within 0..{MAX_FILEMARKS}")
            self._require_writable()
            self._write_marks(count)
            self._unflushed = False
            self._verify()
            return WriteOutcome(count, self._drive.warning)

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        return self._moved(lambda: self._mover.space_blocks(count))

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        return self._moved(lambda: self._mover.space_filemarks(count))

    def space_end_of_data(self) -> None:
        """See TapeDrive."""
        self._moved(self._mover.space_end_of_data)

    def locate(self, block_number: int) -> None:
        """See TapeDrive."""
        if block_number < 0:
            raise ValueError(f"object numbers begin at 0, not {block_number}")
        self._moved(lambda: self._mover.locate(block_number))

    def verify(self, filemarks: int | None = None) -> SpaceOutcome:
        """Have the drive read and check all up to and over some filemarks, or to the end of data; nothing is sent.

        MediumError where a block is damaged; IllegalRequest if the drive can't do it.
        """
        return self._moved(lambda: self._mover.verify(filemarks))

    def rewind(self) -> None:
        """See TapeDrive."""
        self._moved(self._mover.rewind)

    def erase(self) -> None:
        """Make this the end of data; IllegalRequest if the drive can't."""
        with self._turn():
            self._require_writable()
            self._drive.run(Erase6(long=False))
            self._drive.track.write()
            self._verify()

    def load(self) -> None:
        """Draw in a tape that lies in the mouth of the drive, or was unloaded; NoMedium."""
        with self._lock:
            if self._drive.closed:
                self._drive.require_tape()
            self._drive.load()
        with self._turn():
            return

    def unload(self) -> None:
        """See TapeDrive."""
        with self._lock:
            if self._drive.closed or self._drive.ejected:
                return
        with self._turn():
            self._drive.run(LoadUnload(load=False))
            self._unflushed = False
            self._drive.leave(ejected=True)

    def position(self) -> Position:
        """See TapeDrive. PositionUnknown if the drive can't tell either; a number in it may be UNKNOWN (-1)."""
        known = self._position
        if known is not None:
            return known
        if not self._lock.acquire(blocking=False):
            message = "the tape is being moved from where nobody knew"
            raise PositionUnknown(message)
        try:
            with self._turn(wait=False):
                if self._drive.track.at is None:
                    self._drive.ask_position()
                self._drive.require_position()
                found = self._drive.track.position()
        finally:
            self._lock.release()
        assert found is not None
        return found

    def capacity(self) -> Capacity:
        """Both 0 if the drive does not tell. While it is busy: what it told before."""
        if self._lock.acquire(blocking=False):
            try:
                with self._turn(wait=False), self._drive.judged():
                    self._capacity = drive_reports.capacity(self._device)
            finally:
                self._lock.release()
        return self._capacity

    def alerts(self) -> frozenset[TapeAlert]:
        """What the drive complains of, cleaning included; reading it clears it."""
        with self._lock, self._drive.judged():
            return drive_reports.alerts(self._device)

    def inquiry(self) -> InquiryData:
        """What drive it is."""
        with self._lock, self._drive.judged():
            return self._device.inquiry()

    def pass_on(
        self, cdb: bytes, *, data_out: bytes = b"", data_in: Room = 0, timeout: float | None = None
    ) -> Completion:
        """Carry out a stranger's command, unaltered. Unless it only asks, the drive is then looked at anew."""
        with self._lock:
            try:
                return self._drive.pass_on(cdb, data_out=data_out, data_in=data_in, timeout=timeout)
            finally:
                self._position = self._drive.track.position()

    @property
    def protection(self) -> ProtectionMethod:
        """How blocks are protected on the way to the drive and back."""
        with self._turn():
            return self._drive.wanted_protection

    def protect_blocks(self, method: ProtectionMethod) -> None:
        """Have each block checked in this way; IllegalRequest if the drive can't. NONE ends it."""
        self._drive.want_protection(method)
        try:
            with self._turn():
                return
        except IllegalRequest:
            self._drive.want_protection(ProtectionMethod.NONE)
            raise

    def reserve(self) -> ReservationKind:
        """Keep other hosts off until it is closed; ReservationConflict if one has the drive. How, or NONE."""
        with self._lock, self._drive.judged():
            self._reservation = reserve(self._device)
        return self._reservation.kind

    def close(self) -> None:
        """See TapeDrive."""
        with self._lock:
            if self._drive.closed:
                return
            try:
                if self._unflushed and self._drive.arrived:
                    self._device.run(WriteFilemarks6(0))
            finally:
                self._let_go()

    def _let_go(self) -> None:
        try:
            try:
                self._drive.unprotect()
            finally:
                release(self._device, self._reservation)
        finally:
            self._drive.leave()
            self._drive.closed, self._position = True, None
            self._device.close()

    @contextmanager
    def _turn(self, *, wait: bool = True) -> Iterator[None]:
        """Alone with a drive that has a tape; afterwards the position is told anew."""
        with self._lock:
            try:
                new = not self._drive.arrived
                self._drive.require_tape(wait=wait)
                if new:
                    self._mover.look_for_blank()
                yield
            finally:
                self._position = self._drive.track.position()

    def _moved(self, move: Callable[[], T]) -> T:
        with self._turn():
            before = self._drive.track.at
            moved = move()
            if self._drive.track.at != before:
                # A drive brings all that was written to the tape before it moves that.
                self._unflushed = False
            return moved

    def _write_some(self, blocks: memoryview, block_bytes: int) -> int:
        """Write with one command; the number of blocks. EndOfMedium if it is none."""
        method = self._drive.wanted_protection
        equal = self._equal(len(blocks), block_bytes)
        try:
            with self._drive.judged(EndOfMedium):
                if equal:
                    written, warned = write_fixed(self._device, blocks[:equal], block_bytes)
                else:
                    written, warned = 1, write_one(self._device, blocks[:block_bytes], method)
        except EndOfMedium as end:
            if not end.blocks_written:
                self._drive.warning = True
                raise
            written, warned = end.blocks_written, True
        self._drive.track.write(blocks=written)
        self._drive.warning |= warned
        self._unflushed = True
        return written

    def _write_marks(self, count: int) -> None:
        try:
            with self._drive.judged(EndOfMedium):
                written, warned = write_marks(self._device, count)
            if written < count:
                raise EndOfMedium(f"only {written} of {count} filemarks were written", blocks_written=written)
        except EndOfMedium as end:
            self._drive.warning = True
            if end.blocks_written:
                self._drive.track.write(marks=end.blocks_written)
            raise
        if count:
            self._drive.track.write(marks=count)
        self._drive.warning |= warned

    def _read_some(self, into: memoryview, block_bytes: int) -> tuple[Brought, Stop | None]:
        """Read with one command; what came, and what stopped it."""
        at, track = self._drive.require_position(), self._drive.track
        equal = 0 if self._uneven else self._equal(len(into), block_bytes)
        self._uneven = False
        try:
            with self._drive.judged(MediumError):
                if equal:
                    found = self._reader.fixed(into[:equal], block_bytes)
                else:
                    found = self._reader.one(into[:block_bytes], self._drive.wanted_protection)
        except MediumError:
            self._mover.back_to(at)
            raise
        if isinstance(found, Mismatch):
            return self._step_back(found.blocks, block_bytes), None
        track.pass_blocks(found.blocks)
        if found.end_of_data:
            track.reach_end()
            return found, Stop.END_OF_DATA
        if found.filemark:
            track.pass_mark()
        return found, Stop.FILEMARK if found.filemark else None

    def _step_back(self, blocks: int, block_bytes: int) -> Brought:
        """Before the block of another size, to read it by itself."""
        self._drive.track.pass_blocks(blocks + 1)
        self._mover.space_blocks(-1)
        self._uneven = True
        return Brought(blocks, blocks * block_bytes)

    def _equal(self, available_bytes: int, block_bytes: int) -> int:
        """Bytes of equal blocks to move with one command; 0: one block by itself."""
        if not self._equal_blocks or self._drive.wanted_protection != ProtectionMethod.NONE:
            return 0
        count = min(available_bytes, _FIXED_TRANSFER_BYTES) // block_bytes
        if count < 2:
            return 0
        self._drive.use_blocks_of(block_bytes)
        return count * block_bytes

    def _check_block_bytes(self, block_bytes: int) -> None:
        if self._limits is None:
            with self._drive.judged():
                self._limits = drive_reports.block_limits(self._device)
        protection = PROTECTION_BYTES if self._drive.wanted_protection != ProtectionMethod.NONE else 0
        largest = min(MAX_BLOCK_BYTES, self._limits.largest - protection)
        if not max(1, self._limits.smallest) <= block_bytes <= largest:
            raise ValueError(f"a block of {block_bytes} bytes is not within {self._limits.smallest}..{largest}")

    def _require_writable(self) -> None:
        self._drive.require_position()
        if self._read_only or self._drive.write_protected:
            message = "the tape is write protected, or was opened for reading only"
            raise WriteProtected(message)

    def _verify(self) -> None:
        """MediumError if the drive stands elsewhere than where we have written to."""
        counted = self._drive.track.at
        if self._drive.telling:
            told = self._drive.ask_position()
            if told is not None and told.at != counted:
                raise MediumError(f"the drive stands at object {told.at}, after {counted} were written")
