"""Where TLS is required: a host that does not know our address environment gets no chance to send plain bytes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from duplicator.credentials import Secret
from duplicator.data_tls import DataTls
from duplicator.endpoints import is_secure
from duplicator.host import Offers, open_host
from duplicator.hostlink import HostSession, open_session
from duplicator.mover_side import MoverSide
from duplicator.network import NetworkSettings
from duplicator.plan import Deadlines, Place
from duplicator.status import JobError, Status
from duplicator.tls import ClientTls, ServerTls
from duplicator.urls import NdmpUrl
from ndmp.aio.server import HostServer
from ndmp.enums import MoverMode, TapeOpenMode, TapeOperation
from ndmp.messages.mover import TcpAddresses, TcpEndpoint
from ndmp.messages.tape import TapeMtio, TapeOpen, TapeWrite
from tests.duplicator.certificates import Certificate, self_signed

DEADLINE = 20.0
RECORD = 65_536


class Hosts:
    """One host with the drives ``from``, on whose tape is a record, and ``to``; sessions that require TLS."""

    def __init__(self, folder: Path, stack: AsyncExitStack, shown: Certificate) -> None:
        self._stack = stack
        self._drives = {name: f"virtual:{folder / name}?capacity=1M" for name in ("from", "to")}
        self._shown = shown
        self._port = 0

    async def start(self) -> None:
        settings = NetworkSettings(tls=DataTls())
        host = self._stack.enter_context(open_host(Offers(tapes=self._drives), settings))
        server = HostServer(host, {"u": b"s"}.get)
        files = ServerTls(self._shown.path, self._shown.key)
        _, self._port = await server.start("127.0.0.1", 0, ssl=files.context())
        self._stack.push_async_callback(server.stop)

    async def session(self, tape: str, *, scheme: str = "ndmps") -> HostSession:
        url = NdmpUrl.parse(f"{scheme}://u@127.0.0.1:{self._port}/{tape}")
        place = Place(url, Secret("s"), ClientTls(self._shown.path, required=True))
        return await self._stack.enter_async_context(open_session(place, Deadlines(connect=1.0)))

    async def mover(self, tape: str) -> MoverSide:
        """The mover of a session with this tape at its beginning."""
        session = await self.session(tape)
        await session.call(TapeOpen(tape, TapeOpenMode.RDWR))
        await session.call(TapeWrite(b"s" * RECORD))
        await session.call(TapeMtio(TapeOperation.REW, 1))
        mover = MoverSide(session, tape, asyncio.Queue(), trouble=Status.MEDIA_READ_ERROR, log=lambda _: None)
        await mover.set_up(RECORD)
        return mover


def ignorant(address: TcpAddresses) -> TcpAddresses:
    """What a host sees that does not look at the environment."""
    return TcpAddresses(tuple(TcpEndpoint(endpoint.ipv4, endpoint.port) for endpoint in address.endpoints))


def test_nothing_is_sent_to_a_peer_that_did_not_take_tls_up(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
            hosts = Hosts(tmp_path, stack, self_signed(tmp_path, "host"))
            await hosts.start()
            source, sink = await hosts.mover("from"), await hosts.mover("to")
            address = await sink.listen(MoverMode.READ)
            assert all(map(is_secure, address.endpoints))  # the plain ones are not passed on
            await source.connect(MoverMode.WRITE, ignorant(address))
            with pytest.raises(TimeoutError, match="nobody takes the mover's data connection up within 1 s"):
                await source.send_all(to=sink)
            assert (await source.state()).bytes_moved == 0

    asyncio.run(story())


def test_all_is_sent_to_a_peer_that_did(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
            hosts = Hosts(tmp_path, stack, self_signed(tmp_path, "host"))
            await hosts.start()
            source, sink = await hosts.mover("from"), await hosts.mover("to")
            await source.connect(MoverMode.WRITE, await sink.listen(MoverMode.READ))
            await source.send_all(to=sink)
            while (await sink.state()).bytes_moved < RECORD:
                continue

    asyncio.run(story())


def test_a_plain_session_is_not_opened(tmp_path: Path) -> None:
    async def story() -> None:
        async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
            hosts = Hosts(tmp_path, stack, self_signed(tmp_path, "host"))
            await hosts.start()
            with pytest.raises(JobError, match="TLS is required, and the URL is plain") as refused:
                await hosts.session("to", scheme="ndmp")
            assert refused.value.status == Status.TLS_FAILED

    asyncio.run(story())
