"""A copy on tape that comes through this process to another tape, where the tape servers do not reach each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from duplicator.catalog import Copy
from duplicator.digests import new_digest
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.recorder import Recorder
from duplicator.sources.sending import Sending
from duplicator.sources.source import Sent, SourceImage
from duplicator.sources.tape import CopyOnTape, TapeSource
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply
from ndmp.enums import DigestAlgorithm
from ndmp.messages.mover import TcpAddresses

__all__ = ["TapeRelaySource"]


class TapeRelaySource:
    """Implements :class:`Source` as :class:`TapeSource` does, but for the way of the bytes."""

    route = Route.TRADITIONAL

    def __init__(self, copy: Copy, place: Place, deadlines: Deadlines, *, supply: VolumeSupply | None = None) -> None:
        self._tape = TapeSource(copy, place, deadlines, supply=supply)
        self._place = place
        self._deadlines = deadlines

    async def describe(self, recorder: Recorder) -> SourceImage:
        """See Source."""
        return await self._tape.describe(recorder)

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: Recorder) -> AsyncIterator[_TapeRelay]:
        """See Source."""
        sending = Sending(self._deadlines, self._place.tls, recorder)
        async with self._tape.opened(image, recorder) as copy:
            try:
                yield _TapeRelay(copy, sending, image.algorithm)
            finally:
                sending.close()


class _TapeRelay:
    """Implements :class:`OpenSource`: what the tape's mover sends here is digested, and sent on at once."""

    def __init__(self, copy: CopyOnTape, sending: Sending, algorithm: DigestAlgorithm) -> None:
        self.name = copy.name
        self._copy = copy
        self._sending = sending
        self._algorithm = algorithm
        self._record_bytes = 0

    @property
    def is_changing(self) -> bool:
        """See OpenSource."""
        return self._copy.is_changing

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        await self._copy.prepare(index, size=size)

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        self._record_bytes = record_bytes
        await self._sending.connect(address)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource; the padding of the last record goes on too, and is not digested."""
        expected, digest, reader = self._copy.expected, new_digest(self._algorithm), self._copy.reader

        def pass_on(chunk: memoryview) -> None:
            digest.update(chunk[: expected.size - digest.so_far()[0]])
            self._sending.outlet.send(chunk)

        with self._copy.reading(Step.MOVE):
            await self._sending.pass_all(
                reader.mover, reader.notices, pass_on, record_bytes=self._record_bytes, more=self._copy.more
            )
        came = Sent(*digest.so_far())
        if came != expected:
            found = (
                f"{came.size} bytes with digest {came.digest.hex()}, not {expected.size} with {expected.digest.hex()}"
            )
            reason = f"the copy to be copied gave {found}; verify it"
            raise JobError(Status.MEDIA_READ_ERROR, step=Step.MOVE.value, reason=reason)
        await self._sending.end()
        return expected

    async def finish(self) -> None:
        """See OpenSource; the mover is idle already."""
