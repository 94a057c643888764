"""What a worker of a cluster does with a queued job: the same as `ndmpdup run` would, with agents of the cluster."""

from __future__ import annotations

from duplicator.broker import Broker
from duplicator.catalog import Catalog, Job, JobState
from duplicator.cluster_agents import ClusterAgent
from duplicator.config import AgentSpec, Config, local_agent
from duplicator.plan import JobResult, Step
from duplicator.queued import QueuedCopies
from duplicator.recorder import Watcher
from duplicator.runner import Runner
from duplicator.status import JobError, Status

__all__ = ["run_queued_job"]


async def run_queued_job(catalog: Catalog, config: Config, job_id: int, watcher: Watcher) -> JobResult:
    """Implements :class:`duplicator.cluster.RunJob`; a job whose worker died is gone on with."""
    agent = local_agent(config)
    if agent is None:
        reason = "the configuration of the worker has no agent that is this machine: one without a `command`"
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    if catalog.job(job_id).state is JobState.DIED:
        catalog.requeue_job(job_id)
    queued = QueuedCopies(catalog, config, agent, Broker(catalog), start=_start)
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
