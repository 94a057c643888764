"""A tape drive whose medium is a cartridge on disk; SCSI's rules of position, without SCSI's commands."""

from __future__ import annotations

from pathlib import Path

from scsi.errors import BlankCheck, EndOfMedium, MediumError, NoMedium, WriteOnce, WriteProtected
from scsi.media import DENSITIES, medium_of
from scsi.tape import (
    MAX_BLOCK_BYTES,
    MAX_FILEMARKS,
    Capacity,
    Position,
    ReadOutcome,
    SpaceOutcome,
    Stop,
    WriteOutcome,
)
from scsi.virtual.image import Cartridge
from scsi.virtual.mechanics import AT_ONCE, Mechanics, Reel

__all__ = ["VirtualDrive", "open_cartridge"]


def open_cartridge(
    path: Path, *, sync: bool = True, read_only: bool = False, mechanics: Mechanics = AT_ONCE
) -> VirtualDrive:
    """Load cartridge DIR/BARCODE, at BOT. ``sync=False`` gives up what a power failure would take, not what a kill.

    Moves take as long as ``mechanics`` says; drawing the tape in is the caller's.
    DeviceBusy, NoMedium, NotAVirtualTape, CorruptImage or AccessDenied if it cannot be.
    """
    medium = medium_of(path.name)
    write_once = medium is not None and medium.write_once
    cartridge = Cartridge(path, sync=sync, read_only=read_only)
    reel = Reel.of(cartridge.header.capacity_bytes, DENSITIES[medium.density] if medium else None)
    return VirtualDrive(cartridge, read_only=read_only, write_once=write_once, reel=reel, mechanics=mechanics)


class VirtualDrive:
    """A :class:`scsi.tape.TapeDrive` on a cartridge; unloading it releases the cartridge to others."""

    def __init__(
        self, cartridge: Cartridge, *, read_only: bool, write_once: bool, reel: Reel, mechanics: Mechanics
    ) -> None:
        """``write_once``: nothing on the tape is ever overwritten."""
        self._reel, self._mechanics = reel, mechanics
        self._cartridge: Cartridge | None = cartridge
        self._write_once = write_once
        self._at = 0
        self._write_protected = read_only or cartridge.header.write_protected
        self._stand(cartridge, self._at)

    @property
    def loaded(self) -> bool:
        """Whether a cartridge is in the drive."""
        return self._cartridge is not None

    @property
    def write_protected(self) -> bool:
        """Protected in its header, or opened for reading only."""
        self._medium()
        return self._write_protected

    def write_blocks(self, blocks: memoryview, block_bytes: int) -> WriteOutcome:
        """Write blocks of equal size; see :meth:`scsi.tape.TapeDrive.write_blocks`."""
        cartridge = self._writable()
        _check_block_bytes(block_bytes)
        wanted, rest = divmod(len(blocks), block_bytes)
        if rest:
            raise ValueError(f"{len(blocks)} bytes are not whole blocks of {block_bytes}")
        if wanted == 0:
            return WriteOutcome(0, self._in_warning_zone(cartridge))
        fitting = min(wanted, self._blocks_that_fit(cartridge, block_bytes))
        if fitting == 0:
            raise EndOfMedium(f"no room for a block of {block_bytes} bytes")
        cartridge.begin_write(self._at)
        written = cartridge.append_blocks(blocks[: fitting * block_bytes], block_bytes)
        self._stand(cartridge, cartridge.runs.end)
        if written == 0:
            raise EndOfMedium(f"the file system has no room for a block of {block_bytes} bytes")
        return WriteOutcome(written, self._in_warning_zone(cartridge))

    def read_blocks(self, into: memoryview, block_bytes: int) -> ReadOutcome:
        """Read blocks until ``into`` is full or something stops it; see :meth:`scsi.tape.TapeDrive.read_blocks`."""
        cartridge = self._medium()
        _check_block_bytes(block_bytes)
        if len(into) < block_bytes:
            raise ValueError(f"a buffer of {len(into)} bytes has no room for one block of {block_bytes}")
        at, used, blocks = self._at, 0, 0
        stop, truncated, damaged = None, False, None
        while not truncated and len(into) - used >= block_bytes:
            if at == cartridge.runs.end:
                stop = Stop.END_OF_DATA
                break
            run, before = cartridge.runs.at(at)
            if run.block_bytes == 0:
                at, stop = at + 1, Stop.FILEMARK
                break
            truncated = run.block_bytes > block_bytes
            count = 1 if truncated else (len(into) - used - block_bytes) // run.block_bytes + 1
            count = min(count, run.count - before)
            size = count * min(run.block_bytes, block_bytes)
            cartridge.read(into[used : used + size], cartridge.runs.byte_of(at))
            # Of a block that is cut off nothing can be told.
            damaged = None if truncated else cartridge.damaged(at, into[used : used + size], run.block_bytes)
            if damaged is not None:
                at, used, blocks = at + damaged, used + damaged * run.block_bytes, blocks + damaged
                break
            at, used, blocks = at + count, used + size, blocks + count
        if damaged is not None and not blocks:
            raise MediumError(f"object {at} is not as it was written: its check does not fit")
        self._stand(cartridge, at)
        return ReadOutcome(blocks, used, stop, truncated)

    def write_filemarks(self, count: int) -> WriteOutcome:
        """Write filemarks and commit; 0 commits what is there and overwrites nothing."""
        cartridge = self._writable(overwriting=count != 0)
        if not 0 <= count <= MAX_FILEMARKS:
            raise ValueError(f"{count} filemarks are not within 0..{MAX_FILEMARKS}")
        if count:
            cartridge.begin_write(self._at)
            cartridge.append_filemarks(count)
            self._at = cartridge.runs.end
        self._commit()
        return WriteOutcome(count, self._in_warning_zone(cartridge))

    def erase(self) -> None:
        """Make the position the end of data: everything from here on is gone, its bytes too."""
        cartridge = self._writable()
        cartridge.begin_write(self._at)
        cartridge.drop_remains()
        self._stand(cartridge, self._at)

    def space_blocks(self, count: int) -> SpaceOutcome:
        """Move over blocks; a filemark in the way is crossed and stops it."""
        cartridge = self._commit()
        runs, at = cartridge.runs, self._at
        marks = runs.marks_before(at)
        if count >= 0:
            limit = runs.mark(marks) if marks < runs.marks else runs.end
            stop = Stop.FILEMARK if marks < runs.marks else Stop.END_OF_DATA
            beyond = limit + 1 if stop is Stop.FILEMARK else limit
            return self._space(cartridge, wanted=count, room=limit - at, target=at + count, beyond=beyond, stop=stop)
        mark = runs.mark(marks - 1) if marks else -1
        stop = Stop.FILEMARK if marks else Stop.BEGINNING
        room = at - (mark + 1)
        return self._space(cartridge, wanted=-count, room=room, target=at + count, beyond=max(mark, 0), stop=stop)

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """Move over filemarks, to the far side of the last one."""
        cartridge = self._commit()
        runs = cartridge.runs
        before = runs.marks_before(self._at)
        room = runs.marks - before if count >= 0 else before
        if count == 0 or abs(count) > room:
            target = self._at
        else:
            target = runs.mark(before + count - 1) + 1 if count > 0 else runs.mark(before + count)
        beyond, stop = (runs.end, Stop.END_OF_DATA) if count > 0 else (0, Stop.BEGINNING)
        return self._space(cartridge, wanted=abs(count), room=room, target=target, beyond=beyond, stop=stop)

    def space_end_of_data(self) -> None:
        """Go to the end of data."""
        cartridge = self._commit()
        self._wind(cartridge, cartridge.runs.end)

    def locate(self, block_number: int) -> None:
        """Go to a logical object; BlankCheck, standing at the end of data, if there are fewer."""
        if block_number < 0:
            raise ValueError(f"object numbers begin at 0, not {block_number}")
        cartridge = self._commit()
        end = cartridge.runs.end
        self._wind(cartridge, min(block_number, end))
        if block_number > end:
            raise BlankCheck(f"there is no object {block_number}: the tape ends with {end} of them")

    def stay_at(self, block_number: int) -> None:
        """Stand where the tape was left, without moving it; at the beginning if that is not there any more."""
        cartridge = self._medium()
        self._stand(cartridge, block_number if block_number <= cartridge.runs.end else 0)

    def rewind(self) -> None:
        """Go to BOT."""
        self._wind(self._commit(), 0)

    def unload(self) -> None:
        """Commit and put the cartridge back on its shelf, free for others."""
        if self._cartridge is not None:
            try:
                self.rewind()
            finally:
                self.close()
            self._mechanics.unload()

    def position(self) -> Position:
        """Where the drive stands: the state after the last finished call, from any thread."""
        self._medium()
        return self._position

    def capacity(self) -> Capacity:
        """Room in all and from here on, after the last finished call, from any thread."""
        self._medium()
        return self._capacity

    def close(self) -> None:
        """Commit and release; a second time does nothing."""
        cartridge, self._cartridge = self._cartridge, None
        if cartridge is not None:
            cartridge.close()

    def _medium(self) -> Cartridge:
        if self._cartridge is None:
            message = "the drive is empty"
            raise NoMedium(message)
        return self._cartridge

    def _writable(self, *, overwriting: bool = True) -> Cartridge:
        cartridge = self._medium()
        if self._write_protected:
            message = "the cartridge is write protected, or was opened for reading only"
            raise WriteProtected(message)
        if overwriting and self._write_once and self._at < cartridge.runs.end:
            raise WriteOnce(f"object {self._at} is on a tape that is written once")
        return cartridge

    def _commit(self) -> Cartridge:
        cartridge = self._medium()
        try:
            cartridge.commit()
        finally:
            # A failed commit takes what was not on the disk off the tape.
            self._stand(cartridge, min(self._at, cartridge.runs.end))
        return cartridge

    def _space(
        self, cartridge: Cartridge, *, wanted: int, room: int, target: int, beyond: int, stop: Stop
    ) -> SpaceOutcome:
        if wanted <= room:
            self._wind(cartridge, target)
            return SpaceOutcome(wanted)
        self._wind(cartridge, beyond)
        return SpaceOutcome(room, stop)

    def _wind(self, cartridge: Cartridge, at: int) -> None:
        """Move to object ``at``, which takes its time."""
        runs = cartridge.runs
        self._mechanics.wind(self._reel, runs.byte_of(self._at), runs.byte_of(at))
        self._stand(cartridge, at)

    def _stand(self, cartridge: Cartridge, at: int) -> None:
        """Move to object ``at`` and publish where that is, in values that other threads may hold."""
        runs, total = cartridge.runs, cartridge.header.capacity_bytes
        marks = runs.marks_before(at)
        file_start = runs.mark(marks - 1) + 1 if marks else 0
        self._at = at
        self._position = Position(at, marks, at - file_start, at == 0, at == runs.end)
        self._capacity = Capacity(total, max(0, total - runs.byte_of(at)))

    def _in_warning_zone(self, cartridge: Cartridge) -> bool:
        return self._capacity.remaining_bytes <= cartridge.header.early_warning_bytes

    def _blocks_that_fit(self, cartridge: Cartridge, block_bytes: int) -> int:
        remaining = self._capacity.remaining_bytes
        until_end = remaining // block_bytes
        if self._in_warning_zone(cartridge):
            return until_end
        until_warning = -((cartridge.header.early_warning_bytes - remaining) // block_bytes)
        return min(until_warning, until_end)


def _check_block_bytes(block_bytes: int) -> None:
    if not 1 <= block_bytes <= MAX_BLOCK_BYTES:
        raise ValueError(f"a block of {block_bytes} bytes is not within 1..{MAX_BLOCK_BYTES}")
