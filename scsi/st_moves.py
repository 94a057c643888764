"""Moving a tape by the kernel's driver, in a drive that tells where it stands."""

from __future__ import annotations

from typing import Final, Protocol

from scsi import mtio
from scsi.errors import BlankCheck, MediumError, PositionUnknown
from scsi.mtio import Operation
from scsi.tape import SpaceOutcome, Stop
from scsi.track import UNKNOWN, Track

__all__ = ["StMover"]

_MOST: Final = (1 << 23) - 1
"""The largest count of SPACE(6), which the driver sends; a larger one would lose its upper bits on the way."""


class _Node(Protocol):
    track: Track

    def operate(self, operation: Operation, count: int) -> None: ...

    @property
    def file(self) -> int: ...


class StMover:
    """Moves by the driver and asks afterwards; what stopped a movement follows from where it ended."""

    def __init__(self, node: _Node) -> None:
        self._node = node

    def arrive(self) -> int:
        """Take over where the drive says that it stands; PositionUnknown if it does not say, as after a reset."""
        self._node.track.forget()
        try:
            at, state = mtio.read_tell(self._node.file), mtio.read_state(self._node.file)
        except MediumError as failure:
            raise PositionUnknown(f"{failure}: the driver has lost the position, rewind the tape") from failure
        start = at - state.block if state.block >= 0 else None
        self._node.track.stand(at, file=state.file if state.file >= 0 else UNKNOWN, file_start=start)
        return at

    def locate(self, number: int) -> None:
        """See TapeDrive."""
        try:
            self._node.operate(Operation.SEEK, number)
        except MediumError as failure:
            if self.arrive() >= number:
                raise
            self._node.track.reach_end()
            raise BlankCheck(f"there is no object {number}") from failure
        if self.arrive() != number:
            self._node.track.forget()
            raise MediumError(f"the drive went elsewhere than to object {number}")

    def space_end_of_data(self) -> None:
        """See TapeDrive."""
        self._node.operate(Operation.END_OF_DATA, 1)
        self.arrive()
        self._node.track.reach_end()

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        moved, stop = 0, None
        while moved < abs(count) and stop is None:
            step = min(abs(count) - moved, _MOST)
            outcome = self._space_blocks(step if count > 0 else -step)
            moved, stop = moved + outcome.moved, outcome.stop
        return SpaceOutcome(moved, stop)

    def _space_blocks(self, count: int) -> SpaceOutcome:
        before, files = self.arrive(), self._node.track.marks_before
        if not self._stopped(Operation.FORWARD_BLOCKS if count > 0 else Operation.BACK_BLOCKS, abs(count)):
            return SpaceOutcome(abs(count))
        passed = abs(self._node.track.at - before) if self._node.track.at is not None else 0
        if self._node.track.marks_before != files:
            return SpaceOutcome(passed - 1, Stop.FILEMARK)
        return SpaceOutcome(passed, self._end(count))

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See TapeDrive. MediumError if the driver does not count files, ValueError for more than the drive counts."""
        if abs(count) > _MOST:
            raise ValueError(f"{count} filemarks are more than {_MOST}")
        self.arrive()
        files = self._node.track.marks_before
        if not self._stopped(Operation.FORWARD_FILES if count > 0 else Operation.BACK_FILES, abs(count)):
            return SpaceOutcome(abs(count))
        now = self._node.track.marks_before
        if files is None or now is None:
            message = "the driver does not tell how many filemarks it passed"
            raise MediumError(message)
        return SpaceOutcome(abs(now - files), self._end(count))

    def _stopped(self, operation: Operation, count: int) -> bool:
        """Move; whether something was in the way."""
        try:
            self._node.operate(operation, count)
        except MediumError:
            self.arrive()
            return True
        self.arrive()
        return False

    def _end(self, count: int) -> Stop:
        if count > 0:
            self._node.track.reach_end()
            return Stop.END_OF_DATA
        return Stop.BEGINNING
