"""The tape server of a copy: labels by hand, data by its mover, from volume to volume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from duplicator.failures import TapePositionError, failing_as
from duplicator.hostlink import HostSession
from duplicator.job import tidy
from duplicator.labels import FileHeader, FileTrailer, LabelError, header_labels, trailer_labels
from duplicator.mover_side import MoverSide, Notice
from duplicator.plan import Step
from duplicator.recorder import Recorder
from duplicator.sources.source import Sent
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply
from duplicator.tape_side import TapeEnd, TapeSide
from duplicator.transfer import Stream, watching
from duplicator.volume_book import VolumeBook
from duplicator.volume_labels import VolumeLabel
from ndmp.enums import DigestAlgorithm, MoverMode, TapeOpenMode
from ndmp.messages.mover import TcpAddresses

__all__ = ["HeaderMaker", "TapeWriter"]

_FIRST: Final = 1


class HeaderMaker(Protocol):
    """Makes the header of a fragment's tape file, for the place that turned out to be its."""

    def __call__(
        self, *, file_set: str, sequence: int, section: int, later_volume: str, first_sequence: int, offset: int
    ) -> FileHeader: ...


@dataclass(slots=True)
class _TapeFile:
    """The fragment that is being written: where its file began, and at which byte the section on this volume does."""

    make: HeaderMaker
    section: int = _FIRST
    file_set: str = ""
    first_sequence: int = 0
    offset: int = 0

    def header(self, volume: str, sequence: int) -> FileHeader:
        """The header of the section, for its place."""
        if self.section == _FIRST:
            self.file_set, self.first_sequence = volume, sequence
        later = self.section > _FIRST
        return self.make(
            file_set=self.file_set,
            sequence=sequence,
            section=self.section,
            later_volume=volume if later else "",
            first_sequence=self.first_sequence if later else 0,
            offset=self.offset,
        )


class TapeWriter:
    """One session with a tape server, and the volume in its drive.

    ``keep`` is told each tape file as soon as it is complete on tape.
    """

    def __init__(
        self,
        session: HostSession,
        book: VolumeBook,
        supply: VolumeSupply,
        recorder: Recorder,
        *,
        keep: Callable[[FileTrailer], None],
    ) -> None:
        self.tape = TapeSide(session)
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.mover = MoverSide(
            session,
            "tape server",
            self.notices,
            trouble=Status.MEDIA_WRITE_ERROR,
            log=recorder.note,
            told=recorder.told,
        )
        self.volume = ""
        self._book = book
        self._supply = supply
        self._recorder = recorder
        self._keep = keep
        self._end = TapeEnd(0, None)
        self._is_unfinished = False
        """Labels or data were written that the volume is to lose if the job fails."""
        self._file: _TapeFile | None = None
        self._header: FileHeader | None = None
        self._record_bytes = 0

    @asynccontextmanager
    async def tidied(self) -> AsyncIterator[None]:
        """Watch this side; if the block fails, leave mover idle and volume as it was before the last fragment."""
        async with watching(self.mover):
            try:
                yield
            except BaseException:
                await self._abandon()
                raise

    async def _abandon(self) -> None:
        if not await tidy(self._recorder, "ending the transfer on the tape server", self.mover.abandon()):
            return
        if self._is_unfinished:
            what = f"cutting the volume back to {self._end.files} files"
            if not await tidy(self._recorder, what, self.tape.truncate(self._end)):
                return
        await tidy(self._recorder, "closing the tape", self.tape.close())

    async def close(self) -> None:
        """Give the drive back; nothing of this job is unfinished any more."""
        with failing_as(Step.CLOSE, self.mover.name):
            await self.tape.close()

    # -- volumes -------------------------------------------------------------------------------------------------

    async def open_first(self) -> None:
        """Have a volume in the drive, and stand at its end."""
        self._recorder.step(Step.WRITE_MOUNT, f"tape in drive {self.tape.device}")
        await self._open_volume(await self._supply.first(self._recorder.note))

    async def _next_volume(self, wanted: str | None) -> None:
        full = self.volume
        self._book.full(full)
        self._recorder.step(Step.NEXT_VOLUME, f"volume {full} is full")
        with failing_as(Step.NEXT_VOLUME, self.mover.name):
            await self.tape.close()
        await self._supply.next(wanted, self._recorder.note)
        self._recorder.step(Step.WRITE_MOUNT, f"tape in drive {self.tape.device}, after volume {full}")
        await self._open_volume(wanted)

    async def _open_volume(self, wanted: str | None) -> None:
        recorder, who = self._recorder, self.mover.name
        with failing_as(Step.WRITE_MOUNT, who):
            label = await self._look()
            anew = self._book.admit(label, wanted)
        recorder.step(Step.WRITE_OPEN, f"open {f'volume {label.volume}' if label else 'the blank tape'} for writing")
        with failing_as(Step.WRITE_OPEN, who):
            await self._reopen(label)
        recorder.step(Step.WRITE_POSITION, "find the end of the volume")
        with failing_as(Step.WRITE_POSITION, who):
            self.volume = label.volume if label else self._book.name_for_blank(wanted)
            self._supply.holds(self.volume)
            if anew:
                await self._label(self.volume, label)
            self._end = await self._position()
            self._book.arrived(self.volume, self._end)
        recorder.on_volume(self.volume)
        recorder.note(f"volume {self.volume}: {self._end.files} files are there; the next one is {self._end.files + 1}")

    async def _look(self) -> VolumeLabel | None:
        """Look whose tape is in the drive, without the means to harm it; None when it is blank."""
        await self.tape.mount()
        try:
            return await self.tape.recognise()
        except TapePositionError as error:
            raise JobError(Status.MEDIA_PROTECTED, step=Step.WRITE_MOUNT.value, reason=str(error)) from error
        finally:
            await self.tape.close()

    async def _reopen(self, label: VolumeLabel | None) -> None:
        """Open for writing the tape that bore ``label`` a moment ago; TapePositionError if it is another now."""
        await self.tape.mount(TapeOpenMode.RDWR)
        if await self.tape.identify() != label:
            raise TapePositionError("the tape is not the one that was mounted a moment ago; nothing was written")

    async def _label(self, volume: str, before: VolumeLabel | None) -> None:
        """Make the tape an empty volume."""
        await self.tape.label_volume(volume)
        self._book.emptied(volume)
        was = f"nothing on volume {before.volume} is needed" if before else "the tape was blank"
        self._recorder.note(f"{was}; it is the empty volume {volume} now")

    async def _position(self) -> TapeEnd:
        """Find the end of the volume and stand there.

        What lies behind the last complete file is overwritten only if it is a file of ours that came to nothing.
        """
        volume = self.volume
        end = await self.tape.find_end(volume, known_files=self._book.known_files(volume))
        try:
            remains = await self.tape.remains(end)
        except LabelError as error:
            raise _protected(f"after file {end.files} of volume {volume} lies what is not ours: {error}") from error
        if remains is not None and not self._book.is_unfinished(remains.copy_id):
            raise _protected(
                f"after file {end.files} of volume {volume} lies a file without its end, of copy "
                f"{remains.copy_id}, which the catalog does not know as failed"
            )
        await self.tape.go_to_end(end)
        return end

    # -- one fragment --------------------------------------------------------------------------------------------

    async def begin(self, make: HeaderMaker, record_bytes: int) -> None:
        """Write the header of the next tape file."""
        self._file, self._record_bytes = _TapeFile(make), record_bytes
        await self._write_header()

    async def listen(self) -> TcpAddresses:
        """Have the mover listen: where the source connects."""
        self._recorder.step(Step.WRITE_MOVER, f"records of {self._record_bytes} bytes; the mover listens")
        with failing_as(Step.WRITE_MOVER, self.mover.name):
            await self.mover.set_up(self._record_bytes)
            return await self.mover.listen(MoverMode.READ)

    async def _write_header(self) -> None:
        """On this volume, or where its labels would be the last thing to fit it, on the next one."""
        assert self._file is not None
        while True:
            self._header = header = self._file.header(self.volume, self._end.files + 1)
            section = f", section {header.section}" if header.section > _FIRST else ""
            self._recorder.step(Step.WRITE_HEADER, f"labels of file {header.sequence} on volume {self.volume}{section}")
            with failing_as(Step.WRITE_HEADER, self.mover.name):
                labels = header_labels(header)
                self._is_unfinished = True
                await self.tape.write_header(labels)
            if not (self.tape.is_past_early_warning and self._end.files):
                return
            wanted = await self._supply.another(self.volume, self._recorder.note)
            await self._drop_section()
            await self._next_volume(wanted)

    async def taken_up(self) -> None:
        """Wait until the mover has the connection of its peer."""
        await self.mover.require_taken_up()

    async def receive(self, progress: Callable[[int], None], *, excused: Callable[[], bool]) -> int:
        """Have the mover take the stream until its end, over as many volumes as it needs; gives the bytes on tape.

        ``excused``: whether the source changes volumes, so that none can come.
        """
        stall = self.mover.session.deadlines.stall
        stream = Stream(self.notices, self._bytes_moved, progress, step=Step.MOVE, stall=stall, excused=excused)
        with failing_as(Step.MOVE, self.mover.name):
            while await stream.volume_or_stream_ended(self.mover):
                await self._span()
                stream.forget_time()
            return await self._bytes_moved()

    async def _bytes_moved(self) -> int:
        state = await self.mover.state()
        self._recorder.mover(self.mover.role, state.state)
        return state.bytes_moved

    async def _span(self) -> None:
        """The volume has ended: close the section, and go on with the next one on another volume.

        The other volume is chosen first: if there is none, the volume is cut back, and none of it is wasted.
        """
        assert self._file is not None
        wanted = await self._supply.another(self.volume, self._recorder.note)
        moved = await self._bytes_moved()
        with failing_as(Step.END_VOLUME, self.mover.name):
            if moved > self._file.offset:
                await self._end_section(self._file, moved)
            else:
                await self._drop_section()
        await self._next_volume(wanted)
        await self._write_header()
        self._recorder.step(Step.MOVE, f"data flows on, to volume {self.volume}, from byte {moved}")
        await self.mover.go_on_at(moved)

    async def _end_section(self, file: _TapeFile, moved: int) -> None:
        size = moved - file.offset
        self._recorder.step(Step.END_VOLUME, f"labels after {size} bytes; file goes on on another volume")
        if size % self._record_bytes:
            reason = f"{self.mover.name} has {moved} bytes on tape, which are not whole records"
            raise JobError(Status.MEDIA_WRITE_ERROR, step=Step.END_VOLUME.value, reason=reason)
        await self._complete(size, DigestAlgorithm.NONE, b"", continues=True)
        file.section, file.offset = file.section + 1, moved

    async def _drop_section(self) -> None:
        """Not one record fits: take the header back, so that the file has no empty section here."""
        if not self._end.files:
            reason = f"volume {self.volume} is at its end before the first record: it has no room at all"
            raise JobError(Status.MEDIA_WRITE_ERROR, step=Step.END_VOLUME.value, reason=reason)
        self._recorder.step(Step.END_VOLUME, "no record fits any more; the header is taken back")
        await self.tape.truncate(self._end)
        self._is_unfinished = False

    async def finish(self, sent: Sent, algorithm: DigestAlgorithm, moved: int) -> None:
        """Compare what was sent with what is on tape, and write the trailer: from now on the fragment is complete."""
        assert self._file is not None
        # ndmjob counts the padding of the last record too.
        if moved not in (sent.size, -(-sent.size // self._record_bytes) * self._record_bytes):
            reason = f"{self.mover.name} has {moved} bytes on tape, and {sent.size} were sent"
            raise JobError(Status.MEDIA_WRITE_ERROR, step=Step.MOVE.value, reason=reason)
        with failing_as(Step.MOVE, self.mover.name):
            await self.mover.stop()
        size = sent.size - self._file.offset
        blocks = -(-size // self._record_bytes)
        self._recorder.step(Step.WRITE_TRAILER, f"labels after {size} bytes in {blocks} records")
        with failing_as(Step.WRITE_TRAILER, self.mover.name):
            await self._complete(size, algorithm, sent.digest, continues=False)
        if self.tape.is_past_early_warning:
            self._book.full(self.volume)

    async def _complete(self, size: int, algorithm: DigestAlgorithm, digest: bytes, *, continues: bool) -> None:
        """Write the trailer of the section and tell the catalog."""
        assert self._header is not None
        trailer = FileTrailer(
            header=self._header,
            blocks=-(-size // self._record_bytes),
            size=size,
            algorithm=algorithm,
            digest=digest,
            continues=continues,
        )
        await self.tape.write_trailer(trailer_labels(trailer))
        self._end = TapeEnd(self._end.files + 1, trailer)
        self._is_unfinished = False
        self._keep(trailer)


def _protected(reason: str) -> JobError:
    return JobError(Status.MEDIA_PROTECTED, step=Step.WRITE_POSITION.value, reason=reason)
