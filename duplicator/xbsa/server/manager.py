"""The process that runs one stream: stream manager, of a backup or a restore."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.server.folders import DATA, NAME, PROGRESS, acting_as
from duplicator.xbsa.server.library_link import LibraryLink
from duplicator.xbsa.server.orders import Listening, StreamOrder
from duplicator.xbsa.server.processes import Child, Parent, child, run_child
from duplicator.xbsa.server.progress import ProgressFile
from duplicator.xbsa.wire import Fault, StartRestore, WireError

if TYPE_CHECKING:
    from duplicator.catalog import Catalog
    from duplicator.config import Config
    from duplicator.xbsa.server.stream import Stream

__all__ = ["main"]

_log: Final = logging.getLogger(__name__)
_LINGER: Final = 30.0
"""Seconds for the library to read the end of the progress file."""
_LOOK: Final = 1.0
"""Seconds between looks at what others ask of the job."""


def main() -> None:
    """Run it."""
    run_child(StreamOrder, _manage)


async def _manage(order: StreamOrder, parent: Parent) -> None:
    progress, link = _open(order)
    progress.tell("started", "the stream manager runs")
    await link.open()
    parent.tell(Listening())
    name = "reader" if isinstance(order.request, StartRestore) else "writer"
    try:
        # At once, though its order comes later: it loads what it needs while this process does.
        async with child(name, f"duplicator.xbsa.server.{name}_main") as worker:
            await _run(order, progress, link, worker)
        await _linger(link)
    finally:
        link.close()
        progress.close()


def _open(order: StreamOrder) -> tuple[ProgressFile, LibraryLink]:
    folder = Path(order.place.folder)
    with acting_as(order.place.owner):
        folder.mkdir(mode=0o700)
        return ProgressFile(folder / PROGRESS), LibraryLink(order.place, order.token)


async def _run(order: StreamOrder, progress: ProgressFile, link: LibraryLink, worker: Child) -> None:
    # Slow to load, and the library wants to see the progress file first.
    from duplicator.catalog import CatalogError
    from duplicator.config import ConfigError
    from duplicator.status import Status
    from duplicator.xbsa.server.choosing import configuration, open_catalog
    from duplicator.xbsa.server.job_log import JobLog
    from duplicator.xbsa.server.stream import Stream

    try:
        config = configuration(order.place)
        with open_catalog(order.place, config) as catalog:
            stream = Stream(order, progress=progress, link=link, job=JobLog(catalog), worker=worker)
            await _until_end(stream, catalog, config)
    except (CatalogError, ConfigError) as error:
        _log.warning("%s", error)
        fault = Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.CATALOG_FAILED), str(error))
        await _tell_fault(order, progress, link, fault)


async def _until_end(stream: Stream, catalog: Catalog, config: Config) -> None:
    from duplicator.xbsa.server.keeping import Backup
    from duplicator.xbsa.server.restoring import restore

    request = stream.order.request
    if isinstance(request, StartRestore):
        await _ending(stream, lambda: restore(stream, catalog, request))
        return
    backup = Backup(stream, catalog, config, request)
    try:
        await _ending(stream, backup.run, backup.clean)
    finally:
        if backup.pending:
            await backup.clean()


async def _nothing() -> None:
    return


async def _ending(
    stream: Stream, work: Callable[[], Awaitable[None]], clean: Callable[[], Awaitable[None]] = _nothing
) -> None:
    """Do the work; how it fails is in the job, the progress file, and told to the library, when nothing is left."""
    from duplicator.catalog import CatalogError, JobState
    from duplicator.status import Status
    from duplicator.xbsa.server.stream import LibraryGone, StreamFault, StreamStopped

    try:
        await _unless_stopped(stream, work)
    except LibraryGone as error:
        await clean()
        await stream.job.finish(JobState.FAILED, Status.CONNECTION_BROKEN, str(error))
    except StreamStopped as error:
        await clean()
        await stream.job.finish(JobState.CANCELLED, Status.CANCELLED, str(error))
        fault = Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.CANCELLED), str(error))
        await _tell_fault(stream.order, stream.progress, stream.link, fault)
    except asyncio.CancelledError:
        text = "the request daemon ended the stream"
        await clean()
        await stream.job.finish(JobState.CANCELLED, Status.CANCELLED, text)
        await stream.link.tell(Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.CANCELLED), text))
        raise
    except (StreamFault, WireError, CatalogError, OSError) as error:
        fault = _fault(error)
        await clean()
        await stream.job.finish(JobState.FAILED, Status(fault.status), fault.text)
        await _tell_fault(stream.order, stream.progress, stream.link, fault)


async def _unless_stopped(stream: Stream, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, until somebody asks that its job is stopped: StreamStopped."""
    from duplicator.xbsa.server.stream import StreamStopped

    working, asking = asyncio.ensure_future(work()), asyncio.create_task(_stop_asked(stream))
    try:
        await asyncio.wait((working, asking), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait((working,))
        if not working.cancelled():
            working.result()
            return
    finally:
        # Of this process's own end both hear too, and what was begun is undone before it.
        for each in (working, asking):
            each.cancel()
        await asyncio.gather(working, asking, return_exceptions=True)
    raise StreamStopped(asking.result())


async def _stop_asked(stream: Stream) -> str:
    """Wait until somebody asks that the job is cancelled, or suspended, which is the same here; in words."""
    from duplicator.catalog import CatalogError, Stop

    while True:
        await asyncio.sleep(_LOOK)
        try:
            asked = None if stream.is_committing else await stream.job.stop_asked()
        except CatalogError as error:
            _log.warning("the catalog cannot be asked whether the job is to stop: %s", error)
            continue
        if asked is Stop.SUSPEND:
            return "somebody asked to suspend the job: a stream cannot be gone on with, so it was cancelled"
        if asked:
            return "somebody cancelled the job"


def _fault(error: Exception) -> Fault:
    from duplicator.catalog import CatalogError
    from duplicator.status import Status
    from duplicator.xbsa.server.stream import StreamFault

    if isinstance(error, StreamFault):
        return error.fault
    if isinstance(error, TimeoutError):
        text = str(error) or "a drive, a volume or a process was not there in time"
        return Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.CONNECTION_TIMED_OUT), text)
    status = Status.CATALOG_FAILED if isinstance(error, CatalogError) else Status.BAD_MESSAGE
    return Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(status), str(error))


async def _tell_fault(order: StreamOrder, progress: ProgressFile, link: LibraryLink, fault: Fault) -> None:
    """To a library that has not attached yet too."""
    progress.tell("server-status", fault.text, status=fault.status or fault.code)
    progress.tell("sockets", "to hear what failed", name=NAME, data=DATA)
    if await link.attached(order.place.start):
        await link.tell(fault)


async def _linger(link: LibraryLink) -> None:
    """Stay until the library hangs up: then it has read the progress file."""
    with suppress(TimeoutError, WireError):
        async with asyncio.timeout(_LINGER):
            if await link.attached(0):
                await link.hear()


if __name__ == "__main__":
    main()
