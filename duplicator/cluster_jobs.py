"""What a worker of a cluster does with a queued job: the same as `ndmpdup run` would, with agents of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from duplicator.agents import AgentStart
from duplicator.catalog import Catalog, Job, JobState
from duplicator.cluster import LOCAL, ClusterJob, has_password, needs, run_on_cluster
from duplicator.cluster_agents import ClusterAgent
from duplicator.config import AgentSpec, Config, local_agent, password_found
from duplicator.orders import CopyOrder
from duplicator.plan import JobResult, Step
from duplicator.queued import QueuedCopies
from duplicator.recorder import Watcher
from duplicator.runner import Runner
from duplicator.selection import Agents, assign_unit
from duplicator.status import JobError, Status

__all__ = ["run_batch", "run_job_here", "run_queued_job"]


async def run_batch(
    scheduler: str,
    numbers: Sequence[int],
    watcher: Watcher,
    *,
    catalog: Catalog,
    catalog_url: str | None,
    config: Config,
    at_once: int,
) -> list[JobResult]:
    """Run queued jobs by the scheduler at this address, or by LOCAL; see :func:`run_on_cluster`.

    ``catalog_url``: that of ``catalog``. ``at_once``: jobs at a time on a LOCAL cluster.
    """
    is_local = scheduler == LOCAL
    return await run_on_cluster(
        scheduler,
        [_cluster_job(catalog.job(number), config) for number in numbers],
        run_job_here if is_local else run_queued_job,
        watcher,
        catalog=catalog,
        catalog_url=None if catalog_url is None or has_password(catalog_url) else catalog_url,
        config_file=config.file.absolute() if is_local and config.file else None,
        at_once=at_once,
    )


def _cluster_job(job: Job, config: Config) -> ClusterJob:
    """A job that no agent can run needs nothing: whichever worker gets it records why."""
    try:
        order = CopyOrder.from_json(job.request)
        origin, target = order.units(config)
        choice = assign_unit(config, origin, target, agents=Agents(order.agents, password_found(config)))
    except JobError:
        return ClusterJob(job.id, job.image, {}, job.priority)
    return ClusterJob(job.id, job.image, needs(config, target, choice), job.priority)


async def run_queued_job(catalog: Catalog, config: Config, job_id: int, watcher: Watcher) -> JobResult:
    """Implements :class:`duplicator.cluster.RunJob`; a job whose worker died is gone on with."""
    return await _run(catalog, config, job_id, watcher, start=_start)


async def run_job_here(catalog: Catalog, config: Config, job_id: int, watcher: Watcher) -> JobResult:
    """The same on the LOCAL cluster, which has no other workers: other agents are started by their commands."""
    return await _run(catalog, config, job_id, watcher, start=None)


async def _run(
    catalog: Catalog,
    config: Config,
    job_id: int,
    watcher: Watcher,
    *,
    start: Callable[[AgentSpec], AgentStart] | None,
) -> JobResult:
    agent = local_agent(config)
    if agent is None:
        reason = "the configuration of the worker has no agent that is this machine: one without a `command`"
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    if catalog.job(job_id).state is JobState.DIED:
        catalog.requeue_job(job_id)
    queued = QueuedCopies(catalog, config, agent, start=start)
    await queued.prepare()
    results = await Runner(catalog, queued.run, lambda _: watcher).run([job_id], at_once=1)
    return results[0] if results else _as_recorded(catalog.job(job_id))


def _start(agent: AgentSpec) -> ClusterAgent:
    return ClusterAgent(agent.name)


def _as_recorded(job: Job) -> JobResult:
    """Of a job that gave no result here: it was cancelled or suspended, or another process has it."""
    status = job.status if job.status is not None else Status.NOTHING_PROCESSED
    return JobResult(
        job_id=job.id,
        status=status,
        step=Step.PREPARE.value,
        reason=job.reason or f"the job is {job.state.value}",
        image=job.image,
        copy_id=job.copy_id,
        volume=job.volume or None,
        size=job.bytes_total or 0,
        move_seconds=0.0,
        validated=False,
    )
