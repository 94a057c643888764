"""Images that are read here, and written from here: from a directory of this machine, or through this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from duplicator.digests import ALGORITHMS, new_digest
from duplicator.failures import failing_as
from duplicator.own_thread import in_own_thread, let_go
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.recorder import SideRecorder
from duplicator.sources.file_service import Appliance, FileServiceSource
from duplicator.sources.sending import HERE, Sending
from duplicator.sources.source import Sent, SourceFragment, SourceImage
from duplicator.status import JobError, Status
from ndmp.enums import DigestAlgorithm
from ndmp.errors import ReplyError
from ndmp.messages.mover import TcpAddresses

if TYPE_CHECKING:
    from duplicator.units import DirectoryUnits
    from duplicator.units.fragments import ReadingFragment

__all__ = ["DirectorySource", "RelaySource"]

_UNIT: Final = "unit"
_BUFFER: Final = 1024 * 1024
_LET_GO: Final = 5.0
"""Seconds for the sending thread to end once it was told to."""


# -- from a directory --------------------------------------------------------------------------------------------------


class DirectorySource:
    """Implements :class:`Source` for ``image`` in ``directory`` here: the same images as in the storage unit ``place``.

    What is an image, and which files are its fragments, is as a host of ours has it: no links, no hidden names.
    """

    route = Route.TRADITIONAL

    def __init__(
        self,
        place: Place,
        directory: Path,
        image: str,
        deadlines: Deadlines,
        *,
        wanted: DigestAlgorithm | None = None,
    ) -> None:
        self._place = place
        self._directory = directory
        self._image = image
        self._deadlines = deadlines
        self._algorithm = ALGORITHMS[0] if wanted is None else wanted

    async def describe(self, recorder: SideRecorder) -> SourceImage:
        """See Source."""
        url = self._place.url
        recorder.step(Step.CHECK_IMAGE, f"is image {self._image!r} in {self._directory} of this machine?")
        with failing_as(Step.CHECK_IMAGE, HERE):
            new_digest(self._algorithm)
            with self._units() as units:
                found = await in_own_thread(lambda: units.image(_UNIT, self._image), "look")
        fragments = tuple(SourceFragment(fragment.name, fragment.size) for fragment in found.fragments)
        image = SourceImage(f"{url.host}:{url.port}", url.path, found.name, found.modified, fragments, self._algorithm)
        recorder.note(f"it is there: {image.size} bytes in {len(fragments)} fragments")
        return image

    def _units(self) -> DirectoryUnits:
        from duplicator.units import DirectoryUnits, UnitError  # not by every job: its start waits for it

        try:
            return DirectoryUnits({_UNIT: self._directory}, writable=False)
        except UnitError as error:
            raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_IMAGE.value, reason=f"{HERE}: {error}") from error

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: SideRecorder) -> AsyncIterator[_Directory]:
        """See Source."""
        recorder.step(Step.READ_SESSION, f"directory {self._directory} of this machine")
        sending = Sending(self._deadlines, self._place.tls, recorder)
        with self._units() as units:
            directory = _Directory(units, image, sending, recorder)
            try:
                yield directory
            finally:
                sending.close()
                directory.close()


class _Directory:
    """Implements :class:`OpenSource`: fragments opened and digested here, sent by a thread of this process."""

    name = HERE
    is_changing = False

    def __init__(self, units: DirectoryUnits, image: SourceImage, sending: Sending, recorder: SideRecorder) -> None:
        self._units = units
        self._image = image
        self._sending = sending
        self._recorder = recorder
        self._fragment: ReadingFragment | None = None
        self._record_bytes = 0

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        image = self._image
        self._recorder.step(Step.READ_OPEN, f"fragment {index + 1} of image {image.name!r}")
        with failing_as(Step.READ_OPEN, HERE):
            self._fragment = await in_own_thread(
                lambda: self._units.open_read(_UNIT, image.name, index, image.algorithm), "open"
            )
            found = self._fragment.status().size
        if found != size:
            raise _changed(f"fragment {index + 1} has {found} bytes now, not {size}")

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        self._record_bytes = record_bytes
        await self._sending.connect(address)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        sending = in_own_thread(self._send_all, "sender")
        try:
            await asyncio.wait((sending,))
            return sending.result()
        finally:
            self._sending.stop()
            await let_go(sending, _LET_GO)

    def _send_all(self) -> Sent:
        assert self._fragment is not None
        fragment, outlet, record = self._fragment, self._sending.outlet, self._record_bytes
        buffer = memoryview(bytearray(max(_BUFFER // record, 1) * record))
        try:
            is_all = False
            while not is_all:
                read = fragment.read_records(buffer, record)
                outlet.send(buffer[: read.bytes_read])
                is_all = read.end is not None
            status = fragment.status()
        except ReplyError as error:
            raise _changed(error.text) from error
        if status.changed:
            raise _changed("the image was changed while it was copied")
        outlet.end()
        return Sent(status.bytes_moved, status.digest)

    async def finish(self) -> None:
        """See OpenSource."""
        self.close()

    def close(self) -> None:
        """Let go of the fragment; the thread that reads it is told to end before, or has."""
        if self._fragment is not None:
            self._fragment.close(keep=False)
            self._fragment = None


def _changed(text: str) -> JobError:
    return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=f"{HERE}: {text}")


# -- through this process ----------------------------------------------------------------------------------------------


class RelaySource:
    """Implements :class:`Source` for an image of an appliance that the tape server does not reach, but this process."""

    route = Route.TRADITIONAL

    def __init__(
        self, place: Place, image: str, deadlines: Deadlines, *, wanted: DigestAlgorithm | None = None
    ) -> None:
        self._appliance = FileServiceSource(place, image, deadlines, wanted=wanted)
        self._place = place
        self._deadlines = deadlines

    async def describe(self, recorder: SideRecorder) -> SourceImage:
        """See Source."""
        return await self._appliance.describe(recorder)

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: SideRecorder) -> AsyncIterator[_Relay]:
        """See Source."""
        sending = Sending(self._deadlines, self._place.tls, recorder)
        async with self._appliance.opened(image, recorder) as appliance:
            try:
                yield _Relay(appliance, image, sending)
            finally:
                sending.close()


class _Relay:
    """Implements :class:`OpenSource`: what the appliance's mover sends here is digested, and sent on at once.

    One thread with one buffer does both, so that no more is in memory than that; it may wait for either side.
    """

    is_changing = False

    def __init__(self, appliance: Appliance, image: SourceImage, sending: Sending) -> None:
        self.name = appliance.name
        self._appliance = appliance
        self._image = image
        self._sending = sending
        self._record_bytes = 0
        self._sent = Sent(0, b"")

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        await self._appliance.prepare(index, size=size)

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        self._record_bytes = record_bytes
        await self._sending.connect(address)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        digest = new_digest(self._image.algorithm)

        def pass_on(chunk: memoryview) -> None:
            digest.update(chunk)
            self._sending.outlet.send(chunk)

        with failing_as(Step.MOVE, self.name):
            await self._sending.pass_all(
                self._appliance.mover,
                self._appliance.notices,
                pass_on,
                record_bytes=self._record_bytes,
                more=self._at_end,
            )
        passed = Sent(*digest.so_far())
        if passed != self._sent:
            seen = f"{self._sent.size} bytes with digest {self._sent.digest.hex()}"
            reason = f"{self.name} sent {seen}, and {passed.size} with {passed.digest.hex()} came here"
            raise JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=reason)
        await self._sending.end()
        return passed

    async def _at_end(self) -> bool:
        self._sent = await self._appliance.sent()
        return False

    async def finish(self) -> None:
        """See OpenSource."""
        await self._appliance.close_fragment()
