"""Jobs of the queue, as this process runs them: agents, drive and volume first, then the engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import Final

from duplicator.agents import AgentStart, agents_text, read_side
from duplicator.broker import Broker, Grant
from duplicator.broker_needs import Need, Pool, Reading, Writing
from duplicator.catalog import LEASE_SECONDS, Catalog, CatalogError, Copy, CopyState, Job
from duplicator.config import AgentSpec, Config, DiskUnit, TapeUnit, password_found, place_of
from duplicator.digests import algorithm_by_name
from duplicator.drives import DriveSpec
from duplicator.engine import Means, run_copy
from duplicator.equipment import Equipment
from duplicator.mounts.protocol import Mounts, Note
from duplicator.orders import CopyOrder
from duplicator.plan import CopyRequest, Deadlines, JobResult, Place, Route, Step, StorageUnit, TapeCopy
from duplicator.recorder import Recorder, Watcher
from duplicator.routes import choose
from duplicator.selection import Agents, Assignment, assign_unit
from duplicator.sources.source import Source
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply

__all__ = ["QueuedCopies", "broker_of"]

_RENEWAL: Final = LEASE_SECONDS / 5
_BORROWING: Final = 60.0
"""Seconds for a volume that another job has, and that a copy which is gone on with has a part on."""


def broker_of(catalog: Catalog, config: Config, equipment: Equipment) -> Broker:
    """The broker of all drives and pools of a configuration."""
    units = config.storage.tape.values()
    drives = {drive.name: drive for unit in units for drive in equipment.drives(unit)}
    pools = [Pool(pool.name, frozenset(pool.media), pool.scratch_pool or "") for pool in config.pools.values()]
    media = {name: config.drives[name].media for name in drives}
    return Broker(catalog, list(drives.values()), pools=pools, media=media)


class QueuedCopies:
    """Runs queued copies by one configuration, as its agent ``agent``; drives and volumes are shared by the broker.

    ``start``: how other agents are started; None: by their commands. ``deadlines``: of mounts.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: Config,
        agent: AgentSpec,
        *,
        ask: Note | None = None,
        start: Callable[[AgentSpec], AgentStart] | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._agent = agent
        self._start = start
        self._equipment = Equipment(config, agent, catalog, deadlines=deadlines, ask=ask)
        self._broker = broker_of(catalog, config, self._equipment)
        self._rooms: dict[str, asyncio.Semaphore] = {}

    async def prepare(self) -> None:
        """Look what lies where, before jobs are given drives and volumes."""
        await self._equipment.take_inventory()

    async def run(self, job: Job, watcher: Watcher) -> JobResult:
        """One try of a job that the catalog has as running."""
        return await run_copy(job.id, job.image, lambda recorder: self._gather(job, recorder), self._catalog, watcher)

    @asynccontextmanager
    async def reading(
        self, copy: Copy, *units: TapeUnit, note: Note, job_id: int | None = None, seconds: float | None = None
    ) -> AsyncIterator[tuple[Place, VolumeSupply]]:
        """A drive of one of these tape units and all volumes of a copy, to read them; JobError if they cannot come.

        ``job_id``: the job that reads. ``seconds``: how long they may take to be free; None: for as long as it takes.
        """
        drives = frozenset(name for unit in units for name in _names(self._equipment.drives(unit)))
        need = Need(reading=Reading(copy.volumes, drives), job_id=job_id)
        async with self._broker.acquired(need, note=note, seconds=seconds) as grant, self._renewed(grant):
            assert grant.read_drive is not None
            drive = grant.read_drive
            if job_id is not None:
                note(f"drive {drive.name} granted")
                self._catalog.update_job(job_id, drive=drive.name, volume=", ".join(copy.volumes))
            yield (
                self._equipment.place(drive),
                BrokeredVolumes(self._broker, grant, drive, self._equipment.mounts(drive)),
            )

    @asynccontextmanager
    async def _gather(self, job: Job, recorder: Recorder) -> AsyncIterator[Means]:
        order = CopyOrder.from_json(job.request)
        origin, target = order.units(self._config)
        assignment = self._assign(order, origin, target)
        recorder.note(assignment.reason)
        copy = self._begun(job)
        need = self._need(job, order, origin, target, copy)
        recorder.note("a drive and a volume are asked for")
        async with self._room(target), self._broker.acquired(need, note=recorder.note) as grant, self._renewed(grant):
            drive = grant.write_drive or grant.read_drive
            assert drive is not None
            volume = f" and volume {grant.volume}" if grant.volume else ""
            recorder.note(f"drive {drive.name}{volume} granted")
            self._catalog.update_job(
                job.id, agents=agents_text(assignment), drive=drive.name, volume=grant.volume or "", policy=order.policy
            )
            request = self._request(order, target, drive, grant, copy)
            source = await self._source(order, origin, assignment, request, grant, recorder)
            yield Means(request, source, BrokeredVolumes(self._broker, grant, drive, self._equipment.mounts(drive)))

    def _room(self, unit: TapeUnit) -> AbstractAsyncContextManager[object]:
        """A place among the jobs that may write to a unit at a time."""
        if unit.max_jobs is None:
            return nullcontext()
        return self._rooms.setdefault(unit.name, asyncio.Semaphore(unit.max_jobs))

    @asynccontextmanager
    async def _renewed(self, grant: Grant) -> AsyncIterator[None]:
        """Say to other hosts that the grant is in use, for as long as the block goes on; JobError if one took it."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_RENEWAL)
                self._broker.renew(grant)

        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(renew())
                yield
                renewing.cancel()
        except BaseExceptionGroup as failed:
            # One failure at a time: of the block, or of the lease, which ends the block.
            raise failed.exceptions[0] from None

    def _assign(self, order: CopyOrder, origin: DiskUnit | TapeUnit, target: TapeUnit) -> Assignment:
        agents = Agents(order.agents, password_found(self._config))
        return assign_unit(self._config, origin, target, agents=agents)

    def _begun(self, job: Job) -> Copy | None:
        """The copy of an earlier try, if it can be gone on with."""
        if job.copy_id is None:
            return None
        try:
            copy = self._catalog.copy(job.copy_id)
        except CatalogError:
            return None
        return copy if copy.state in (CopyState.INCOMPLETE, CopyState.WRITTEN, CopyState.VALID) else None

    def _need(
        self, job: Job, order: CopyOrder, origin: DiskUnit | TapeUnit, target: TapeUnit, copy: Copy | None
    ) -> Need:
        drives = _names(self._equipment.drives(target))
        if copy is not None and len(copy.fragments) == copy.image.fragments:  # there is nothing to write
            return Need(reading=Reading(copy.volumes, drives), priority=job.priority, job_id=job.id)
        writing = Writing(target.pool or "", order.volume or "", drives)
        reading = self._copied(order).volumes if order.from_copy else ()
        from_drives = _names(self._equipment.drives(origin)) if isinstance(origin, TapeUnit) else frozenset()
        return Need(
            writing=writing,
            reading=Reading(reading, from_drives) if reading else None,
            priority=job.priority,
            job_id=job.id,
        )

    def _copied(self, order: CopyOrder) -> Copy:
        try:
            return self._catalog.copy(order.from_copy or "")
        except CatalogError as error:
            raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=str(error)) from error

    def _request(
        self, order: CopyOrder, target: TapeUnit, drive: DriveSpec, grant: Grant, copy: Copy | None
    ) -> CopyRequest:
        return CopyRequest(
            image=order.image,
            source=None,
            target=self._equipment.place(drive),
            volume=grant.volume,
            algorithm=copy.algorithm if copy else algorithm_by_name(order.digest) if order.digest else None,
            record_bytes=copy.record_bytes if copy else order.record_bytes,
            deadlines=order.deadlines,
            validation=order.validation,
            pool=target.pool or "",
            expires=copy.expires if copy else datetime.now(UTC) + order.keep if order.keep else None,
            copy_id=copy.id if copy else None,
        )

    async def _source(
        self,
        order: CopyOrder,
        origin: DiskUnit | TapeUnit,
        assignment: Assignment,
        request: CopyRequest,
        grant: Grant,
        recorder: Recorder,
    ) -> Source:
        """Who sends the bytes: another agent where it must, else by the first way that is open."""
        if isinstance(origin, DiskUnit) and not assignment.same_agent:
            _require_route(Route.DIRECT, order.routes, "the read side is with another agent")
            return read_side(
                self._config,
                assignment,
                origin,
                order.image,
                deadlines=order.deadlines,
                wanted=request.algorithm,
                here=self._agent.name,
                start=self._start,
            )
        if isinstance(origin, DiskUnit):
            place = place_of(self._config, origin.file_service, path=origin.unit, agent=self._agent)
            spec: StorageUnit | TapeCopy = StorageUnit(place, origin.path)
            supply = None
        else:
            drive = grant.read_drive
            assert drive is not None
            spec = TapeCopy(order.from_copy or "", self._equipment.place(drive))
            supply = BrokeredVolumes(self._broker, grant, drive, self._equipment.mounts(drive))
        return await choose(
            spec,
            order.image,
            request.target,
            recorder,
            catalog=self._catalog,
            deadlines=order.deadlines,
            allowed=order.routes,
            algorithm=request.algorithm,
            supply=supply,
        )


class BrokeredVolumes:
    """Implements :class:`duplicator.supply.VolumeSupply` for one drive that a broker has granted."""

    def __init__(self, broker: Broker, grant: Grant, drive: DriveSpec, mounts: Mounts) -> None:
        self._broker = broker
        self._grant = grant
        self._drive = drive
        self._mounts = mounts

    async def first(self, note: Note) -> str | None:
        """See VolumeSupply."""
        await self._mount(self._grant.volume, note)
        return self._grant.volume

    async def another(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        return await self._broker.next_volume(self._grant, note=note)

    async def next(self, volume: str | None, note: Note) -> None:
        """See VolumeSupply."""
        await self._mount(volume, note)

    def holds(self, volume: str) -> None:
        """See VolumeSupply; what an operator brought is leased only now."""
        self._broker.mounted(self._grant, self._drive, volume)

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply; a volume that the grant does not have is taken, if nobody has it for long."""
        await self._broker.also(self._grant, volume, note=note, seconds=_BORROWING)
        await self._mount(volume, note)

    async def _mount(self, volume: str | None, note: Note) -> None:
        await self._mounts.mount(self._drive, volume, note=note)
        if volume is not None:
            self._broker.mounted(self._grant, self._drive, volume)


def _names(drives: Iterable[DriveSpec]) -> frozenset[str]:
    return frozenset(drive.name for drive in drives)


def _require_route(route: Route, allowed: Collection[Route], why: str) -> None:
    if route not in allowed:
        reason = f"{why}, and its policy does not allow the way {route.value}"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
