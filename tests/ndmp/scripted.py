"""A host that says what a test wrote down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.ndmp.hexes import post

__all__ = ["HELLO", "Peer", "scripted"]

CONNECT_CLOSE = bytes.fromhex("00000902")


@dataclass
class Peer:
    """A host that says what the test wrote down, whatever it hears."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)


async def hear(reader: asyncio.StreamReader) -> bytes:
    mark = await reader.readexactly(4)
    return await reader.readexactly(int.from_bytes(mark, "big") & 0x7FFFFFFF)


@contextlib.asynccontextmanager
async def scripted(greeting: list[bytes], answers: list[bytes | None], *, stays: bool = True) -> AsyncIterator[Peer]:
    """Greets, gives one answer to each request (None: silence), then closes, or stays until it is told to."""
    peer, over = Peer(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.writelines(greeting)
            for answer in answers:
                peer.heard.append(await hear(reader))
                peer.asked.set()
                writer.write(answer or b"")
                await writer.drain()
            while stays and (await hear(reader))[12:16] != CONNECT_CLOSE:
                pass
        writer.close()
        over.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
        await over.wait()
    finally:
        server.close()


HELLO = post(1, 0x502, "00000000 00000004 00000005 48656c6c 6f000000")
