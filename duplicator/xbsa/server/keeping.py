"""A backup stream, as its manager runs it: the writer keeps the objects of one transaction, all or none."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from duplicator.catalog import Catalog, CatalogError, JobKind, JobState, ObjectQuery, StoredObject
from duplicator.config import Config
from duplicator.status import JobError, Status
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.server.choosing import image_is_there
from duplicator.xbsa.server.cleaning import clean
from duplicator.xbsa.server.describing import document_of
from duplicator.xbsa.server.folders import DATA, NAME
from duplicator.xbsa.server.local_disk import ALGORITHM
from duplicator.xbsa.server.orders import (
    Abandon,
    Abandoned,
    Broken,
    Commit,
    Described,
    DescribeObject,
    Failed,
    Kept,
    Listening,
    Moved,
    Shown,
    TakeObject,
    WriteOrder,
)
from duplicator.xbsa.server.processes import Child
from duplicator.xbsa.server.stream import LIBRARY, WORKER, Stream, StreamFault, out_of_order
from duplicator.xbsa.wire import BeginObject, Begun, ClientStatus, Descriptor, Ended, StartBackup, Vote, Voted

__all__ = ["Backup"]

_LISTENING: Final = 60.0
"""Seconds for a process to start."""
_STABLE: Final = 600.0
"""Seconds to bring an object, or the images' names, to stable storage."""
_KINDS: Final = (Listening, Moved, Kept, Described, Shown, Abandoned, Broken, Failed)


class Backup:
    """One transaction; ``pending``: what is in the catalog and not yet stored."""

    def __init__(self, stream: Stream, catalog: Catalog, config: Config, request: StartBackup) -> None:
        self._stream = stream
        self._catalog = catalog
        self._config = config
        self._request = request
        self._kept: dict[int, Kept] = {}
        self._moved = 0
        self.pending: list[StoredObject] = []

    async def run(self) -> None:
        """Run it to its end. StreamFault, LibraryGone."""
        stream = self._stream
        order = WriteOrder(stream.order.place, stream.order.unit, stream.job.number)
        async with stream.worker(order, *_KINDS) as writer:
            await stream.event(WORKER, seconds=_LISTENING)
            stream.progress.tell("sockets", "the stream listens", name=NAME, data=DATA, writer=writer.pid)
            stream.progress.tell("attributes", f"unit {stream.order.unit}", unit=stream.order.unit)
            async with stream.library():
                voted = await self._until_vote(writer)
        await self._confirm(voted)

    async def clean(self) -> None:
        """Leave nothing of what is not stored; the writer is gone."""
        await clean(self._catalog, self._config, self.pending, unit=self._stream.order.unit)
        self.pending.clear()

    async def _until_vote(self, writer: Child) -> bool:
        while True:
            match await self._event():
                case BeginObject(descriptor):
                    if not await self._keep(writer, descriptor):
                        return False
                case Vote(commit=True):
                    await self._commit(writer)
                    return True
                case Vote(commit=False):
                    return False
                case unexpected:
                    out_of_order(unexpected)

    async def _event(self, source: str | None = None) -> Any:  # noqa: ANN401  (what it is)
        try:
            return await self._stream.event(source, seconds=self._stream.order.place.idle)
        except TimeoutError as error:
            raise StreamFault("nothing came for too long", status=Status.CONNECTION_TIMED_OUT) from error

    async def _keep(self, writer: Child, descriptor: Descriptor) -> bool:
        """One object, staged as a whole; False for a vote to abort in the middle."""
        made = await self._allotted(descriptor)
        self.pending.append(made)
        await self._begin_job(made)
        token = secrets.token_hex(32)
        writer.order(TakeObject(made.image, token))
        await self._stream.status("begun", f"object {made.copy_id}, image {made.image}", copy_id=made.copy_id)
        await self._stream.link.tell(Begun(token, made.copy_id, made.created))
        ends = await self._both_ends()
        if ends is None:
            return False
        client, kept = ends
        if client.status or not client.complete or client.bytes != kept.size:
            raise StreamFault(f"{kept.size} bytes came, and the application sent {client.bytes}")
        await self._describe(writer, made, kept)
        await self._stream.status("kept", f"object {made.copy_id} is staged, {kept.size} bytes", size=kept.size)
        await self._stream.link.tell(Ended(kept.size))
        return True

    async def _allotted(self, descriptor: Descriptor) -> StoredObject:
        """A pending object whose image has a name of its own: another catalog may have had the same copy ids."""
        directory = self._config.storage.disk[self._stream.order.unit].path
        while True:
            made = await asyncio.to_thread(self._new_object, descriptor, directory)
            if directory is not None or not await self._is_there(made):
                return made
            await asyncio.to_thread(self._catalog.drop_objects, [made.copy_id])

    def _new_object(self, descriptor: Descriptor, directory: Path | None) -> StoredObject:
        fields = asdict(descriptor) | {"info": bytes.fromhex(descriptor.info)}
        order = self._stream.order
        return self._catalog.new_object(
            **fields,
            user=order.user,
            host=self._request.host,
            unit=order.unit,
            algorithm=ALGORITHM,
            is_free=lambda image: directory is None or not os.path.lexists(directory / image),
        )

    async def _is_there(self, made: StoredObject) -> bool:
        try:
            return await image_is_there(self._config, made.unit, made.image)
        except JobError as error:
            raise StreamFault(str(error), status=error.status) from error

    async def _begin_job(self, made: StoredObject) -> None:
        job = self._stream.job
        if not job.number:
            source, target = f"application of {made.user} on {made.host}", f"unit {made.unit}"
            await job.start(JobKind.BACKUP, image=made.image, source=source, target=target, total=None)

    async def _both_ends(self) -> tuple[ClientStatus, Kept] | None:
        """What the application and the writer say of an object, in either order; None for a vote to abort."""
        client: ClientStatus | None = None
        kept: Kept | None = None
        while client is None or kept is None:
            match await self._event():
                case Moved(count):
                    await self._stream.job.moved(self._moved + count)
                case ClientStatus() as client if not client.status and client.complete:
                    pass
                case Kept() as kept:
                    pass
                case Vote(commit=False):
                    return None
                case Broken(text):
                    await self._after_break(text)
                    return None
                case unexpected:
                    out_of_order(unexpected)
        self._moved += kept.size
        await self._stream.job.moved(self._moved)
        return client, kept

    async def _after_break(self, text: str) -> None:
        """The channel is broken: the application aborts, or is gone."""
        if await self._event(LIBRARY) != Vote(commit=False):
            raise StreamFault(text)

    async def _describe(self, writer: Child, made: StoredObject, kept: Kept) -> None:
        self._kept[made.copy_id] = kept
        whole = replace(made, size=kept.size, digest=bytes.fromhex(kept.digest))
        writer.order(DescribeObject(made.image, document_of(whole).decode()))
        await self._done(Described)

    async def _done(self, what: type[object]) -> None:
        """The writer has obeyed."""
        try:
            said = await self._stream.event(WORKER, seconds=_STABLE)
        except TimeoutError as error:
            raise StreamFault("the writer does not answer", status=Status.CONNECTION_TIMED_OUT) from error
        if not isinstance(said, what):
            out_of_order(said)

    async def _commit(self, writer: Child) -> None:
        """Show all images, then store all objects; whichever fails, none is left. StreamFault."""
        await self._stream.status("voted", "the application commits", objects=len(self.pending))
        self._stream.is_committing = True
        try:
            writer.order(Commit())
            await self._done(Shown)
            await self._stream.status("shown", "the images are there")
            await self._store(writer)
        except StreamFault as error:
            raise StreamFault(str(error), status=error.fault.status, code=ReturnCode.TRANSACTION_ABORTED) from error
        await self._stream.status("stored", "the objects are in the catalog")

    async def _store(self, writer: Child) -> None:
        kept = {copy_id: (each.size, bytes.fromhex(each.digest)) for copy_id, each in self._kept.items()}
        store = partial(self._catalog.store_objects, kept, job_id=self._stream.job.number)
        storing = asyncio.ensure_future(asyncio.to_thread(store))
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            # The thread goes on whatever is wanted here, and what it has done counts.
            await asyncio.wait((storing,))
            if storing.exception() is None or await self._is_stored():
                self.pending.clear()
                await self._confirm(True)
            raise
        except CatalogError as error:
            if not await self._is_stored():
                await self._give_up(writer, error)
        self.pending.clear()

    async def _give_up(self, writer: Child, error: CatalogError) -> NoReturn:
        if self.pending:
            writer.order(Abandon())
            await self._done(Abandoned)
        raise StreamFault(str(error), status=Status.CATALOG_FAILED) from error

    async def _is_stored(self) -> bool:
        """Whether a commit that failed was done nevertheless; where that is not known, nothing is removed here.

        The daemon looks again when the catalog is there.
        """
        first = next(iter(self._kept), 1)
        try:
            find = partial(self._catalog.find_objects, ObjectQuery(), after=first - 1, limit=1)
            return [each.copy_id for each in await asyncio.to_thread(find)] == [first]
        except CatalogError:
            self.pending.clear()
            return False

    async def _confirm(self, committed: bool) -> None:
        stream = self._stream
        if committed:
            await stream.end_well(JobState.DONE, Status.SUCCESS, "", bytes=self._moved)
        else:
            await self.clean()
            await stream.end_well(JobState.CANCELLED, Status.CANCELLED, "the application aborted the transaction")
        await stream.link.tell(Voted(committed))
