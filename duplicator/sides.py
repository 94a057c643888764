"""The two sides of a duplication, each with its session, its mover and its cleaning up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from duplicator.digests import digest_bytes
from duplicator.failures import TapePositionError, failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import HostSession
from duplicator.job import tidy
from duplicator.labels import FileHeader, FileTrailer, LabelError, VolumeLabel, header_labels, trailer_labels
from duplicator.mover_side import MoverSide, Notice
from duplicator.plan import CopyRequest, Step
from duplicator.recorder import Recorder
from duplicator.status import JobError, Status
from duplicator.tape_side import TapeEnd, TapeSide
from duplicator.transfer import watching
from ndmp.enums import DigestAlgorithm, Error, FileDisposition, MoverMode, TapeOpenMode
from ndmp.errors import ReplyError
from ndmp.messages.extensions.fse import FseTapeDigestAbort
from ndmp.messages.mover import TcpAddresses

__all__ = ["ReadSide", "TapeReader", "WriteSide"]


@asynccontextmanager
async def _tidied(mover: MoverSide, abandon: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Watch a side for the duration of the block, and clean it up if that fails."""
    async with watching(mover):
        try:
            yield
        except BaseException:
            await abandon()
            raise


class TapeReader:
    """A tape server whose tape is read: by its mover, or by itself."""

    def __init__(self, session: HostSession, recorder: Recorder) -> None:
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.session = session
        self.tape = TapeSide(session)
        self.mover = MoverSide(session, "tape server", self.notices, trouble=Status.MEDIA_READ_ERROR, log=recorder.note)
        self._recorder = recorder
        self.is_digesting = False

    @asynccontextmanager
    async def mounted(self) -> AsyncIterator[None]:
        """Have the tape open for reading and watch this side; afterwards mover idle and tape closed, come what may."""
        async with _tidied(self.mover, self._abandon):
            await self.tape.mount()
            yield
            await self.tape.close()

    async def _abandon(self) -> None:
        if await tidy(self._recorder, "ending the transfer on the tape server", self._end_reading()):
            await tidy(self._recorder, "closing the tape", self.tape.close())

    async def _end_reading(self) -> None:
        if self.is_digesting:
            await self.session.call(FseTapeDigestAbort())
        await self.mover.abandon()


class WriteSide:
    """A tape server: labels by hand, data by its mover."""

    def __init__(self, session: HostSession, notices: asyncio.Queue[Notice], recorder: Recorder) -> None:
        self.tape = TapeSide(session)
        self.mover = MoverSide(session, "tape server", notices, trouble=Status.MEDIA_WRITE_ERROR, log=recorder.note)
        self.end = TapeEnd(0, None)
        self._recorder = recorder
        self.is_unfinished = False
        """Labels or data were written that the volume is to lose if the job fails."""

    def tidied(self) -> AbstractAsyncContextManager[None]:
        """Watch this side; if the block fails, leave mover idle and volume as it was."""
        return _tidied(self.mover, self._abandon)

    async def _abandon(self) -> None:
        if not await tidy(self._recorder, "ending the transfer on the tape server", self.mover.abandon()):
            return
        if self.is_unfinished:
            what = f"cutting the volume back to {self.end.files} files"
            if not await tidy(self._recorder, what, self.tape.truncate(self.end)):
                return
        await tidy(self._recorder, "closing the tape", self.tape.close())

    async def mount(self) -> VolumeLabel | None:
        """Look whose tape is in the drive, without the means to harm it; None when it is blank."""
        await self.tape.mount()
        try:
            return await self._identify()
        except TapePositionError as error:
            raise JobError(Status.MEDIA_PROTECTED, step=Step.WRITE_MOUNT.value, reason=str(error)) from error
        finally:
            await self.tape.close()

    async def _identify(self) -> VolumeLabel | None:
        """Read the label. ndmjob cannot read a tape that was never written unless it is open for writing."""
        try:
            return await self.tape.identify()
        except ReplyError as error:
            if error.error != Error.IO:
                raise
        await self.tape.close()
        await self.tape.open(TapeOpenMode.RDWR)
        return await self.tape.identify()

    async def reopen(self, label: VolumeLabel | None) -> None:
        """Open for writing the tape that bore ``label`` when it was mounted; TapePositionError if it is another now."""
        await self.tape.mount(TapeOpenMode.RDWR)
        if await self.tape.identify() != label:
            raise TapePositionError("the tape is not the one that was mounted a moment ago; nothing was written")

    async def position(self, volume: str, is_failed: Callable[[str], bool]) -> TapeEnd:
        """Find the end of ``volume`` and stand there.

        What lies behind the last complete file is overwritten only if it is a file of ours whose copy ``is_failed``.
        """
        self.end = await self.tape.find_end(volume)
        try:
            remains = await self.tape.remains(self.end)
        except LabelError as error:
            raise _protected(
                f"after file {self.end.files} of volume {volume} lies what is not ours: {error}"
            ) from error
        if remains is not None and not is_failed(remains.copy_id):
            raise _protected(
                f"after file {self.end.files} of volume {volume} lies a file without its end, of copy "
                f"{remains.copy_id}, which the catalog does not know as failed"
            )
        await self.tape.go_to_end(self.end)
        return self.end

    async def begin(self, header: FileHeader) -> TcpAddresses:
        """Write the header of the next tape file and have the mover listen: where the read side connects."""
        self._recorder.step(Step.WRITE_HEADER, f"labels of file {header.sequence} on volume {header.file_set}")
        with failing_as(Step.WRITE_HEADER, self.mover.name):
            labels = header_labels(header)
            self.is_unfinished = True
            await self.tape.write_header(labels)
        self._recorder.step(Step.WRITE_MOVER, f"records of {header.record_bytes} bytes; the mover listens")
        with failing_as(Step.WRITE_MOVER, self.mover.name):
            await self.mover.set_up(header.record_bytes)
            return await self.mover.listen(MoverMode.READ)

    async def bytes_moved(self) -> int:
        """Bytes on tape so far, as the mover counts them."""
        with failing_as(Step.MOVE, self.mover.name):
            return (await self.mover.state()).bytes_moved

    async def check_moved(self, size: int, record_bytes: int) -> None:
        """JobError unless all ``size`` bytes are on tape. ndmjob counts the padding of the last record too."""
        moved = await self.bytes_moved()
        if moved not in (size, -(-size // record_bytes) * record_bytes):
            reason = f"{self.mover.name} has {moved} bytes on tape, and {size} were sent"
            raise JobError(Status.MEDIA_WRITE_ERROR, step=Step.MOVE.value, reason=reason)

    async def finish(self, trailer: FileTrailer) -> None:
        """Write the trailer of the tape file: from now on it is complete."""
        self._recorder.step(Step.WRITE_TRAILER, f"labels after {trailer.size} bytes in {trailer.blocks} records")
        with failing_as(Step.WRITE_TRAILER, self.mover.name):
            await self.tape.write_trailer(trailer_labels(trailer))


class ReadSide:
    """An appliance: fragments opened by its file service, sent by its mover."""

    def __init__(
        self,
        session: HostSession,
        algorithm: DigestAlgorithm,
        notices: asyncio.Queue[Notice],
        recorder: Recorder,
    ) -> None:
        self.files = FileSide(session)
        self.mover = MoverSide(session, "appliance", notices, trouble=Status.FILE_READ_FAILED, log=recorder.note)
        self.algorithm = algorithm
        self._recorder = recorder
        self._open = False

    def tidied(self) -> AbstractAsyncContextManager[None]:
        """Watch this side; if the block fails, leave mover idle and nothing open."""
        return _tidied(self.mover, self._abandon)

    async def _abandon(self) -> None:
        answers = await tidy(self._recorder, "ending the transfer on the appliance", self.mover.abandon())
        if answers and self._open:
            await tidy(self._recorder, "closing the image", self.files.close(FileDisposition.DISCARD))

    async def begin(self, request: CopyRequest, index: int, *, size: int, address: TcpAddresses) -> None:
        """Open a fragment, which must still have ``size`` bytes, and connect the mover to the tape server's."""
        self._recorder.step(Step.READ_OPEN, f"fragment {index + 1} of image {request.image!r}")
        with failing_as(Step.READ_OPEN, self.mover.name):
            found = await self.files.open_read(request.image, index, self.algorithm)
            self._open = True
            if found != size:
                raise _changed(self.mover.name, f"fragment {index + 1} has {found} bytes now, not {size}")
        self._recorder.step(Step.READ_MOVER, "the mover connects to the tape server's")
        with failing_as(Step.READ_MOVER, self.mover.name):
            await self.mover.set_up(request.record_bytes)
            await self.mover.connect(MoverMode.WRITE, address)

    async def sent(self) -> tuple[int, bytes]:
        """Bytes sent and their digest; JobError when that was not the whole fragment, unchanged."""
        state = await self.files.state()
        if state.algorithm != self.algorithm or len(state.digest) != digest_bytes(self.algorithm):
            reason = f"{self.mover.name} gives no {self.algorithm.name} digest of what it sent"
            raise JobError(Status.NDMP_FAILURE, step=Step.MOVE.value, reason=reason)
        if state.changed:
            raise _changed(self.mover.name, "the image was changed while it was copied")
        if state.bytes_moved != state.size:
            raise _changed(self.mover.name, f"{state.bytes_moved} of {state.size} bytes were sent")
        return state.size, state.digest

    async def finish(self) -> None:
        """Mover idle, fragment closed."""
        await self.mover.stop()
        await self.files.close()
        self._open = False


def _protected(reason: str) -> JobError:
    return JobError(Status.MEDIA_PROTECTED, step=Step.WRITE_POSITION.value, reason=reason)


def _changed(who: str, text: str) -> JobError:
    return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=f"{who}: {text}")
