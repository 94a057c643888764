"""Chooses the agents of a job: who runs the write side, and who the read side. Decided from the configuration alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Final, TypeAlias

from duplicator.config.access import agents_of
from duplicator.config.model import AgentSpec, Config, DiskUnit, DriveSpec, HostSpec, TapeUnit
from duplicator.config.problems import in_words
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["ANYBODY", "Agents", "Assignment", "Source", "assign", "assign_unit", "reaches", "usable_drives"]

Source: TypeAlias = DiskUnit | TapeUnit | DriveSpec
"""What is read: a disk unit, the drive with a volume, or a tape unit while that drive is not known yet."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which agents run a job, and the hosts of its two sides, by their names; ``reason``: why these agents."""

    write_agent: str
    read_agent: str
    write_host: str
    read_host: str
    reason: str

    @property
    def same_agent(self) -> bool:
        """Whether one agent runs both sides."""
        return self.write_agent == self.read_agent


@dataclass(frozen=True, slots=True)
class Agents:
    """Those that may run a job.

    ``names``: all of the configuration if empty. ``found``: hosts for which this process finds a password in the
    environment or the keyring, see :func:`duplicator.config.access.password_found`.
    """

    names: tuple[str, ...] = ()
    found: Collection[str] = frozenset()

    def of(self, config: Config) -> tuple[AgentSpec, ...]:
        """They, in the order of the configuration."""
        return tuple(agent for agent in agents_of(config) if not self.names or agent.name in self.names)

    def trusted(self, config: Config, host: str) -> tuple[AgentSpec, ...]:
        """Those with credentials for a host."""
        return tuple(agent for agent in self.of(config) if self._has(agent, host))

    def fit(self, config: Config, host: str) -> tuple[AgentSpec, ...]:
        """Those with credentials for a host that also reach it."""
        return tuple(agent for agent in self.trusted(config, host) if reaches(agent, config.hosts[host]))

    def _has(self, agent: AgentSpec, host: str) -> bool:
        return host in agent.hosts or host in agent.credentials or (agent.is_local and host in self.found)


ANYBODY: Final = Agents()


def reaches(agent: AgentSpec, host: HostSpec) -> bool:
    """Whether an agent can connect to a host; names are compared as they are written, none is looked up."""
    return not agent.reach or any(_is_within(host, place) for place in agent.reach)


def _is_within(host: HostSpec, place: str) -> bool:
    if "/" not in place:
        return place.casefold() in (host.name.casefold(), host.address.casefold())
    try:
        return ip_address(host.address) in ip_network(place)
    except ValueError:
        return False


def assign(config: Config, *, read_host: str, write_host: str, agents: Agents = ANYBODY) -> Assignment:
    """The agents for a job from one host to another: the first that can do both sides, else the first for each.

    JobError NO_CREDENTIALS says for which host nobody has credentials, or who has them and does not reach it.
    """
    writers, readers = agents.fit(config, write_host), agents.fit(config, read_host)
    sides = (("write", write_host, writers), ("read", read_host, readers))
    lacks = [_lack(config, host, side=side, agents=agents) for side, host, fit in sides if not fit]
    if lacks:
        raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason="; ".join(lacks))
    both = next((agent for agent in writers if agent in readers), None)
    write, read = both or writers[0], both or readers[0]
    if both:
        reason = f"agent {both.name} has credentials for {in_words(list(dict.fromkeys((write_host, read_host))))}"
    else:
        lack = "does not reach" if write in agents.trusted(config, read_host) else "has no credentials for"
        reason = (
            f"agent {write.name} has credentials for {write_host} and {lack} {read_host}; agent {read.name} does both"
        )
    return Assignment(write.name, read.name, write_host, read_host, reason)


def _lack(config: Config, host: str, *, side: str, agents: Agents) -> str:
    trusted = [agent.name for agent in agents.trusted(config, host)]
    if trusted:
        return (
            f"agent {in_words(trusted)} with credentials for host {host!r} of the {side} side cannot reach it: "
            f"add {config.hosts[host].address} to its 'reach'"
        )
    asked = in_words([agent.name for agent in agents.of(config)]) or "none"
    return (
        f"no agent has credentials for host {host!r} of the {side} side (asked: {asked}): add it to 'hosts' or to "
        "'credentials' of an agent"
    )


def assign_unit(
    config: Config, source: Source, target: TapeUnit, *, drive: DriveSpec | None = None, agents: Agents = ANYBODY
) -> Assignment:
    """The agents for a job to a tape unit, or to the ``drive`` of it that was granted.

    Where several tape servers will do, one agent for both sides is preferred, then the order of the drives.
    JobError: NO_CREDENTIALS, or NO_DRIVES for a unit without any.
    """
    write_hosts = _hosts(config, drive or target)
    possible, errors = list[Assignment](), list[JobError]()
    for read_host, write_host in product(_hosts(config, source), write_hosts):
        try:
            possible.append(assign(config, read_host=read_host, write_host=write_host, agents=agents))
        except JobError as error:
            errors.append(error)
    if possible:
        return next((one for one in possible if one.same_agent), possible[0])
    if not errors:
        raise JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason="a tape unit of the job has no drives")
    reason = "; ".join(dict.fromkeys(error.reason for error in errors))
    raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)


def _hosts(config: Config, place: Source) -> Iterable[str]:
    if isinstance(place, DiskUnit):
        return (place.file_service,)
    if isinstance(place, DriveSpec):
        return (place.host,)
    return tuple(dict.fromkeys(drive.host for drive in config.drives_of(place)))


def usable_drives(
    config: Config, source: Source, target: TapeUnit, *, agents: Agents = ANYBODY
) -> tuple[DriveSpec, ...]:
    """The drives of a tape unit for which there are agents, in the order of the configuration."""

    def usable(drive: DriveSpec) -> bool:
        try:
            assign_unit(config, source, target, drive=drive, agents=agents)
        except JobError:
            return False
        return True

    return tuple(filter(usable, config.drives_of(target)))
