"""A tape server whose tapes are read: fragment after fragment, section after section, volume after volume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from duplicator.catalog import Copy, Fragment, Section
from duplicator.failures import CopyBroken, TapePositionError
from duplicator.hostlink import HostSession
from duplicator.job import tidy
from duplicator.labels import FileHeader, FileTrailer
from duplicator.mover_side import MoverSide, Notice
from duplicator.plan import Step
from duplicator.recorder import Recorder
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply
from duplicator.tape_side import TapeSide
from duplicator.transfer import watching
from ndmp.enums import TapeOpenMode
from ndmp.errors import ReplyError
from ndmp.messages.extensions.fse import FseTapeDigestAbort

__all__ = ["FragmentOnTape", "TapeReader"]


class TapeReader:
    """One session with a tape server, whose tapes are read: by its mover, or by itself.

    ``is_source``: for a copy on another tape, whose volume is the one that the job tells.
    """

    def __init__(
        self, session: HostSession, recorder: Recorder, supply: VolumeSupply, *, is_source: bool = False
    ) -> None:
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.session = session
        self.tape = TapeSide(session)
        self.mover = MoverSide(
            session,
            "source" if is_source else "tape server",
            self.notices,
            trouble=Status.MEDIA_READ_ERROR,
            log=recorder.note,
            told=recorder.told,
        )
        self._supply = supply
        self._recorder = recorder
        self._is_source = is_source
        self._volume = ""
        self.is_digesting = False

    @asynccontextmanager
    async def tidied(self) -> AsyncIterator[None]:
        """Watch this side; afterwards mover idle and tape closed, come what may."""
        async with watching(self.mover):
            try:
                yield
                await self.tape.close()
            except BaseException:
                await self._abandon()
                raise

    async def _abandon(self) -> None:
        if await tidy(self._recorder, "ending the transfer on the tape server", self._end_reading()):
            await tidy(self._recorder, "closing the tape", self.tape.close())

    async def _end_reading(self) -> None:
        if self.is_digesting:
            await self.session.call(FseTapeDigestAbort())
        await self.mover.abandon()

    async def find(self, copy: Copy, fragment: Fragment, section: Section) -> None:
        """Have the volume in the drive, and stand at the section's data; JobError if its labels name another."""
        if self._volume != section.volume:
            await self.tape.close()
            if not await self._is_in_drive(section.volume):
                await self._supply.find(section.volume, self._recorder.note)
                await self.tape.mount()
            self._volume = section.volume
            if not self._is_source:
                self._recorder.on_volume(section.volume)
        header = await self.tape.find_file(section.file_sequence, section.volume)
        _require_header(header, copy, fragment, section)

    async def _is_in_drive(self, volume: str) -> bool:
        """Whether the volume lies there already, open now: then nobody has to bring it."""
        try:
            await self.tape.open(TapeOpenMode.READ)
            label = await self.tape.identify()
        except (ReplyError, TapePositionError):
            label = None
        if label is not None and label.ours and label.volume == volume:
            return True
        await self.tape.close()
        return False

    async def skip(self) -> None:
        """From the beginning of a section's data to its end."""
        await self.tape.skip_marks(1)
        await self.tape.step_back_over_mark()

    async def end(self, fragment: Fragment, section: Section) -> None:
        """From the end of the data: CopyBroken unless the labels after it tell what the catalog does."""
        _require_trailer(await self.tape.read_trailer(), fragment, section)


class FragmentOnTape:
    """One fragment of a copy while its bytes are read from the beginning to the end."""

    def __init__(self, reader: TapeReader, copy: Copy, fragment: Fragment) -> None:
        self._reader = reader
        self._copy = copy
        self._fragment = fragment
        self._at = 0

    @property
    def section(self) -> Section:
        """The section whose data is read."""
        return self._fragment.sections[self._at]

    async def begin(self) -> None:
        """Stand at the first byte."""
        await self._reader.find(self._copy, self._fragment, self.section)

    async def more(self) -> bool:
        """The data of the section has ended: stand at that of the next one, if there is one."""
        await self._reader.end(self._fragment, self.section)
        if self._at + 1 == len(self._fragment.sections):
            return False
        self._at += 1
        await self._reader.find(self._copy, self._fragment, self.section)
        return True

    async def more_for_mover(self) -> bool:
        """The same when the tape's mover has paused there; it goes on."""
        if not await self.more():
            return False
        await self._reader.mover.go_on_at(self.section.offset)
        return True


def _require_header(header: FileHeader, copy: Copy, fragment: Fragment, section: Section) -> None:
    """JobError unless the labels name this copy and this part of it."""
    place = f"file {section.file_sequence} of volume {section.volume}"
    if (header.copy_id, header.fragment) != (copy.id, fragment.index):
        reason = (
            f"{place} is fragment {header.fragment} of copy "
            f"{header.copy_id}, not fragment {fragment.index} of {copy.id}"
        )
        raise JobError(Status.WRONG_IMAGE_POSITION, step=Step.VALIDATE.value, reason=reason)
    if (header.section, header.offset) != (section.number, section.offset):
        found, wanted = (
            f"section {n} from byte {at}"
            for n, at in ((header.section, header.offset), (section.number, section.offset))
        )
        reason = f"{place} is {found} of fragment {fragment.index}, not {wanted}"
        raise JobError(Status.WRONG_IMAGE_POSITION, step=Step.VALIDATE.value, reason=reason)


def _require_trailer(trailer: FileTrailer, fragment: Fragment, section: Section) -> None:
    is_last = section is fragment.sections[-1]
    expected = (section.size, section.blocks, fragment.digest if is_last else b"", not is_last)
    if (trailer.size, trailer.blocks, trailer.digest, trailer.continues) != expected:
        raise CopyBroken(f"the trailer labels of file {section.file_sequence} on volume {section.volume} disagree")
