"""A site, and jobs that run in this process on its catalog, with sources chosen by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from duplicator.catalog import Catalog, Copy, JobKind
from duplicator.engine import Means, run_copy
from duplicator.plan import CopyRequest, JobResult, RestoreRequest, Validation
from duplicator.recorder import Recorder
from duplicator.restore import restore
from duplicator.sources import Source
from duplicator.status import Status
from duplicator.supply import TapeInDrive, VolumeSupply
from tests.duplicator.processes import Site
from tests.duplicator.robots import DEADLINES, Told, place

__all__ = ["Bench"]


@dataclass
class Bench:
    """``told`` is what the last job told."""

    site: Site
    told: Told = field(default_factory=Told)

    def run(
        self,
        target: str,
        by: Source | Callable[[Recorder], Awaitable[Source]],
        *,
        supply: VolumeSupply | None = None,
        record: int = 65536,
        validation: Validation = Validation.DIGEST,
    ) -> JobResult:
        """Copy to the tape ``target`` what a source has, which may be chosen within the job."""
        return asyncio.run(self.job(target, by, supply=supply, record=record, validation=validation))

    async def job(
        self,
        target: str,
        by: Source | Callable[[Recorder], Awaitable[Source]],
        *,
        supply: VolumeSupply | None = None,
        record: int = 65536,
        validation: Validation = Validation.DIGEST,
    ) -> JobResult:
        """The same, in a loop that runs."""
        self.told = Told()
        there = place(self.site, target)
        request = CopyRequest("image", there, there, record_bytes=record, deadlines=DEADLINES, validation=validation)

        @asynccontextmanager
        async def gather(recorder: Recorder) -> AsyncIterator[Means]:
            source = await by(recorder) if callable(by) else by
            yield Means(request, source, supply or TapeInDrive())

        with Catalog(self.site.catalog) as catalog:
            number = catalog.start_job(JobKind.DUPLICATE, image="image", source="", target=target)
            return await run_copy(number, "image", gather, catalog, self.told)

    def restore(self, copy: Copy, tape: str, into: Path, supply: VolumeSupply | None = None) -> JobResult:
        """Bring a copy back to a directory."""
        request = RestoreRequest(copy.id, place(self.site, tape), into, DEADLINES)
        with Catalog(self.site.catalog) as catalog:
            return asyncio.run(restore(request, catalog, Told(), supply=supply))

    def copy(self, result: JobResult) -> Copy:
        """The copy of a job that has to be well."""
        assert result.status == Status.SUCCESS, (result, self.told.steps)
        with Catalog(self.site.catalog) as catalog:
            return catalog.copy(str(result.copy_id))

    def said(self, text: str) -> bool:
        """Whether the last job told so."""
        return any(text in line for _, line in self.told.steps)

    @property
    def steps(self) -> list[str]:
        """The steps of the last job, each once in a row."""
        names = [step for step, _ in self.told.steps]
        return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
