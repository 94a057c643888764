"""Objects on a disk unit that only its file service reaches: through NDMP, to and from this process (docs/fse.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from duplicator.catalog import StoredObject
from duplicator.config import Config, DiskUnit, local_agent, place_of
from duplicator.digests import RunningDigest, new_digest
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import open_session
from duplicator.mover_side import MoverSide, Notice
from duplicator.outlet import Outlet
from duplicator.own_thread import in_own_thread, let_go
from duplicator.plan import DEFAULT_RECORD_BYTES, Deadlines, Place, Step
from duplicator.status import JobError, Status
from duplicator.transfer import Stream, receive_all, together, watching
from duplicator.xbsa.channel import ReceivingEnd, Taker
from duplicator.xbsa.server.delivery import Delivery, Expected, Holding
from duplicator.xbsa.server.images import DATA, DESCRIPTOR, LONGEST_DOCUMENT
from duplicator.xbsa.server.roles import Kept
from ndmp.enums import DigestAlgorithm, Error, FileDisposition, FseFeature, MoverMode
from ndmp.errors import NdmpError, ReplyError

__all__ = [
    "ApplianceReader",
    "ApplianceWriter",
    "appliance_of",
    "is_on_appliance",
    "read_descriptor",
    "remove_from_appliance",
]

_BUFFER: Final = 1024 * 1024
_LET_GO: Final = 5.0
"""Seconds for the sending thread to end once it was told to."""
_GRACE: Final = 60.0
"""Seconds in which the appliance has to say that it has all that was sent."""


def appliance_of(config: Config, unit: DiskUnit) -> Place:
    """The file service of a disk unit, for this process. JobError NO_CREDENTIALS."""
    agent = local_agent(config)
    if agent is None:
        reason = "the configuration has no agent that is this machine: one without a `command`"
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    return place_of(config, unit.file_service, path=unit.unit, agent=agent)


class _Session:
    """One session with the appliance; ``log`` gets what is worth a line."""

    def __init__(self, place: Place, deadlines: Deadlines, holding: Holding, *, log: Callable[[str], None]) -> None:
        self._place = place
        self._deadlines = deadlines
        self._holding = holding
        self._log = log
        self.who = f"appliance {place.url.host} port {place.url.port}"
        self.notices = asyncio.Queue[Notice]()

    async def open(self, *features: FseFeature) -> None:
        """Log in, and see that the unit and these features are there."""
        step, stack = Step.READ_SESSION, self._holding.stack
        session = await stack.enter_async_context(open_session(self._place, self._deadlines, step=step))
        self.files = FileSide(session)
        with failing_as(step, self.who):
            for feature in features:
                await self.files.require(feature, step)
            await self.files.check_unit(step)
        self.mover = MoverSide(session, "appliance", self.notices, trouble=Status.FILE_READ_FAILED, log=self._log)
        await stack.enter_async_context(watching(self.mover))

    async def open_fragment(self, image: str, name: str) -> int:
        """Open a fragment of an image by its name, to be sent; its size."""
        with failing_as(Step.READ_OPEN, self.who):
            names = [fragment.name for fragment in (await self.files.image(image)).fragments]
            if name not in names:
                reason = f"image {image} has no fragment {name!r}: it is none of an object"
                raise JobError(Status.FILE_READ_FAILED, step=Step.READ_OPEN.value, reason=reason)
            return await self.files.open_read(image, names.index(name), DigestAlgorithm.NONE)


class ApplianceReader:
    """Implements :class:`duplicator.xbsa.server.roles.ObjectReader` for the image of an object on an appliance.

    One task calls ``ready`` and ``close``.
    """

    def __init__(self, place: Place, found: StoredObject, deadlines: Deadlines | None = None) -> None:
        self._found = found
        self._holding = Holding()
        self._told: Callable[[str], None] = lambda _: None
        self._session = _Session(place, deadlines or Deadlines(), self._holding, log=lambda text: self._told(text))

    async def ready(self, told: Callable[[str], None]) -> int:
        """See ObjectReader."""
        self._told = told
        told(f"image {self._found.image} is opened at {self._session.who}")
        with self._holding.noting():
            await self._session.open(FseFeature.FILES_READ)
            size = await self._session.open_fragment(self._found.image, DATA)
            if size != self._found.size:
                raise self._changed(f"it has {size} bytes, and {self._found.size} were stored")
        return size

    async def feed(self, target: Taker) -> int:
        """See ObjectReader."""
        session, found = self._session, self._found
        expected = Expected(found.size, [(found.algorithm, found.digest, _not_read)], _not_read)
        with self._holding.noting(), failing_as(Step.MOVE, session.who):
            delivery = Delivery(target, expected)
            count = await delivery.bring(session.mover, session.notices, record_bytes=DEFAULT_RECORD_BYTES)
            await session.files.close()
        return count

    def _changed(self, text: str) -> JobError:
        reason = f"{self._session.who}: image {self._found.image} is not what was stored: {text}"
        return JobError(Status.FILE_READ_FAILED, step=Step.READ_OPEN.value, reason=reason)

    async def close(self) -> None:
        """See ObjectReader: the host closes what is open when the session ends."""
        await self._holding.release()


def _not_read(reason: str) -> JobError:
    return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=reason)


async def read_descriptor(place: Place, image: str, deadlines: Deadlines) -> bytes:
    """The descriptor in an image on an appliance. JobError, also if it is too long to be one."""
    document, holding = bytearray(), Holding()
    session = _Session(place, deadlines, holding, log=lambda _: None)
    try:
        with holding.noting():
            await session.open(FseFeature.FILES_READ)
            size = await session.open_fragment(image, DESCRIPTOR)
            if size > LONGEST_DOCUMENT:
                reason = f"the descriptor of image {image} has {size} bytes: it is none"
                raise JobError(Status.FILE_READ_FAILED, step=Step.READ_OPEN.value, reason=reason)
            with failing_as(Step.MOVE, session.who):
                await receive_all(
                    session.mover,
                    session.notices,
                    document.extend,
                    record_bytes=DEFAULT_RECORD_BYTES,
                    progress=lambda _: None,
                    step=Step.MOVE,
                )
        return bytes(document)
    finally:
        await holding.release()


async def is_on_appliance(place: Place, image: str, deadlines: Deadlines) -> bool:
    """Whether a unit has an image. JobError if it cannot be asked."""
    step = Step.CHECK_IMAGE
    async with open_session(place, deadlines, step=step) as session:
        files = FileSide(session)
        with failing_as(step, session.name):
            await files.require(FseFeature.FILES_READ, step)
            await files.check_unit(step)
            try:
                await files.image(image)
            except ReplyError as error:
                if error.error != Error.FILE_NOT_FOUND:
                    raise
                return False
    return True


async def remove_from_appliance(place: Place, image: str, deadlines: Deadlines) -> bool:
    """Remove an image of a unit; False when there is none. JobError."""
    step = Step.COMMIT
    async with open_session(place, deadlines, step=step) as session:
        files = FileSide(session)
        with failing_as(step, session.name):
            await files.require(FseFeature.FILES_REMOVE, step)
            try:
                await files.remove(image)
            except ReplyError as error:
                if error.error != Error.FILE_NOT_FOUND:
                    raise
                return False
    return True


class ApplianceWriter:
    """Implements :class:`duplicator.xbsa.server.roles.ObjectWriter` by one session with an appliance.

    What is not committed when the session ends the host removes. One task calls all of it.
    """

    def __init__(self, place: Place, algorithm: DigestAlgorithm, deadlines: Deadlines | None = None) -> None:
        self._place = place
        self._algorithm = algorithm
        self._deadlines = deadlines or Deadlines()
        self._holding = Holding()
        self._session: _Session | None = None
        self._staged: list[str] = []
        self._shown: list[str] = []

    async def _opened(self) -> _Session:
        if self._session is None:
            session = _Session(self._place, self._deadlines, self._holding, log=lambda _: None)
            await session.open(FseFeature.FILES_WRITE, FseFeature.FILES_UNSIZED, FseFeature.FILES_REMOVE)
            session.mover.trouble = Status.FILE_WRITE_FAILED
            self._session = session
        return self._session

    async def take(self, image: str, source: ReceivingEnd) -> Kept:
        """See ObjectWriter."""
        digest = new_digest(self._algorithm)
        with self._holding.noting():
            pouring = _Pouring(source.receive, digest, stop=source.close)
            session = await self._opened()
            await self._write(session, image, 0, name=DATA, size=None, pouring=pouring)
        self._staged.append(image)
        return Kept(*digest.so_far())

    async def describe(self, image: str, document: bytes) -> None:
        """See ObjectWriter."""
        left = memoryview(document)

        def receive(into: memoryview) -> int:
            nonlocal left
            piece, left = left[: len(into)], left[len(into) :]
            into[: len(piece)] = piece
            return len(piece)

        with self._holding.noting():
            pouring = _Pouring(receive, new_digest(self._algorithm), stop=lambda: None)
            session = await self._opened()
            await self._write(session, image, 1, name=DESCRIPTOR, size=len(document), pouring=pouring)

    async def _write(
        self, session: _Session, image: str, index: int, *, name: str, size: int | None, pouring: _Pouring
    ) -> None:
        files, mover = session.files, session.mover
        with failing_as(Step.WRITE_OPEN, session.who):
            await files.open_write(image, index, name=name, size=size, algorithm=self._algorithm)
            # Records of one byte: nothing is filled up with zeros.
            await mover.set_up(1)
            address = await mover.listen(MoverMode.READ)
        outlet = Outlet(self._deadlines, tls=self._place.tls)
        try:
            with failing_as(Step.WRITE_MOVER, session.who):
                await outlet.connect(address)
            with failing_as(Step.MOVE, session.who):
                await together(pouring.run(outlet), self._arrival(session, pouring), grace=_GRACE)
                await mover.stop()
        finally:
            outlet.stop()
            outlet.close()
        with failing_as(Step.COMMIT, session.who):
            await self._compare(session, pouring)
            await files.close(FileDisposition.KEEP)

    async def _arrival(self, session: _Session, pouring: _Pouring) -> None:
        """Wait until the appliance has the end of the stream; waiting for the application is no standstill."""

        async def moved() -> int:
            return (await session.mover.state()).bytes_moved

        stream = Stream(
            session.notices,
            moved,
            lambda _: None,
            step=Step.MOVE,
            stall=self._deadlines.stall,
            excused=lambda: pouring.is_waiting,
        )
        await stream.end_of_all(session.mover)

    async def _compare(self, session: _Session, pouring: _Pouring) -> None:
        state = await session.files.state()
        sent, digest = pouring.digest.so_far()
        if (state.bytes_moved, state.digest) != (sent, digest):
            found = f"{state.bytes_moved} bytes with digest {state.digest.hex()} arrived"
            reason = f"{session.who}: {found}, and {sent} with {digest.hex()} were sent"
            raise JobError(Status.FILE_WRITE_FAILED, step=Step.COMMIT.value, reason=reason)

    async def commit(self) -> None:
        """See ObjectWriter."""
        try:
            with self._holding.noting():
                session = await self._opened()
                with failing_as(Step.COMMIT, session.who):
                    for image in self._staged:
                        # Noted before: whether a commit without an answer was done is not known.
                        self._shown.append(image)
                        await session.files.commit(image, 2)
        except BaseException:
            await self.abandon()
            raise

    async def abandon(self) -> None:
        """See ObjectWriter. The session ends, and with it what was not committed; JobError for what stays."""
        await self.close()
        while self._shown:
            await remove_from_appliance(self._place, self._shown[-1], self._deadlines)
            self._shown.pop()

    async def close(self) -> None:
        """End the session; a second time does nothing."""
        self._session, self._staged = None, []
        try:
            await self._holding.release()
        except NdmpError as error:
            raise JobError(Status.CONNECTION_BROKEN, step=Step.CLOSE.value, reason=str(error)) from error


class _Pouring:
    """The bytes of an application, by a thread, into an outlet; ``stop`` ends a wait for the application."""

    def __init__(
        self, receive: Callable[[memoryview], int], digest: RunningDigest, *, stop: Callable[[], None]
    ) -> None:
        self._receive = receive
        self._stop = stop
        self.digest = digest
        self.is_waiting = False

    async def run(self, outlet: Outlet) -> None:
        """Until the end marker; StreamBroken, ChannelBroken."""
        pouring = in_own_thread(lambda: self._pour(outlet), "pouring")
        try:
            await asyncio.wait((pouring,))
            pouring.result()
        except BaseException:
            self._stop()
            outlet.stop()
            raise
        finally:
            await let_go(pouring, _LET_GO)

    def _pour(self, outlet: Outlet) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        while count := self._next(buffer):
            self.digest.update(buffer[:count])
            outlet.send(buffer[:count])
        outlet.end()

    def _next(self, buffer: memoryview) -> int:
        self.is_waiting = True
        try:
            return self._receive(buffer)
        finally:
            self.is_waiting = False
