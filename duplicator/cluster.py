"""Runs queued jobs on a Dask cluster, whose workers say which drives and agents they have (docs/cluster.md)."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from pydantic import TypeAdapter
from sqlalchemy.engine import make_url

from duplicator.catalog import Catalog, CatalogError, JobState, Stop
from duplicator.config import Config, TapeUnit, load
from duplicator.endings import outlived
from duplicator.plan import JobResult, Step
from duplicator.recorder import Progress, Watcher
from duplicator.selection import Assignment
from duplicator.status import JobError, Status

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["LOCAL", "ClusterJob", "RunJob", "has_password", "needs", "run_on_cluster"]

LOCAL: Final = "local"
"""As the address of a scheduler: a cluster on this machine, for as long as the batch runs."""
_TOPIC: Final = "ndmpdup"
_LOOPBACK: Final = "127.0.0.1:0"
_RESULT: Final = TypeAdapter(JobResult)
_PROGRESS: Final = TypeAdapter(Progress)


class RunJob(Protocol):
    """Runs a job of the catalog to its end, retries and requests to stop included; a function of a module."""

    async def __call__(self, catalog: Catalog, config: Config, job_id: int, watcher: Watcher) -> JobResult: ...


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """A queued job, and what a worker must offer to run it; ``priority``: higher ones go first."""

    number: int
    image: str
    needs: Mapping[str, float]
    priority: int = 0


def needs(config: Config, unit: TapeUnit, assignment: Assignment) -> dict[str, float]:
    """The resources of a job that writes to a tape unit: its only drive, or any, and the agent of the write side."""
    drives = config.drives_of(unit)
    drive = f"drive:{drives[0].name}" if len(drives) == 1 else "drives"
    agent = {f"agent:{assignment.write_agent}": 1.0} if config.agents else {}
    return {drive: 1.0, **agent}


async def run_on_cluster(
    scheduler: str,
    jobs: Sequence[ClusterJob],
    run_job: RunJob,
    watcher: Watcher,
    *,
    catalog: Catalog,
    catalog_url: str | None = None,
    config_file: Path | None = None,
    at_once: int = 1,
) -> list[JobResult]:
    """Have workers run the jobs, and give how each ended, in their order.

    ``catalog`` is the one here. Workers open ``catalog_url``, which has no password, or the one that they are told of
    there; and ``config_file``, or the one that counts there. ``at_once``: jobs at a time on a LOCAL cluster. When
    cancelled, it has the jobs cancelled through the catalog, and waits for their ends.
    """
    _refuse_secret(catalog_url)
    async with _client(scheduler, jobs, at_once) as client:
        client.subscribe_topic(_TOPIC, lambda event: _hear(event, watcher))
        await _tell_what_lacks(client, jobs, watcher)
        futures = [_submit(client, job, run_job, catalog_url=catalog_url, config_file=config_file) for job in jobs]
        ends = [
            asyncio.ensure_future(outlived(job.image, _end_of(future)))
            for job, future in zip(jobs, futures, strict=True)
        ]
        try:
            await asyncio.wait(ends)
        except asyncio.CancelledError:
            for job, end in zip(jobs, ends, strict=True):
                if not _runs(catalog, job.number):
                    end.cancel()  # a worker that takes it up now finds nothing to do
            await asyncio.wait(ends)
            raise
        return [end.result() for end in ends]


def has_password(catalog_url: str) -> bool:
    """Whether the URL has one, which does not go to a cluster."""
    return make_url(catalog_url).password is not None


def _refuse_secret(catalog_url: str | None) -> None:
    if catalog_url is not None and has_password(catalog_url):
        reason = (
            "the catalog's URL has a password, which does not go to a cluster: give each worker the URL by "
            "NDMPDUP_CATALOG or in its ndmpdup.toml"
        )
        raise JobError(Status.CATALOG_FAILED, step=Step.PREPARE.value, reason=reason)


def _submit(
    client: Client, job: ClusterJob, run_job: RunJob, *, catalog_url: str | None, config_file: Path | None
) -> Future[str]:
    return client.submit(
        _run_here,
        run_job,
        job.number,
        job.image,
        catalog_url,
        str(config_file) if config_file else None,
        key=f"ndmpdup-job-{job.number}-{uuid.uuid4()}",
        resources=dict(job.needs),
        priority=job.priority,
        # A lost worker's job is known to the catalog, and is gone on with from there.
        retries=0,
        pure=False,
    )


async def _end_of(future: Future[str]) -> JobResult:
    return _RESULT.validate_json(await future)


def _runs(catalog: Catalog, number: int) -> bool:
    """Have a job cancelled; whether a worker has to end it."""
    try:
        return catalog.ask_to_stop(number, Stop.CANCEL).state is JobState.RUNNING
    except CatalogError:  # it has ended
        return True


# -- the cluster -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _client(scheduler: str, jobs: Sequence[ClusterJob], at_once: int) -> AsyncIterator[Client]:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        reason = "Dask is not installed here: install ndmpdup[scheduler]"
        raise JobError(Status.NOTHING_PROCESSED, step=Step.PREPARE.value, reason=reason) from error
    # What it tells of itself is for its own logs.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if scheduler != LOCAL:
        try:
            async with Client(scheduler, asynchronous=True) as client:
                yield client
        except OSError as error:
            reason = f"the scheduler {scheduler} cannot be reached: {error}"
            raise JobError(Status.CONNECT_TIMED_OUT, step=Step.PREPARE.value, reason=reason) from error
        return
    async with (
        LocalCluster(
            n_workers=1,
            # Data goes from host to host: there is nothing to gain by more processes.
            processes=False,
            threads_per_worker=at_once,
            resources=_all_of(jobs, at_once),
            # Else these listen on every network, also without a dashboard.
            dashboard_address=_LOOPBACK,
            worker_dashboard_address=_LOOPBACK,
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        yield client


def _all_of(jobs: Sequence[ClusterJob], at_once: int) -> dict[str, float]:
    """What one worker must offer to run the jobs, one at a time on a named drive."""
    names = {name for job in jobs for name in job.needs}
    return {name: 1.0 if name.startswith("drive:") else float(at_once) for name in names}


async def _tell_what_lacks(client: Client, jobs: Sequence[ClusterJob], watcher: Watcher) -> None:
    """A job that no worker can run waits for one, which is no failure; but it should be known."""
    assert client.scheduler is not None
    workers: Mapping[str, Any] = (await client.scheduler.identity(n_workers=-1))["workers"]
    offers = [worker.get("resources", {}) for worker in workers.values()]
    for job in jobs:
        if not any(all(offer.get(name, 0) >= count for name, count in job.needs.items()) for offer in offers):
            wanted = ", ".join(f"{name}={count:g}" for name, count in job.needs.items())
            watcher.step(job.number, Step.PREPARE.value, f"no worker of the cluster offers {wanted} yet: the job waits")


def _hear(event: tuple[float, Any], watcher: Watcher) -> None:
    """What a worker tells of a job."""
    match event[1]:
        case {"job": int(number), "step": str(step), "text": str(text)}:
            watcher.step(number, step, text)
        case {"job": int(number), "progress": progress}:
            watcher.progress(number, _PROGRESS.validate_python(progress))


# -- on a worker -------------------------------------------------------------------------------------------------------


def _run_here(run_job: RunJob, number: int, image: str, catalog_url: str | None, config_file: str | None) -> str:
    """Run a job on the worker that Dask has chosen; gives its result as JSON."""

    async def run() -> JobResult:
        config = load(Path(config_file) if config_file else None)
        with Catalog(catalog_url or os.environ.get("NDMPDUP_CATALOG") or config.catalog.url) as catalog:
            catalog.mark_dead_jobs()
            return await run_job(catalog, config, number, _Teller())

    return _RESULT.dump_json(asyncio.run(outlived(image, run()))).decode()


class _Teller:
    """Implements Watcher on a worker: who has submitted the jobs hears it."""

    def __init__(self) -> None:
        from distributed import get_worker

        self._worker = get_worker()

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        self._worker.log_event(_TOPIC, {"job": job_id, "step": step, "text": text})

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher."""
        kept = json.loads(_PROGRESS.dump_json(progress))
        self._worker.log_event(_TOPIC, {"job": job_id, "progress": kept})
