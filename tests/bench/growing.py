"""What grows, and how: points of a curve, each with figures by name."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from tests.bench.pairing import cpu_seconds

__all__ = ["MIB", "Ended", "Growth", "Panel", "Point", "Scale", "ended", "rss_bytes", "watched"]

MIB: Final = 1 << 20
_LOOK: Final = 0.25
"""Seconds between looks at processes that run."""


@dataclass(frozen=True, slots=True)
class Point:
    """Figures by name, at ``x``."""

    x: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures of one unit, drawn together."""

    unit: str
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where to measure, and how much: the quick form only shows that it runs."""

    folder: Path
    quick: bool
    images: int


Points: TypeAlias = Callable[[Scale], Iterator[Point]]


@dataclass(frozen=True, slots=True)
class Growth:
    """A curve: what it is about, what lies along it, and how its points are had."""

    title: str
    along: str
    panels: Sequence[Panel]
    points: Points
    logarithmic: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command used. Its peak is of memory that was resident."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def ended(process: subprocess.Popen[bytes], begin: float) -> Ended:
    """Wait for the end of a command that began at ``begin`` (perf_counter); RuntimeError if it failed."""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return Ended(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def rss_bytes(pid: int, *, peak: bool = False) -> int:
    """Resident memory of a process, now or at its peak."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def watched(
    process: subprocess.Popen[bytes], pids: Mapping[str, int], done: Callable[[], int]
) -> Iterator[tuple[int, float, Mapping[str, float], Mapping[str, float]]]:
    """While a command runs: how much is done, when, and the CPU seconds and resident bytes of processes."""
    while process.poll() is None:
        try:
            cpu = {name: cpu_seconds(pid) for name, pid in pids.items()}
            memory = {name: float(rss_bytes(pid)) for name, pid in pids.items()}
        except (OSError, StopIteration):  # it ends in this moment
            break
        yield done(), time.perf_counter(), cpu, memory
        time.sleep(_LOOK)
