"""Our host over real sockets: who may come in, and who guesses passwords."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ndmp.aio.client import connect
from ndmp.aio.server import Limits
from ndmp.errors import RemoteProtocolError
from ndmp.messages.config import ConfigGetHostInfo
from tests.ndmp.fakes import host
from tests.ndmp.hexes import request
from tests.ndmp.serving import run, serving, session, until

LOGIN = request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000")
WRONG = request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d660000")
GET_SERVER_INFO = request(2, 0x108)
NOT_AUTHORIZED = bytes.fromhex("00000004")


@asynccontextmanager
async def stranger(
    port: int, address: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection from an address of this machine, without a word; the greeting takes 40 bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def test_too_many_sessions() -> None:
    async def story() -> None:
        async with serving(host()[0], limits=Limits(sessions=1)) as (_, port), session(port):
            with pytest.raises(RemoteProtocolError, match="too many sessions"):
                async with connect("127.0.0.1", port):
                    pass

    run(story())


def test_who_does_not_log_in_is_dropped_with_a_word() -> None:
    async def story() -> None:
        limits = Limits(sessions=2, login_deadline=0.3)
        async with serving(host()[0], limits=limits) as (_, port), session(port) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(1, 0x900, "00000004"))
            words = await reader.read()
            assert words.endswith(bytes.fromhex("00000001 00000000 00000015") + b"no login within 0.3 s" + bytes(3))
            await client.call(ConfigGetHostInfo())
            writer.close()
            await writer.wait_closed()
            async with session(port) as another:
                await another.call(ConfigGetHostInfo())

    run(story())


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, bytes.fromhex("80000000") * 8], ids=["http", "ones", "empty"]
)
def test_an_application_that_talks_rubbish_is_dropped_with_a_word(garbage: bytes) -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(garbage)
            words = await reader.read()
            assert len(words.split(bytes.fromhex("00000502"))) == 3, "a greeting and a farewell"
            writer.close()
            await writer.wait_closed()
            async with session(port) as client:
                await client.call(ConfigGetHostInfo())

    run(story())


def test_sessions_of_one_address() -> None:
    async def story() -> None:
        limits = Limits(sessions=9, sessions_per_address=1)
        async with serving(host()[0], limits=limits) as (_, port), session(port) as client:
            with pytest.raises(RemoteProtocolError, match="too many sessions of one address"):
                async with connect("127.0.0.1", port):
                    pass
            async with stranger(port, "127.0.0.2") as (reader, _):
                await reader.readexactly(40)
            await client.call(ConfigGetHostInfo())

    run(story())


def test_strangers_do_not_fill_the_house() -> None:
    async def story() -> None:
        limits = Limits(half_open_sessions=2)
        async with serving(host()[0], limits=limits) as (_, port), session(port) as client, stranger(port) as first:
            assert (await first[0].readexactly(40))[28:32] == bytes(4), "connected"
            async with stranger(port) as (reader, writer):
                async with stranger(port) as (refused, _):
                    words = await refused.read()
                    assert words[28:40] == bytes.fromhex("00000002 00000000 0000001f"), "refused"
                    assert words[40:-1] == b"too many sessions without login"
                await client.call(ConfigGetHostInfo())
                await reader.readexactly(40)
                writer.write(LOGIN)
                assert (await reader.readexactly(32))[28:] == bytes(4)
                async with session(port) as another:
                    await another.call(ConfigGetHostInfo())

    run(story())


def test_who_closes_leaves_no_trace() -> None:
    async def story() -> None:
        limits = Limits(half_open_sessions=1)
        async with serving(host()[0], limits=limits) as (_, port):
            for _ in range(5):
                async with stranger(port) as (reader, writer):
                    await reader.readexactly(40)
                    writer.write(request(1, 0x902))
                    assert await reader.read() == b""
                async with session(port) as client:
                    await client.call(ConfigGetHostInfo())

    run(story())


def test_the_answer_to_a_failed_login_comes_later_each_time_and_the_last_is_a_farewell() -> None:
    async def story() -> None:
        clock = asyncio.get_running_loop().time
        limits = Limits(first_delay=0.05, failed_logins=3)
        async with serving(host()[0], limits=limits) as (_, port), stranger(port) as (reader, writer):
            await reader.readexactly(40)
            for delay in (0.05, 0.1, 0.2):
                begin = clock()
                writer.write(WRONG)
                assert (await reader.readexactly(32))[28:] == NOT_AUTHORIZED
                assert clock() - begin >= delay
            assert (await reader.read())[28:] == bytes.fromhex("00000001 00000000 0000000f") + b"3 failed logins\0"

    run(story())


def test_a_failed_login_delays_nobody_else() -> None:
    async def story() -> None:
        async with (
            serving(host()[0], limits=Limits(first_delay=3600.0, longest_delay=3600.0)) as (server, port),
            session(port) as client,
            stranger(port) as (reader, writer),
        ):
            await reader.readexactly(40)
            writer.write(WRONG + GET_SERVER_INFO)
            await client.call(ConfigGetHostInfo())
            await until(lambda: bool(server.gate.wait("127.0.0.1", asyncio.get_running_loop().time())))
            await client.call(ConfigGetHostInfo())
            async with stranger(port, "127.0.0.2") as (other, their):
                await other.readexactly(40)
                their.write(LOGIN)
                assert (await other.readexactly(32))[28:] == bytes(4)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await reader.read(1)

    run(story())


def test_guessing_at_many_doors_is_no_faster() -> None:
    async def story() -> None:
        clock = asyncio.get_running_loop().time
        limits = Limits(first_delay=0.05, failed_logins=1)
        async with serving(host()[0], limits=limits) as (_, port):

            async def guess() -> None:
                async with stranger(port) as (reader, writer):
                    await reader.readexactly(40)
                    writer.write(WRONG)
                    assert (await reader.readexactly(32))[28:] == NOT_AUTHORIZED

            begin = clock()
            await asyncio.gather(*(guess() for _ in range(4)))
            assert clock() - begin >= 0.05 + 0.1 + 0.2 + 0.4

    run(story())


def test_who_hangs_up_on_a_refusal_waits_all_the_same() -> None:
    async def story() -> None:
        clock = asyncio.get_running_loop().time
        async with serving(host()[0], limits=Limits(first_delay=0.3)) as (server, port):
            begin = clock()
            async with stranger(port) as (reader, writer):
                await reader.readexactly(40)
                writer.write(WRONG)
                await until(lambda: bool(server.gate.wait("127.0.0.1", clock())))
            async with session(port):
                assert clock() - begin >= 0.3
            async with session(port):
                assert not server.gate.wait("127.0.0.1", clock()), "a login that is right costs nothing"

    run(story())


def test_a_host_that_stops_waits_for_no_punishment() -> None:
    async def story() -> None:
        limits = Limits(first_delay=3600.0, longest_delay=3600.0)
        async with serving(host()[0], limits=limits) as (server, port), stranger(port) as (reader, writer):
            await reader.readexactly(40)
            writer.write(WRONG)
            await until(lambda: bool(server.gate.wait("127.0.0.1", asyncio.get_running_loop().time())))
            await server.stop()
            assert (await reader.read()).endswith(b"the host stops\0\0")

    run(story())
