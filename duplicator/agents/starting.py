"""Agents as processes of this machine: started by a command, spoken to over standard input and output, always ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from duplicator.agents.wire import LONGEST_LINE_BYTES, printable
from duplicator.config import AgentSpec, Config
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["AgentProcess", "ProcessLine", "agent_process", "own_command"]

_log: Final = logging.getLogger(__name__)
_PASSED_ON: Final = (
    *("PATH", "PYTHONPATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSH_AUTH_SOCK"),
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
"""Variables that an agent gets: where its programs, its home and its keyring are. No password is among them."""
_GOODBYE: Final = 5.0
"""Seconds for a process to end that has nothing open any more."""
_LAST_WORDS: Final = 300
"""Bytes of its standard error that are kept."""


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """Implements :class:`AgentStart` by a command."""

    name: str
    command: tuple[str, ...]
    hello: float = 30.0
    silence: float = 30.0

    @asynccontextmanager
    async def line(self, step: Step) -> AsyncIterator[ProcessLine]:
        """See AgentStart; to end it, its standard input is closed, and after a while it is killed."""
        line = ProcessLine(self.name, await self._start(step))
        listening = asyncio.create_task(line.listen())
        try:
            yield line
        finally:
            try:
                await line.end()
            finally:
                listening.cancel()
                await asyncio.wait((listening,))

    async def _start(self, step: Step) -> Process:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            return await asyncio.create_subprocess_exec(
                *self.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                limit=LONGEST_LINE_BYTES,
                # Ctrl-C is for this process, which then has the agent clean up.
                start_new_session=True,
            )
        except OSError as error:
            reason = f"agent {self.name} cannot be started: {self.command[0]}: {error.strerror}"
            raise JobError(Status.CONNECTION_BROKEN, step=step.value, reason=reason) from error


def agent_process(config: Config, agent: AgentSpec) -> AgentProcess:
    """By the agent's command; without one, a process beside this one, with the same configuration file."""
    return AgentProcess(agent.name, agent.command or own_command(config))


def own_command(config: Config) -> tuple[str, ...]:
    """What starts an agent with this configuration."""
    file = ("--config", str(config.file.absolute())) if config.file else ()
    return (sys.executable, "-m", "duplicator.cli.main", "agent", *file)


class ProcessLine:
    """Implements :class:`Line` by the standard streams of a process."""

    def __init__(self, name: str, process: Process) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._name = name
        self._process = process
        self._words = b""
        self.reader = process.stdout
        self.writer = process.stdin
        self.is_lost = False

    async def how_it_ended(self) -> str:
        """See Line."""
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
            for text in piece.decode(errors="replace").splitlines():
                _log.info("agent %s: %s", self._name, printable(text))

    async def end(self) -> None:
        """Close its standard input and wait; one that is lost or stays is killed, with what it started."""
        self.writer.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.0 if self.is_lost else _GOODBYE):
                    await self._process.wait()
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
