"""Jobs of the queue, as this process runs them: agents, drive and volume first, then the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from duplicator.agents import AgentStart, read_side
from duplicator.broker import Broker, Grant, Need
from duplicator.catalog import Catalog, CatalogError, Copy, CopyState, Job
from duplicator.config import AgentSpec, Config, DiskUnit, TapeUnit, password_found
from duplicator.digests import algorithm_by_name
from duplicator.engine import Means, run_copy
from duplicator.equipment import Equipment
from duplicator.mounts.protocol import Mounts, Note
from duplicator.orders import CopyOrder
from duplicator.plan import CopyRequest, JobResult, Step
from duplicator.recorder import Recorder, Watcher
from duplicator.selection import Agents, Assignment, assign_unit
from duplicator.sources import Source
from duplicator.status import JobError, Status

__all__ = ["QueuedCopies"]


class QueuedCopies:
    """Runs queued copies by one configuration, as its agent ``agent``; drives and volumes are shared by the broker.

    ``start``: how other agents are started; None: by their commands.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: Config,
        agent: AgentSpec,
        broker: Broker,
        *,
        ask: Note | None = None,
        start: Callable[[AgentSpec], AgentStart] | None = None,
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._agent = agent
        self._broker = broker
        self._start = start
        self._equipment = Equipment(config, agent, catalog, ask=ask)

    async def run(self, job: Job, watcher: Watcher) -> JobResult:
        """One try of a job that the catalog has as running."""
        return await run_copy(job.id, job.image, lambda recorder: self._gather(job, recorder), self._catalog, watcher)

    @asynccontextmanager
    async def _gather(self, job: Job, recorder: Recorder) -> AsyncIterator[Means]:
        order = CopyOrder.from_json(job.request)
        origin, target = order.units(self._config)
        assignment = self._assign(order, origin, target)
        recorder.note(assignment.reason)
        copy = self._begun(job)
        need = self._need(job, order, target, copy)
        recorder.note("a drive and a volume are asked for")
        async with self._broker.granted(need, note=recorder.note) as grant:
            volume = f"volume {grant.volume}" if grant.volume else "the volume that an operator mounts"
            recorder.note(f"drive {grant.drive.name} and {volume} are granted")
            agents = ", ".join(dict.fromkeys((assignment.write_agent, assignment.read_agent)))
            self._catalog.update_job(
                job.id, agents=agents, drive=grant.drive.name, volume=grant.volume or "", policy=order.policy
            )
            request = self._request(order, target, grant, copy)
            source = self._source(order, origin, assignment, request)
            supply = BrokeredVolumes(self._catalog, self._broker, grant, self._equipment.mounts(grant.drive))
            yield Means(request, source, supply)

    def _assign(self, order: CopyOrder, origin: DiskUnit | TapeUnit, target: TapeUnit) -> Assignment:
        agents = Agents(order.agents, password_found(self._config))
        assignment = assign_unit(self._config, origin, target, agents=agents)
        if assignment.write_agent != self._agent.name:
            reason = (
                f"the write side is for agent {assignment.write_agent}, and this process is agent {self._agent.name}: "
                "run the job there"
            )
            raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
        return assignment

    def _begun(self, job: Job) -> Copy | None:
        """The copy of an earlier try, if it can be gone on with."""
        if job.copy_id is None:
            return None
        try:
            copy = self._catalog.copy(job.copy_id)
        except CatalogError:
            return None
        return copy if copy.state in (CopyState.INCOMPLETE, CopyState.WRITTEN) else None

    def _need(self, job: Job, order: CopyOrder, target: TapeUnit, copy: Copy | None) -> Need:
        pool = target.pool or ""
        entry = self._config.pools.get(pool)
        scratch = entry.scratch_pool if entry else None
        return Need(
            job_id=job.id,
            drives=tuple(self._equipment.drives(target)),
            pools=(pool, scratch) if scratch else (pool,),
            volume=order.volume,
            reads=copy.volumes if copy else (),
            media=entry.media if entry else (),
            priority=job.priority,
        )

    def _request(self, order: CopyOrder, target: TapeUnit, grant: Grant, copy: Copy | None) -> CopyRequest:
        return CopyRequest(
            image=order.image,
            source=None,
            target=self._equipment.place(grant.drive),
            volume=grant.volume,
            algorithm=algorithm_by_name(order.digest) if order.digest else None,
            record_bytes=copy.record_bytes if copy else order.record_bytes,
            deadlines=order.deadlines,
            validation=order.validation,
            pool=target.pool or "",
            expires=datetime.now(UTC) + order.keep if order.keep else None,
            copy_id=copy.id if copy else None,
        )

    def _source(
        self, order: CopyOrder, origin: DiskUnit | TapeUnit, assignment: Assignment, request: CopyRequest
    ) -> Source:
        assert isinstance(origin, DiskUnit)
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


class BrokeredVolumes:
    """Implements :class:`duplicator.supply.VolumeSupply` for a job whose drive and volumes a broker has granted."""

    def __init__(self, catalog: Catalog, broker: Broker, grant: Grant, mounts: Mounts) -> None:
        self._catalog = catalog
        self._broker = broker
        self._grant = grant
        self._mounts = mounts

    async def first(self, note: Note) -> str | None:
        """See VolumeSupply."""
        await self._mount(self._grant.volume, note)
        return self._grant.volume

    async def another(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        return await self._broker.next_volume(self._grant, full, note=note)

    async def next(self, volume: str | None, note: Note) -> None:
        """See VolumeSupply."""
        await self._mount(volume, note)

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply."""
        await self._mount(volume, note)

    async def _mount(self, volume: str | None, note: Note) -> None:
        drive = self._grant.drive
        await self._mounts.mount(drive, volume, note=note)
        if volume is not None:
            self._broker.mounted(drive, volume)
