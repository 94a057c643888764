"""Agents on workers of a Dask cluster: an actor there starts one, and carries what is said."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from duplicator.agents.starting import AgentProcess, ProcessLine, own_command
from duplicator.agents.wire import LONGEST_LINE_BYTES
from duplicator.config import load
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["ClusterAgent"]

_PIECE: Final = 64 * 1024
R = TypeVar("R")


class _Seat:
    """The actor: an agent's process on the worker that offers it, by that worker's own configuration."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stack = AsyncExitStack()
        self._line: ProcessLine | None = None

    async def begin(self) -> str:
        """Start the process; gives what is wrong, else nothing."""
        agent = AgentProcess(self._name, own_command(load()))
        try:
            self._line = await self._stack.enter_async_context(agent.line(Step.PREPARE))
        except JobError as error:
            return error.reason
        return ""

    async def read(self) -> bytes:
        """What it says next; nothing once it has ended."""
        return await self._line.reader.read(_PIECE) if self._line else b""

    async def write(self, piece: bytes) -> None:
        """Say something to it."""
        if self._line is not None:
            self._line.writer.write(piece)
            await self._line.writer.drain()

    async def how_it_ended(self) -> str:
        """See Line."""
        return await self._line.how_it_ended() if self._line else ""

    async def end(self, is_lost: bool) -> None:
        """Let it end, or make it."""
        if self._line is not None:
            self._line.is_lost = is_lost
        await self._stack.aclose()


@dataclass(frozen=True, slots=True)
class ClusterAgent:
    """Implements :class:`duplicator.agents.AgentStart` in a task of a cluster: on a worker with ``agent:NAME``."""

    name: str
    hello: float = 30.0
    silence: float = 30.0

    @asynccontextmanager
    async def line(self, step: Step) -> AsyncIterator[_ClusterLine]:
        """See AgentStart."""
        line = _ClusterLine(await self._seat(step))
        pumping = asyncio.create_task(line.pump())
        try:
            yield line
        finally:
            with suppress(OSError, RuntimeError, ValueError):  # its worker is lost, and the agent with it
                await line.end()
            pumping.cancel()
            await asyncio.wait((pumping,))

    async def _seat(self, step: Step) -> Any:  # noqa: ANN401  (Dask's stand-in for a _Seat)
        from distributed import get_client

        key, needed = f"ndmpdup-agent-{self.name}-{uuid.uuid4()}", {f"agent:{self.name}": 1}
        future = get_client().submit(_Seat, self.name, actor=True, resources=needed, key=key, pure=False)
        try:
            seat = await asyncio.to_thread(future.result, self.hello)
        except TimeoutError as error:
            future.cancel()
            reason = f"no worker of the cluster offers agent:{self.name} within {self.hello:g} s"
            raise JobError(Status.NO_CREDENTIALS, step=step.value, reason=reason) from error
        wrong = await _answer(seat.begin)
        if wrong:
            raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=wrong)
        return seat


class _ClusterLine:
    """Implements :class:`duplicator.agents.lines.Line` and its Outlet by calls of the actor."""

    def __init__(self, seat: Any) -> None:  # noqa: ANN401
        self._seat = seat
        self._said = bytearray()
        self.reader = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
        self.is_lost = False

    @property
    def writer(self) -> _ClusterLine:
        """Itself."""
        return self

    def write(self, data: bytes) -> None:
        """See Outlet."""
        self._said += data

    async def drain(self) -> None:
        """See Outlet."""
        piece, self._said = bytes(self._said), bytearray()
        try:
            await _answer(self._seat.write, piece)
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from error

    async def pump(self) -> None:
        """Pass on what the agent says, until it has ended or its worker is lost."""
        with suppress(OSError, RuntimeError, ValueError):
            while piece := await _answer(self._seat.read):
                self.reader.feed_data(piece)
        self.reader.feed_eof()

    async def how_it_ended(self) -> str:
        """See Line."""
        try:
            how: str = await _answer(self._seat.how_it_ended)
        except (OSError, RuntimeError, ValueError) as error:
            return f" (with its worker: {error})"
        return how

    async def end(self) -> None:
        """See Line."""
        await _answer(self._seat.end, self.is_lost)


async def _answer(method: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
    """What an actor answers; the loop of this task is not that of Dask."""
    return await asyncio.to_thread(lambda: method(*arguments).result())
