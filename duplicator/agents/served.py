"""The agent's end: runs the read side of a job for another process, with credentials of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

from duplicator.agents.peer import Peer, Served
from duplicator.agents.wire import (
    VERSIONS,
    Begin,
    Close,
    Code,
    Done,
    Event,
    Hello,
    MoverIs,
    Open,
    Opened,
    Prepare,
    RpcError,
    SourceName,
    Welcome,
    as_json,
    from_json,
)
from duplicator.config import AgentSpec, Config, local_agent, place_of
from duplicator.credentials import Role
from duplicator.plan import Place, Step
from duplicator.sources.file_service import FileServiceSource
from duplicator.sources.source import OpenSource, SourceImage
from duplicator.status import JobError, Status
from ndmp.enums import MoverState

__all__ = ["serve"]

_SILENCE: Final = 120.0
"""Seconds without a sign of life after which the other process is given up; a slow catalog holds it up."""


async def serve(config: Config, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Serve one process until it is gone, and clean up; gives how it went."""
    agent = _ReadAgent(config)
    peer = Peer(reader, writer, served=agent.served, said={}, silence=_SILENCE)
    agent.peer = peer
    try:
        lost = await peer.run()
    finally:
        await agent.abandon()
    return str(lost)


class _ReadAgent:
    """Answers requests; at most one image is open."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._spec: AgentSpec | None = None
        self._held: _Held | None = None
        self.peer: Peer
        self.served: Mapping[str, Served] = {
            "hello": self._hello,
            "describe": self._describe,
            "open": self._open,
            "prepare": self._prepare,
            "begin": self._begin,
            "send": self._send,
            "finish": self._finish,
            "close": self._close,
        }

    async def _hello(self, params: object) -> Any:  # noqa: ANN401
        hello = from_json(Hello, params)
        spoken = set(VERSIONS).intersection(hello.versions)
        if not spoken:
            raise RpcError(Code.INVALID_PARAMS, f"versions {hello.versions} are asked for, {VERSIONS} are spoken here")
        self.peer.bear(hello.silence)
        self._spec = self._config.agents.get(hello.agent) or local_agent(self._config)
        return as_json(Welcome(max(spoken), _SILENCE, _software(), socket.gethostname(), os.getpid()))

    async def _describe(self, params: object) -> Any:  # noqa: ANN401
        return as_json(await self._source(from_json(SourceName, params)).describe(_Recorder(self.peer)))

    def _source(self, name: SourceName) -> FileServiceSource:
        return FileServiceSource(self._place(name), name.image, name.deadlines, wanted=name.wanted)

    def _place(self, name: SourceName) -> Place:
        if self._spec is None:
            raise RpcError(Code.INVALID_PARAMS, "hello comes first")
        if name.host not in self._config.hosts:
            file = self._config.file or "it has none"
            reason = f"host {name.host!r} is not in its configuration ({file}): add [hosts.{name.host}] with its user"
            raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
        place = place_of(self._config, name.host, path=name.unit, agent=self._spec, role=Role.FROM)
        required = place.tls.required or name.is_tls_required
        return replace(place, tls=replace(place.tls, required=required))

    async def _open(self, params: object) -> Any:  # noqa: ANN401
        asked = from_json(Open, params)
        if self._held is not None:
            raise RpcError(Code.INVALID_PARAMS, "an image is open already")
        self._held = held = _Held(self._source(asked.source), asked.image, _Recorder(self.peer))
        try:
            return as_json(Opened((await held.ready()).name))
        except BaseException:
            await self.abandon()
            raise

    async def _prepare(self, params: object) -> None:
        asked = from_json(Prepare, params)
        await (await self._opened()).prepare(asked.index, size=asked.size)

    async def _begin(self, params: object) -> None:
        asked = from_json(Begin, params)
        await (await self._opened()).begin(address=asked.address, record_bytes=asked.record_bytes)

    async def _send(self, _: object) -> Any:  # noqa: ANN401
        sent = await (await self._opened()).send(self._taken_up)
        return as_json(Done(sent.size, sent.digest.hex()))

    async def _taken_up(self) -> None:
        await self.peer.call("taken_up")

    async def _finish(self, _: object) -> None:
        await (await self._opened()).finish()

    async def _opened(self) -> OpenSource:
        if self._held is None:
            raise RpcError(Code.INVALID_PARAMS, "no image is open")
        return await self._held.ready()

    async def _close(self, params: object) -> None:
        if from_json(Close, params).failed:
            await self.abandon()
        elif self._held is not None:
            await self._held.close()
            self._held = None

    async def abandon(self) -> None:
        """Leave mover idle and nothing open, whatever the job was about."""
        if self._held is not None:
            await self._held.abandon()
            self._held = None


class _AbandonedError(Exception):
    """The job failed elsewhere."""


class _Held:
    """An open source in a task of its own: it is closed where it was opened, whoever asks for that."""

    def __init__(self, source: FileServiceSource, image: SourceImage, recorder: _Recorder) -> None:
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[OpenSource] = loop.create_future()
        self._end: asyncio.Future[None] = loop.create_future()
        self._task = asyncio.create_task(self._hold(source, image, recorder))

    async def _hold(self, source: FileServiceSource, image: SourceImage, recorder: _Recorder) -> None:
        try:
            async with source.opened(image, recorder) as opened:
                self._ready.set_result(opened)
                await self._end
        except JobError as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def ready(self) -> OpenSource:
        """The source, once it is open; JobError."""
        await asyncio.wait((self._ready, self._task), return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            await self._task
        return await self._ready

    async def close(self) -> None:
        """All was sent: close it."""
        self._end.set_result(None)
        await self._task

    async def abandon(self) -> None:
        """Close it and leave nothing of a transfer; what goes wrong with that is told, see :func:`job.tidy`."""
        if not self._ready.done():
            self._task.cancel()
        elif not self._end.done():
            self._end.set_exception(_AbandonedError())
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.exception()  # the job has failed already


class _Recorder:
    """Implements SideRecorder: everything is told to the process with the job's record."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._step = Step.PREPARE

    def step(self, step: Step, text: str) -> None:
        """See SideRecorder."""
        self._step = step
        self._tell("step", text)

    def note(self, text: str) -> None:
        """See SideRecorder."""
        self._tell("note", text)

    def told(self, text: str) -> None:
        """See SideRecorder."""
        self._tell("told", text)

    def mover(self, role: str, state: MoverState) -> None:
        """See SideRecorder."""
        self._peer.tell("mover", as_json(MoverIs(role, state)))

    def _tell(self, kind: Literal["step", "note", "told"], text: str) -> None:
        self._peer.tell("event", as_json(Event(kind, self._step, text)))


def _software() -> str:
    try:
        return f"ndmpdup {version('ndmpdup')}"
    except PackageNotFoundError:
        return "ndmpdup"
