"""What the commands of the queue have in common: configuration, catalog, and running jobs by them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from duplicator.catalog import Catalog, Copy, Job, JobKind, JobState
from duplicator.cli.batch import Batch, open_catalog
from duplicator.cli.by_hand import ask_operator
from duplicator.cli.documents import job_document
from duplicator.cli.endings import UsageProblem
from duplicator.cli.terminal import print_json, say
from duplicator.config import Config, DiskUnit, TapeUnit, load, local_agent
from duplicator.orders import CopyOrder
from duplicator.plan import JobResult, Place
from duplicator.policies import orders_of_policy
from duplicator.queued import QueuedCopies
from duplicator.recorder import Watcher
from duplicator.runner import Runner
from duplicator.supply import VolumeSupply

__all__ = ["Jobs", "queue_policies", "run_jobs"]

_log: Final = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one catalog, done by one configuration."""

    catalog: Catalog
    config: Config
    catalog_url: str | None

    def queue(self, order: CopyOrder, *, priority: int = 0) -> int:
        """Queue a job; gives its number."""
        return self.catalog.queue_job(
            JobKind.DUPLICATE,
            image=order.image,
            source=order.source,
            target=order.target,
            request=order.document(),
            priority=priority,
            policy=order.policy,
        )

    def disk_unit(self, name: str, *, option: str) -> DiskUnit:
        """A disk unit by the name that an option gives; UsageProblem."""
        return _known(self.config.storage.disk, name, f"{option}: the configuration has no disk unit")

    def tape_unit(self, name: str, *, option: str) -> TapeUnit:
        """A tape unit, the same way."""
        return _known(self.config.storage.tape, name, f"{option}: the configuration has no tape unit")

    def retention(self, unit: TapeUnit) -> timedelta | None:
        """How long the pool of a tape unit keeps copies; None: for ever."""
        pool = self.config.pools.get(unit.pool or "")
        return pool.retention if pool else None

    def say_queued(self, numbers: Sequence[int], *, as_json: bool) -> None:
        """Tell which jobs wait now."""
        jobs = [self.catalog.job(number) for number in numbers]
        if as_json:
            print_json({"jobs": [job_document(job) for job in jobs]})
            return
        for job in jobs:
            say(f"job {job.id}: {job.image} is queued; `ndmpdup run` runs it")

    def run(self, numbers: Sequence[int] | None, *, at_once: int | None = None, scheduler: str | None = None) -> Batch:
        """Run these jobs, or all that are queued."""
        batch = Batch()
        count = at_once or self._drives()
        if scheduler is None:
            batch.run_many(lambda watcher_of: self._run(numbers, watcher_of, at_once=count))
        else:
            batch.run_many(lambda watcher_of: self._run_elsewhere(scheduler, numbers, watcher_of, at_once=count))
        return batch

    async def _run_elsewhere(
        self, scheduler: str, numbers: Sequence[int] | None, watcher_of: Callable[[str], Watcher], *, at_once: int
    ) -> list[JobResult]:
        """On a Dask cluster."""
        from duplicator.cluster_jobs import run_batch

        queued = [job.id for job in self.catalog.jobs() if job.state in (JobState.QUEUED, JobState.WAITING)]
        return await run_batch(
            scheduler,
            sorted(queued) if numbers is None else numbers,
            watcher_of("jobs of the cluster"),
            catalog=self.catalog,
            catalog_url=self.catalog_url,
            config=self.config,
            at_once=at_once,
        )

    async def _run(
        self, numbers: Sequence[int] | None, watcher_of: Callable[[str], Watcher], *, at_once: int
    ) -> list[JobResult]:
        queued = self._queued()
        await queued.prepare()
        runner = Runner(self.catalog, queued.run, lambda job: watcher_of(job.image))
        return await runner.run(numbers, at_once=at_once)

    @asynccontextmanager
    async def reading(self, copy: Copy, unit: TapeUnit) -> AsyncIterator[tuple[Place, VolumeSupply]]:
        """A drive of a unit and the volumes of a copy, to read them."""
        queued = self._queued()
        await queued.prepare()
        async with queued.reading(copy, unit, note=_log.info) as granted:
            yield granted

    def _drives(self) -> int:
        """As many jobs as can have a drive."""
        units = self.config.storage.tape.values()
        drives = {drive.name for unit in units for drive in self.config.drives_of(unit)}
        return max(1, len(drives))

    def _queued(self) -> QueuedCopies:
        agent = local_agent(self.config)
        if agent is None:
            raise UsageProblem("the configuration has no agent that is this machine: one without a `command`")
        return QueuedCopies(self.catalog, self.config, agent, ask=ask_operator)


def _known(entries: Mapping[str, T], name: str, text: str) -> T:
    if name not in entries:
        raise UsageProblem(f"{text} {name!r}; it has {', '.join(entries) or 'none'}, and an URL begins with ndmp://")
    return entries[name]


@contextmanager
def run_jobs(config: Path | None, catalog: str | None) -> Iterator[Jobs]:
    """The configuration, and the catalog that the command or the configuration names."""
    found = load(config)
    url = catalog or found.catalog.url
    with open_catalog(url, found.file) as opened:
        yield Jobs(opened, found, url)


def queue_policies(jobs: Jobs, names: Sequence[str]) -> list[int]:
    """Queue what policies lack: images without as many copies as they say, that no queued job will make.

    A job that ended before its copy was done is queued again, and goes on with it.
    """
    queued: list[int] = []
    for name in names:
        policy = jobs.config.policies.get(name)
        if policy is None:
            known = ", ".join(jobs.config.policies) or "none"
            raise UsageProblem(f"--policy: the configuration has no policy {name!r}; it has {known}")
        for wanted in orders_of_policy(jobs.catalog, jobs.config, policy):
            if isinstance(wanted, Job):
                jobs.catalog.requeue_job(wanted.id)
                queued.append(wanted.id)
            else:
                queued.append(jobs.queue(wanted, priority=policy.priority))
    return queued
