"""Shows a running job: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from duplicator.cli.terminal import complain, is_watched, plain, rate_text, size_text
from duplicator.recorder import Progress as JobProgress
from duplicator.recorder import Watcher

__all__ = ["LineWatcher", "progress_text", "watching"]

_LINE_INTERVAL: Final = 5.0
"""Seconds between lines of progress."""


@contextmanager
def watching() -> Iterator[Callable[[str], Watcher]]:
    """Gives a maker of watchers, one a job, named by its image; they write to standard error."""
    if not is_watched():
        yield lambda _: LineWatcher(complain)
        return
    from duplicator.cli.bars import bars

    with bars(_scene) as watcher_of:
        yield watcher_of


class LineWatcher:
    """A line for each step, and for progress every few seconds."""

    def __init__(self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._last = clock()

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        self._line(job_id, f"{step}: {text}")

    def progress(self, job_id: int, progress: JobProgress) -> None:
        """See Watcher."""
        now = self._clock()
        if now - self._last >= _LINE_INTERVAL:
            self._last = now
            self._line(job_id, progress_text(progress))

    def _line(self, job_id: int, text: str) -> None:
        now = datetime.now().astimezone()
        self._write(f"{now:%Y-%m-%d %H:%M:%S} job {job_id}: {plain(text)}")


def progress_text(progress: JobProgress) -> str:
    """How far a job is, in one line."""
    moved, total = progress.bytes_moved, progress.bytes_total
    share = f" ({moved * 100 // total} %)" if total else ""
    rates = f"{rate_text(round(progress.rate_now), 1)} now, {rate_text(round(progress.rate_overall), 1)} overall"
    left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
    return f"{size_text(moved)} of {size_text(total)}{share}, {rates}{left}; {_scene(progress)}"


def _scene(progress: JobProgress) -> str:
    """Where the data goes, and what both sides last said."""
    movers = [f"{role} {state.name.lower()}" for role, state in progress.movers.items()]
    volume = [f"volume {progress.volume}"] if progress.volume else []
    return plain(", ".join([*volume, *movers, *([progress.told] if progress.told else [])]))
