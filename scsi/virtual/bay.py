"""A drive of a virtual library: it has the cartridge that the changer put there, or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import RLock

from scsi.errors import DeviceBusy, NoMedium
from scsi.tape import Capacity, Position, ReadOutcome, SpaceOutcome, WriteOutcome
from scsi.virtual.drive import VirtualDrive, open_cartridge
from scsi.virtual.mechanics import AT_ONCE, Mechanics

__all__ = ["BayDrive", "DriveBay"]


class DriveBay:
    """The place of one drive. A cartridge that comes in is loaded, at BOT; it keeps its position while it stays."""

    def __init__(
        self, lock: RLock, cartridge: Callable[[], Path | None], *, sync: bool, mechanics: Mechanics = AT_ONCE
    ) -> None:
        """``lock`` is the library's; ``cartridge`` tells, under it, what a tape drive can use of what is here."""
        self._mechanics = mechanics
        self._threaded = False
        self._lock = lock
        self._cartridge = cartridge
        self._sync = sync
        self._ejected = False
        self._resume_at = 0
        self._holder: BayDrive | None = None
        self._tape: VirtualDrive | None = None
        self.changes = 0
        """How often a cartridge was moved in or out, or drawn in again."""

    @property
    def in_use(self) -> bool:
        """Whether somebody has the cartridge open: it cannot be taken out."""
        return self._tape is not None

    @property
    def loaded(self) -> bool:
        """Whether there is a tape that could be read, and nobody has unloaded it."""
        with self._lock:
            return self.cartridge is not None

    def open(self, *, read_only: bool = False, empty: bool = False) -> BayDrive:
        """Take the drive; NoMedium if nothing is loaded, unless it may be ``empty``. DeviceBusy and what a tape raises.

        A drive that was taken empty has the tape that is loaded later.
        """
        self._draw_in()
        with self._lock:
            if self._holder is not None:
                message = "the drive is open already"
                raise DeviceBusy(message)
            if not empty or self.loaded:
                self._tape = self._open_tape(read_only=read_only)
            self._holder = BayDrive(self, read_only=read_only)
            return self._holder

    def load(self) -> None:
        """Draw in again what was unloaded, at BOT; NoMedium if there is nothing."""
        with self._lock:
            if self._cartridge() is None:
                message = "the drive is empty"
                raise NoMedium(message)
            self.changes += self._ejected
            self._ejected = False
        self._draw_in()

    def changed(self) -> None:
        """Another cartridge is here, or none: the library has moved them. Under the lock."""
        self._ejected, self._resume_at, self._threaded = False, 0, False
        self.changes += 1

    @property
    def cartridge(self) -> Path | None:
        """The cartridge whose tape is loaded."""
        with self._lock:
            return None if self._ejected else self._cartridge()

    def thread(self, holder: BayDrive, *, read_only: bool) -> VirtualDrive:
        """The tape, opened if it is not; NoMedium, or why it can't be."""
        self._draw_in()
        with self._lock:
            if self._holder is not holder:
                message = "the drive is closed"
                raise NoMedium(message)
            if self._tape is None:
                self._tape = self._open_tape(read_only=read_only)
            return self._tape

    def release(self, *, eject: bool, close: bool) -> None:
        """Flush the tape and let it go; it stays where it is."""
        tape = self._tape
        try:
            # Outside the lock: a flush may take long. The tape counts as in use until it is done.
            if tape is not None:
                resume_at = tape.position().block_number
                (tape.unload if eject else tape.close)()
                self._resume_at = resume_at
        finally:
            with self._lock:
                self._tape = None
                self._holder = None if close else self._holder
                if eject:
                    self._ejected, self._resume_at = self._cartridge() is not None, 0
                    self._threaded = False

    def _draw_in(self) -> None:
        """Wait for a tape that is new here, without the lock: the rest of the library goes on."""
        with self._lock:
            waits = not self._threaded and self.loaded
            self._threaded = self._threaded or waits
        if waits:
            self._mechanics.load()

    def _open_tape(self, *, read_only: bool) -> VirtualDrive:
        path = self.cartridge
        if path is None:
            message = "no tape is loaded"
            raise NoMedium(message)
        tape = open_cartridge(path, sync=self._sync, read_only=read_only, mechanics=self._mechanics)
        tape.stay_at(self._resume_at)
        return tape


class BayDrive:
    """A :class:`scsi.tape.TapeDrive` in a library. Between an unload and the next load every method raises NoMedium."""

    def __init__(self, bay: DriveBay, *, read_only: bool) -> None:
        self._bay: DriveBay | None = bay
        self._read_only = read_only

    @property
    def loaded(self) -> bool:
        """Whether a tape is in the drive."""
        return self._bay is not None and self._bay.loaded

    @property
    def write_protected(self) -> bool:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().write_protected

    def write_blocks(self, blocks: memoryview, block_bytes: int) -> WriteOutcome:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().write_blocks(blocks, block_bytes)

    def read_blocks(self, into: memoryview, block_bytes: int) -> ReadOutcome:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().read_blocks(into, block_bytes)

    def write_filemarks(self, count: int) -> WriteOutcome:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().write_filemarks(count)

    def erase(self) -> None:
        """See :meth:`scsi.virtual.drive.VirtualDrive.erase`."""
        self._tape().erase()

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().space_blocks(count)

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().space_filemarks(count)

    def space_end_of_data(self) -> None:
        """See :class:`scsi.tape.TapeDrive`."""
        self._tape().space_end_of_data()

    def locate(self, block_number: int) -> None:
        """See :class:`scsi.tape.TapeDrive`."""
        self._tape().locate(block_number)

    def rewind(self) -> None:
        """See :class:`scsi.tape.TapeDrive`."""
        self._tape().rewind()

    def unload(self) -> None:
        """Flush and give the tape out: it stays in the drive until the changer takes it, or it is loaded again."""
        if self._bay is not None:
            self._bay.release(eject=True, close=False)

    def position(self) -> Position:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().position()

    def capacity(self) -> Capacity:
        """See :class:`scsi.tape.TapeDrive`."""
        return self._tape().capacity()

    def close(self) -> None:
        """Flush and release the drive. The tape stays loaded, where it stands."""
        bay, self._bay = self._bay, None
        if bay is not None:
            bay.release(eject=False, close=True)

    def _tape(self) -> VirtualDrive:
        if self._bay is None:
            message = "the drive is closed"
            raise NoMedium(message)
        return self._bay.thread(self, read_only=self._read_only)
