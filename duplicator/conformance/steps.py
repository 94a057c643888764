"""The vocabulary of the tables: each function makes a step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import Step
from duplicator.conformance.deviation import Deviation, Hang, HungUp
from duplicator.conformance.expectation import ANY_ANSWER, ANY_ERROR, Errors, mismatch
from ndmp.enums import Error
from ndmp.messages.config import ConfigGetServerInfo
from ndmp.messages.notify import NotifyMoverHalted
from ndmp.wire import Post, Request

__all__ = [
    "answered",
    "ask",
    "close_peer",
    "connect_peer",
    "halted_after_reply",
    "keep",
    "log_in",
    "no_post",
    "on",
    "peer_closed",
    "post",
    "receive",
    "refused",
    "same_session_answers",
    "send",
    "still_answers",
    "until",
]

AnyRequest: TypeAlias = "Request[Any] | Callable[[Bench], Request[Any]]"
_POLL: Final = 0.01


def _made(request: AnyRequest, bench: Bench) -> Request[Any]:
    return request if isinstance(request, Request) else request(bench)


def ask(request: AnyRequest, *errors: Error, **fields: object) -> Step:
    """A request, answered with one of these errors (NO_ERR if none is named) and with these fields."""

    async def step(bench: Bench) -> None:
        await bench.ask(_made(request, bench), errors or (Error.NO_ERR,), fields=fields)

    return step


def refused(request: AnyRequest) -> Step:
    """A request, answered with an error, whichever."""
    return _asked(request, ANY_ERROR)


def answered(request: AnyRequest) -> Step:
    """A request, answered somehow."""
    return _asked(request, ANY_ANSWER)


def _asked(request: AnyRequest, errors: Errors) -> Step:
    async def step(bench: Bench) -> None:
        await bench.ask(_made(request, bench), errors)

    return step


def keep(name: str, value: Callable[[Any], Any]) -> Step:
    """Remember something of the last reply or notification."""

    async def step(bench: Bench) -> None:
        bench.kept[name] = value(bench.reply)

    return step


def until(request: AnyRequest, **fields: object) -> Step:
    """Ask again and again until the answer has these fields: for changes that nothing tells of."""

    async def step(bench: Bench) -> None:
        end = time.monotonic() + bench.target.deadline
        while True:
            answer = await bench.ask(_made(request, bench))
            if not mismatch(answer.body, fields):
                return
            if time.monotonic() > end:
                bench.judge(answer, (Error.NO_ERR,), fields)
            await asyncio.sleep(_POLL)

    return step


def post(kind: type[Post], **fields: object) -> Step:
    """A notification of this kind comes, with these fields."""

    async def step(bench: Bench) -> None:
        await bench.post(kind, fields)

    return step


def no_post(kind: type[Post]) -> Step:
    """No notification of this kind came up to now."""

    async def step(bench: Bench) -> None:
        await bench.ask(ConfigGetServerInfo(), ANY_ANSWER)
        for message, entry in bench.session.posts:
            if isinstance(message, kind):
                raise Deviation(f"no {kind.__name__}", entry.line, answer=entry)

    return step


def halted_after_reply(request: AnyRequest, kind: type[Post] = NotifyMoverHalted) -> Step:
    """The notification that a request causes comes after its reply."""

    async def step(bench: Bench) -> None:
        answer = await bench.ask(_made(request, bench))
        entry = await bench.post(kind, {})
        order = bench.session.arrived
        if order.index(entry) < order.index(answer.entry):
            raise Deviation("the reply first", "the notification first", sent=answer.sent, answer=entry)

    return step


def on(name: str, *steps: Step) -> Step:
    """Steps on another session: ``other`` of the same host, or that of the ``second`` host."""

    async def step(bench: Bench) -> None:
        before = await bench.switch(name)
        try:
            for each in steps:
                await each(bench)
        finally:
            bench.switch_back(before)

    return step


async def log_in(bench: Bench) -> None:
    """Agree on the version and log in."""
    await bench.log_in(bench.session)


async def still_answers(bench: Bench) -> None:
    """The session answers on; or the host has ended it, and answers a new one."""
    session = bench.session
    if not session.is_closed:
        try:
            await bench.ask(ConfigGetServerInfo(), ANY_ANSWER)
        except HungUp:
            pass
        except Hang:
            session.has_hung = True
            await bench.dial("after")
            raise
        else:
            return
    await bench.dial("after")
    await bench.ask(ConfigGetServerInfo(), session=bench.sessions["after"])


async def same_session_answers(bench: Bench) -> None:
    """The session answers on."""
    await bench.ask(ConfigGetServerInfo())


def connect_peer(name: str = "address", *, buffer_bytes: int = 0) -> Step:
    """Connect to the address that was kept under this name."""

    async def step(bench: Bench) -> None:
        await bench.connect_peer(bench.kept[name], buffer_bytes=buffer_bytes)

    return step


def send(data: bytes, *, patient: bool = True) -> Step:
    """Bytes into the data connection."""

    async def step(bench: Bench) -> None:
        await bench.peer.send(data, patient=patient)

    return step


def receive(data: bytes) -> Step:
    """These bytes come from the data connection."""

    async def step(bench: Bench) -> None:
        came = await bench.peer.receive(len(data))
        if came != data:
            at = next(index for index, (ours, theirs) in enumerate(zip(data, came, strict=True)) if ours != theirs)
            raise Deviation(f"the {len(data)} bytes that are on the tape", f"other bytes from offset {at} on")

    return step


async def close_peer(bench: Bench) -> None:
    """Close our end of the data connection."""
    await bench.peer.close()


async def peer_closed(bench: Bench) -> None:
    """The host closes its end of the data connection; what came before it does not matter."""
    await bench.peer.receive_all()
