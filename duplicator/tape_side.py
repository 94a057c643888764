"""A tape by hand, through NDMP: labels, position, filemarks (docs/tape-format.md)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from duplicator.ansi import USER_NUMBERS
from duplicator.failures import TapePositionError
from duplicator.hostlink import HostSession
from duplicator.labels import FileHeader, FileTrailer, LabelError, is_begun_header, parse_header, parse_trailer
from duplicator.volume_labels import VolumeLabel, parse_volume, volume_label
from ndmp.aio.methods import TapeMethods
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError

__all__ = ["TapeEnd", "TapeSide"]

_LABEL_ROOM: Final = 32 * 1024
"""Bytes asked for when a label is expected: a foreign tape's first block shows as what it is."""
_MARKS_PER_FILE: Final = 3
"""Filemarks of one tape file: after its header, its bytes and its trailer."""
_MOUNT_RETRY: Final = 2.0
_STRETCH: Final = 1_000_000
"""Records passed over by one request; some drives count in 24 bits."""
_MAX_LABELS: Final = 2 + len(USER_NUMBERS)


@dataclass(frozen=True, slots=True)
class TapeEnd:
    """Where a volume ends: ``files`` complete tape files, what the last says, and all that was read on the way."""

    files: int
    last: FileTrailer | None
    read: tuple[FileTrailer, ...] = ()


class TapeSide:
    """One drive of one session. Positions are reached by filemarks, so they hold on any drive."""

    def __init__(self, session: HostSession) -> None:
        self.session = session
        self.device = session.url.path
        self._tape = TapeMethods(session, deadline=session.deadlines.tape)
        self._open = False
        self.is_past_early_warning = False
        """Whether a write of this volume was told that the end of the medium is near."""

    # -- plain motions -------------------------------------------------------------------------------------------

    async def open(self, mode: TapeOpenMode) -> None:
        """Take the drive."""
        await self._tape.open(self.device, mode)
        self._open, self.is_past_early_warning = True, False

    async def mount(self, mode: TapeOpenMode = TapeOpenMode.READ) -> None:
        """Take the drive once a tape is in it and nobody else has it, within the mount deadline."""
        end = time.monotonic() + self.session.deadlines.mount
        while True:
            try:
                return await self.open(mode)
            except ReplyError as error:
                waiting = error.error in (Error.NO_TAPE_LOADED, Error.DEVICE_BUSY)
                if not waiting or time.monotonic() + _MOUNT_RETRY > end:
                    raise
            await asyncio.sleep(_MOUNT_RETRY)

    async def close(self) -> None:
        """Give the drive back; once, however often called."""
        if self._open:
            self._open = False
            await self._tape.close()

    async def rewind(self) -> None:
        """Go to the beginning."""
        await self._mtio(TapeOperation.REW, 1)

    async def skip_files(self, files: int) -> None:
        """From the beginning, go to the header group of tape file number ``files`` (from 0)."""
        await self.skip_marks(files * _MARKS_PER_FILE)

    async def skip_marks(self, count: int) -> None:
        """Go past ``count`` filemarks."""
        if left := await self._mtio(TapeOperation.FSF, count):
            raise TapePositionError(f"the tape ends {left} filemarks early")

    async def count_records(self) -> int:
        """Pass over records up to a filemark, on either side of which the tape stands then; gives how many."""
        passed = 0
        while not (left := await self._mtio(TapeOperation.FSR, _STRETCH)):
            passed += _STRETCH
        return passed + _STRETCH - left

    async def step_back_over_mark(self) -> None:
        """From behind a filemark to in front of it."""
        await self._mtio(TapeOperation.BSF, 1)

    async def write_marks(self, count: int) -> None:
        """Write ``count`` filemarks."""
        await self._mtio(TapeOperation.EOF, count)

    async def read_block(self, room: int = _LABEL_ROOM) -> bytes | None:
        """The next block, or None at a filemark or the end of the data."""
        try:
            return await self._tape.read(room)
        except ReplyError as error:
            if error.error in (Error.EOF, Error.EOM):
                return None
            raise

    async def _write_blocks(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            await self._write_block(block)

    async def _write_block(self, block: bytes) -> None:
        """Write one block; the end of medium is told once and the next write is taken (draft 3.4.6)."""
        try:
            await self._tape.write(block)
        except ReplyError as error:
            if error.error != Error.EOM:
                raise
            self.is_past_early_warning = True
            await self._tape.write(block)

    async def _mtio(self, operation: TapeOperation, count: int) -> int:
        return await self._tape.move(operation, count) if count else 0

    # -- volumes -------------------------------------------------------------------------------------------------

    async def identify(self) -> VolumeLabel | None:
        """Whose tape this is, from its first block; None when it is blank. Ends after that block."""
        await self.rewind()
        block = await self.read_block()
        if block is not None:
            return parse_volume(block)
        if await self._mtio(TapeOperation.FSF, 1):
            return None
        raise TapePositionError("the tape begins with a filemark: it is not blank, and it has no label")

    async def recognise(self) -> VolumeLabel | None:
        """The same for a tape that was perhaps never written: ndmjob reads that only if it is open for writing."""
        try:
            return await self.identify()
        except ReplyError as failure:
            if failure.error != Error.IO:
                raise
            await self.close()
            try:
                await self.open(TapeOpenMode.RDWR)
            except ReplyError:
                raise failure from None
        return await self.identify()

    async def label_volume(self, label: str) -> None:
        """Make an empty volume: VOL1 and two filemarks."""
        await self.rewind()
        await self._write_block(volume_label(label))
        await self.write_marks(2)

    async def find_end(self, volume: str, *, known_files: int = 0) -> TapeEnd:
        """Count the complete tape files; a file without its trailer is not one.

        Begins at the last of those that are known, or where the tape has fewer, at the beginning. LabelError for a
        trailer that belongs to another place or volume.
        """
        await self.rewind()
        files = known_files - 1 if known_files > 1 else 0
        if files and await self._mtio(TapeOperation.FSF, files * _MARKS_PER_FILE):
            return await self.find_end(volume)
        if not files:
            await self.read_block()
        read: list[FileTrailer] = []
        while (found := await self._skip_file()) is not None:
            files += 1
            read.append(found)
            if (found.header.sequence, found.header.volume) != (files, volume):
                place = f"file {found.header.sequence} of {found.header.volume}"
                raise LabelError(f"file {files} of volume {volume} says that it is {place}")
        if known_files > 1 and not read:
            return await self.find_end(volume)
        return TapeEnd(files, read[-1] if read else None, tuple(read))

    async def remains(self, end: TapeEnd) -> FileHeader | None:
        """What lies at the end of the volume: nothing, or the header of a file that was not finished.

        The first labels of a header, with nothing behind them, are nothing. LabelError for anything else: it is not
        ours to overwrite.
        """
        await self.go_to_end(end)
        labels = await self.read_labels()
        try:
            return parse_header(labels) if labels else None
        except LabelError:
            if is_begun_header(labels) and await self._nothing_follows():
                return None
            raise

    async def _nothing_follows(self) -> bool:
        """Whether there is no block from here to the end of the tape; a few filemarks there may be."""
        for _ in range(_MARKS_PER_FILE):
            if await self._mtio(TapeOperation.FSF, 1):
                return True
            if await self.read_block() is not None:
                return False
        return False

    async def _skip_file(self) -> FileTrailer | None:
        """From a header group to the next one; None where there is no complete file."""
        if not await self.read_labels() or await self._mtio(TapeOperation.FSF, 2):
            return None
        labels = await self.read_labels()
        if not labels or await self._mtio(TapeOperation.FSF, 1):
            return None
        return parse_trailer(labels)

    async def go_to_end(self, end: TapeEnd) -> None:
        """Stand where the next header group is to be written, over whatever is there."""
        await self.rewind()
        if end.files:
            await self.skip_files(end.files)
        else:
            await self._mtio(TapeOperation.FSR, 1)

    async def truncate(self, end: TapeEnd) -> None:
        """Drop all that was written after ``end``: the volume is complete again."""
        await self.go_to_end(end)
        await self.write_marks(1 if end.files else 2)

    # -- tape files ----------------------------------------------------------------------------------------------

    async def read_labels(self) -> list[bytes]:
        """The labels up to the next filemark, which is not passed."""
        labels: list[bytes] = []
        while (block := await self.read_block()) is not None:
            labels.append(block)
            if len(labels) > _MAX_LABELS + 1:
                raise LabelError(f"more than {_MAX_LABELS} labels in one group")
        return labels

    async def write_header(self, labels: Iterable[bytes]) -> None:
        """Header labels and the filemark before the data."""
        await self._write_blocks(labels)
        await self.write_marks(1)

    async def write_trailer(self, labels: Iterable[bytes]) -> None:
        """The filemark after the data, trailer labels, the end of the volume; stands before its second mark."""
        await self.write_marks(1)
        await self._write_blocks(labels)
        await self.write_marks(2)
        await self._mtio(TapeOperation.BSF, 1)

    async def find_file(self, sequence: int, volume: str) -> FileHeader:
        """Go to the data of tape file number ``sequence`` (from 1) of this volume, and give its header."""
        label = await self.identify()
        if label is None or not label.ours or label.volume != volume:
            found = "a blank tape" if label is None else f"{label.kind.value}: {label.volume or 'no name'}"
            raise TapePositionError(f"volume {volume} is needed, and in the drive is {found}")
        if sequence > 1:
            await self.rewind()
            await self.skip_files(sequence - 1)
        header = parse_header(await self.read_labels())
        await self.skip_marks(1)
        return header

    async def read_trailer(self) -> FileTrailer:
        """From the end of the data, before its filemark: the trailer; TapePositionError when data goes on."""
        if await self.read_block() is not None:
            raise TapePositionError("more records follow than the copy has")
        await self.skip_marks(1)
        return parse_trailer(await self.read_labels())
