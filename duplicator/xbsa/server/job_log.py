"""The job of a stream in the catalog; the event loop does not wait for the database."""

from __future__ import annotations

import asyncio

from duplicator.catalog import Catalog, JobKind, JobState, Stop
from duplicator.status import Status

__all__ = ["JobLog"]


class JobLog:
    """The record of one job, once it is started; before that, nothing is noted."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.number = 0
        self._over = False

    async def start(self, kind: JobKind, *, image: str, source: str, target: str, total: int | None) -> None:
        """It runs, in this process."""
        self.number = await asyncio.to_thread(
            lambda: self._catalog.start_job(kind, image=image, source=source, target=target, bytes_total=total)
        )

    async def step(self, step: str, text: str) -> None:
        """A line of its log."""
        if self.number:
            await asyncio.to_thread(self._catalog.event, self.number, step, text)

    async def moved(self, count: int, total: int | None = None) -> None:
        """How far it is."""
        if self.number:
            await asyncio.to_thread(lambda: self._catalog.progress(self.number, count, bytes_total=total))

    async def stop_asked(self) -> Stop | None:
        """What somebody asks of it, such as by `ndmpdup cancel`."""
        return await asyncio.to_thread(self._catalog.stop_asked, self.number) if self.number else None

    async def finish(self, state: JobState, status: Status, reason: str = "") -> None:
        """How it ended; only the first time counts."""
        if self.number and not self._over:
            self._over = True
            await asyncio.to_thread(lambda: self._catalog.finish_job(self.number, state, status=status, reason=reason))
