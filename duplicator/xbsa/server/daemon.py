"""The request daemon of XBSA: takes requests, starts a manager for each stream, and cleans up behind all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duplicator.catalog import Catalog, CatalogError
from duplicator.config import Config
from duplicator.status import Status
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.local_sockets import listen, peer_uid
from duplicator.xbsa.server.answers import Answers
from duplicator.xbsa.server.cleaning import clean_abandoned
from duplicator.xbsa.server.folders import (
    REQUEST,
    FolderError,
    acting_as,
    clear,
    held,
    remove_stream,
    stream_name,
    user_folder,
)
from duplicator.xbsa.server.orders import Listening, Place, StreamOrder
from duplicator.xbsa.server.processes import Child, child
from duplicator.xbsa.wire import (
    LONGEST_LINE_BYTES,
    Answer,
    DeleteObjects,
    Fault,
    FindObjects,
    History,
    Request,
    StartBackup,
    StartRestore,
    StreamStarted,
    WireError,
    pack,
    unpack,
)

__all__ = ["Daemon", "DaemonSettings", "FolderError", "serving"]

_log: Final = logging.getLogger(__name__)
_MANAGER: Final = "duplicator.xbsa.server.manager"
_HELLO: Final = 10.0
"""Seconds for the request on a connection, and for its answer to be taken."""
_LISTENING: Final = 60.0
"""Seconds for a manager to start."""
_GOODBYE: Final = 30.0
"""Seconds for a manager to end its own processes and clean up."""
_LAST_OF_THEM: Final = 15.0
"""Seconds for the processes of a dead manager to end by themselves."""
MOST_STREAMS: Final = 64
"""At a time: each is two processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """``users``: their numbers; ``config`` and ``catalog``: as the command was given them, for the processes."""

    folder: Path
    users: tuple[int, ...]
    unit: str | None
    start: float
    idle: float
    config: Path | None = None
    catalog: str | None = None


class Daemon:
    """Answers requests; each stream has a task that sees its processes to their end."""

    def __init__(self, settings: DaemonSettings, config: Config, catalog: Catalog) -> None:
        self._settings = settings
        self._config = config
        self._catalog = catalog
        self._streams = set[asyncio.Task[None]]()
        self._cleaning = asyncio.Lock()
        self._ending = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[list[Path]]:
        """Listen for all users, as long as the block runs; gives their folders. FolderError, OSError."""
        settings = self._settings
        shared = any(uid != os.geteuid() for uid in settings.users)
        async with AsyncExitStack() as stack:
            stack.enter_context(held(settings.folder, shared=shared))
            # All sockets are made before there is a thread: their makers act as their owners.
            places = {user_folder(settings.folder, uid): uid for uid in settings.users}
            listeners = _all_listeners(places)
            await self.clean()
            stack.push_async_callback(self._end_streams)
            for place, listener in listeners.items():
                stack.callback(clear, place)
                serving = self._door(place, places[place])
                server = await asyncio.start_unix_server(serving, sock=listener, limit=LONGEST_LINE_BYTES)
                stack.callback(server.close)
            yield list(listeners)

    async def clean(self) -> None:
        """Remove what dead processes left in the catalog and on the disk unit."""
        async with self._cleaning:
            try:
                await clean_abandoned(self._catalog, self._config, unit=self._settings.unit or "")
            except CatalogError as error:
                _log.warning("not cleaned up: %s", error)

    async def _end_streams(self) -> None:
        self._ending = True
        for each in self._streams:
            each.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    def _door(self, place: Path, owner: int) -> _Door:
        return _Door(self, place, owner)

    async def answer(self, request: Request, *, place: Path, owner: int, uid: int) -> Answer:
        """The answer to a request of the user ``uid``."""
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            return Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, f"user {uid} has no name on this machine")
        answers = Answers(self._catalog, self._config, None if uid == 0 else name, self._cleaning)
        try:
            match request:
                case FindObjects():
                    return await answers.find(request)
                case DeleteObjects():
                    return await answers.delete(request)
                case History():
                    return await answers.history(request)
                case StartBackup() | StartRestore():
                    refused = await self._audit(request, answers)
                    return refused or await self._start(request, place=place, owner=owner, uid=uid, user=name)
        except CatalogError as error:
            return Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.CATALOG_FAILED), str(error))

    async def _audit(self, request: StartBackup | StartRestore, answers: Answers) -> Fault | None:
        if self._ending:
            return Fault(ReturnCode.ACCESS_FAILURE, 0, "the request daemon ends")
        if len(self._streams) >= MOST_STREAMS:
            return Fault(
                ReturnCode.ACCESS_FAILURE, 0, f"{MOST_STREAMS} streams run already; try again when one has ended"
            )
        if isinstance(request, StartBackup):
            if self._settings.unit is None:
                text = "no disk unit takes backups: name one as 'unit' in [xbsa] of ndmpdup.toml, then restart"
                return Fault(ReturnCode.ACCESS_FAILURE, int(Status.NO_STORAGE_UNIT), text)
        elif await answers.object(request.copy_id) is None:
            return Fault(ReturnCode.OBJECT_NOT_FOUND, 0, f"there is no object {request.copy_id}")
        return None

    async def _start(
        self, request: StartBackup | StartRestore, *, place: Path, owner: int, uid: int, user: str
    ) -> Answer:
        settings = self._settings
        folder = place / stream_name()
        stream = Place(
            folder=str(folder),
            owner=owner,
            uid=uid,
            config=str(settings.config.absolute()) if settings.config else None,
            catalog=settings.catalog,
            start=settings.start,
            idle=settings.idle,
        )
        order = StreamOrder(stream, secrets.token_hex(32), user, settings.unit or "", request)
        started = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(self._run(order, folder, started))
        self._streams.add(running)
        running.add_done_callback(self._streams.discard)
        if trouble := await started:
            return Fault(
                ReturnCode.ABORT_SYSTEM_ERROR, 0, f"the stream does not start: {trouble}; see the daemon's log"
            )
        return StreamStarted(str(folder), order.token)

    async def _run(self, order: StreamOrder, folder: Path, started: asyncio.Future[str]) -> None:
        """A stream from its manager's start until nothing is left of it."""
        try:
            async with child("stream manager", _MANAGER, order, session=True, goodbye=_GOODBYE) as manager:
                logging_it = asyncio.create_task(_log_of(manager))
                try:
                    _settle(started, await _trouble(manager))
                    await manager.process.wait()
                finally:
                    await manager.end()
                    await _last_of(manager, logging_it)
        except OSError as error:
            _settle(started, str(error))
        finally:
            _settle(started, "the daemon ends")
            await asyncio.to_thread(remove_stream, folder)
            await self.clean()


class _Door:
    """Takes the connections of one user's request socket."""

    def __init__(self, daemon: Daemon, place: Path, owner: int) -> None:
        self._daemon = daemon
        self._place = place
        self._owner = owner

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer."""
        try:
            answer = await self._answer(reader, writer)
            writer.write(pack(answer))
            async with asyncio.timeout(_HELLO):
                await writer.drain()
        except OSError as error:
            _log.info("nobody took the answer: %s", error)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        stream: socket.socket = writer.get_extra_info("socket")
        uid = peer_uid(stream)
        if uid not in (self._owner, 0):
            _log.warning("user %d is refused at %s", uid, self._place)
            return Fault(ReturnCode.AUTHENTICATION_FAILURE, 0, f"this is not the socket of user {uid}")
        try:
            async with asyncio.timeout(_HELLO):
                line = await reader.readline()
            request: Request = unpack(line, StartBackup, StartRestore, FindObjects, DeleteObjects, History)
        except (WireError, ValueError, TimeoutError) as error:
            return Fault(ReturnCode.ABORT_SYSTEM_ERROR, int(Status.BAD_MESSAGE), f"no request came: {error}")
        return await self._daemon.answer(request, place=self._place, owner=self._owner, uid=uid)


def _all_listeners(places: Mapping[Path, int]) -> dict[Path, socket.socket]:
    """One user whose folder cannot be used keeps nobody else out. FolderError when nobody is left."""
    listeners: dict[Path, socket.socket] = {}
    for place, uid in places.items():
        try:
            listeners[place] = _listen(place, uid)
        except OSError as error:
            _log.warning("user %d is not served, as %s cannot be listened on: %s", uid, place / REQUEST, error)
            if len(places) == 1:
                raise FolderError(f"{place / REQUEST} cannot be listened on: {error}") from error
    return listeners


def _listen(place: Path, uid: int) -> socket.socket:
    with acting_as(uid):
        return listen(place / REQUEST)


def _settle(started: asyncio.Future[str], trouble: str) -> None:
    if not started.done():
        started.set_result(trouble)


async def _trouble(manager: Child) -> str:
    """Why a manager did not start; empty if it did."""
    try:
        async with asyncio.timeout(_LISTENING):
            return "" if await manager.hear(Listening) else await manager.how_it_ended()
    except (TimeoutError, WireError) as error:
        return str(error) or f"it says nothing for {_LISTENING:g} s"


async def _log_of(manager: Child) -> None:
    """Pass on what the processes of a stream log; ends when the last of them has."""
    assert manager.process.stderr is not None
    while line := await manager.process.stderr.readline():
        _log.warning("stream of process %d: %s", manager.pid, line.decode(errors="replace").rstrip())


async def _last_of(manager: Child, logging_it: asyncio.Task[None]) -> None:
    """Wait for the processes that the manager started; those that stay are killed."""
    await asyncio.wait((logging_it,), timeout=_LAST_OF_THEM)
    if not logging_it.done():
        _log.warning("processes of stream manager %d do not end: they are killed", manager.pid)
        with suppress(ProcessLookupError):
            os.killpg(manager.pid, signal.SIGKILL)
    await logging_it


@asynccontextmanager
async def serving(settings: DaemonSettings, config: Config) -> AsyncIterator[list[Path]]:
    """A daemon that runs as long as the block; gives the users' folders. FolderError, CatalogError, OSError."""
    with Catalog(settings.catalog or config.catalog.url) as catalog:
        async with Daemon(settings, config, catalog).listening() as places:
            yield places
