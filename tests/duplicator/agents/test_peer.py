"""The protocol of agents between two ends in one process, and what each end makes of another that breaks it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from duplicator.agents.peer import Peer, PeerLost, Said, Served
from duplicator.agents.wire import LONGEST_LINE_BYTES, Code, RpcError
from duplicator.status import JobError, Status
from duplicator.transfer import StreamBroken

DEADLINE = 20.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[Streams, Streams]]:
    """Both ends of a stream."""
    ends = [await asyncio.open_connection(sock=end, limit=LONGEST_LINE_BYTES) for end in socket.socketpair()]
    try:
        yield ends[0], ends[1]
    finally:
        for _, writer in ends:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


def peer(
    streams: Streams,
    served: Mapping[str, Served] | None = None,
    said: Mapping[str, Said] | None = None,
    *,
    silence: float = DEADLINE,
) -> Peer:
    return Peer(*streams, served=served or {}, said=said or {}, silence=silence)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE):
            await story()

    asyncio.run(limited())


@asynccontextmanager
async def speaking(*peers: Peer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in peers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_both_ends_ask_and_tell() -> None:
    async def story() -> None:
        async with connection() as (here, there):
            heard: asyncio.Queue[Any] = asyncio.Queue()

            async def outer(params: object) -> list[object]:
                return ["outer", params, await two.call("inner", params)]

            async def inner(params: object) -> dict[str, object]:
                return {"inner": params}

            one = peer(here, {"inner": inner}, {"news": heard.put_nowait})
            two = peer(there, {"outer": outer})
            async with speaking(one, two):
                # While a request is served, its server asks back.
                answers = await asyncio.gather(one.call("outer", 1), one.call("outer", "zwei \N{SNOWMAN}"))
                assert answers == [["outer", 1, {"inner": 1}], ["outer", "zwei ☃", {"inner": "zwei ☃"}]]
                two.tell("news", {"a": None})
                two.tell("a later version tells this")
                assert await heard.get() == {"a": None}

    run(story)


FAILURES: list[tuple[Exception, type[Exception], tuple[object, ...]]] = [
    (JobError(Status.NO_MEDIA, step="s", reason="r"), JobError, (Status.NO_MEDIA, "s", "r")),
    (StreamBroken(Status.CONNECTION_BROKEN, step="s", reason="r"), StreamBroken, (Status.CONNECTION_BROKEN, "s", "r")),
    (RpcError(Code.INVALID_PARAMS, "x"), RpcError, (Code.INVALID_PARAMS, "x")),
    (ZeroDivisionError("z"), RpcError, (Code.INTERNAL, "a bug: ZeroDivisionError: z")),
]


def test_failures_travel() -> None:
    async def story() -> None:
        async with connection() as (here, there):
            failures = iter(FAILURES)

            async def fail(_: object) -> None:
                raise next(failures)[0]

            one, two = peer(here), peer(there, {"fail": fail})
            async with speaking(one, two):
                for _, kind, said in FAILURES:
                    with pytest.raises(kind) as caught:
                        await one.call("fail")
                    assert type(caught.value) is kind
                    assert caught.value.args == said
                with pytest.raises(RpcError) as unknown:
                    await one.call("nothing")
                assert unknown.value.code == Code.METHOD_NOT_FOUND

    run(story)


def test_a_cancelled_call_ends_when_the_other_end_is_clean() -> None:
    async def story() -> None:
        async with connection() as (here, there):
            begun, cleaning, clean = asyncio.Event(), asyncio.Event(), asyncio.Event()

            async def work(_: object) -> None:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    cleaning.set()
                    await clean.wait()

            one, two = peer(here), peer(there, {"work": work})
            async with speaking(one, two):
                call = asyncio.create_task(one.call("work"))
                await begun.wait()
                call.cancel()
                await cleaning.wait()
                assert not call.done()
                clean.set()
                with pytest.raises(asyncio.CancelledError):
                    await call

    run(story)


def test_what_is_served_ends_when_the_one_who_asked_is_gone() -> None:
    async def story() -> None:
        async with connection() as (here, there):
            begun, cleaned = asyncio.Event(), asyncio.Event()

            async def work(_: object) -> None:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    cleaned.set()

            one, two = peer(here), peer(there, {"work": work})
            serving = asyncio.create_task(two.run())
            async with speaking(one):
                call = asyncio.create_task(one.call("work"))
                await begun.wait()
                here[1].close()
                assert "it ended the connection" in str(await serving)
                assert cleaned.is_set()
                call.cancel()

    run(story)


VIOLATIONS: list[tuple[bytes, str]] = [
    (b"bash: ndmpdup: command not found\n", "not the protocol of agents: 'bash: ndmpdup: command not found'"),
    (b"\xff\x1b[2J\n", "not the protocol of agents: '\N{REPLACEMENT CHARACTER}?[2J'"),
    (b"{}\n", "not the protocol of agents: '{}'"),
    (b'{"jsonrpc":"1.0","method":"m"}\n', "not the protocol of agents"),
    (b'{"jsonrpc":"2.0","method":1,"id":1}\n', "not the protocol of agents"),
    (b"[" * 100_000 + b"\n", "not the protocol of agents"),
    (b"x" * (LONGEST_LINE_BYTES + 2), f"a line of more than {LONGEST_LINE_BYTES} bytes"),
    (b'{"jsonrpc":"2.0","method":"hang","id":1}\n' * 2, "or the same twice"),
    (
        b"".join(b'{"jsonrpc":"2.0","method":"hang","id":%d}\n' % number for number in range(17)),
        "it asks 16 things at once",
    ),
    (b'{"jsonrpc":"2.0","method":"number","params":"x"}\n', "what it tells by 'number' makes no sense: no number"),
    (b"", "it has given no sign of life for 0.2 s"),
]


def test_who_breaks_the_protocol_is_lost() -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    def number(_: object) -> None:
        raise RpcError(Code.INVALID_PARAMS, "no number")

    async def story() -> None:
        for sent, words in VIOLATIONS:
            async with connection() as (here, there):
                one = peer(here, {"hang": hang}, {"number": number}, silence=0.2 if not sent else DEADLINE)
                running = asyncio.create_task(one.run())
                call = asyncio.create_task(one.call("anything"))
                there[1].write(sent)
                assert words in str(await running), sent[:80]
                with pytest.raises(PeerLost):
                    await call
                with pytest.raises(PeerLost):
                    await one.call("anything")

    run(story)


def test_who_does_not_read_is_lost() -> None:
    async def story() -> None:
        async with connection() as (here, _):
            one = peer(here)
            running = asyncio.create_task(one.run())
            while not running.done():
                one.tell("news", "x" * 1000)
                await asyncio.sleep(0)
            assert "it does not read what it is told" in str(await running)

    run(story)


def test_signs_of_life_come_as_often_as_they_are_wanted() -> None:
    async def story() -> None:
        async with connection() as (here, there):
            one, two = peer(here, silence=0.3), peer(there)
            two.bear(0.3)
            async with speaking(two):
                running = asyncio.create_task(one.run())
                done, _ = await asyncio.wait((running,), timeout=1.0)
                assert not done
                running.cancel()
                await asyncio.wait((running,))

    run(story)


def test_what_is_on_the_wire() -> None:
    async def story() -> None:
        async with connection() as (here, (reader, writer)):
            one = peer(here)
            async with speaking(one):
                one.tell("news", [1])
                call = asyncio.create_task(one.call("work", {"a": 1}))
                lines = [json.loads(await reader.readline()) for _ in range(2)]
                assert lines == [
                    {"jsonrpc": "2.0", "method": "news", "params": [1]},
                    {"jsonrpc": "2.0", "method": "work", "params": {"a": 1}, "id": 1},
                ]
                writer.write(b'{"jsonrpc":"2.0","id":1,"result":{"x":[]}}\n')
                assert await call == {"x": []}

    run(story)
