"""What a restore and a backup have in common: events from both sides, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

from duplicator.catalog import JobState
from duplicator.status import Status
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.server.job_log import JobLog
from duplicator.xbsa.server.library_link import LibraryLink
from duplicator.xbsa.server.orders import Failed, StreamOrder
from duplicator.xbsa.server.processes import Child
from duplicator.xbsa.server.progress import ProgressFile
from duplicator.xbsa.wire import Attach, BeginObject, ClientStatus, Fault, Vote, WireError

__all__ = ["LIBRARY", "WORKER", "LibraryGone", "Stream", "StreamFault", "StreamStopped", "out_of_order"]

LIBRARY: Final = "library"
WORKER: Final = "worker"
_MOST_AHEAD: Final = 100
"""Messages that wait for their turn: each end says little before it is answered."""


class StreamFault(Exception):  # noqa: N818  (what happened)
    """The stream failed; the library is to hear of it."""

    def __init__(
        self, text: str, *, status: int = Status.CONNECTION_BROKEN, code: ReturnCode = ReturnCode.ABORT_SYSTEM_ERROR
    ) -> None:
        self.fault: Final = Fault(int(code), int(status), text)
        super().__init__(text)


class LibraryGone(Exception):  # noqa: N818  (what happened)
    """The application is gone: the stream is aborted."""


class StreamStopped(Exception):  # noqa: N818  (what happened)
    """Somebody wants the stream to end: its job is cancelled."""


class Stream:
    """The parts of one stream."""

    def __init__(
        self, order: StreamOrder, *, progress: ProgressFile, link: LibraryLink, job: JobLog, worker: Child
    ) -> None:
        self.order: Final = order
        self.progress: Final = progress
        self.link: Final = link
        self.job: Final = job
        self._worker = worker
        self._heard = asyncio.Queue[tuple[str, object]](_MOST_AHEAD)
        self._held_back = list[tuple[str, object]]()
        self.is_committing = False
        """Whoever wants to stop it now comes too late."""

    async def status(self, step: str, text: str, **fields: str | int) -> None:
        """A step of the stream, for the progress file and the job."""
        self.progress.tell("status", text, step=step, **fields)
        await self.job.step(step, text)

    @asynccontextmanager
    async def worker(self, order: object, *kinds: type[Any]) -> AsyncIterator[Child]:
        """The reader or writer gets its order, and what it says is an event; it has ended when the block has."""
        self._worker.order(order)
        hearing = asyncio.create_task(self._hear_worker(self._worker, kinds))
        try:
            yield self._worker
        finally:
            hearing.cancel()
            await self._worker.end()

    async def _hear_worker(self, started: Child, kinds: tuple[type[Any], ...]) -> None:
        try:
            while (message := await started.hear(*kinds)) is not None:
                await self._heard.put((WORKER, message))
            message = Failed(int(Status.CONNECTION_BROKEN), await started.how_it_ended())
        except WireError as error:
            message = Failed(int(Status.BAD_MESSAGE), f"the {started.name}: {error}")
        await self._heard.put((WORKER, message))

    @asynccontextmanager
    async def library(self) -> AsyncIterator[None]:
        """The library attaches, and what it says is an event. LibraryGone."""
        if not await self.link.attached(self.order.place.start):
            raise LibraryGone(f"no application attached within {self.order.place.start:g} s")
        hearing = asyncio.create_task(self._hear_library())
        try:
            yield
        finally:
            hearing.cancel()

    async def _hear_library(self) -> None:
        try:
            while (message := await self.link.hear(Attach, BeginObject, ClientStatus, Vote)) is not None:
                await self._heard.put((LIBRARY, message))
        except WireError as error:
            message = StreamFault(f"the library: {error}", status=Status.BAD_MESSAGE)
        await self._heard.put((LIBRARY, message))

    async def event(self, source: str | None = None, *, seconds: float | None = None) -> Any:  # noqa: ANN401
        """What the worker or the library says next, or only one ``source``; in both cases a failure is raised.

        LibraryGone, StreamFault; TimeoutError after ``seconds``.
        """
        async with asyncio.timeout(seconds):
            while True:
                came = self._next_held(source) or await self._heard.get()
                _raise_failure(*came)
                if source in (None, came[0]):
                    return came[1]
                if len(self._held_back) >= _MOST_AHEAD:
                    out_of_order(came[1])
                self._held_back.append(came)

    def _next_held(self, source: str | None) -> tuple[str, object] | None:
        for at, came in enumerate(self._held_back):
            if source in (None, came[0]):
                return self._held_back.pop(at)
        return None

    async def end_well(self, state: JobState, status: Status, reason: str, **fields: str | int) -> None:
        """The job's end, and the server status that the library confirms."""
        await self.job.finish(state, status, reason)
        self.progress.tell("server-status", reason or "done", status=0, **fields)


def _raise_failure(source: str, message: object) -> None:
    if message is None:
        raise LibraryGone("the application is gone")
    if isinstance(message, StreamFault):
        raise message
    if isinstance(message, Failed):
        raise StreamFault(message.text, status=message.status)


def out_of_order(message: object) -> NoReturn:
    """A message that is not allowed now. StreamFault."""
    text = f"{type(message).__name__} is not allowed now"
    raise StreamFault(text, status=Status.BAD_MESSAGE, code=ReturnCode.INVALID_CALL_SEQUENCE)
