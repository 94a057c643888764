"""Our host under TLS over real sockets: strangers that agree on nothing, and applications that leave."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer, Limits
from ndmp.backends import Host
from ndmp.enums import TapeOpenMode
from ndmp.errors import ConnectionLost
from ndmp.messages.config import ConfigGetHostInfo
from ndmp.messages.tape import TapeMtio, TapeOpen, TapeWrite
from tests.duplicator.certificates import self_signed
from tests.ndmp.fakes import MARK, host
from tests.ndmp.hexes import request
from tests.ndmp.serving import DEADLINE, SECRETS, SlowTape, run, slow_host


class Ends:
    """The TLS contexts of both ends."""

    def __init__(self, folder: Path) -> None:
        made = self_signed(folder, "host")
        self.host = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.host.load_cert_chain(made.path, made.key)
        self.application = ssl.create_default_context(cafile=str(made.path))

    @contextlib.asynccontextmanager
    async def serving(self, served: Host, limits: Limits | None = None) -> AsyncIterator[tuple[HostServer, int]]:
        server = HostServer(served, SECRETS.get, limits=limits)
        _, port = await server.start("127.0.0.1", 0, ssl=self.host)
        try:
            yield server, port
        finally:
            await server.stop()

    @contextlib.asynccontextmanager
    async def session(self, port: int) -> AsyncIterator[Client]:
        async with connect("127.0.0.1", port, tls=self.application, deadline=DEADLINE) as client:
            await client.open(4)
            await client.login("ndmp", "sesame")
            yield client


def test_who_never_agrees_on_tls_is_a_stranger_for_a_while(tmp_path: Path) -> None:
    ends = Ends(tmp_path)

    async def story() -> None:
        limits = Limits(half_open_sessions=1, handshake_deadline=0.5)
        async with ends.serving(host()[0], limits) as (_, port), ends.session(port) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with pytest.raises(ConnectionLost):
                async with ends.session(port):
                    pass
            await client.call(ConfigGetHostInfo())
            assert await reader.read() == b"", "given up, without a word that is not TLS"
            writer.close()
            async with ends.session(port) as another:
                await another.call(ConfigGetHostInfo())

    run(story())


def test_a_host_that_stops_waits_for_no_handshake(tmp_path: Path) -> None:
    ends = Ends(tmp_path)

    async def story() -> None:
        async with ends.serving(host()[0]) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with ends.session(port):  # so the host has met both
                pass
            await server.stop()
            assert await reader.read() == b""
            writer.close()

    run(story())


def test_an_application_that_leaves_gives_its_tape_back(tmp_path: Path) -> None:
    ends = Ends(tmp_path)

    async def story() -> None:
        tape = SlowTape()
        async with ends.serving(Host("h", tapes={"t": tape})) as (_, port), ends.session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.RDWR))
            await client.call(TapeWrite(b"a" * 100_000))
            await client.close()
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)
            assert tape.tape == [b"a" * 100_000, MARK]

    run(story())


@pytest.mark.parametrize("end", ["reset", "closed"])
def test_an_application_that_is_lost_gives_its_tape_back(tmp_path: Path, end: str) -> None:
    ends = Ends(tmp_path)

    async def story() -> None:
        tape = SlowTape()
        async with ends.serving(Host("h", tapes={"t": tape})) as (_, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ends.application)
            # All at once: it may come with the end of the handshake.
            writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
            writer.write(request(2, 0x300, "00000001 74000000 00000001") + request(3, 0x303, "00000004 00000001"))
            assert await asyncio.to_thread(tape.rewinding.wait, DEADLINE)
            tape.may.set()
            if end == "reset":
                writer.transport.abort()
            else:
                writer.close()
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)

    run(story())


def test_requests_wait_for_the_device_under_tls_too(tmp_path: Path) -> None:
    ends = Ends(tmp_path)

    async def story() -> None:
        served, tape = slow_host()
        async with ends.serving(served, Limits(held_bytes=64)) as (_, port), ends.session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.READ))
            rewinding = asyncio.create_task(client.call(TapeMtio(4, 1)))
            assert await asyncio.to_thread(tape.rewinding.wait, DEADLINE)
            asked = asyncio.gather(*(client.call(ConfigGetHostInfo()) for _ in range(100)))
            done, _ = await asyncio.wait((asked,), timeout=0.6)
            assert not done
            tape.may.set()
            await rewinding
            assert len(await asked) == 100

    run(story())
