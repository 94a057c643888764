"""The coordinator's end: the read side of a job, run by an agent that has the credentials for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import NoneType

from duplicator.agents.lines import AgentStart
from duplicator.agents.running import RunningAgent, running
from duplicator.agents.wire import (
    Begin,
    Close,
    Code,
    Done,
    Event,
    MoverIs,
    Open,
    Opened,
    Prepare,
    RpcError,
    SourceName,
    from_json,
    printable,
)
from duplicator.failures import failing_as
from duplicator.plan import Route, Step
from duplicator.recorder import SideRecorder
from duplicator.sources.source import Sent, SourceImage
from duplicator.status import JobError
from ndmp.messages.mover import TcpAddresses

__all__ = ["RemoteSource"]


class RemoteSource:
    """Implements :class:`Source` by an agent of its own: one process to describe the image, and one to send it."""

    route = Route.DIRECT

    def __init__(self, start: AgentStart, name: SourceName) -> None:
        self._start = start
        self._name = name

    async def describe(self, recorder: SideRecorder) -> SourceImage:
        """See Source."""
        step = Step.CHECK_IMAGE
        async with self._agent(_Desk(self._start.name, recorder), step) as agent:
            return await agent.call("describe", self._name, SourceImage, step=step)

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: SideRecorder) -> AsyncIterator[_RemoteOpen]:
        """See Source."""
        desk, step = _Desk(self._start.name, recorder), Step.READ_SESSION
        async with self._agent(desk, step) as agent:
            opened = await agent.call("open", Open(self._name, image), Opened, step=step)
            try:
                yield _RemoteOpen(agent, desk, printable(opened.name))
            except BaseException:
                await _abandon(agent, desk)
                raise
            await agent.call("close", Close(failed=False), NoneType, step=Step.CLOSE)

    @asynccontextmanager
    async def _agent(self, desk: _Desk, step: Step) -> AsyncIterator[RunningAgent]:
        served, said = {"taken_up": desk.taken_up}, {"event": desk.event, "mover": desk.mover}
        async with running(self._start, served=served, said=said, step=step) as agent:
            desk.recorder.step(step, f"the read side is run by {agent.name}")
            yield agent


async def _abandon(agent: RunningAgent, desk: _Desk) -> None:
    """Wait until the agent has cleaned up; where it is lost, that is already told or does not matter any more."""
    try:
        await agent.call("close", Close(failed=True), NoneType, step=Step.CLOSE)
    except JobError as error:
        desk.recorder.note(f"cleaning up: {error.reason}")


class _RemoteOpen:
    """Implements :class:`OpenSource`."""

    is_changing = False

    def __init__(self, agent: RunningAgent, desk: _Desk, name: str) -> None:
        self._agent = agent
        self._desk = desk
        self.name = name

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        await self._agent.call("prepare", Prepare(index, size), NoneType, step=Step.READ_OPEN)

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        await self._agent.call("begin", Begin(address, record_bytes), NoneType, step=Step.READ_MOVER)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""
        self._desk.is_taken_up = taken_up
        done = await self._agent.call("send", None, Done, step=Step.MOVE)
        return Sent(done.size, bytes.fromhex(done.digest))

    async def finish(self) -> None:
        """See OpenSource."""
        await self._agent.call("finish", None, NoneType, step=Step.MOVE)


class _Desk:
    """Takes what an agent tells and asks."""

    def __init__(self, name: str, recorder: SideRecorder) -> None:
        self._name = name
        self.recorder = recorder
        self.is_taken_up: Callable[[], Awaitable[None]] | None = None

    def event(self, params: object) -> None:
        """Put it into the job's record, with the name of the agent."""
        event = from_json(Event, params)
        text = f"agent {self._name}: {printable(event.text)}"
        match event.kind:
            case "step":
                # A catalog that fails is told at the next step of this process.
                with suppress(JobError):
                    self.recorder.step(event.step, text)
            case "told":
                self.recorder.told(text)
            case "note":
                self.recorder.note(text)

    def mover(self, params: object) -> None:
        """Put its state into the job's record."""
        found = from_json(MoverIs, params)
        self.recorder.mover(printable(found.role), found.state)

    async def taken_up(self, _: object) -> None:
        """Wait until the mover of this side has the connection; JobError."""
        if self.is_taken_up is None:
            raise RpcError(Code.INVALID_PARAMS, "nothing is being sent")
        with failing_as(Step.MOVE, "the write side"):
            await self.is_taken_up()
