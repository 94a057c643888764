"""Two hundred sessions at once, each with a tape of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from duplicator.adapters import VirtualTapeBackend
from duplicator.mover import SocketMovers
from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from ndmp.messages.mover import MoverGetState
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen, TapeRead, TapeWrite
from scsi.virtual.url import parse_url

SESSIONS = 200
BLOCKS = 5
BLOCK_BYTES = 10_000
DEADLINE = 90.0


def block(session: int, number: int) -> bytes:
    return f"{session} {number};".encode().ljust(BLOCK_BYTES, b".")


async def use_tape(client: Client, number: int) -> None:
    """Write blocks and a mark, find them again, and nothing else."""
    await client.call(TapeOpen(f"tape{number}", TapeOpenMode.RDWR))
    for each in range(BLOCKS):
        assert (await client.call(TapeWrite(block(number, each)))).count == BLOCK_BYTES
    await client.call(TapeMtio(TapeOperation.EOF, 1))
    await client.call(TapeMtio(TapeOperation.REW, 1))
    for each in range(BLOCKS):
        assert (await client.call(TapeRead(BLOCK_BYTES))).block == block(number, each)
    with pytest.raises(ReplyError) as end:
        await client.call(TapeRead(BLOCK_BYTES))
    assert end.value.error == Error.EOF
    await client.call(TapeClose())


def test_two_hundred_sessions_each_with_its_tape(tmp_path: Path) -> None:
    async def one(port: int, number: int, coming: asyncio.Semaphore, all_in: asyncio.Barrier) -> None:
        async with AsyncExitStack() as stack:
            async with coming:  # those without a login are few at a time
                client = await stack.enter_async_context(connect("127.0.0.1", port, deadline=DEADLINE))
                await client.open(4)
                await client.login("ndmp", "sesame")
            await all_in.wait()
            assert threading.active_count() == before, "nobody has a thread before there is work for it"
            await all_in.wait()
            await use_tape(client, number)
            assert threading.active_count() <= before + SESSIONS
            await client.call(MoverGetState())

    async def story() -> None:
        server = HostServer(host, {"ndmp": b"sesame"}.get)
        _, port = await server.start("127.0.0.1", 0)
        coming, all_in = asyncio.Semaphore(16), asyncio.Barrier(SESSIONS)
        try:
            async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as tasks:
                for number in range(SESSIONS):
                    tasks.create_task(one(port, number, coming, all_in))
        finally:
            await server.stop()

    before = threading.active_count()
    tapes = {
        f"tape{number}": VirtualTapeBackend(parse_url(f"virtual:{tmp_path / f'T{number:04}'}?capacity=1M&sync=no"))
        for number in range(SESSIONS)
    }
    host = Host("many", movers=SocketMovers(), tapes=tapes)
    asyncio.run(story())
