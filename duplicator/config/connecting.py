"""Asks the hosts of a configuration whether they are as it says: login, storage units, drives, changers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from duplicator.config.access import local_agent, password_found, place_of
from duplicator.config.model import AgentSpec, Config, HostRole, HostSpec, LibrarySpec
from duplicator.config.positions import Path
from duplicator.config.problems import did_you_mean, in_words
from duplicator.config.words import Wording
from duplicator.credentials import CredentialError
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
from scsi.completion import Status as ScsiStatus
from scsi.elements import ElementType, parse_status
from scsi.errors import FieldError
from scsi.smc import ReadElementStatus

__all__ = ["Visit", "visit_hosts"]

T = TypeVar("T")
_THERE: Final = (Error.DEVICE_BUSY, Error.NO_TAPE_LOADED, Error.WRITE_PROTECT)
_ABSENT: Final = (Error.NO_DEVICE, Error.NOT_SUPPORTED)
_ROOM: Final = 64 * 1024
_PATIENCE_MS: Final = 60_000
"""For an inventory that is known; a library that first looks into its slots is not waited for."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one host said: in a line, and what is wrong with its part of the configuration."""

    host: str
    line: str
    findings: tuple[Wording, ...] = ()


async def visit_hosts(
    config: Config, environ: Mapping[str, str] = os.environ, *, agent: AgentSpec | None = None
) -> list[Visit]:
    """Log in to all hosts that this process has credentials for and can reach, at the same time.

    ``agent``: the one that this process is, None for the one without a command.
    """
    me = agent or local_agent(config)
    found = password_found(config, environ, agent=me)
    async with asyncio.TaskGroup() as group:
        visits = [_visit(config, host, agent=me, found=found, environ=environ) for host in config.hosts.values()]
        tasks = [group.create_task(visit) for visit in visits]
    return [task.result() for task in tasks]


async def _visit(
    config: Config, host: HostSpec, *, agent: AgentSpec | None, found: frozenset[str], environ: Mapping[str, str]
) -> Visit:
    trusted = Agents().trusted(config, host.name)
    if agent is None or (agent not in trusted and host.name not in found):
        others = in_words([f"--agent {other.name}" for other in trusted], "or") or "nobody"
        return Visit(host.name, f"not asked: this agent has no credentials for it; {others} has")
    if not reaches(agent, host):
        return Visit(host.name, f"not asked: it is beyond the 'reach' of agent {agent.name}")
    try:
        return await _ask(config, host, agent=agent, environ=environ)
    except CredentialError as error:
        # A certificate: `config check` has told it, with its line.
        return Visit(host.name, f"not asked: {error}")
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
            *await self._drives(_device_names(tapes)),
            *await self._changers(_device_names(changers)),
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

    async def _drives(self, names: Sequence[str]) -> list[Wording]:
        drives = [drive for drive in self._config.drives.values() if drive.host == self._host.name]
        findings = list[Wording]()
        for drive in drives:
            path = ("drives", drive.name, "device")
            # Not opened without need: a drive that others use would be in their way.
            if drive.device not in names:
                refused = await _refused(self._tape.open(drive.device, TapeOpenMode.READ), self._tape.close)
                findings += self._trouble(path, drive.device, refused, what="tape drive", names=names)
        return findings

    async def _changers(self, names: Sequence[str]) -> list[Wording]:
        libraries = [library for library in self._config.libraries.values() if library.host == self._host.name]
        findings = list[Wording]()
        for library in libraries:
            path = ("libraries", library.name, "changer")
            elements: list[int] = []
            refused = await _refused(self._robot.open(library.device), partial(self._look, elements))
            findings += self._trouble(path, library.device, refused, what="changer", names=names)
            findings += _missing_elements(library, elements)
        return findings

    async def _look(self, counts: list[int]) -> None:
        """Count the drives of the open changer, if it tells, and close it."""
        cdb = ReadElementStatus(0, 0xFFFF, _ROOM, ElementType.DRIVE).encode()
        with suppress(ReplyError, FieldError):
            reply = await self._robot.execute(cdb, timeout_ms=_PATIENCE_MS, read=_ROOM)
            if reply.status == ScsiStatus.GOOD:
                counts.append(parse_status(reply.datain).available)
        await self._robot.close()

    def _trouble(
        self, path: Path, name: str, refused: Error | None, *, what: str, names: Sequence[str]
    ) -> Iterator[Wording]:
        if refused in _ABSENT:
            yield self._absent(path, name, what=what, names=names)
        elif refused is not None:
            text = f"host {self._host.name!r} answers {refused.name} to the opening of {what} {name!r}"
            yield path, text, "see the host's log, and try `ndmpdup probe`"

    def _absent(self, path: Path, name: str, *, what: str, names: Sequence[str]) -> Wording:
        there = f"it has {in_words(names)}" if names else f"it shows no {what}"
        return path, f"host {self._host.name!r} has no {what} {name!r}", did_you_mean(name, names) or there


def _missing_elements(library: LibrarySpec, counts: Sequence[int]) -> Iterator[Wording]:
    for name, element in library.drives.items():
        if counts and element >= counts[0]:
            text = f"library {library.name!r} has no drive element {element}: it has {counts[0]}, numbered from 0"
            yield ("libraries", library.name, "drives", name), text, "see `ndmpdup changer URL inventory` for the order"


async def _offered(answer: Awaitable[tuple[T, ...]]) -> tuple[T, ...] | None:
    """What a host lists; None where it refuses to."""
    try:
        return await answer
    except ReplyError:
        return None


def _device_names(models: Iterable[DeviceInfo | ScsiDeviceInfo] | None) -> list[str]:
    return [device.device for model in models or () for device in model.devices]


async def _refused(opening: Awaitable[None], close: Callable[[], Awaitable[None]]) -> Error | None:
    """Why a device cannot be opened, None if it can, or is there and has other work or no tape."""
    try:
        await opening
    except ReplyError as error:
        return None if error.error in _THERE else error.error
    await close()
    return None
