"""An agent that was started, as the coordinator speaks with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from duplicator.agents.lines import AgentStart, Line
from duplicator.agents.peer import Peer, PeerLost, Said, Served
from duplicator.agents.wire import VERSIONS, Hello, RpcError, Welcome, as_json, from_json, printable
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["RunningAgent", "running"]

T = TypeVar("T")


class RunningAgent:
    """An agent that answers."""

    def __init__(self, start: AgentStart, line: Line, peer: Peer) -> None:
        self._start = start
        self._line = line
        self._peer = peer
        self.name = f"agent {start.name}"

    async def hello(self, step: Step) -> None:
        """Agree on a version; JobError where that does not come about within the deadline."""
        start = self._start
        try:
            async with asyncio.timeout(start.hello):
                asked = Hello(VERSIONS, start.name, start.silence)
                welcome = await self.call("hello", asked, Welcome, step=step)
        except TimeoutError as error:
            reason = f"{self.name} does not answer within {start.hello:g} s"
            raise JobError(Status.CONNECTION_TIMED_OUT, step=step.value, reason=reason) from error
        self._peer.bear(welcome.silence)
        self.name = f"agent {start.name} (process {welcome.process} on {printable(welcome.machine)})"

    async def call(self, method: str, params: object, kind: type[T], *, step: Step) -> T:
        """Ask it; JobError names the agent, with status 40 if it is lost. ``step``: what it is asked for."""
        try:
            return from_json(kind, await self._peer.call(method, None if params is None else as_json(params)))
        except JobError as error:
            raise type(error)(error.status, step=error.step, reason=f"{self.name}: {error.reason}") from error
        except RpcError as error:
            reason = f"{self.name} does not serve {method!r}: {printable(error.text)}"
            raise JobError(Status.NDMP_FAILURE, step=step.value, reason=reason) from error
        except PeerLost as error:
            reason = f"{self.name} is lost: {error}{await self._line.how_it_ended()}"
            raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=reason) from error


@asynccontextmanager
async def running(
    start: AgentStart, *, served: Mapping[str, Served], said: Mapping[str, Said], step: Step
) -> AsyncIterator[RunningAgent]:
    """An agent for the duration of the block; JobError where none comes about."""
    async with start.line(step) as line:
        peer = Peer(line.reader, line.writer, served=served, said=said, silence=start.silence)
        agent = RunningAgent(start, line, peer)
        speaking = asyncio.create_task(peer.run())
        try:
            await agent.hello(step)
            yield agent
        finally:
            line.is_lost = speaking.done()
            speaking.cancel()
            await asyncio.wait((speaking,))
