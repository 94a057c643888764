"""Rounds in which every contestant runs once, and ratios between neighbours in time."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

__all__ = [
    "GIB",
    "KIB",
    "Contestants",
    "Goal",
    "Measure",
    "Result",
    "Row",
    "Setting",
    "cpu_seconds",
    "rate",
    "seconds",
    "spread",
    "take_rounds",
]

KIB: Final = 1 << 10
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Measure:
    """What one run has shown: its time, the bytes of payload moved, and the CPU time of each process by name."""

    seconds: float
    bytes: int = 0
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)


Contestants: TypeAlias = Mapping[str, Callable[[], Measure]]
"""Each does the same work once when it is called."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and how large: folders of this run, C programs by name, and whether it is the quick form.

    ``memory`` is on a tmpfs where there is one, ``disk`` on a file system that keeps its files on a disk.
    """

    memory: Path
    disk: Path
    programs: Mapping[str, Path]
    quick: bool = False

    def size(self, full_bytes: int) -> int:
        """How many bytes to move, where the full form moves so many."""
        return full_bytes // 16 if self.quick else full_bytes

    def within(self, memory: Path, disk: Path) -> Setting:
        """The same in other folders."""
        return replace(self, memory=memory, disk=disk)


def rate(measure: Measure) -> float:
    """Bytes a second."""
    return measure.bytes / measure.seconds


def seconds(measure: Measure) -> float:
    """How long it took."""
    return measure.seconds


@dataclass(frozen=True, slots=True)
class Goal:
    """``figure`` of contestant ``ours`` divided by that of ``against``; by nothing, if that is empty.

    ``target`` and ``stretch`` are the least that it should be, or the most where ``at_most``.
    """

    name: str
    ours: str
    against: str
    target: float
    stretch: float | None = None
    at_most: bool = False
    figure: Callable[[Measure], float] = rate

    def reached(self, value: float, wanted: float) -> bool:
        """Whether it is good enough."""
        return value <= wanted if self.at_most else value >= wanted


@dataclass(frozen=True, slots=True)
class Row:
    """Contestants, made by ``setup`` for the time of a row, and what is expected of them."""

    name: str
    goals: Sequence[Goal]
    setup: Callable[[Setting], AbstractContextManager[Contestants]]
    rounds: int = 7
    quick_rounds: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """The rounds of a row, each with the measure of every contestant."""

    row: Row
    rounds: Sequence[Mapping[str, Measure]]

    def of(self, contestant: str) -> Sequence[Measure]:
        """Its measures."""
        return [measures[contestant] for measures in self.rounds]

    def ratios(self, goal: Goal) -> Sequence[float]:
        """One of each round."""
        return [
            goal.figure(measures[goal.ours]) / (goal.figure(measures[goal.against]) if goal.against else 1)
            for measures in self.rounds
        ]

    def cpu_per_gib(self, contestant: str) -> Mapping[str, float]:
        """CPU seconds for each GiB, by process: medians."""
        measures = [measure for measure in self.of(contestant) if measure.bytes]
        names = dict.fromkeys(name for measure in measures for name in measure.cpu_seconds)
        return {name: statistics.median(m.cpu_seconds.get(name, 0) / m.bytes * GIB for m in measures) for name in names}


def take_rounds(row: Row, setting: Setting) -> Result:
    """Run a row: a round that does not count, then the others; who begins changes from round to round."""
    with row.setup(setting) as contestants:
        names = list(contestants)
        rounds = list[Mapping[str, Measure]]()
        for number in range(1 + (row.quick_rounds if setting.quick else row.rounds)):
            turn = number % len(names)
            measured = {name: contestants[name]() for name in names[turn:] + names[:turn]}
            if number:
                rounds.append(measured)
    return Result(row, rounds)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least and most."""
    return statistics.median(values), min(values), max(values)


def cpu_seconds(pid: int) -> float:
    """What a process of ours has used, all its threads, those that ended included; its children are not."""
    return time.clock_gettime(_clock_of(pid)) if pid != os.getpid() else time.process_time()


def _clock_of(pid: int) -> int:
    """The number of a process's CPU clock (clock_getcpuclockid(3), by the kernel's rule)."""
    scheduler_clock = 2
    return (~pid << 3) | scheduler_clock
