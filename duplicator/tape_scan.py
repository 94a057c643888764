"""Reads the labels of a whole volume, in their order, and nothing between them. The tape is only read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from duplicator.failures import TapePositionError
from duplicator.labels import FileHeader, FileTrailer, LabelError, parse_header, parse_trailer
from duplicator.tape_side import TapeSide
from duplicator.volume_labels import VolumeLabel
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["VolumeScan", "scan_volume"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VolumeScan:
    """What was found on a tape; ``label`` is None for a blank one, and nothing more is known of a foreign one.

    ``count``: complete tape files, those among them whose labels cannot be read too. ``unfinished``: the header of a
    file without its trailer, at the end. ``is_partial``: what lies behind the last file could not be read, or is not
    ours.
    """

    label: VolumeLabel | None
    files: tuple[FileTrailer, ...] = ()
    count: int = 0
    unfinished: FileHeader | None = None
    is_partial: bool = False
    problems: tuple[str, ...] = ()


async def scan_volume(tape: TapeSide, told: Callable[[int], None] = lambda _: None) -> VolumeScan:
    """From the beginning of the tape to its end; ``told`` is given the number of each tape file that was passed.

    TapePositionError for a tape whose beginning tells nothing.
    """
    try:
        label = await tape.identify()
    except ReplyError as error:
        if error.error != Error.IO:
            raise
        # ndmjob tells only who may write that such a tape is blank; here nobody may.
        raise TapePositionError("its beginning cannot be read: it is damaged, or was never written") from error
    if label is None or not label.ours:
        return VolumeScan(label)
    scan = _Scan(tape, label.volume, told)
    return await scan.run(label)


class _Scan:
    """One run. Positions are reached by filemarks, so labels that cannot be read hide only their own file."""

    def __init__(self, tape: TapeSide, volume: str, told: Callable[[int], None]) -> None:
        self._tape = tape
        self._volume = volume
        self._told = told
        self._files: list[FileTrailer] = []
        self._count = 0
        self._unfinished: FileHeader | None = None
        self._is_partial = False
        self._problems: list[str] = []

    async def run(self, label: VolumeLabel) -> VolumeScan:
        """From behind the volume label."""
        try:
            while await self._pass_file():
                self._told(self._count)
        except ReplyError as error:
            self._is_partial = True
            answer = f"the host answers {error.error.name} to {error.text}"
            self._problems.append(f"behind file {self._count} the tape cannot be read: {answer}")
        return VolumeScan(
            label, tuple(self._files), self._count, self._unfinished, self._is_partial, problems=tuple(self._problems)
        )

    async def _pass_file(self) -> bool:
        """From a header group to the next one; False where there is no complete file."""
        header = await self._labels(parse_header)
        if header is None:
            return False
        trailer = await self._labels(parse_trailer) if await self._skip(2) else None
        if trailer is None or not await self._skip(1):
            self._end_in(header)
            return False
        self._count += 1
        self._keep(header, trailer)
        return True

    async def _labels(self, parse: Callable[[list[bytes]], T]) -> T | LabelError | None:
        """The group of labels up to the next filemark; None where there is none."""
        try:
            blocks = await self._tape.read_labels()
            return parse(blocks) if blocks else None
        except LabelError as error:
            return error

    async def _skip(self, marks: int) -> bool:
        """Go past filemarks; False if there are fewer."""
        try:
            await self._tape.skip_marks(marks)
        except TapePositionError:
            return False
        return True

    def _end_in(self, header: FileHeader | LabelError) -> None:
        if isinstance(header, LabelError):
            self._is_partial = True
            self._problems.append(f"behind file {self._count} lies what has no labels of ours: {header}")
        else:
            self._unfinished = header

    def _keep(self, header: FileHeader | LabelError, trailer: FileTrailer | LabelError) -> None:
        place = f"file {self._count}"
        if isinstance(header, LabelError) or isinstance(trailer, LabelError):
            error = header if isinstance(header, LabelError) else trailer
            self._problems.append(f"{place} has labels that cannot be read: {error}")
        elif header != trailer.header:
            self._problems.append(f"the labels before and after {place} disagree")
        elif (header.volume, header.sequence) != (self._volume, self._count):
            self._problems.append(f"{place} says that it is file {header.sequence} of volume {header.volume}")
        else:
            self._files.append(trailer)
