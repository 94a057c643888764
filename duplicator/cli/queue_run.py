"""What the commands of the queue have in common: configuration, catalog, and running jobs by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duplicator.catalog import Catalog, Job, JobKind
from duplicator.cli.batch import Batch, open_catalog
from duplicator.cli.documents import job_document
from duplicator.cli.endings import UsageProblem
from duplicator.cli.terminal import print_json, say
from duplicator.config import Config, load
from duplicator.orders import CopyOrder

__all__ = ["Jobs", "queue_policies", "run_jobs"]


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one catalog, done by one configuration."""

    catalog: Catalog
    config: Config

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

    def say_queued(self, numbers: Sequence[int], *, as_json: bool) -> None:
        """Tell which jobs wait now."""
        jobs = [self.catalog.job(number) for number in numbers]
        if as_json:
            print_json({"jobs": [job_document(job) for job in jobs]})
            return
        for job in jobs:
            say(f"job {job.id}: {job.image} is queued; `ndmpdup run` runs it")

    def run(
        self, numbers: Sequence[int] | None, *, at_once: int | None = None, scheduler: str | None = None
    ) -> Batch:
        """Run these jobs, or all that are queued."""
        ...
