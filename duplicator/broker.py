"""Gives jobs their drives and volumes, over all processes that share a catalog: in turn, and never one to two."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Final

from duplicator.broker_choice import Choice, Wait, choose, choose_next, usable
from duplicator.broker_line import OtherProcesses
from duplicator.broker_needs import Need, Pool, Situation, drive_resource, volume_resource
from duplicator.catalog import Catalog, CatalogError, InLine, Resource, ResourceKind, VolumeState
from duplicator.drives import DriveSpec
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["Broker", "Grant"]

_POLL: Final = 1.0
"""Seconds between looks at what other processes gave back; this process tells at once."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(eq=False)
class Grant:
    """Drives and volumes that one user has for itself until it releases them.

    ``volume``: the one to write first; None where nothing is written, or the operator brings one.
    """

    owner: str
    need: Need
    write_drive: DriveSpec | None
    read_drive: DriveSpec | None
    volume: str | None
    resources: set[Resource] = field(default_factory=set)
    borrowed: dict[str, str] = field(default_factory=dict)
    """Volumes that came from another pool, and from which."""


@dataclass(eq=False)
class _Waiter:
    """Somebody in the queue. ``grant``: who writes already, and needs another volume."""

    need: Need
    owner: str
    since: datetime
    ticket: int
    note: Callable[[str], None]
    done: asyncio.Future[Grant]
    grant: Grant | None = None
    told: str = ""

    @property
    def turn(self) -> tuple[bool, int, datetime, int]:
        """Who is in the middle of an image goes first; then by priority, then by age."""
        return self.grant is None, -self.need.priority, self.since, self.ticket


class Broker:
    """The drives and volumes of one configuration. All in one event loop; other processes have theirs.

    ``media``: the identifiers of volumes that a drive writes, by its name; any, where it is not in there.
    """

    def __init__(
        self,
        catalog: Catalog,
        drives: Sequence[DriveSpec],
        *,
        pools: Sequence[Pool] = (),
        media: Mapping[str, Collection[str]] | None = None,
        poll: float = _POLL,
        clock: Callable[[], datetime] = _wall_clock,
    ) -> None:
        self._catalog = catalog
        self._drives = tuple(drives)
        self._pools = {pool.name: pool for pool in pools}
        self._media = {name: frozenset(kinds) for name, kinds in (media or {}).items() if kinds}
        self._poll = poll
        self._clock = clock
        self._tickets = count()
        self._queue: list[_Waiter] = []
        self._served = 0.0
        self._others = OtherProcesses(catalog, self._drives, poll=poll)

    @asynccontextmanager
    async def acquired(
        self, need: Need, *, note: Callable[[str], None], seconds: float | None = None
    ) -> AsyncIterator[Grant]:
        """As :meth:`acquire`, and released at the end of the block."""
        grant = await self.acquire(need, note=note, seconds=seconds)
        try:
            yield grant
        finally:
            self.release(grant)

    async def acquire(self, need: Need, *, note: Callable[[str], None], seconds: float | None = None) -> Grant:
        """All that the need names, at once. Waits its turn, at most so long, and says so by ``note``.

        JobError: NO_DRIVES, when no drive could ever do it, or none was free in time; DRIVES_DOWN; NO_MEDIA.
        """
        return await self._wait(need, note, seconds, grant=None)

    async def next_volume(
        self, grant: Grant, *, note: Callable[[str], None], seconds: float | None = None
    ) -> str | None:
        """Another volume to write; the grant has those before too. None: what the operator brings.

        That a volume is full is for its writer to say, once it is complete: what a death leaves there is overwritten.
        Waits only as long as somebody else who makes progress has a volume that may come. JobError: NO_MEDIA.
        """
        assert grant.need.writing is not None
        await self._wait(grant.need, note, seconds, grant=grant)
        return grant.volume

    async def also(self, grant: Grant, volume: str, *, note: Callable[[str], None], seconds: float) -> None:
        """Have another volume, which the need did not name. Waits at most so long: who has it may wait for this grant.

        JobError NO_DRIVES if it stays in use.
        """
        loop = asyncio.get_running_loop()
        deadline, wanted = loop.time() + seconds, volume_resource(volume)
        while wanted not in grant.resources:
            if self._catalog.take(grant.owner, [wanted], job_id=grant.need.job_id):
                grant.resources.add(wanted)
                return
            note(f"waits: volume {volume} is in use")
            if loop.time() + self._poll > deadline:
                reason = f"volume {volume} stays in use by another job"
                raise JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason=reason)
            await asyncio.sleep(self._poll)

    def renew(self, grant: Grant) -> None:
        """Say to other hosts that the grant is in use: more often than LEASE_SECONDS. JobError if one took it."""
        lost = grant.resources - self._catalog.renew(grant.owner)
        if lost:
            names = ", ".join(sorted(map(str, lost)))
            reason = f"{names}: another host took it, as this one had not said for too long that it is in use"
            raise JobError(Status.CATALOG_FAILED, step=Step.MOVE.value, reason=reason)

    def mounted(self, grant: Grant, drive: DriveSpec, volume: str) -> None:
        """Tell what is in a drive of the grant now; empty: nothing. A volume that the operator brought is taken too.

        JobError when somebody else has that volume.
        """
        if volume and volume_resource(volume) not in grant.resources:
            if not self._catalog.take(grant.owner, [volume_resource(volume)], job_id=grant.need.job_id):
                reason = f"volume {volume} in drive {drive.name} is in use by another job"
                raise JobError(Status.WRONG_TAPE, step=Step.WRITE_MOUNT.value, reason=reason)
            grant.resources.add(volume_resource(volume))
        before = self._catalog.drive_uses().get(drive_resource(drive).name)
        if volume and (before is None or before.volume != volume) and self._catalog.volume(volume) is not None:
            self._catalog.count_mount(volume)
        self._catalog.update_drive(drive_resource(drive).name, volume=volume, used=self._clock())

    def release(self, grant: Grant) -> None:
        """Give everything back, and let others have it."""
        for label, pool in grant.borrowed.items():
            volume = self._catalog.volume(label)
            if volume is not None and volume.state is VolumeState.SCRATCH:
                self._catalog.update_volume(label, pool=pool)
        self._catalog.release(grant.owner)
        grant.resources.clear()
        self._serve()

    # The queue.

    async def _wait(
        self, need: Need, note: Callable[[str], None], seconds: float | None, *, grant: Grant | None
    ) -> Grant:
        loop = asyncio.get_running_loop()
        turn = self._clock(), next(self._tickets)
        waiter = _Waiter(need, _owner(), *turn, note, loop.create_future(), grant)
        deadline = None if seconds is None else loop.time() + seconds
        self._queue.append(waiter)
        try:
            return await self._look_until(waiter, deadline)
        except asyncio.CancelledError:
            # Perhaps in the very moment in which it was served.
            if waiter.done.done() and waiter.done.exception() is None and grant is None:
                self.release(waiter.done.result())
            raise
        finally:
            self._queue.remove(waiter)
            with suppress(CatalogError):  # the entry is believed for some polls only
                self._others.leave(waiter.owner)
            if grant is not None and waiter.told:
                self._catalog.wait_for(grant.owner, "")

    async def _look_until(self, waiter: _Waiter, deadline: float | None) -> Grant:
        loop = asyncio.get_running_loop()
        self._serve()
        while True:
            left = self._poll if deadline is None else min(self._poll, deadline - loop.time())
            await asyncio.wait([waiter.done], timeout=max(left, 0))
            if waiter.done.done():
                return waiter.done.result()
            if deadline is not None and loop.time() >= deadline:
                reason = f"nothing came free in time: {waiter.told}"
                raise JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason=reason)
            if loop.time() - self._served >= self._poll:
                self._serve()

    def _serve(self) -> None:
        """Give all who wait what they can have, in their turn."""
        self._served = asyncio.get_running_loop().time()
        reserved: set[Resource] = set()
        situation: Situation | None = None
        others: list[InLine] | None = None
        for waiter in sorted((each for each in self._queue if not each.done.done()), key=lambda each: each.turn):
            try:
                situation = situation or self._look()
                others = self._others.others() if others is None else others
                self._let_go_first(waiter, others, situation, reserved)
                wait = self._try(waiter, situation, reserved)
                if wait is not None:
                    self._stay(waiter)
            except (JobError, CatalogError) as error:
                waiter.done.set_exception(error)
                wait = None
            if wait is None:
                situation = None
                continue
            reserved |= wait.reserve
            self._tell(waiter, wait.reason)

    def _let_go_first(
        self, waiter: _Waiter, others: list[InLine], situation: Situation, reserved: set[Resource]
    ) -> None:
        """Keep things for those of other processes whose turn is before this one's."""
        mine = -waiter.need.priority, waiter.since
        while waiter.grant is None and others and (-others[0].priority, others[0].since) < mine:
            reserved |= self._others.kept(others.pop(0), situation, reserved, now=self._served)

    def _stay(self, waiter: _Waiter) -> None:
        if waiter.grant is None:
            self._others.join(waiter.owner, waiter.need, since=waiter.since)
            self._others.renew(self._served)

    def _tell(self, waiter: _Waiter, reason: str) -> None:
        if reason != waiter.told:
            waiter.told = reason
            waiter.note(f"waits: {reason}")

    def _try(self, waiter: _Waiter, situation: Situation, reserved: Collection[Resource]) -> Wait | None:
        if waiter.grant is None:
            found = choose(waiter.need, situation, reserved)
        else:
            found = self._choose_next(waiter, waiter.grant, situation, reserved)
        return found if isinstance(found, Wait) else self._take(waiter, found)

    def _choose_next(
        self, waiter: _Waiter, grant: Grant, situation: Situation, reserved: Collection[Resource]
    ) -> Choice | Wait:
        assert waiter.need.writing is not None
        assert grant.write_drive is not None
        pool = waiter.need.writing.pool
        found = choose_next(pool, grant.write_drive, situation, owner=grant.owner, reserved=reserved)
        if isinstance(found, Wait) and not waiter.told:
            # From now on nobody else may wait for what this one has.
            self._catalog.wait_for(grant.owner, pool)
        return found

    def _take(self, waiter: _Waiter, choice: Choice) -> Wait | None:
        """Make the choice good; another process may have been faster."""
        need = waiter.need
        grant = waiter.grant or Grant(waiter.owner, need, choice.write_drive, choice.read_drive, choice.volume)
        wanted = choice.resources - grant.resources
        if not self._catalog.take(grant.owner, wanted, job_id=need.job_id):
            return Wait("another process was faster")
        if not self._still_good(need, choice):
            self._catalog.release(grant.owner, wanted)
            return Wait("a volume has changed meanwhile")
        grant.resources |= wanted
        grant.volume = choice.volume
        self._adopt(grant)
        for drive in (choice.write_drive, choice.read_drive):
            if drive is not None:
                self._catalog.update_drive(drive_resource(drive).name, used=self._clock())
        waiter.done.set_result(grant)
        return None

    def _still_good(self, need: Need, choice: Choice) -> bool:
        """What was chosen was seen before it was taken; only now nobody else changes it."""
        situation = self._look()
        labels = [each.name for each in choice.resources if each.kind is ResourceKind.VOLUME]
        if not {situation.drive_of(label) for label in labels} - {None} <= choice.resources:
            return False
        if need.writing is None or choice.volume is None or need.writing.volume:
            return True
        return usable(situation.volumes.get(choice.volume), self._pool(need.writing.pool))

    def _adopt(self, grant: Grant) -> None:
        """A scratch volume of another pool belongs to this one from now on."""
        volume = self._catalog.volume(grant.volume) if grant.volume else None
        if volume is None or grant.need.writing is None or grant.need.writing.volume:
            return
        if volume.pool != grant.need.writing.pool:
            grant.borrowed[volume.label] = volume.pool
            self._catalog.update_volume(volume.label, pool=grant.need.writing.pool)

    def _pool(self, name: str) -> Pool:
        return self._pools.get(name) or Pool(name)

    def _look(self) -> Situation:
        leases = self._catalog.leases()
        return Situation(
            drives=self._drives,
            media=self._media,
            pools=self._pools,
            volumes={volume.label: volume for volume in self._catalog.volumes()},
            uses=self._catalog.drive_uses(),
            owners={lease.resource: lease.owner for lease in leases},
            waits={lease.owner: lease.waits_for for lease in leases if lease.waits_for},
        )


def _owner() -> str:
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4()}"
