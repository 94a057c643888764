"""Tape drives by the kernel's own driver, ``st:/dev/nst0``: read, write and the mt calls instead of commands.

The kernel keeps sense to itself; what it leaves of it are error numbers. Where the drive tells its position the driver
passes that on, else objects are counted from the beginning.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

from scsi import mtio
from scsi.drive_counting import Counter
from scsi.errors import EndOfMedium, MediumError, NoMedium, PositionUnknown, ScsiError, WriteProtected
from scsi.mtio import Operation, State
from scsi.st_moves import StMover
from scsi.st_node import nothing_follows, open_node, tells
from scsi.tape import MAX_BLOCK_BYTES, MAX_FILEMARKS, Capacity, Position, ReadOutcome, SpaceOutcome, Stop, WriteOutcome
from scsi.track import Track

__all__ = ["StDrive"]

_GLANCE_BYTES: Final = 512
_LONG: Final = 1 << 20
_MARKING: Final = (Operation.REWIND, Operation.SEEK, Operation.BACK_FILES, Operation.OFFLINE)
"""Before these, and before it closes the node, the driver ends what was written last with a filemark."""


class StDrive:
    """A :class:`scsi.tape.TapeDrive` on a no-rewind node, with blocks of any size. Its capacity is not told.

    As everywhere under Unix, a filemark follows what was written, before the tape is rewound, located, unloaded or
    closed. Where the drive does not tell its position, tapes are moved by reading. After a reset of the drive all
    methods raise PositionUnknown until the tape is rewound or loaded.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """DeviceUrlError, AccessDenied, DeviceBusy; a drive may be empty."""
        self._path = path
        self._lock = threading.RLock()
        self._file: int | None = None
        self._file, self._read_only = open_node(path, read_only=read_only)
        self.track = Track()
        self._counter, self._mover = Counter(self), StMover(self)
        self._telling = False
        self._warning = self._ejected = self._unmarked = False
        self._position: Position | None = None
        self._room = bytearray()
        self._arrived = False

    @property
    def loaded(self) -> bool:
        """See TapeDrive."""
        return self._file is not None and not self._ejected and State.ONLINE in self._state(self._file)

    @property
    def write_protected(self) -> bool:
        """See TapeDrive."""
        with self._turn() as file:
            return self._read_only or State.WRITE_PROTECTED in self._state(file)

    def write_blocks(self, blocks: memoryview, block_bytes: int) -> WriteOutcome:
        """See TapeDrive."""
        with self._turn() as file:
            _check_block_bytes(block_bytes)
            if len(blocks) % block_bytes:
                raise ValueError(f"{len(blocks)} bytes are not whole blocks of {block_bytes}")
            self._require_writable()
            written, warned = 0, self._warning
            while written * block_bytes < len(blocks) and warned == self._warning:
                try:
                    self._write_block(file, blocks[written * block_bytes :][:block_bytes])
                except EndOfMedium:
                    if not written:
                        raise
                    break
                written += 1
            return WriteOutcome(written, self._warning)

    def read_blocks(self, into: memoryview, block_bytes: int) -> ReadOutcome:
        """See TapeDrive."""
        with self._turn() as file:
            _check_block_bytes(block_bytes)
            if len(into) < block_bytes:
                raise ValueError(f"a buffer of {len(into)} bytes has no room for one block of {block_bytes}")
            blocks = used = 0
            stop, length = None, 0
            while stop is None and length <= block_bytes and len(into) - used >= block_bytes:
                stop, length = self._read_object(file, block_bytes)
                if stop is None:
                    kept = min(length, block_bytes)
                    into[used : used + kept] = memoryview(self._room)[:kept]
                    blocks, used = blocks + 1, used + kept
            return ReadOutcome(blocks, used, stop, length > block_bytes)

    def write_filemarks(self, count: int) -> WriteOutcome:
        """See TapeDrive."""
        with self._turn() as file:
            if not 0 <= count <= MAX_FILEMARKS:
                raise ValueError(f"{count} filemarks are not within 0..{MAX_FILEMARKS}")
            self._require_writable()
            try:
                self.operate(Operation.WRITE_MARKS, count)
            except EndOfMedium:
                # The driver does not tell how many of them fitted.
                self.track.forget()
                raise
            self._warning |= State.END_OF_TAPE in self._state(file)
            if count:
                self.track.write(marks=count)
            return WriteOutcome(count, self._warning)

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        with self._turn():
            self.require_position()
            return self._moves().space_blocks(count) if count else SpaceOutcome(0)

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        with self._turn():
            self.require_position()
            return self._moves().space_filemarks(count) if count else SpaceOutcome(0)

    def space_end_of_data(self) -> None:
        """See TapeDrive."""
        with self._turn():
            self._moves().space_end_of_data()

    def locate(self, block_number: int) -> None:
        """See TapeDrive."""
        if block_number < 0:
            raise ValueError(f"object numbers begin at 0, not {block_number}")
        with self._turn():
            self._moves().locate(block_number)

    def rewind(self) -> None:
        """See TapeDrive; the only way on after a reset, besides :meth:`load`."""
        with self._turn(rewinding=True):
            self.to_beginning()

    def load(self) -> None:
        """Draw a tape in; NoMedium."""
        with self._lock:
            if self._file is None:
                raise NoMedium(f"{self._path} is closed")
            try:
                self.operate(Operation.LOAD, 1)
            except PositionUnknown:
                self._wind_back()
                self.operate(Operation.LOAD, 1)
            self._ejected = self._arrived = False
            self.track, self._position = Track(), None

    def unload(self) -> None:
        """See TapeDrive."""
        with self._lock:
            if self._file is None or self._ejected:
                return
        with self._turn():
            self.operate(Operation.OFFLINE, 1)
            self.track, self._ejected, self._arrived = Track(), True, False

    def position(self) -> Position:
        """See TapeDrive. PositionUnknown until the tape is rewound."""
        known = self._position
        if known is not None:
            return known
        with self._turn():
            if self.track.at is None and self._telling:
                self._mover.arrive()
            self.require_position()
            found = self.track.position()
        assert found is not None
        return found

    def capacity(self) -> Capacity:
        """Both 0: the driver does not tell."""
        with self._turn():
            return Capacity(0, 0)

    def close(self) -> None:
        """See TapeDrive; the driver itself ends what was written with a filemark, and fails if it can't."""
        with self._lock:
            file, self._file, self._position = self._file, None, None
            if file is not None:
                try:
                    os.close(file)
                except OSError as failure:
                    if not self._unmarked:
                        return
                    raise mtio.translate(failure, f"{self._path}: close") from failure

    def require_position(self) -> int:
        """See Reel."""
        if self.track.at is None:
            raise PositionUnknown(f"{self._path} stands nobody knows where: rewind it")
        return self.track.at

    def to_beginning(self) -> None:
        """See Reel."""
        with self._turn():
            self._wind_back()
            self._warning = False
            self.track.stand(0)
            if self.track.end is None and self.step() is not Stop.END_OF_DATA:
                self.operate(Operation.REWIND, 1)
                self.track.stand(0)

    def _wind_back(self) -> None:
        """Rewind; again if the drive tells only by that it was reset."""
        try:
            self.operate(Operation.REWIND, 1)
        except PositionUnknown:
            self.operate(Operation.REWIND, 1)

    def step(self) -> Stop | None:
        """See Reel."""
        with self._turn() as file:
            return self._read_object(file, _GLANCE_BYTES)[0]

    def _read_object(self, file: int, block_bytes: int) -> tuple[Stop | None, int]:
        """Read the next object into our own memory; what it was, or the length of a block."""
        self.require_position()
        # A read directly behind a write keeps the driver from ending that with a filemark.
        self._unmarked = False
        length = self._read_whole(file, block_bytes)
        # Adapters that tell no residual let the driver believe that something came from beyond the end of data.
        if length is None or State.END_OF_DATA in self._state(file):
            self.track.reach_end()
            return Stop.END_OF_DATA, 0
        if length:
            self.track.pass_blocks(1)
            return None, length
        self.track.pass_mark()
        return Stop.FILEMARK, 0

    def _read_whole(self, file: int, block_bytes: int) -> int | None:
        """Read a block, again with more room if it was too long for the driver; its length, None at the end of data."""
        while True:
            if len(self._room) < block_bytes:
                self._room = bytearray(block_bytes)
            try:
                return os.readv(file, [memoryview(self._room)[:block_bytes]])
            except OSError as failure:
                if failure.errno == errno.EIO and nothing_follows(file):
                    return None
                if failure.errno != errno.ENOMEM or block_bytes >= MAX_BLOCK_BYTES:
                    self.give_up(failure, "read")
            self.operate(Operation.BACK_BLOCKS, 1)
            block_bytes = min(MAX_BLOCK_BYTES, max(2 * block_bytes, _LONG))

    def _write_block(self, file: int, block: memoryview) -> None:
        try:
            written = self._write_once_more(file, block)
        except OSError as failure:
            if failure.errno == errno.ENOSPC:
                raise EndOfMedium(f"{self._path}: no room for a block of {len(block)} bytes") from failure
            self.give_up(failure, "write")
        if written != len(block):
            self.track.forget()
            raise MediumError(f"{self._path}: {written} of {len(block)} bytes were written")
        self.track.write(blocks=1)
        self._unmarked = True

    def _write_once_more(self, file: int, block: memoryview) -> int:
        """Write, again if there was no room: behind the early warning the driver refuses every other write."""
        try:
            return os.write(file, block)
        except OSError as failure:
            if failure.errno != errno.ENOSPC:
                raise
        self._warning = True
        return os.write(file, block)

    @property
    def file(self) -> int:
        """The open node; NoMedium."""
        if self._file is None:
            raise NoMedium(f"{self._path} is closed")
        return self._file

    def operate(self, operation: Operation, count: int) -> None:
        """Have the driver do something; what fails leaves the position unknown."""
        marking = self._unmarked and operation in _MARKING
        self._unmarked = self._unmarked and operation is Operation.SET_BLOCK
        try:
            mtio.operate(self.file, operation, count)
        except OSError as failure:
            if marking and self.track.at is not None:
                self.track.cut(self.track.at)
            self.give_up(failure, operation.name.lower().replace("_", " "))
        if marking:
            self.track.write(marks=1)

    def give_up(self, failure: OSError, doing: str) -> NoReturn:
        """Raise what an error number means; of most of them nobody knows where they leave the tape."""
        condition = mtio.translate(failure, f"{self._path}: {doing}")
        if isinstance(condition, MediumError) and self._lost():
            condition = PositionUnknown(f"{condition}, and the driver has lost the position: rewind the tape")
        if not isinstance(condition, (EndOfMedium, WriteProtected)):
            self.track.forget()
        raise condition from failure

    def _state(self, file: int) -> State:
        try:
            return mtio.read_state(file).state
        except ScsiError:
            # What has just passed is not known either.
            self.track.forget()
            raise

    def _lost(self) -> bool:
        """Whether the driver refuses all but a rewind: it does not know a position any more that it could know."""
        if self._telling:
            return not tells(self.file)
        try:
            return bool(mtio.read_state(self.file).file < 0)
        except ScsiError:
            return True

    def _moves(self) -> StMover | Counter:
        return self._mover if self._telling else self._counter

    def _require_writable(self) -> None:
        self.require_position()
        if self._read_only:
            raise WriteProtected(f"{self._path} was opened for reading only")

    @contextmanager
    def _turn(self, *, rewinding: bool = False) -> Iterator[int]:
        with self._lock:
            try:
                yield self._require_tape(rewinding=rewinding)
            finally:
                self._position = self.track.position()

    def _require_tape(self, *, rewinding: bool) -> int:
        if self._file is None or self._ejected:
            raise NoMedium(f"{self._path}: no tape is loaded")
        if not self._arrived:
            if State.ONLINE not in self._state(self._file):
                raise NoMedium(f"{self._path}: no tape is loaded")
            if rewinding:
                # A driver that has lost the position takes no settings before that.
                self._wind_back()
            self.operate(Operation.SET_BLOCK, 0)
            self._arrived, self._telling = True, tells(self._file)
            if self._telling:
                self._mover.arrive()
        return self._file


def _check_block_bytes(block_bytes: int) -> None:
    if not 1 <= block_bytes <= MAX_BLOCK_BYTES:
        raise ValueError(f"a block of {block_bytes} bytes is not within 1..{MAX_BLOCK_BYTES}")
