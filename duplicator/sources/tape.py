"""A copy that is on tape already, sent by its tape server's mover: from tape to tape (draft D.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from duplicator.catalog import Copy, CopyState
from duplicator.failures import CopyBroken, failing_as
from duplicator.hostlink import open_session
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.reading import FragmentOnTape, TapeReader
from duplicator.recorder import Recorder
from duplicator.sources.source import Sent, SourceFragment, SourceImage
from duplicator.status import JobError, Status
from duplicator.supply import TapeInDrive, VolumeSupply
from duplicator.transfer import More, Stream
from duplicator.validate import require_complete
from ndmp.enums import MoverMode
from ndmp.messages.mover import TcpAddresses

__all__ = ["CopyOnTape", "SendingTape", "TapeSource"]

_TRUSTED: Final = (CopyState.VALID, CopyState.WRITTEN)


class TapeSource:
    """Implements :class:`Source` for ``copy``, read in the drive ``place``; ``supply`` brings its volumes there.

    The new copy has records of the same size, and the digests that the appliance gave for the old one.
    """

    route = Route.DIRECTCOPY

    def __init__(self, copy: Copy, place: Place, deadlines: Deadlines, *, supply: VolumeSupply | None = None) -> None:
        self._copy = copy
        self._place = place
        self._deadlines = deadlines
        self._supply = supply or TapeInDrive()

    async def describe(self, recorder: Recorder) -> SourceImage:
        """See Source."""
        copy, url = self._copy, self._place.url
        recorder.step(Step.CHECK_IMAGE, f"copy {copy.id} of image {copy.image.name!r}, on {', '.join(copy.volumes)}")
        if copy.state not in _TRUSTED:
            reason = f"copy {copy.id} is {copy.state.value}: only what is valid, or at least written, is copied"
            raise JobError(Status.COPY_NOT_FOUND, step=Step.CHECK_IMAGE.value, reason=reason)
        require_complete(copy)
        async with open_session(self._place, self._deadlines, step=Step.CHECK_IMAGE, extended=False):
            recorder.note(
                f"tape server {url.host} port {url.port} answers; records of {copy.record_bytes} bytes, as there"
            )
        image = copy.image
        return SourceImage(
            host=image.host,
            unit=image.unit,
            name=image.name,
            modified=image.modified,
            fragments=tuple(SourceFragment(fragment.name, fragment.size) for fragment in copy.fragments),
            algorithm=copy.algorithm,
            record_bytes=copy.record_bytes,
        )

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: Recorder) -> AsyncIterator[CopyOnTape]:
        """See Source."""
        url = self._place.url
        recorder.step(Step.READ_SESSION, f"tape server of the source, {url.host} port {url.port}")
        async with open_session(self._place, self._deadlines, step=Step.READ_SESSION, extended=False) as session:
            reader = TapeReader(session, recorder, self._supply, is_source=True)
            with failing_as(Step.CLOSE, reader.mover.name):
                async with reader.tidied():
                    yield CopyOnTape(reader, self._copy, recorder)


class SendingTape:
    """The mover of a tape server that sends what lies on its tape."""

    def __init__(self, reader: TapeReader, recorder: Recorder) -> None:
        self.name = reader.mover.name
        self._reader = reader
        self._mover = reader.mover
        self._recorder = recorder

    async def begin(self, address: TcpAddresses, record_bytes: int) -> None:
        """Connect to the mover that listens."""
        self._recorder.step(Step.READ_MOVER, "the mover connects to the other tape server's")
        with failing_as(Step.READ_MOVER, self.name):
            await self._mover.set_up(record_bytes)
            await self._mover.connect(MoverMode.WRITE, address)

    async def send(self, taken_up: Callable[[], Awaitable[None]], more: More) -> int:
        """Send up to the filemark, and then ``more``; gives the bytes sent. Its failures are the caller's to name."""
        stream = Stream(self._reader.notices, self._bytes_moved, lambda _: None, step=Step.MOVE)
        if self._mover.session.tls.required:
            await taken_up()  # a peer without TLS would be sent plain bytes
        await self._mover.send_all()
        await stream.end_of_source(self._mover, more)
        moved = await self._bytes_moved()
        await self._mover.end_stream()
        await stream.end_of_all(self._mover)
        return moved

    async def _bytes_moved(self) -> int:
        state = await self._mover.state()
        self._recorder.mover(self._mover.role, state.state)
        return state.bytes_moved

    async def finish(self) -> None:
        """Leave the mover idle."""
        with failing_as(Step.MOVE, self.name):
            await self._mover.stop()


class CopyOnTape:
    """Implements :class:`OpenSource`: fragments found by their labels, sent by the mover of one session."""

    def __init__(self, reader: TapeReader, copy: Copy, recorder: Recorder) -> None:
        self.name = reader.mover.name
        self.is_changing = False
        self.reader = reader
        self._sender = SendingTape(reader, recorder)
        self._copy = copy
        self._recorder = recorder
        self._on_tape = FragmentOnTape(reader, copy, copy.fragments[0])
        self._at = 0

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        fragment = self._copy.fragments[index]
        self._on_tape, self._at = FragmentOnTape(self.reader, self._copy, fragment), index
        section = self._on_tape.section
        where = f"file {section.file_sequence} of volume {section.volume}"
        self._recorder.step(Step.READ_OPEN, f"find fragment {index + 1}: {where}")
        with self.reading(Step.READ_OPEN):
            await self._on_tape.begin()

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        await self._sender.begin(address, record_bytes)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        with self.reading(Step.MOVE):
            await self._sender.send(taken_up, self.more)
        return self.expected

    @property
    def expected(self) -> Sent:
        """What the catalog says of the fragment that was prepared."""
        fragment = self._copy.fragments[self._at]
        return Sent(fragment.size, fragment.digest)

    async def more(self) -> bool:
        """The mover has paused at the end of a section: have it go on with the next one, if there is one."""
        self.is_changing = True
        try:
            return await self._on_tape.more_for_mover()
        finally:
            self.is_changing = False

    async def finish(self) -> None:
        """See OpenSource."""
        await self._sender.finish()

    @contextmanager
    def reading(self, step: Step) -> Iterator[None]:
        """What is wrong with the source's tape spoils this job, and says nothing of the new copy."""
        try:
            with failing_as(step, self.name):
                yield
        except CopyBroken as error:
            reason = f"the copy to be copied: {error.reason}; verify it"
            raise JobError(Status.MEDIA_READ_ERROR, step=step.value, reason=reason) from error
