"""Submits jobs to a cluster: ``python -m tests.duplicator.cluster_driver SCHEDULER CATALOG CONFIG JOBS``.

CONFIG ``-``: the jobs only have their drives to themselves. JOBS: JSON, [[number, image, needs], ...]; the needs of
real ones follow from the configuration. Prints the results as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from duplicator.catalog import Catalog, JobState
from duplicator.cli.running import run
from duplicator.cluster import ClusterJob, run_on_cluster
from duplicator.cluster_jobs import run_batch
from duplicator.config import Config, load
from duplicator.plan import JobResult
from duplicator.recorder import Progress, Watcher
from duplicator.status import Status

ToDos = list[tuple[int, str, dict[str, float]]]
HOLD = "HOLD_FOLDER"
"""The variable of workers that names the folder where :func:`hold` keeps what it did."""


async def hold(catalog: Catalog, config: Config, job_id: int, watcher: Watcher) -> JobResult:
    """Have the drive of the job's target, alone, until two jobs have begun; image ``long``: until it is cancelled."""
    job = catalog.next_job(among=[job_id])
    assert job is not None
    folder = Path(os.environ[HOLD])
    watcher.step(job_id, "hold", f"{job.image} has {job.target}")
    alone = folder / f"{job.target}.held"
    try:
        os.close(os.open(alone, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return _result(job_id, job.image, Status.MEDIA_OPEN_ERROR, f"{job.target} is taken")
    (folder / "begun" / str(job_id)).write_text(str(os.getpid()))
    end = time.monotonic() + 30
    while len(os.listdir(folder / "begun")) < 2 or (job.image == "long" and catalog.stop_asked(job_id) is None):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    alone.unlink()
    status = Status.CANCELLED if job.image == "long" else Status.SUCCESS
    catalog.finish_job(job_id, JobState.CANCELLED if status else JobState.DONE, status=status, reason="")
    return _result(job_id, job.image, status, "")


def _result(job_id: int, image: str, status: Status, reason: str) -> JobResult:
    return JobResult(
        job_id=job_id,
        status=status,
        step="hold",
        reason=reason,
        image=image,
        copy_id=None,
        volume=None,
        size=0,
        move_seconds=0.0,
        validated=False,
    )


class Lines:
    """A watcher that writes a line for each step."""

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        sys.stderr.write(f"job {job_id}: {step}: {text}\n")
        sys.stderr.flush()

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher."""
        sys.stderr.write(f"job {job_id}: progress {progress.bytes_moved}\n")
        sys.stderr.flush()


async def submit(scheduler: str, catalog: Catalog, url: str, *, config: Path | None, jobs: ToDos) -> list[JobResult]:
    """Run the jobs: those of a configuration, or else :func:`hold`."""
    # By the name under which workers import it.
    from tests.duplicator import cluster_driver

    if config is not None:
        numbers = [number for number, _, _ in jobs]
        read = load(config)
        return await run_batch(scheduler, numbers, Lines(), catalog=catalog, catalog_url=url, config=read, at_once=2)
    held = [ClusterJob(number, image, needs) for number, image, needs in jobs]
    run_job = cluster_driver.hold
    return await run_on_cluster(scheduler, held, run_job, Lines(), catalog=catalog, catalog_url=url, at_once=2)


def main() -> None:
    """Submit and wait."""
    scheduler, url, config, text = sys.argv[1:]
    with Catalog(url) as catalog:
        path = None if config == "-" else Path(config)
        results = run(submit(scheduler, catalog, url, config=path, jobs=json.loads(text)))
    print(json.dumps([[result.job_id, int(result.status), result.reason, result.validated] for result in results]))  # noqa: T201


if __name__ == "__main__":
    main()
