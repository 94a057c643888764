"""Our host over real sockets: who asks gets an answer, in order, whatever others do."""

from __future__ import annotations

import asyncio
import threading

from ndmp.aio.client import connect
from ndmp.aio.server import Limits
from ndmp.backends import MoverHalted
from ndmp.enums import AddressType, AuthType, Error, MoverHaltReason, MoverMode, TapeOpenMode
from ndmp.messages import echo
from ndmp.messages.config import ClassVersion, ConfigGetExtList, ConfigGetHostInfo, ConfigSetExtList
from ndmp.messages.mover import MoverAbort, MoverGetState, MoverListen, MoverSetRecordSize, MoverSetWindow
from ndmp.messages.notify import LogMessage, NotifyMoverHalted
from ndmp.messages.tape import TapeMtio, TapeOpen
from tests.ndmp.driver import ONES
from tests.ndmp.fakes import host
from tests.ndmp.hexes import request
from tests.ndmp.serving import DEADLINE, refusal, run, serving, session, slow_host


def test_login_by_md5() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), connect("127.0.0.1", port) as client:
            assert client.local_host == "127.0.0.1"
            assert await refusal(client.open(3)) == Error.ILLEGAL_ARGS
            await client.open(4)
            assert await refusal(client.call(ConfigGetHostInfo())) == Error.NOT_AUTHORIZED
            assert await refusal(client.login("ndmp", "wrong")) == Error.NOT_AUTHORIZED
            assert await refusal(client.login("who", "sesame")) == Error.NOT_AUTHORIZED
            assert await client.login("ndmp", "sesame") == AuthType.MD5
            assert (await client.call(ConfigGetHostInfo())).hostname == "h"

    run(story())


def test_extensions() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), session(port) as client:
            assert await client.negotiate(iter([0x7FF0, 0x2050])) == {0x7FF0: 1}
            assert (await client.call(echo.TestEcho("a"))).text == "a"
            assert await refusal(client.call(echo.TestEcho2("a", 1))) == Error.XDR_DECODE
            assert await client.negotiate([0x7FF0]) == {}, "they are settled"

    run(story())


def test_calls_may_overlap() -> None:
    async def story() -> None:
        async with serving(host()[0], limits=Limits(held_bytes=64)) as (_, port), session(port) as client:
            answers = await asyncio.gather(*(client.call(echo.TestEcho(str(number))) for number in range(200)))
            assert [answer.text for answer in answers] == [str(number) for number in range(200)]

    run(story())


def test_what_follows_a_choice_of_extensions_is_read_by_it() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), session(port) as client:
            await client.call(ConfigGetExtList())
            choice = client.call(ConfigSetExtList((ClassVersion(0x7FF0, 2),)))
            _, answer = await asyncio.gather(choice, client.call(echo.TestEcho2("a", 7)))
            assert (answer.text, answer.number) == ("a", 7)

    run(story())


def test_a_device_that_works_holds_up_no_other_session() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port), session(port) as busy, session(port) as other:
            await busy.call(TapeOpen("t", TapeOpenMode.READ))
            rewinding = asyncio.create_task(busy.call(TapeMtio(4, 1)))
            assert await asyncio.to_thread(tape.rewinding.wait, DEADLINE)
            await other.call(MoverGetState())
            await other.call(TapeOpen("t2", TapeOpenMode.READ))
            assert await refusal(other.call(TapeOpen("t", TapeOpenMode.READ))) == Error.DEVICE_OPENED
            assert not rewinding.done()
            tape.may.set()
            await rewinding

    run(story())


def test_posts_from_a_movers_thread() -> None:
    async def story() -> None:
        served, _, _, movers = host()
        async with serving(served) as (_, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.RDWR))
            await client.call(MoverSetRecordSize(512))
            await client.call(MoverSetWindow(0, ONES))
            await client.call(MoverListen(MoverMode.READ, AddressType.TCP))
            halted = MoverHalted(MoverHaltReason.CONNECT_ERROR, "no peer")
            thread = threading.Thread(target=movers.made[0].report, args=(halted,))
            thread.start()
            thread.join(DEADLINE)
            log = await client.next_post()
            assert isinstance(log, LogMessage)
            assert log.entry == "no peer"
            assert await client.next_post() == NotifyMoverHalted(MoverHaltReason.CONNECT_ERROR)
            await client.call(MoverAbort())

    run(story())


def test_requests_that_come_with_the_end_are_answered() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bytes.fromhex("8000001c 00000001 00000000 00000000 00000900 00000000 00000000 00000004"))
            writer.write_eof()
            words = await reader.read()
            assert words.endswith(bytes.fromhex("00000900 00000001 00000000 00000000"))
            writer.close()
            await writer.wait_closed()

    run(story())


def test_many_requests_that_come_with_the_end_are_answered_although_they_are_read_late() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
            for number in range(300):
                writer.write(request(2 + number, 0x7FF00000, "00009c40" + "61" * 40_000))
            writer.write_eof()
            await reader.readexactly(40 + 32)
            for number in range(300):
                head = await reader.readexactly(28 + 8)
                assert int.from_bytes(head[20:24], "big") == 2 + number
                await reader.readexactly(40_000)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()

    run(story())


def test_a_long_row_of_requests_is_answered_to_its_end_and_others_in_between() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), session(port) as other:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(1, 0x900, "00000004") * 20_000)
            writer.write_eof()
            await other.call(MoverGetState())
            assert len(await reader.read(-1)) == 40 + 32 * 20_000
            writer.close()
            await writer.wait_closed()

    run(story())
