"""Agents as processes: started by their command, spoken to over its standard input and output, and always ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from duplicator.agents.peer import Peer, PeerLost, Said, Served
from duplicator.agents.wire import LONGEST_LINE_BYTES, VERSIONS, Hello, RpcError, Welcome, as_json, from_json, printable
from duplicator.config import AgentSpec, Config
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["AgentStart", "RunningAgent", "agent_start", "running"]

_log: Final = logging.getLogger(__name__)
_PASSED_ON: Final = (
    *("PATH", "PYTHONPATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSH_AUTH_SOCK"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""Variables that an agent gets: where its programs, its home and its keyring are. No password is among them."""
_GOODBYE: Final = 5.0
"""Seconds for a process to end that has nothing open any more."""
_LAST_WORDS: Final = 300

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AgentStart:
    """How an agent is started. In seconds: ``hello``, for its first answer; ``silence``, between signs of life."""

    name: str
    command: tuple[str, ...]
    hello: float = 30.0
    silence: float = 30.0


def agent_start(config: Config, agent: AgentSpec) -> AgentStart:
    """By the agent's command; without one, a process beside this one, with the same configuration file."""
    file = ("--config", str(config.file.absolute())) if config.file else ()
    return AgentStart(agent.name, agent.command or (sys.executable, "-m", "duplicator.cli.main", "agent", *file))


class RunningAgent:
    """An agent that answers."""

    def __init__(self, start: AgentStart, process: Process, peer: Peer) -> None:
        self._start = start
        self._process = process
        self._peer = peer
        self._words = b""
        self.name = f"agent {start.name}"

    async def hello(self, step: Step) -> Welcome:
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
        return welcome

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
            reason = f"{self.name} is lost: {error}{await self._end_of_process()}"
            raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=reason) from error

    async def _end_of_process(self) -> str:
        """How it ended, if it did, and the last it said."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._process.wait()
        code = self._process.returncode
        if code is None:
            return ""
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        lines = self._words.decode(errors="replace").strip().splitlines()
        return f" ({how}{f': {printable(lines[-1].strip())}' if lines else ''})"

    async def listen(self) -> None:
        """Pass what it says on standard error to the log, and keep the last of it."""
        assert self._process.stderr is not None
        while piece := await self._process.stderr.read(4096):
            self._words = (self._words + piece)[-_LAST_WORDS:]
            for line in piece.decode(errors="replace").splitlines():
                _log.info("agent %s: %s", self._start.name, printable(line))


@asynccontextmanager
async def running(
    start: AgentStart, *, served: Mapping[str, Served], said: Mapping[str, Said], step: Step
) -> AsyncIterator[RunningAgent]:
    """An agent for the duration of the block; its standard input is closed then, and at last it is killed. JobError."""
    process = await _start(start, step)
    assert process.stdin is not None
    assert process.stdout is not None
    peer = Peer(process.stdout, process.stdin, served=served, said=said, silence=start.silence)
    agent = RunningAgent(start, process, peer)
    tasks = [asyncio.create_task(peer.run()), asyncio.create_task(agent.listen())]
    try:
        await agent.hello(step)
        yield agent
    finally:
        try:
            await _end(process, at_once=tasks[0].done())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _start(start: AgentStart, step: Step) -> Process:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        return await asyncio.create_subprocess_exec(
            *start.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            limit=LONGEST_LINE_BYTES,
            # Ctrl-C is for this process, which then has the agent clean up.
            start_new_session=True,
        )
    except OSError as error:
        reason = f"agent {start.name} cannot be started: {start.command[0]}: {error.strerror}"
        raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=reason) from error


async def _end(process: Process, *, at_once: bool) -> None:
    """Close its standard input and wait; one that is lost or stays is killed, with what it started."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.0 if at_once else _GOODBYE):
                await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
