"""A job's record: every step goes to the log, to the catalog and to whoever watches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from duplicator.catalog import Catalog, CatalogError, CopyState, JobState, Stop
from duplicator.plan import Step
from duplicator.status import JobError, Status
from ndmp.enums import MoverState

__all__ = ["Progress", "Recorder", "SideRecorder", "Watcher"]

_log: Final = logging.getLogger(__name__)
_PROGRESS_INTERVAL: Final = 1.0
"""Seconds between progress records in the catalog."""
_METER_INTERVAL: Final = 0.5
"""Seconds over which the rate of the moment is taken, at least."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. Sizes in bytes, rates in bytes a second; empty texts and None: not known yet."""

    image: str
    volume: str
    bytes_moved: int
    bytes_total: int
    rate_now: float
    rate_overall: float
    seconds_left: float | None
    movers: Mapping[str, MoverState]
    """States by role, such as ``appliance``."""
    told: str
    """The last notification of a host."""


class Watcher(Protocol):
    """Somebody who is told while a job runs; called in the event loop, so it must not block."""

    def step(self, job_id: int, step: str, text: str) -> None:
        """The job is in ``step``; ``text`` says what it does there."""
        ...

    def progress(self, job_id: int, progress: Progress) -> None:
        """The job is so far."""
        ...


class SideRecorder(Protocol):
    """What one side of a job has recorded; that side may run in another process than the rest."""

    def step(self, step: Step, text: str) -> None:
        """See Recorder."""
        ...

    def note(self, text: str) -> None:
        """See Recorder."""
        ...

    def told(self, text: str) -> None:
        """See Recorder."""
        ...

    def mover(self, role: str, state: MoverState) -> None:
        """See Recorder."""
        ...


class Recorder:
    """Writes the record of one job.

    A catalog that fails must not break a running transfer or a clean-up: the failure is kept, and :meth:`check` raises
    it where the job can end in order. From then on the catalog is left alone until the job's end.
    """

    def __init__(self, catalog: Catalog, job_id: int, watcher: Watcher, *, image: str = "") -> None:
        self._catalog = catalog
        self._watcher = watcher
        self._last_progress = 0.0
        self._total = 0
        self._meter = _Meter()
        self._movers: dict[str, MoverState] = {}
        self._told = ""
        self._volume = ""
        self._image = image
        self._failure: CatalogError | None = None
        self.job_id = job_id
        self.current = Step.PREPARE

    def step(self, step: Step, text: str) -> None:
        """The job enters a step; JobError when the catalog could not be written, now or before."""
        self.check()
        self.current = step
        self.note(text)
        self.check()

    def check(self) -> None:
        """JobError when the catalog could not be written."""
        if self._failure is not None:
            reason = str(self._failure)
            raise JobError(Status.CATALOG_FAILED, step=self.current.value, reason=reason) from self._failure

    def note(self, text: str) -> None:
        """Something to tell within the step."""
        _log.info("job %d: %s: %s", self.job_id, self.current.value, text)
        self._write(lambda: self._catalog.event(self.job_id, self.current.value, text))
        self._watcher.step(self.job_id, self.current.value, text)

    def expect(self, total: int) -> None:
        """The image has ``total`` bytes."""
        self._total = total
        self._write(lambda: self._catalog.progress(self.job_id, 0, bytes_total=total))

    def on_volume(self, volume: str) -> None:
        """Data goes to this volume, or comes from it."""
        self._volume = volume

    def mover(self, role: str, state: MoverState) -> None:
        """The mover of one side is in this state."""
        self._movers[role] = state

    def told(self, text: str) -> None:
        """A host told something by itself."""
        self._told = text
        self.note(text)

    def progress(self, moved: int) -> None:
        """``moved`` bytes of the image are through; the catalog hears of it once in a while."""
        self._meter.count(moved)
        self._watcher.progress(self.job_id, self._progress(moved))
        if moved >= self._total or time.monotonic() - self._last_progress >= _PROGRESS_INTERVAL:
            self._last_progress = time.monotonic()
            self._write(lambda: self._catalog.progress(self.job_id, moved))

    def _progress(self, moved: int) -> Progress:
        left, overall = self._total - moved, self._meter.overall
        return Progress(
            image=self._image,
            volume=self._volume,
            bytes_moved=moved,
            bytes_total=self._total,
            rate_now=self._meter.now,
            rate_overall=overall,
            seconds_left=left / overall if overall and left >= 0 else None,
            movers=dict(self._movers),
            told=self._told,
        )

    def copy_failed(self, copy_id: str) -> None:
        """The copy came to nothing; told while another failure is on its way, so it raises none."""
        self._try(lambda: self._catalog.set_copy_state(copy_id, CopyState.FAILED))

    def copy_stopped(self, copy_id: str) -> None:
        """The copy is not whole; its committed fragments can be gone on with. Raises nothing, as above."""
        self._try(lambda: self._catalog.stop_copy(copy_id))

    def stopped(self) -> None:
        """The job was cancelled; suspended, if that is what somebody asked for."""
        stop: Stop | None = None
        with suppress(CatalogError):
            stop = self._catalog.stop_asked(self.job_id)
        state, word = (JobState.SUSPENDED, "suspended") if stop is Stop.SUSPEND else (JobState.CANCELLED, "cancelled")
        self.finish(state, Status.CANCELLED, f"{word} at step {self.current.value!r}")

    def finish(self, state: JobState, status: Status, reason: str) -> None:
        """The job ends; tried even where the catalog failed before, as it may be back."""
        self._try(lambda: self._catalog.finish_job(self.job_id, state, status=status, reason=reason))
        if status == Status.SUCCESS and self._failure is not None:
            status, reason = Status.CATALOG_FAILED, str(self._failure)
        _log.log(
            logging.INFO if status == Status.SUCCESS else logging.ERROR,
            "job %d: ends with status %d (%s) %s",
            self.job_id,
            status,
            status.text,
            reason,
        )
        self._watcher.step(self.job_id, self.current.value, f"status {status.value}: {reason or status.text}")

    def _write(self, write: Callable[[], None]) -> None:
        # A locked database makes each attempt wait, and the event loop with it.
        if self._failure is None:
            self._try(write)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except CatalogError as error:
            self._failure = self._failure or error
            text = f"the catalog cannot be written: {error}"
            _log.error("job %d: %s: %s", self.job_id, self.current.value, text)
            self._watcher.step(self.job_id, self.current.value, text)


class _Meter:
    """Rates, from counts that come in once in a while."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self.now = 0.0
        self.overall = 0.0

    def count(self, moved: int) -> None:
        """So many bytes are through now. A count that is lower than the last begins anew: it is another pass."""
        time_now = time.monotonic()
        if self._first is None or moved < self._last[1]:
            self._first = self._last = (time_now, moved)
            self.now = self.overall = 0.0
            return
        since, moved_then = self._last
        if time_now - since >= _METER_INTERVAL:
            self.now, self._last = (moved - moved_then) / (time_now - since), (time_now, moved)
        began, moved_first = self._first
        if time_now > began:
            self.overall = (moved - moved_first) / (time_now - began)
