"""What befalls a job exactly at a step, in the job's own process: its line is said, and nothing done after it."""

from __future__ import annotations

import functools
import itertools
import logging
import os
import pkgutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.duplicator.warm import Hook, WarmProcess, spawn_warm

__all__ = ["Blow", "Call", "Line", "SpawnHooked", "Tally", "lines_of"]

_END = "end"
"""The step of a job's last line."""
_RUNNER_LOOKS = 1.0
"""Seconds in which a runner looks what is asked of its jobs: one that is held up longer looks before all else."""


@dataclass(frozen=True)
class Line:
    """A line of a job's log: the ``number``-th, from 1, of the ``turn``-th time that the job is in ``step``."""

    step: str
    turn: int
    number: int = 1

    def __str__(self) -> str:
        return f"{self.step} #{self.turn}" + (f", line {self.number}" if self.number > 1 else "")


@dataclass(frozen=True)
class Call:
    """The ``turn``-th time, from 1, that the process is about to call this method: ``module.Class.method``."""

    method: str
    turn: int

    def __str__(self) -> str:
        return f"before {self.method} #{self.turn}"


def lines_of(steps: Iterable[str]) -> list[Line]:
    """The lines of a log by their names; ``steps`` has the step of each line."""
    counter = _Counter()
    return [counter.count(step) for step in steps]


class _Counter:
    def __init__(self) -> None:
        self._turns = Counter[str]()
        self._last = Line("", 0)

    def count(self, step: str) -> Line:
        """The name of the next line."""
        if step == self._last.step:
            self._last = Line(step, self._last.turn, self._last.number + 1)
        else:
            self._turns[step] += 1
            self._last = Line(step, self._turns[step])
        return self._last


@dataclass(frozen=True)
class Blow:
    """At this point a process is sent a signal: ``victim``, or the job's own; when the job goes on, it had it.

    ``command``: this is run to its end instead, with the number of the job as its last word. ``struck`` is made then.
    """

    at: Line | Call
    victim: int | None
    number: signal.Signals
    struck: Path
    command: Sequence[str] = ()

    def install(self) -> None:
        """See Hook."""
        log = logging.getLogger("duplicator.recorder")
        log.setLevel(logging.INFO)
        log.addHandler(_Striker(self))
        if isinstance(self.at, Call):
            turns = itertools.count(1)
            _before(self.at.method, lambda: self.strike(0) if next(turns) == self.at.turn else None)

    def strike(self, job_id: int) -> None:
        """Do it."""
        self.struck.touch()
        if self.command:
            subprocess.run([*self.command, str(job_id)], check=True, stdout=subprocess.DEVNULL)
            time.sleep(_RUNNER_LOOKS)
            return
        os.kill(self.victim or os.getpid(), self.number)
        while self.victim and self.number == signal.SIGKILL and _runs(self.victim):
            time.sleep(0.001)


@dataclass(frozen=True)
class Tally:
    """Writes into a file, a line each, which of these methods are called."""

    methods: Sequence[str]
    file: Path

    def install(self) -> None:
        """See Hook."""
        self.file.touch()
        for method in self.methods:
            _before(method, functools.partial(self._add, method))

    def _add(self, method: str) -> None:
        with self.file.open("a") as file:
            file.write(f"{method}\n")


class SpawnHooked:
    """Implements :class:`tests.duplicator.processes.Spawn`; ``hook`` is for the next process, and for no other."""

    def __init__(self) -> None:
        self.hook: Hook | None = None

    def __call__(
        self, command: list[str], *, stdout: IO[bytes], stderr: int | IO[bytes], env: dict[str, str]
    ) -> WarmProcess:
        hook, self.hook = self.hook, None
        return spawn_warm(command, stdout=stdout, stderr=stderr, env=env, hook=hook)


def _before(method: str, act: Callable[[], None]) -> None:
    """Have every call of a method begin with an act."""
    owner, _, name = method.rpartition(".")
    there = pkgutil.resolve_name(owner)
    original = getattr(there, name)

    @functools.wraps(original)
    def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        act()
        return original(*args, **options)

    setattr(there, name, call)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class _Striker(logging.Handler):
    def __init__(self, blow: Blow) -> None:
        super().__init__()
        self._blow = blow
        self._counter = _Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """A job's line: its number, its step and a text; the last line has a status instead of a step."""
        job_id, step, *_ = record.args
        line = self._counter.count(step if isinstance(step, str) else _END)
        if line == self._blow.at:
            self._blow.strike(int(str(job_id)))
