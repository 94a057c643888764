"""Shows a running job: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from duplicator.cli.terminal import complain, plain, rate_text, size_text, stderr_console
from duplicator.plan import Step
from duplicator.recorder import Progress as JobProgress
from duplicator.recorder import Watcher

__all__ = ["LineWatcher", "progress_text", "watching"]

_LINE_INTERVAL: Final = 5.0
"""Seconds between lines of progress."""
_SPEED_PERIOD: Final = 5.0
"""Seconds over which the speed that is shown is averaged."""


@contextmanager
def watching() -> Iterator[Callable[[str], Watcher]]:
    """Gives a maker of watchers, one a job, named by its image; they write to standard error."""
    if not stderr_console().is_terminal:
        yield lambda _: LineWatcher(complain)
        return
    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[step]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=stderr_console(), speed_estimate_period=_SPEED_PERIOD) as bars:
        yield lambda title: _BarWatcher(bars, title)


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


class _BarWatcher:
    """One bar for one job."""

    def __init__(self, bars: Progress, title: str) -> None:
        self._bars = bars
        self._bar: TaskID = bars.add_task("", total=None, title=plain(title), step="")

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        shown = plain(text) if step == Step.DONE.value or text.startswith("status ") else step
        self._bars.update(self._bar, step=Text(f"job {job_id}: {shown}").plain)

    def progress(self, job_id: int, progress: JobProgress) -> None:
        """See Watcher."""
        self._bars.update(self._bar, completed=progress.bytes_moved, total=progress.bytes_total, step=_scene(progress))


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
