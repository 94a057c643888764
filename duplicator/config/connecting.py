"""Asks the hosts of a configuration whether they are as it says: login, storage units, drives, changers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from duplicator.config.access import agents_of, local_agent, password_found, place_of
from duplicator.config.model import AgentSpec, Config, HostRole, HostSpec
from duplicator.config.positions import Path
from duplicator.config.problems import did_you_mean, in_words
from duplicator.config.words import Wording
from duplicator.failures import failing_as
from duplicator.hostlink import HostSession, open_session
from duplicator.plan import Deadlines, Step
from duplicator.selection import Agents, reaches
from duplicator.status import JobError
from ndmp.aio.methods import ConfigMethods, ScsiMethods, TapeMethods
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from ndmp.messages.config import DeviceInfo, ScsiDeviceInfo
from ndmp.messages.extensions.fse import FseListUnits

__all__ = ["Visit", "visit_hosts"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Visit:
    """What one host said: in a line, and what is wrong with its part of the configuration."""

    host: str
    line: str
    findings: tuple[Wording, ...] = ()


async def visit_hosts(config: Config, environ: Mapping[str, str] = os.environ) -> list[Visit]:
    """Log in to all hosts that this process has credentials for and can reach, at the same time."""
    found = password_found(config, environ)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_visit(config, host, found=found, environ=environ)) for host in config.hosts.values()
        ]
    return [task.result() for task in tasks]


async def _visit(config: Config, host: HostSpec, *, found: frozenset[str], environ: Mapping[str, str]) -> Visit:
    agent = local_agent(config)
    if agent is None or agent not in Agents(found=found).trusted(config, host.name):
        others = in_words([other.name for other in agents_of(config) if other != agent], "or")
        return Visit(host.name, f"not asked: this process has no credentials for it; run this as agent {others}")
    if not reaches(agent, host):
        return Visit(host.name, f"not asked: it is beyond the 'reach' of agent {agent.name}")
    try:
        return await _ask(config, host, agent=agent, environ=environ)
    except JobError as error:
        finding = ("hosts", host.name), f"host {host.name!r}: {error.reason}", error.status.hint
        return Visit(host.name, "failed", (finding,))


async def _ask(config: Config, host: HostSpec, *, agent: AgentSpec, environ: Mapping[str, str]) -> Visit:
    place = place_of(config, host.name, agent=agent, environ=environ)
    async with open_session(place, Deadlines()) as session:
        with failing_as(Step.PREPARE, session.name):
            findings = await _Comparison(config, host, session).findings()
        server = session.server
        product = " ".join(filter(None, (server.vendor, server.product, server.revision)))
        return Visit(host.name, f"login as {place.url.user}; {product or 'it does not say what it is'}", findings)


class _Comparison:
    """One host beside its part of the configuration."""

    def __init__(self, config: Config, host: HostSpec, session: HostSession) -> None:
        self._config = config
        self._host = host
        self._session = session
        self._ask = ConfigMethods(session)
        self._tape = TapeMethods(session)
        self._robot = ScsiMethods(session)

    async def findings(self) -> tuple[Wording, ...]:
        """All that is otherwise there."""
        units = await self._units()
        tapes = await _offered(self._ask.tapes())
        changers = await _offered(self._ask.scsi_devices())
        butypes = await _offered(self._ask.butypes())
        offers = {HostRole.FILE_SERVICE: units, HostRole.TAPE_SERVER: tapes, HostRole.DATA_SERVER: butypes}
        return (
            *self._roles({role for role, offer in offers.items() if offer is not None}),
            *self._missing_units(units),
            *await self._missing_drives(_device_names(tapes)),
            *await self._missing_changers(_device_names(changers)),
        )

    async def _units(self) -> list[str] | None:
        if await self._session.fse_info() is None:
            return None
        return [unit.name for unit in (await self._session.call(FseListUnits())).units]

    def _roles(self, offered: Collection[HostRole]) -> Iterator[Wording]:
        for index, role in enumerate(self._host.roles):
            if role not in offered:
                text = f"host {self._host.name!r} is no {role.value}"
                yield ("hosts", self._host.name, "roles", index), text, "see `ndmpdup probe` for what it offers"

    def _missing_units(self, names: Sequence[str] | None) -> Iterator[Wording]:
        for unit in self._config.storage.disk.values():
            path = ("storage", "disk", unit.name)
            if unit.file_service != self._host.name:
                continue
            if names is None:
                hint = "name the host that does in 'file_service'; else only the traditional route is left"
                yield (*path, "file_service"), f"host {self._host.name!r} offers no file service", hint
            elif unit.unit not in names:
                yield self._absent((*path, "unit"), unit.unit, what="storage unit", names=names)

    async def _missing_drives(self, names: Sequence[str]) -> list[Wording]:
        return [
            self._absent(("drives", drive.name, "device"), drive.device, what="tape drive", names=names)
            for drive in self._config.drives.values()
            if drive.host == self._host.name
            if drive.device not in names
            if not await _exists(self._tape.open(drive.device, TapeOpenMode.READ), self._tape.close)
        ]

    async def _missing_changers(self, names: Sequence[str]) -> list[Wording]:
        return [
            self._absent(("libraries", library.name, "changer"), library.device, what="changer", names=names)
            for library in self._config.libraries.values()
            if library.host == self._host.name
            if library.device not in names
            if not await _exists(self._robot.open(library.device), self._robot.close)
        ]

    def _absent(self, path: Path, name: str, *, what: str, names: Sequence[str]) -> Wording:
        there = f"it has {in_words(names)}" if names else f"it shows no {what}"
        return path, f"host {self._host.name!r} has no {what} {name!r}", did_you_mean(name, names) or there


async def _offered(answer: Awaitable[tuple[T, ...]]) -> tuple[T, ...] | None:
    """What a host lists; None where it refuses to."""
    try:
        return await answer
    except ReplyError:
        return None


def _device_names(models: Iterable[DeviceInfo | ScsiDeviceInfo] | None) -> list[str]:
    return [device.device for model in models or () for device in model.devices]


async def _exists(opening: Awaitable[None], close: Callable[[], Awaitable[None]]) -> bool:
    """Whether a device that is not listed, which no host has to do, can be opened or is there for another reason."""
    try:
        await opening
    except ReplyError as error:
        return error.error in (Error.DEVICE_BUSY, Error.NO_TAPE_LOADED, Error.WRITE_PROTECT)
    await close()
    return True
