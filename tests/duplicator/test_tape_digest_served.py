"""Tape digests over a socket, from virtual tapes of a host of ours (docs/fse.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import xxhash

from duplicator.adapters import VirtualTapeBackend
from duplicator.mover import SocketMovers
from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.enums import DigestAlgorithm, Error, TapeOpenMode, TapeOperation
from ndmp.errors import ReplyError
from ndmp.messages.extensions.fse import FSE_CLASS, FseNotifyTapeDigest, FseTapeDigestContinue, FseTapeDigestStart
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen
from ndmp.wire import Request
from scsi.virtual.url import parse_url
from tests.duplicator.datapath import DEADLINE, recorded, stream

XXH3 = DigestAlgorithm.XXH3_128
RECORD = 65536
FIRST, SECOND = 40 * RECORD, 20 * RECORD + 123
FRAGMENT = stream(FIRST + SECOND)
"""It spans two volumes, each with a label before it."""
START, CONTINUE = FseTapeDigestStart(XXH3, FIRST, RECORD), FseTapeDigestContinue(SECOND, RECORD)

Steps = Callable[[Client], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Steps], None]:
    """Does steps in a session with a host that has the two volumes in two drives."""
    laid = {"VOL001": FRAGMENT[:FIRST], "VOL002": FRAGMENT[FIRST:] + bytes(RECORD - 123)}
    for volume, piece in laid.items():
        recorded(tmp_path / volume, [b"label", None, piece, None], block_bytes=RECORD)
    tapes = {volume: VirtualTapeBackend(parse_url(f"virtual:{tmp_path}/{volume}?sync=no")) for volume in laid}

    async def served(steps: Steps) -> None:
        server = HostServer(Host("h", movers=SocketMovers(), tapes=tapes), {"u": b"secret"}.get)
        _, port = await server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(60), connect("127.0.0.1", port) as client:
                await client.login("u", "secret")
                await client.negotiate([FSE_CLASS])
                await steps(client)
        finally:
            await server.stop()

    return lambda steps: asyncio.run(served(steps))


async def mount(client: Client, volume: str) -> None:
    """Open a volume behind its label."""
    await client.call(TapeOpen(volume, TapeOpenMode.READ))
    await client.call(TapeMtio(TapeOperation.FSF, 1))


async def digest(client: Client, request: Request[Any]) -> FseNotifyTapeDigest:
    """The outcome of a digest that is asked for."""
    await client.call(request)
    async with asyncio.timeout(DEADLINE):
        post = await client.next_post()
    assert isinstance(post, FseNotifyTapeDigest)
    return post


def outcome(size: int, records: int, content: bytes) -> FseNotifyTapeDigest:
    return FseNotifyTapeDigest(Error.NO_ERR, size, records, True, XXH3, xxhash.xxh3_128_digest(content))


def test_a_digest_that_spans_volumes(run: Callable[[Steps], None]) -> None:
    async def steps(client: Client) -> None:
        await mount(client, "VOL001")
        assert await digest(client, START) == outcome(FIRST, 40, FRAGMENT[:FIRST])
        await client.call(TapeClose())
        await mount(client, "VOL002")
        assert await digest(client, CONTINUE) == outcome(SECOND, 21, FRAGMENT)

    run(steps)


def test_a_digest_that_met_the_end_of_its_file_does_not_go_on(run: Callable[[Steps], None]) -> None:
    async def steps(client: Client) -> None:
        await mount(client, "VOL001")
        over = await digest(client, FseTapeDigestStart(XXH3, FIRST + 1, RECORD))
        assert (over.error, over.size, over.records) == (Error.EOF, FIRST, 40)
        await client.call(TapeClose())
        await mount(client, "VOL002")
        with pytest.raises(ReplyError) as refused:
            await client.call(CONTINUE)
        assert refused.value.error == Error.ILLEGAL_STATE

    run(steps)
