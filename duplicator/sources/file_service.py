"""An image of an appliance, sent by its own mover: its file service opens the fragments (docs/fse.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from duplicator.digests import ALGORITHMS, digest_bytes
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import HostSession, open_session
from duplicator.job import tidy
from duplicator.mover_side import MoverSide, Notice
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.recorder import SideRecorder
from duplicator.sources.source import Sent, SourceFragment, SourceImage
from duplicator.status import JobError, Status
from duplicator.transfer import Stream, watching
from ndmp.enums import DigestAlgorithm, FileDisposition, FseFeature, MoverMode
from ndmp.messages.extensions.fse import FseGetImageReply
from ndmp.messages.mover import TcpAddresses

__all__ = ["Appliance", "FileServiceSource"]


class FileServiceSource:
    """Implements :class:`Source` for ``image`` of a storage unit; ``wanted``: the digest, None for what it prefers."""

    route = Route.DIRECT

    def __init__(
        self, place: Place, image: str, deadlines: Deadlines, *, wanted: DigestAlgorithm | None = None
    ) -> None:
        self._place = place
        self._image = image
        self._deadlines = deadlines
        self._wanted = wanted

    async def describe(self, recorder: SideRecorder) -> SourceImage:
        """See Source."""
        url = self._place.url
        recorder.step(Step.CHECK_IMAGE, f"is image {self._image!r} in {url}?")
        async with open_session(self._place, self._deadlines, step=Step.CHECK_IMAGE) as session:
            files = FileSide(session)
            found = await self._find(files, recorder)
            recorder.step(Step.CHECK_EXTENSION, f"what does the file service of {session.name} offer?")
            with failing_as(Step.CHECK_EXTENSION, session.name):
                offered = await files.require(FseFeature.FILES_READ, Step.CHECK_EXTENSION)
            algorithm = self._choose_digest(offered, session)
            recorder.note(f"class version {max(session.extensions.values())}, digest {algorithm.name}")
        if found is None:
            reason = f"{session.name} cannot be asked for images"
            raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_EXTENSION.value, reason=reason)
        fragments = tuple(SourceFragment(fragment.name, fragment.size) for fragment in found.fragments)
        return SourceImage(f"{url.host}:{url.port}", url.path, self._image, found.modified, fragments, algorithm)

    async def _find(self, files: FileSide, recorder: SideRecorder) -> FseGetImageReply | None:
        """The image; None where the host cannot be asked, which the next step tells."""
        with failing_as(Step.CHECK_IMAGE, files.session.name):
            info = await files.session.fse_info()
            if info is None or FseFeature.FILES_READ not in info.features:
                return None
            await files.check_unit(Step.CHECK_IMAGE)
            image = await files.image(self._image)
        if not image.fragments:
            reason = f"image {self._image!r} has no fragments: there is nothing to copy"
            raise JobError(Status.NOTHING_MATCHES, step=Step.CHECK_IMAGE.value, reason=reason)
        size = sum(fragment.size for fragment in image.fragments)
        recorder.note(f"it is there: {size} bytes in {len(image.fragments)} fragments")
        return image

    def _choose_digest(self, offered: tuple[DigestAlgorithm, ...], session: HostSession) -> DigestAlgorithm:
        wanted = self._wanted
        if wanted in offered:
            return wanted
        known = [algorithm for algorithm in offered if algorithm in ALGORITHMS]
        if wanted is None and known:
            return known[0]
        names = ", ".join(algorithm.name for algorithm in offered) or "none"
        reason = f"{session.name} computes no {wanted.name if wanted else ''} digest; it offers: {names}"
        raise JobError(Status.NDMP_FAILURE, step=Step.CHECK_EXTENSION.value, reason=reason)

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: SideRecorder) -> AsyncIterator[Appliance]:
        """See Source."""
        url = self._place.url
        recorder.step(Step.READ_SESSION, f"appliance {url.host} port {url.port}")
        async with open_session(self._place, self._deadlines, step=Step.READ_SESSION) as session:
            appliance = Appliance(session, image, recorder)
            with failing_as(Step.READ_SESSION, appliance.name):
                await appliance.files.require(FseFeature.FILES_READ, Step.READ_SESSION)
            async with watching(appliance.mover):
                try:
                    yield appliance
                except BaseException:
                    await appliance.abandon()
                    raise


class Appliance:
    """Implements :class:`OpenSource`: fragments opened by the file service, sent by the mover of one session."""

    def __init__(self, session: HostSession, image: SourceImage, recorder: SideRecorder) -> None:
        self.files = FileSide(session)
        self.notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.mover = MoverSide(
            session, "appliance", self.notices, trouble=Status.FILE_READ_FAILED, log=recorder.note, told=recorder.told
        )
        self.name = self.mover.name
        self._image = image
        self._recorder = recorder
        self._is_open = False
        self.is_changing = False

    async def abandon(self) -> None:
        """Leave mover idle and nothing open."""
        answers = await tidy(self._recorder, "ending the transfer on the appliance", self.mover.abandon())
        if answers and self._is_open:
            await tidy(self._recorder, "closing the image", self.files.close(FileDisposition.DISCARD))

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        image = self._image
        self._recorder.step(Step.READ_OPEN, f"fragment {index + 1} of image {image.name!r}")
        with failing_as(Step.READ_OPEN, self.name):
            found = await self.files.open_read(image.name, index, image.algorithm)
            self._is_open = True
            if found != size:
                raise self._changed(f"fragment {index + 1} has {found} bytes now, not {size}")

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        self._recorder.step(Step.READ_MOVER, "the mover connects to the tape server's")
        with failing_as(Step.READ_MOVER, self.name):
            await self.mover.set_up(record_bytes)
            await self.mover.connect(MoverMode.WRITE, address)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        stream = Stream(self.notices, self._bytes_moved, lambda _: None, step=Step.MOVE)
        with failing_as(Step.MOVE, self.name):
            if self.mover.session.tls.required:
                await taken_up()  # a peer without TLS would be sent plain bytes
            await self.mover.send_all()
            await stream.end_of_source(self.mover)
            sent = await self.sent()
            await self.mover.end_stream()
            await stream.end_of_all(self.mover)
        return sent

    async def _bytes_moved(self) -> int:
        state = await self.mover.state()
        self._recorder.mover(self.mover.role, state.state)
        return state.bytes_moved

    async def sent(self) -> Sent:
        """Bytes sent and their digest; JobError when that was not the whole fragment, unchanged."""
        state = await self.files.state()
        algorithm = self._image.algorithm
        if state.algorithm != algorithm or len(state.digest) != digest_bytes(algorithm):
            reason = f"{self.name} gives no {algorithm.name} digest of what it sent"
            raise JobError(Status.NDMP_FAILURE, step=Step.MOVE.value, reason=reason)
        if state.changed:
            raise self._changed("the image was changed while it was copied")
        if state.bytes_moved != state.size:
            raise self._changed(f"{state.bytes_moved} of {state.size} bytes were sent")
        return Sent(state.size, state.digest)

    async def finish(self) -> None:
        """See OpenSource."""
        with failing_as(Step.MOVE, self.name):
            await self.mover.stop()
        await self.close_fragment()

    async def close_fragment(self) -> None:
        """Close what :meth:`prepare` opened."""
        with failing_as(Step.MOVE, self.name):
            await self.files.close()
        self._is_open = False

    def _changed(self, text: str) -> JobError:
        return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=f"{self.name}: {text}")
