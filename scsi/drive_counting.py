"""Moving a tape in a drive that does not tell where it stands: object by object from the beginning, by reading.

SPACE would not do: whoever does not tell the position may not tell either how far SPACE came. tgtd's drive counts
filemarks as blocks, does not stop at them, and says nothing at the beginning. Drives of tape all tell.
"""

from __future__ import annotations

from typing import Protocol

from scsi.errors import BlankCheck
from scsi.tape import SpaceOutcome, Stop
from scsi.track import Track

__all__ = ["Counter", "Reel"]


class Reel(Protocol):
    """A tape that is moved by single steps."""

    @property
    def track(self) -> Track:
        """Where it stands."""
        ...

    def require_position(self) -> int:
        """The number of the next object; PositionUnknown."""
        ...

    def to_beginning(self) -> None:
        """Rewind."""
        ...

    def step(self) -> Stop | None:
        """Over one object forwards; what it was, None for a block. The track is kept."""
        ...


class Counter:
    """Moves by count. All filemarks before the position are known: there is no other way than past them."""

    def __init__(self, reel: Reel) -> None:
        self._reel = reel

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        at, marks = self._reel.require_position(), self._reel.track.marks_before or 0
        if count >= 0:
            return self._forwards(blocks=count)
        beyond = self._reel.track.mark(marks - 1) if marks else -1
        room = at - beyond - 1
        if -count <= room:
            self.locate(at + count)
            return SpaceOutcome(-count)
        self.locate(max(beyond, 0))
        return SpaceOutcome(room, Stop.FILEMARK if marks else Stop.BEGINNING)

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        self._reel.require_position()
        if count > 0:
            return self._forwards(filemarks=count)
        marks = self._reel.track.marks_before or 0
        if -count > marks:
            self.locate(0)
            return SpaceOutcome(marks, Stop.BEGINNING)
        if count:
            self.locate(self._reel.track.mark(marks + count))
        return SpaceOutcome(-count)

    def space_end_of_data(self) -> None:
        """See TapeDrive."""
        while self._reel.step() is not Stop.END_OF_DATA:
            continue

    def locate(self, block_number: int) -> None:
        """See TapeDrive."""
        at = self._reel.track.at
        if at is None or block_number < at:
            self._reel.to_beginning()
        while self._reel.require_position() < block_number:
            if self._reel.step() is Stop.END_OF_DATA:
                raise BlankCheck(f"the tape ends before object {block_number}")

    def _forwards(self, *, blocks: int = 0, filemarks: int = 0) -> SpaceOutcome:
        """Over so many of one kind; only blocks are stopped by the other."""
        moved = 0
        while moved < blocks + filemarks:
            met = self._reel.step()
            if met is Stop.END_OF_DATA or (met is Stop.FILEMARK and blocks):
                return SpaceOutcome(moved, met)
            moved += met is Stop.FILEMARK or bool(blocks)
        return SpaceOutcome(moved)
