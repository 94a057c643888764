"""Moving the tape: over blocks and filemarks, to an object, to either end; by the drive's own numbers if it has any."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Final

from scsi.cdb import Command
from scsi.completion import Completion
from scsi.drive_counting import Counter
from scsi.drive_state import Attachment
from scsi.errors import BlankCheck, InvalidField, MediumError, PositionUnknown, ScsiError, UnknownCommand
from scsi.protection import ProtectionMethod
from scsi.sense import Sense
from scsi.ssc import Locate10, Locate16, Read6, Rewind, Space6, SpaceCode, Verify6
from scsi.tape import SpaceOutcome, Stop
from scsi.track import UNKNOWN, Track

__all__ = ["Mover"]

_MOST: Final = (1 << 23) - 1
"""The largest count of SPACE(6)."""
_GLANCE_BYTES: Final = 512
"""What is read of a block that is only counted."""
_SHORT_NUMBERS: Final = 1 << 32


class Mover:
    """Moves the tape of an attachment and keeps its track."""

    def __init__(self, attachment: Attachment) -> None:
        self._drive = attachment
        self._counter = Counter(self)
        self._locates = True
        self._looked_at: object = None

    @property
    def track(self) -> Track:
        """Where the tape stands."""
        return self._drive.track

    def require_position(self) -> int:
        """See Reel."""
        return self._drive.require_position()

    def to_beginning(self) -> None:
        """See Reel; from then on the position is known."""
        self._drive.run(Rewind())
        self._drive.track.stand(0)
        self._drive.warning = False

    def step(self) -> Stop | None:
        """See Reel; by reading."""
        self._drive.require_position()
        try:
            with self._drive.judged(BlankCheck):
                done = self._drive.device.run(Read6(_GLANCE_BYTES), data_in=_GLANCE_BYTES)
        except BlankCheck:
            self.track.reach_end()
            return Stop.END_OF_DATA
        if Sense.parse(done.sense).filemark:
            self.track.pass_mark()
            return Stop.FILEMARK
        self.track.pass_blocks(1)
        return None

    def rewind(self) -> None:
        """See TapeDrive."""
        self.to_beginning()
        if not self._drive.telling:
            # It may have known nothing for a while, after a reset; now it is known again.
            self._drive.ask_position()
        self.look_for_blank()

    def look_for_blank(self) -> None:
        """At the beginning of a new tape: find out whether there is anything, which only a movement tells."""
        track = self._drive.track
        if track.at != 0 or self._looked_at is track:
            return
        self._looked_at = track
        try:
            self.step()
        except ScsiError:
            track.forget()
        if track.at != 0:
            self.to_beginning()

    def space_blocks(self, count: int) -> SpaceOutcome:
        """See TapeDrive."""
        self._drive.require_position()
        if not self._drive.telling:
            return self._counter.space_blocks(count)
        moved, stop = 0, None
        while moved < abs(count) and stop is None:
            step = min(abs(count) - moved, _MOST)
            outcome = self._space_blocks(step if count > 0 else -step)
            moved, stop = moved + outcome.moved, outcome.stop
        if count:
            self._drive.ask_position()
        return SpaceOutcome(moved, stop)

    def space_filemarks(self, count: int) -> SpaceOutcome:
        """See TapeDrive. ValueError for more than the command counts."""
        self._drive.require_position()
        if not self._drive.telling:
            return self._counter.space_filemarks(count)
        if abs(count) > _MOST:
            raise ValueError(f"{count} filemarks are more than {_MOST}")
        return self._space_filemarks(count) if count else SpaceOutcome(0)

    def space_end_of_data(self) -> None:
        """See TapeDrive."""
        if not self._drive.telling:
            return self._counter.space_end_of_data()
        self._drive.run(Space6.over(SpaceCode.END_OF_DATA, 0), BlankCheck)
        self._arrive()
        return self._drive.track.reach_end()

    def locate(self, block_number: int) -> None:
        """See TapeDrive. Without LOCATE it counts, from the beginning if it must."""
        if self._drive.telling and self._locates:
            try:
                return self._locate(block_number)
            except UnknownCommand:
                self._locates = False
        return self._counter.locate(block_number)

    def verify(self, filemarks: int | None) -> SpaceOutcome:
        """See ScsiDrive; InvalidField or UnknownCommand if the drive can't do it."""
        self._drive.require_position()
        if not self._drive.telling:
            message = "a drive that does not tell where it stands cannot tell how far it has come"
            raise UnknownCommand(message)
        before, count = self._drive.track.marks_before, filemarks or 0
        command = Verify6(
            count,
            filemarks=filemarks is not None,
            to_end=filemarks is None,
            protection=self._drive.wanted_protection != ProtectionMethod.NONE,
        )
        stop, moved = self._checked(command, count)
        at = self._arrive(file=UNKNOWN if before is None or filemarks is None else before + moved)
        if filemarks is None or stop is Stop.END_OF_DATA:
            self._drive.track.reach_end()
            stop = Stop.END_OF_DATA
        elif filemarks and before is not None:
            self._drive.track.stand(at, file=before + moved, file_start=at)
        return SpaceOutcome(moved, stop)

    def _checked(self, command: Verify6, count: int) -> tuple[Stop | None, int]:
        """Run VERIFY; MediumError where a block is damaged, with the drive's word of where that is."""
        try:
            return self._move(command, count)
        except InvalidField:
            if not command.protection:
                raise
            # It may check what it has of its own all the same.
            return self._move(replace(command, protection=False), count)
        except MediumError as damage:
            with suppress(ScsiError):
                self._drive.ask_position()
            at = self._drive.track.at
            found = MediumError(f"{damage}; the drive stands at object {'unknown' if at is None else at}")
            found.sense = damage.sense
            raise found from damage

    def back_to(self, at: int) -> None:
        """After a failed read: stand again where it began, or know nothing."""
        try:
            if self._drive.telling:
                self.locate(at)
            else:
                self._drive.track.forget()
        except ScsiError:
            self._drive.track.forget()

    def _space_blocks(self, count: int) -> SpaceOutcome:
        track = self._drive.track
        stop, moved = self._move(Space6.over(SpaceCode.BLOCKS, count), count)
        track.pass_blocks(moved if count > 0 else -moved)
        if stop is Stop.FILEMARK and count > 0:
            track.pass_mark()
        elif stop is Stop.FILEMARK:
            track.pass_mark_back()
        self._settle(stop)
        return SpaceOutcome(moved, stop)

    def _space_filemarks(self, count: int) -> SpaceOutcome:
        before = self._drive.track.marks_before
        stop, moved = self._move(Space6.over(SpaceCode.FILEMARKS, count), count)
        file = UNKNOWN if before is None else before + (moved if count > 0 else -moved)
        at = self._arrive(file=file)
        if count > 0 and stop is None:
            # Behind a filemark a file begins.
            self._drive.track.stand(at, file=file, file_start=at)
        self._settle(stop)
        return SpaceOutcome(moved, stop)

    def _move(self, command: Command, count: int) -> tuple[Stop | None, int]:
        """Run SPACE; what stopped it and how far it came. PositionUnknown if the drive does not tell that."""
        self._drive.warning = self._drive.warning and count > 0
        try:
            sense = _sense(self._drive.run(command, BlankCheck))
            stop = _stop(sense)
        except BlankCheck as end:
            sense, stop = Sense.parse(end.sense), Stop.END_OF_DATA
        if stop is None:
            return None, abs(count)
        residue = sense.residue
        if residue is None or not 0 <= abs(residue) <= abs(count):
            self._drive.track.forget()
            raise PositionUnknown(f"the drive does not tell how far it came: {sense}")
        return stop, abs(count) - abs(residue)

    def _settle(self, stop: Stop | None) -> None:
        """What a stop proves of the position."""
        track = self._drive.track
        if stop is Stop.END_OF_DATA:
            track.reach_end()
        elif stop is Stop.BEGINNING and track.at != 0:
            track.forget()
            message = "the tape is at its beginning, where it should not be by count"
            raise MediumError(message)

    def _locate(self, block_number: int) -> None:
        near = block_number < _SHORT_NUMBERS
        command: Command = Locate10(block_number) if near else Locate16(block_number)
        try:
            self._drive.run(command, BlankCheck)
        except BlankCheck:
            self._arrive()
            self._drive.track.reach_end()
            raise
        if self._arrive() != block_number:
            self._drive.track.forget()
            raise MediumError(f"the drive went elsewhere than to object {block_number}")

    def _arrive(self, *, file: int = UNKNOWN) -> int:
        """Where the drive has gone; PositionUnknown if it does not say."""
        self._drive.track.forget()
        told = self._drive.ask_position()
        if told is None:
            return self._drive.require_position()
        if told.file == UNKNOWN:
            self._drive.track.stand(told.at, file=file)
        return told.at


def _stop(sense: Sense) -> Stop | None:
    if sense.filemark:
        return Stop.FILEMARK
    # Backwards: the beginning. The end of the medium is beyond the end of data, where nobody gets.
    return Stop.BEGINNING if sense.end_of_medium else None


def _sense(done: Completion) -> Sense:
    return Sense.parse(done.sense)
