"""Progress bars, for people who look on: rich is slow to load, so no other job loads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

from duplicator.cli.terminal import plain, stderr_console
from duplicator.plan import Step
from duplicator.recorder import Progress as JobProgress

__all__ = ["BarWatcher", "bars"]

_SPEED_PERIOD: Final = 5.0
"""Seconds over which the speed that is shown is averaged."""


@contextmanager
def bars(scene: Callable[[JobProgress], str]) -> Iterator[Callable[[str], BarWatcher]]:
    """Gives a maker of watchers, one a job, named by its image; ``scene``: what a bar tells beside its numbers."""
    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[step]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=stderr_console(), speed_estimate_period=_SPEED_PERIOD) as shown:
        yield lambda title: BarWatcher(shown, title, scene)


class BarWatcher:
    """One bar for one job."""

    def __init__(self, shown: Progress, title: str, scene: Callable[[JobProgress], str]) -> None:
        self._shown = shown
        self._scene = scene
        self._bar: TaskID = shown.add_task("", total=None, title=plain(title), step="")

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        told = plain(text) if step == Step.DONE.value or text.startswith("status ") else step
        self._shown.update(self._bar, step=Text(f"job {job_id}: {told}").plain)

    def progress(self, job_id: int, progress: JobProgress) -> None:
        """See Watcher."""
        moved, total = progress.bytes_moved, progress.bytes_total
        self._shown.update(self._bar, completed=moved, total=total, step=self._scene(progress))
