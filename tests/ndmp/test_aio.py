"""The asyncio shells over real sockets: our application with our host, and with hosts that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer, Limits
from ndmp.backends import Host, MoverHalted
from ndmp.enums import AddressType, AuthType, ConnectionReason, Error, MoverHaltReason, MoverMode, TapeOpenMode
from ndmp.errors import ConnectionLost, RemoteProtocolError, ReplyError
from ndmp.messages import echo
from ndmp.messages.config import (
    ClassVersion,
    ConfigGetConnectionType,
    ConfigGetExtList,
    ConfigGetHostInfo,
    ConfigSetExtList,
)
from ndmp.messages.mover import MoverAbort, MoverGetState, MoverListen, MoverSetRecordSize, MoverSetWindow
from ndmp.messages.notify import LogMessage, NotifyConnectionStatus, NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen, TapeWrite
from tests.ndmp.driver import ONES
from tests.ndmp.fakes import MARK, MemoryTape, ScriptedMovers, host
from tests.ndmp.hexes import post, reply, request

DEADLINE = 10.0
ESTABLISHED = "01"
SECRETS = {"ndmp": b"sesame"}


def run(story: Coroutine[Any, Any, None]) -> None:
    async def within_the_deadline() -> None:
        async with asyncio.timeout(DEADLINE):
            await story

    asyncio.run(within_the_deadline())


@contextlib.asynccontextmanager
async def serving(served: Host, *, limits: Limits | None = None) -> AsyncIterator[tuple[HostServer, int]]:
    server = HostServer(served, SECRETS.get, limits=limits)
    _, port = await server.start("127.0.0.1", 0)
    try:
        yield server, port
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def session(port: int) -> AsyncIterator[Client]:
    """An application that is logged in."""
    async with connect("127.0.0.1", port, deadline=DEADLINE) as client:
        await client.open(4)
        await client.login("ndmp", "sesame")
        yield client


async def refusal(call: Awaitable[Any]) -> Error:
    with pytest.raises(ReplyError) as refused:
        await call
    return refused.value.error


# -- our host --------------------------------------------------------------------------------------------------------


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
        async with serving(host()[0], limits=Limits(queued_requests=2)) as (_, port), session(port) as client:
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


def test_posts_one_after_the_other() -> None:
    async def story() -> None:
        answer = (
            post(2, 0x503, "00000002") + post(3, 0x504, "00000002 00000000 00000000") + reply(4, 0x102, 1, "0" * 16)
        )
        async with scripted([HELLO], [answer]) as peer, connect("127.0.0.1", peer.port) as client:
            await client.call(ConfigGetConnectionType())
            found = []
            async for each in client.posts():
                found.append(type(each))
                if len(found) == 2:
                    break
            assert found == [NotifyMoverHalted, NotifyMoverPaused]

    run(story())


def test_a_cancelled_call_leaves_a_host_that_has_answered() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.READ))
            rewinding = asyncio.create_task(client.call(TapeMtio(4, 1)))
            assert await asyncio.to_thread(tape.rewinding.wait, DEADLINE)
            rewinding.cancel()
            done, _ = await asyncio.wait((rewinding,), timeout=0.05)
            assert not done, "the tape still moves"
            tape.may.set()
            with pytest.raises(asyncio.CancelledError):
                await rewinding
            await client.call(TapeClose(), deadline=1.0)

    run(story())


def test_a_cancelled_call_hangs_up_on_a_host_that_does_not_answer() -> None:
    async def story() -> None:
        async with scripted([HELLO], [None]) as peer, connect("127.0.0.1", peer.port, settle=0.05) as client:
            asking = asyncio.create_task(client.call(ConfigGetConnectionType()))
            await peer.asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            with pytest.raises(ConnectionLost, match="cancelled"):
                await client.call(ConfigGetConnectionType())

    run(story())


@pytest.mark.parametrize(
    ("greeted", "spoken", "answers", "agreed"),
    [
        (4, [4], ["00000000"], 4),
        (4, [3, 4], ["00000009", "00000000"], 3),
        (3, [3, 4], ["00000000"], 3),
        (3, [4], [], "speaks NDMP version 3; version 4 is needed"),
        (4, [3, 4], ["00000009", "00000009"], "version 3 or 4 is needed"),
    ],
)
def test_versions(greeted: int, spoken: list[int], answers: list[str], agreed: int | str) -> None:
    async def story() -> None:
        hello = post(1, 0x502, f"00000000 {greeted:08x} 00000000")
        said = [reply(number + 2, 0x900, number + 1, answer) for number, answer in enumerate(answers)]
        async with scripted([hello], list(said)) as peer, connect("127.0.0.1", peer.port) as client:
            if isinstance(agreed, int):
                assert await client.agree_on_version(spoken) == agreed
            else:
                with pytest.raises(RemoteProtocolError, match=agreed):
                    await client.agree_on_version(spoken)

    run(story())


def test_nobody_there() -> None:
    async def story() -> None:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(ConnectionLost, match=str(port)):
            async with connect("127.0.0.1", port):
                pass

    run(story())


@dataclass
class SlowTape(MemoryTape):
    """Rewinds when it is told that it may, and says when it is closed."""

    rewinding: threading.Event = field(default_factory=threading.Event)
    may: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    def rewind(self) -> None:
        self.rewinding.set()
        assert self.may.wait(DEADLINE)
        super().rewind()

    def close(self) -> None:
        super().close()
        self.closed.set()


@dataclass
class SlowToClose(MemoryTape):
    """Closes when it is told that it may."""

    closing: threading.Event = field(default_factory=threading.Event)
    may: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closing.set()
        assert self.may.wait(DEADLINE)
        super().close()


def slow_host() -> tuple[Host, SlowTape]:
    tape = SlowTape()
    return Host("h", movers=ScriptedMovers(), tapes={"t": tape, "t2": MemoryTape()}), tape


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


def test_a_lost_application_gives_its_tape_back() -> None:
    async def story() -> None:
        served, tape = slow_host()
        async with serving(served) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(1, 0x901, "00000001 00000004 6e646d70 00000006 73657361 6d650000"))
            writer.write(request(2, 0x300, "00000001 74000000 00000001") + request(3, 0x304, "00000001 61000000"))
            await reader.readuntil(bytes.fromhex("00000304 00000003 00000000 00000000 00000001"))
            writer.transport.abort()
            assert await asyncio.to_thread(tape.closed.wait, DEADLINE)
            assert tape.tape == [b"a", MARK]
            async with session(port) as client:
                await client.call(TapeOpen("t", TapeOpenMode.RDWR))

    run(story())


def timers(port: int) -> list[str]:
    """The kernel's timers of both ends of an idle connection to ``port``: 2 is keepalive, 1 is bytes on their way."""
    deadline = time.monotonic() + DEADLINE
    while True:
        lines = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
        ends = [line for line in lines if f"0100007F:{port:04X}" in line[1:3] and line[3] == ESTABLISHED]
        found = [line[5].split(":")[0] for line in ends]
        if "01" not in found or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def test_both_ends_notice_when_the_other_is_gone_without_a_word() -> None:
    async def story() -> None:
        async with serving(host()[0]) as (_, port), session(port):
            assert await asyncio.to_thread(timers, port) == ["02", "02"]

    run(story())


def test_an_application_that_leaves_gives_its_tape_back() -> None:
    async def story() -> None:
        served, tape, _, _ = host()
        async with serving(served) as (_, port):
            for _ in range(2):
                async with session(port) as client:
                    await client.call(TapeOpen("t", TapeOpenMode.RDWR))
                    await client.call(TapeWrite(b"a"))
        assert tape.tape == [b"a", MARK, b"a", MARK]

    run(story())


def test_a_host_that_stops_says_so_and_releases_devices() -> None:
    async def story() -> None:
        served, tape, _, _ = host()
        async with serving(served) as (server, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.RDWR))
            await client.call(TapeWrite(b"a"))
            await server.stop()
            assert not tape.taken
            assert tape.tape == [b"a", MARK]
            farewell = await client.next_post()
            assert isinstance(farewell, NotifyConnectionStatus)
            assert farewell.reason == ConnectionReason.SHUTDOWN
            for _ in range(2):
                with pytest.raises(ConnectionLost):
                    await client.next_post()
            with pytest.raises(ConnectionLost):
                await client.call(ConfigGetHostInfo())

    run(story())


def test_a_host_that_stops_waits_for_sessions_that_end() -> None:
    async def story() -> None:
        tape = SlowToClose()
        async with serving(Host("h", tapes={"t": tape})) as (server, port), session(port) as client:
            await client.call(TapeOpen("t", TapeOpenMode.READ))
            leaving = asyncio.create_task(client.close())
            assert await asyncio.to_thread(tape.closing.wait, DEADLINE)
            stopping = asyncio.create_task(server.stop())
            await asyncio.wait([stopping], timeout=0.05)
            assert not stopping.done()
            tape.may.set()
            await stopping
            assert not tape.taken
            await leaving

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


def test_waiting_for_a_post_may_be_given_up_without_losing_one() -> None:
    async def story() -> None:
        answer = post(2, 0x503, "00000002") + reply(3, 0x102, 1, "00000000 00000000")
        async with scripted([HELLO], [answer]) as peer, connect("127.0.0.1", peer.port) as client:
            waiting = asyncio.create_task(client.next_post())
            await client.call(ConfigGetConnectionType())
            waiting.cancel()
            (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
            found = await client.next_post() if isinstance(outcome, asyncio.CancelledError) else outcome
            assert found == NotifyMoverHalted(MoverHaltReason.ABORTED)

    run(story())


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


# -- hosts that misbehave ----------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("greeting", "error", "says"),
    [
        ([post(1, 0x502, "00000002 00000000 00000004 62757379")], RemoteProtocolError, "REFUSED busy"),
        ([post(1, 0x502, "00000001 00000000 00000000")], RemoteProtocolError, "SHUTDOWN"),
        ([post(1, 0x502, "00000009 00000000 00000000")], RemoteProtocolError, "UNKNOWN_0x9"),
        ([b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"], RemoteProtocolError, "bytes"),
        ([bytes.fromhex("80000004 00000000") * 8], RemoteProtocolError, "shorter than a header"),
        ([post(1, 0x502, "00000000")], ConnectionLost, "greet"),
        ([], ConnectionLost, "greet"),
    ],
    ids=["refused", "shutdown", "stranger", "another-protocol", "short", "undecodable", "silence"],
)
def test_greetings_that_are_none(greeting: list[bytes], error: type[Exception], says: str) -> None:
    async def story() -> None:
        async with scripted(greeting, []) as peer:
            with pytest.raises(error, match=says):
                async with connect("127.0.0.1", peer.port, deadline=0.2):
                    pass

    run(story())


def test_a_host_that_closes_instead_of_greeting() -> None:
    async def story() -> None:
        async with scripted([], [], stays=False) as peer:
            with pytest.raises(ConnectionLost, match="closed"):
                async with connect("127.0.0.1", peer.port):
                    pass

    run(story())


def test_a_host_of_version_3_does_not_take_version_4() -> None:
    async def story() -> None:
        old = [post(1, 0x502, "00000000 00000003 00000000")]
        async with scripted(old, [reply(2, 0x900, 1, "00000009")]) as peer, connect("127.0.0.1", peer.port) as client:
            assert await refusal(client.open(4)) == Error.ILLEGAL_ARGS
        assert peer.heard[0][12:] == bytes.fromhex("00000900 00000000 00000000 00000004")

    run(story())


def test_login_by_text_where_that_is_all() -> None:
    async def story() -> None:
        offer = reply(2, 0x108, 1, "00000000 00000000 00000000 00000000 00000002 00000007 00000001")
        answers = [offer, reply(3, 0x901, 2, "00000000")]
        async with scripted([HELLO], answers) as peer, connect("127.0.0.1", peer.port) as client:
            assert await client.login("ndmp", "abc") == AuthType.TEXT
        assert peer.heard[1][24:] == bytes.fromhex("00000001 00000004 6e646d70 00000003 61626300")

    run(story())


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([reply(2, 0x108, 1, "00000000 00000000 00000000 00000000 00000000")], "nothing"),
        ([reply(2, 0x108, 1, "00000000 00000000 00000000 00000000 00000001 00000000")], "NONE"),
        (
            [
                reply(2, 0x108, 1, "00000000 00000000 00000000 00000000 00000001 00000002"),
                reply(3, 0x103, 2, "00000000 00000001"),
            ],
            "challenge",
        ),
    ],
    ids=["nothing", "none", "no-challenge"],
)
def test_hosts_without_a_login(answers: list[bytes | None], says: str) -> None:
    async def story() -> None:
        async with scripted([HELLO], answers) as peer, connect("127.0.0.1", peer.port) as client:
            with pytest.raises(RemoteProtocolError, match=says):
                await client.login("ndmp", "abc")

    run(story())


NO_EXTENSIONS: list[bytes | None] = [
    None,
    reply(2, 0x10A, 1, error=1),
    reply(2, 0x10A, 1, "0000001e 00000000"),
    reply(2, 0x10A, 1, "00000000 00000001 00007ff0 00000000"),
    reply(2, 0x10A, 1, "00000000 00000001 00007ff0 00000001 00000063"),
    reply(2, 0x10A, 1, "00000000 00000001 00002050 00000001 00000001"),
]


@pytest.mark.parametrize("answer", NO_EXTENSIONS, ids=["swallowed", "header", "body", "empty", "new", "other"])
def test_hosts_without_extensions_that_we_know(answer: bytes | None) -> None:
    async def story() -> None:
        async with (
            scripted([HELLO], [answer, reply(3, 0x102, 2, "00000000 00000000")]) as peer,
            connect("127.0.0.1", peer.port) as client,
        ):
            assert await client.negotiate([0x7FF0], deadline=0.1) == {}
            assert (await client.call(ConfigGetConnectionType())).address_types == ()

    run(story())


def test_the_first_version_that_both_know() -> None:
    async def story() -> None:
        offer = "00000000 00000001 00007ff0 00000003 00000009 00000002 00000001"
        answers = [reply(2, 0x10A, 1, offer), reply(3, 0x109, 2, "00000000")]
        async with scripted([HELLO], answers) as peer, connect("127.0.0.1", peer.port) as client:
            assert await client.negotiate([0x7FF0]) == {0x7FF0: 2}
        assert peer.heard[1][24:] == bytes.fromhex("00000001 00007ff0 00000002")

    run(story())


HOST_INFO_BEGUN = reply(2, 0x100, 1, "00000000 00000001 68000000 00000000 00000000 00000000")[:-6]


@pytest.mark.parametrize(
    ("answer", "stays", "error"),
    [
        (HOST_INFO_BEGUN, False, ConnectionLost),
        (HOST_INFO_BEGUN, True, TimeoutError),
        (None, True, TimeoutError),
        (reply(2, 0x100, 7, "00000000"), True, TimeoutError),
        (reply(2, 0x100, 1), True, RemoteProtocolError),
        (reply(2, 0x100, 1, "00000000"), True, RemoteProtocolError),
        (reply(2, 0x101, 1, "00000000"), True, RemoteProtocolError),
        (b"\xff" * 65536, True, RemoteProtocolError),
        (bytes.fromhex("80000001 00") * 9, True, RemoteProtocolError),
    ],
    ids=["closed", "half", "none", "other", "bare", "undecodable", "code", "flood", "short"],
)
def test_answers_that_are_none(answer: bytes | None, stays: bool, error: type[Exception]) -> None:
    async def story() -> None:
        async with scripted([HELLO], [answer], stays=stays) as peer, connect("127.0.0.1", peer.port) as client:
            with pytest.raises(error):
                await client.call(ConfigGetHostInfo(), deadline=DEADLINE if error is not TimeoutError else 0.1)

    run(story())


def test_an_answer_that_comes_too_late_disturbs_nobody() -> None:
    async def story() -> None:
        late = reply(2, 0x102, 1, "00000000 00000000") + reply(3, 0x102, 2, "00000000 00000001 00000001")
        async with scripted([HELLO], [None, late]) as peer, connect("127.0.0.1", peer.port) as client:
            with pytest.raises(TimeoutError, match="ConfigGetConnectionType"):
                await client.call(ConfigGetConnectionType(), deadline=0.05)
            assert (await client.call(ConfigGetConnectionType())).address_types == (AddressType.TCP,)

    run(story())


def test_a_flood_of_posts_ends_the_connection() -> None:
    async def story() -> None:
        flood = post(2, 0x503, "00000001") * 10_001
        async with scripted([HELLO, flood], []) as peer, connect("127.0.0.1", peer.port) as client:
            while True:
                try:
                    await client.call(ConfigGetHostInfo(), deadline=0.2)
                except TimeoutError:
                    continue
                except RemoteProtocolError:
                    break

    run(story())


@pytest.mark.parametrize("closes", [True, False], ids=["host-closes", "host-stays"])
def test_a_closed_connection_can_only_say_so(closes: bool) -> None:
    async def story() -> None:
        async with scripted([HELLO], [reply(2, 0x902, 1)], stays=not closes) as peer:
            async with connect("127.0.0.1", peer.port) as client:
                pass
            with pytest.raises(ConnectionLost):
                await client.call(ConfigGetHostInfo())
            with pytest.raises(ConnectionLost):
                await client.next_post()
            await client.close()

    run(story())
