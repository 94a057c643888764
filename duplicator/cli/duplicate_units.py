"""`ndmpdup duplicate` by units of the configuration: jobs are queued, and run on all drives at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from duplicator.cli.batch import Batch
from duplicator.cli.duplicate_urls import Wanted, What
from duplicator.cli.endings import UsageProblem
from duplicator.cli.queue_run import Jobs, run_jobs
from duplicator.config import TapeUnit
from duplicator.orders import CopyOrder
from duplicator.plan import Deadlines

__all__ = ["UnitJobs", "copy_by_units"]


@dataclass(frozen=True, slots=True)
class UnitJobs:
    """The jobs of one command: units by name, and how they are run."""

    source: str
    target: str
    priority: int
    retries: int
    back_off: float
    """Seconds."""
    deadlines: Deadlines


def copy_by_units(
    images: Sequence[str],
    wish: UnitJobs,
    wanted: Wanted,
    config: Path | None,
    catalog: str | None,
    *,
    queue_only: bool,
    scheduler: str | None,
    as_json: bool,
) -> Batch | None:
    """Queue a job for each image and run them; None if they are only queued."""
    with run_jobs(config, catalog) as jobs:
        target = jobs.tape_unit(wish.target, option="--to")
        numbers = [jobs.queue(_order(jobs, image, wish, wanted, target), priority=wish.priority) for image in images]
        if queue_only:
            jobs.say_queued(numbers, as_json=as_json)
            return None
        return jobs.run(numbers, scheduler=scheduler)


def _order(jobs: Jobs, image: str, wish: UnitJobs, wanted: Wanted, target: TapeUnit) -> CopyOrder:
    from_copy = None
    match wanted.what:
        case What.IMAGE:
            jobs.disk_unit(wish.source, option="--from")
        case What.COPY:
            jobs.tape_unit(wish.source, option="--from")
            copy = jobs.catalog.copy(image)
            image, from_copy = copy.image.name, copy.id
        case other:
            raise UsageProblem(f"--what {other.value} needs URLs, not units of the configuration")
    return CopyOrder(
        image=image,
        source=wish.source,
        target=wish.target,
        from_copy=from_copy,
        volume=wanted.volume,
        digest=wanted.digest.value if wanted.digest else None,
        validation=wanted.validation,
        record_bytes=wanted.record_bytes or target.record_bytes,
        retries=wish.retries,
        back_off=timedelta(seconds=wish.back_off),
        keep=jobs.retention(target),
        deadlines=wish.deadlines,
    )
