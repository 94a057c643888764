"""Our host and our application on real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from ndmp.aio.client import Client, connect
from ndmp.aio.server import HostServer, Limits
from ndmp.backends import Host
from ndmp.enums import Error
from ndmp.errors import ReplyError
from tests.ndmp.fakes import MemoryTape, ScriptedMovers

__all__ = [
    "DEADLINE",
    "SECRETS",
    "SlowTape",
    "SlowToClose",
    "refusal",
    "run",
    "serving",
    "session",
    "slow_host",
    "until",
]

DEADLINE = 10.0
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


async def until(holds: Callable[[], bool]) -> None:
    """Let others go on until something holds; the deadline is that of :func:`run`."""
    while not holds():  # noqa: ASYNC110  (what it looks at has no event)
        await asyncio.sleep(0.005)


async def refusal(call: Awaitable[Any]) -> Error:
    with pytest.raises(ReplyError) as refused:
        await call
    return refused.value.error


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
