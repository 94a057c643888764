"""A restore stream, as its manager runs it: the reader brings one object to the library."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from duplicator.catalog import Catalog, JobKind, JobState, StoredObject
from duplicator.status import Status
from duplicator.xbsa.server.folders import DATA, NAME
from duplicator.xbsa.server.orders import Broken, Failed, Listening, Moved, ReadOrder, Ready, Sent, Told
from duplicator.xbsa.server.stream import LIBRARY, WORKER, Stream, StreamFault, StreamStopped, out_of_order
from duplicator.xbsa.wire import ClientStatus, Ended, Go, StartRestore, Wait
from ndmp.enums import DigestAlgorithm

__all__ = ["restore"]

_LISTENING: Final = 60.0
"""Seconds for a process to start."""
_SETTLE: Final = 30.0
"""Seconds for the second of two ends to tell what the first one told."""
_KINDS: Final = (Listening, Told, Ready, Moved, Sent, Broken, Failed)


async def restore(stream: Stream, catalog: Catalog, request: StartRestore) -> None:
    """Run it to its end. StreamFault, StreamStopped, LibraryGone."""
    found = await asyncio.to_thread(catalog.object, request.copy_id)
    source, target = f"unit {found.unit}", f"application of {stream.order.user}"
    await stream.job.start(JobKind.RESTORE, image=found.image, source=source, target=target, total=found.size)
    token = secrets.token_hex(32)
    order = ReadOrder(stream.order.place, token, found.copy_id, request.source, stream.job.number)
    async with stream.worker(order, *_KINDS) as reader:
        await stream.event(WORKER, seconds=_LISTENING)
        stream.progress.tell("sockets", "the stream listens", name=NAME, data=DATA, reader=reader.pid)
        stream.progress.tell("attributes", found.image, size=found.size, copy_id=found.copy_id, image=found.image)
        await stream.job.step("reader", f"started the reader, process {reader.pid}")
        async with stream.library():
            await _until_ready(stream, found)
            await stream.job.step("go", "the data flows")
            stream.progress.tell("go", "the data flows", size=found.size)
            await stream.link.tell(Go(token, found.copy_id, found.size, _compared(found)))
            client, sent = await _until_through(stream)
            await stream.status("client-status", f"the application has {client.bytes} bytes", bytes=client.bytes)
    await _confirm(stream, found, client, sent)


def _compared(found: StoredObject) -> str:
    """The digest that the library compares; it computes one kind only."""
    return found.digest.hex() if found.algorithm == DigestAlgorithm.XXH3_128 else ""


async def _until_ready(stream: Stream, found: StoredObject) -> None:
    async with asyncio.timeout(stream.order.place.start):
        while True:
            match await stream.event():
                case Told(text):
                    stream.progress.tell("wait", text)
                    await stream.link.tell(Wait(text))
                case Ready(size):
                    if size != found.size:
                        raise StreamFault(f"{size} bytes are ready of {found.size}", status=Status.FILE_READ_FAILED)
                    return
                case ClientStatus(status) if status:
                    raise StreamStopped("the application aborted the restore before its data flowed")
                case unexpected:
                    out_of_order(unexpected)


async def _until_through(stream: Stream) -> tuple[ClientStatus, int | None]:
    """Both ends' word: the application's, and how many bytes the reader sent; None if it was not to send the rest."""
    sent: int | None = None
    while True:
        # As long as the reader sends, the channel has its deadline for the application.
        match await stream.event(seconds=None if sent is None else stream.order.place.idle):
            case Moved(count):
                await stream.job.moved(count)
            case Sent(count):
                sent = count
            case Broken(text):
                return await _after_break(stream, text), None
            case ClientStatus() as client:
                if client.status or not client.complete:
                    return client, None
                return client, await _sent(stream) if sent is None else sent
            case Told(text):
                stream.progress.tell("wait", text)
            case unexpected:
                out_of_order(unexpected)


async def _after_break(stream: Stream, text: str) -> ClientStatus:
    """The channel is broken from the application's side: it may not have wanted the rest, or be gone."""
    client = await _soon(stream, LIBRARY, text)
    if not isinstance(client, ClientStatus):
        out_of_order(client)
    if client.complete:
        raise StreamFault(text)
    return client


async def _sent(stream: Stream) -> int:
    while True:
        match await _soon(stream, WORKER, "the reader does not say that it sent everything"):
            case Sent(count):
                return count
            case Broken(text):
                raise StreamFault(text)


async def _soon(stream: Stream, source: str, text: str) -> Any:  # noqa: ANN401  (what it says)
    try:
        return await stream.event(source, seconds=_SETTLE)
    except TimeoutError as error:
        raise StreamFault(text) from error


async def _confirm(stream: Stream, found: StoredObject, client: ClientStatus, sent: int | None) -> None:
    """The server status, after the reader is gone."""
    await stream.job.moved(client.bytes)
    if client.status == Status.FILE_READ_FAILED:
        text = f"image {found.image} is not what was stored: the application found another digest than the catalog's"
        raise StreamFault(text, status=Status.FILE_READ_FAILED)
    if client.status:
        raise StreamStopped(f"the application aborted the restore, after {client.bytes} of {found.size} bytes")
    if not client.complete:
        reason = f"the application did not want the rest, after {client.bytes} of {found.size} bytes"
        await stream.end_well(JobState.CANCELLED, Status.CANCELLED, reason, bytes=client.bytes)
    elif client.bytes == sent == found.size:
        await stream.job.step("done", f"{sent} bytes, as the application says too")
        await stream.end_well(JobState.DONE, Status.SUCCESS, "", bytes=sent)
    else:
        text = f"{sent} bytes were sent of {found.size}, and the application has {client.bytes}"
        raise StreamFault(text, status=Status.FILE_READ_FAILED)
    await stream.link.tell(Ended(client.bytes))
