"""Our application over real sockets: with our host, and with hosts that misbehave."""

from __future__ import annotations

import asyncio

import pytest

from ndmp.aio.client import connect
from ndmp.enums import AddressType, AuthType, Error, MoverHaltReason, TapeOpenMode
from ndmp.errors import ConnectionLost, RemoteProtocolError
from ndmp.messages.config import ConfigGetConnectionType, ConfigGetHostInfo
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen
from tests.ndmp.hexes import post, reply
from tests.ndmp.scripted import HELLO, scripted
from tests.ndmp.serving import DEADLINE, refusal, run, serving, session, slow_host


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
