"""Which process runs the read side of a job, as the choice of its agents has it (duplicator.selection)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from os import environ as process_environment

from duplicator.agents.lines import AgentStart
from duplicator.agents.remote import RemoteSource
from duplicator.agents.starting import agent_process
from duplicator.agents.wire import SourceName
from duplicator.config import AgentSpec, Config, DiskUnit, agents_of, local_agent, place_of
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Step
from duplicator.selection import Assignment
from duplicator.sources.file_service import FileServiceSource
from duplicator.status import JobError, Status
from ndmp.enums import DigestAlgorithm

__all__ = ["agents_text", "read_side"]


def agents_text(assignment: Assignment) -> str:
    """The agents of a job, for its record."""
    if assignment.same_agent:
        return f"agent {assignment.write_agent}"
    return f"write side: agent {assignment.write_agent}; read side: agent {assignment.read_agent}"


def read_side(
    config: Config,
    assignment: Assignment,
    unit: DiskUnit,
    image: str,
    *,
    deadlines: Deadlines,
    wanted: DigestAlgorithm | None = None,
    here: str | None = None,
    start: Callable[[AgentSpec], AgentStart] | None = None,
    environ: Mapping[str, str] = process_environment,
) -> FileServiceSource | RemoteSource:
    """An image of ``unit`` as a source: sent by this process, or by an agent that it starts.

    ``here``: the agent that this process is; None for the local one. ``start``: how agents are started; None: by their
    commands. JobError NO_CREDENTIALS: the write side of the job is not this process's, or its own read side lacks the
    password.
    """
    me = _myself(config, here)
    if assignment.write_agent != me.name:
        reason = (
            f"the write side goes to agent {assignment.write_agent}, and this is agent {me.name}: "
            f"run the job there, or give agent {me.name} credentials for {assignment.write_host}"
        )
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    if assignment.read_agent == me.name:
        host = assignment.read_host
        place = place_of(config, host, path=unit.unit, agent=me, role=Role.FROM, environ=environ)
        return FileServiceSource(place, image, deadlines, wanted=wanted)
    reader = next(agent for agent in agents_of(config) if agent.name == assignment.read_agent)
    starts = start(reader) if start else replace(agent_process(config, reader), hello=deadlines.connect)
    name = SourceName(
        host=assignment.read_host,
        unit=unit.unit,
        image=image,
        wanted=wanted,
        deadlines=deadlines,
        is_tls_required=config.tls.required,
    )
    return RemoteSource(starts, name)


def _myself(config: Config, here: str | None) -> AgentSpec:
    found = next((agent for agent in agents_of(config) if agent.name == here), None) if here else local_agent(config)
    if found is None:
        reason = f"this is agent {here}, which [agents] does not have" if here else "no agent is this process"
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
    return found
