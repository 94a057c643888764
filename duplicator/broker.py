"""Gives drives and volumes to jobs: all that a job needs at once, so that no two of them wait for each other."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Final

from duplicator.catalog import Catalog, Resource, ResourceKind, Volume, VolumeState
from duplicator.drives import DriveSpec
from duplicator.mounts.protocol import Note
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["AWAY", "Broker", "Grant", "Need"]

AWAY: Final = "vault"
"""Locations that begin so are out of every library."""
_WRITABLE: Final = (VolumeState.APPENDABLE, VolumeState.SCRATCH)
"""In the order in which they are taken."""
_LOOK: Final = 1.0
"""Seconds between looks for what other processes give back."""
_RENEW: Final = 60.0
_OWNERS = count(1)


@dataclass(frozen=True, slots=True)
class Need:
    """What a job needs: one of ``drives``, and in it a volume of ``pools`` to write, or ``volume`` alone.

    ``reads``: volumes that it reads, or writes again; nobody else has them meanwhile. Without ``pools`` and ``volume``
    it only reads. ``media``: media identifiers that will do; empty for any.
    """

    job_id: int
    drives: tuple[DriveSpec, ...]
    pools: tuple[str, ...] = ()
    volume: str | None = None
    reads: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    priority: int = 0


@dataclass(slots=True)
class Grant:
    """What a job has until it gives it back: a drive, and the volume to begin with; None: what an operator mounts."""

    owner: str
    need: Need
    drive: DriveSpec
    volume: str | None
    written: list[str] = field(default_factory=list)


class Broker:
    """The drives and volumes of one catalog, shared with every other process that uses it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._waiting: list[Need] = []
        self._granted: list[Grant] = []
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def granted(self, need: Need, *, note: Note) -> AsyncIterator[Grant]:
        """Wait for what is needed, have it for the block, and give it back. JobError when it cannot ever come."""
        grant = await self._acquire(need, note)
        self._granted.append(grant)
        renewing = asyncio.create_task(self._renew(grant.owner))
        try:
            yield grant
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
            self._granted.remove(grant)
            self._catalog.release(grant.owner)
            self._catalog.update_drive(_address(grant.drive), used=datetime.now(UTC))
            await self._tell()

    async def next_volume(self, grant: Grant, full: str, *, note: Note) -> str | None:
        """Another volume for a job whose volume ``full`` is; it keeps those before. None: what an operator mounts.

        JobError NO_MEDIA when none is left, and no other job can give one back.
        """
        need, told = replace(grant.need, volume=None), False
        while True:
            for volume in self._choices(need, grant.drive):
                if volume == full:
                    continue
                if volume is None or self._catalog.take(grant.owner, [_volume(volume)], job_id=grant.need.job_id):
                    return volume
            if not self._others_may_give_back(need, but=grant.owner):
                raise self._no_media(need, Step.NEXT_VOLUME)
            if not told:
                note("every volume with room is in use by other jobs: waiting for one")
            told = True
            await self._wait()

    def mounted(self, drive: DriveSpec, volume: str) -> None:
        """This volume is in the drive now."""
        known = self._catalog.drive_uses().get(_address(drive))
        if known is None or known.volume != volume:
            self._catalog.update_drive(_address(drive), volume=volume)
            if self._catalog.volume(volume) is not None:
                self._catalog.count_mount(volume)

    # -- waiting -------------------------------------------------------------------------------------------------

    async def _acquire(self, need: Need, note: Note) -> Grant:
        if not need.drives:
            raise JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason="no drive can do this job")
        self._waiting.append(need)
        self._waiting.sort(key=lambda each: (-each.priority, each.job_id))
        told = ""
        try:
            while True:
                if self._is_first(need) and (grant := self._try(need)):
                    return grant
                if (why := self._why(need)) != told:
                    note(why)
                told = why
                await self._wait()
        finally:
            self._waiting.remove(need)
            await self._tell()

    def _is_first(self, need: Need) -> bool:
        """Whether no other job of this process that could use one of these drives goes first."""
        before = self._waiting[: self._waiting.index(need)]
        mine = {drive.name for drive in need.drives}
        return not any(mine & {drive.name for drive in other.drives} for other in before)

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with self._changed, asyncio.timeout(_LOOK):
                await self._changed.wait()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _renew(self, owner: str) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            self._catalog.renew(owner)

    # -- choosing ------------------------------------------------------------------------------------------------

    def _try(self, need: Need) -> Grant | None:
        """Take the best drive and volume that are free now. JobError if there will never be any."""
        owner = f"{self._process}:{next(_OWNERS)}"
        free = self._free_drives(need)
        for drive, volume in self._pairs(need, free):
            wanted = [_drive(drive), *map(_volume, need.reads)]
            if volume is not None and volume not in need.reads:
                wanted.append(_volume(volume))
            if self._catalog.take(owner, wanted, job_id=need.job_id):
                return Grant(owner, need, drive, volume)
        if need.pools and not self._others_may_give_back(need) and not any(self._choices(need, d) for d in need.drives):
            raise self._no_media(need, Step.PREPARE)
        return None

    def _free_drives(self, need: Need) -> list[DriveSpec]:
        """Drives that nobody has, the one that rested longest first; JobError if all are down."""
        uses = self._catalog.drive_uses()
        up = [drive for drive in need.drives if not (known := uses.get(_address(drive))) or not known.down]
        if not up:
            why = "; ".join(f"drive {drive.name}: {uses[_address(drive)].down}" for drive in need.drives)
            raise JobError(Status.DRIVES_DOWN, step=Step.PREPARE.value, reason=why)
        taken = self._taken(ResourceKind.DRIVE)
        never = datetime.min.replace(tzinfo=UTC)
        rested = {name: use.last_used or never for name, use in uses.items()}
        free = [drive for drive in up if _address(drive) not in taken]
        return sorted(free, key=lambda drive: rested.get(_address(drive), never))

    def _pairs(self, need: Need, free: list[DriveSpec]) -> Iterator[tuple[DriveSpec, str | None]]:
        """Drives with what to mount there: first those that hold it already."""
        if not need.pools and need.volume is None:
            held = self._held()
            wanted = need.reads[:1]
            yield from sorted(
                ((drive, wanted[0] if wanted else None) for drive in free),
                key=lambda pair: held.get(_address(pair[0])) not in wanted,
            )
            return
        held = self._held()
        choices = {drive.name: self._choices(need, drive) for drive in free}
        for drive in free:
            if (volume := held.get(_address(drive))) in choices[drive.name] and volume is not None:
                yield drive, volume
        elsewhere = set(held.values())
        for drive in free:
            # A volume in another drive is fetched from there only if there is no other.
            yield from ((drive, volume) for volume in choices[drive.name] if volume not in elsewhere)
        for drive in free:
            yield from ((drive, volume) for volume in choices[drive.name] if volume in elsewhere)

    def _held(self) -> dict[str, str]:
        return {name: use.volume for name, use in self._catalog.drive_uses().items() if use.volume}

    def _choices(self, need: Need, drive: DriveSpec) -> list[str | None]:
        """Volumes that could be written in a drive now, appendable ones first; in use by nobody else."""
        if need.volume is not None:
            return [need.volume]
        taken = self._taken(ResourceKind.VOLUME)
        known = [volume for volume in self._fitting(need) if volume.label not in taken]
        found: list[str | None] = [volume.label for state in _WRITABLE for volume in known if volume.state is state]
        return found if drive.library else [*found, None]

    def _fitting(self, need: Need) -> list[Volume]:
        return [
            volume
            for volume in self._catalog.volumes()
            if volume.pool in need.pools
            and volume.state in _WRITABLE
            and not volume.location.startswith(AWAY)
            and (not need.media or not volume.media or volume.media in need.media)
        ]

    def _taken(self, kind: ResourceKind) -> set[str]:
        return {lease.resource.name for lease in self._catalog.leases() if lease.resource.kind is kind}

    def _others_may_give_back(self, need: Need, *, but: str = "") -> bool:
        """Whether some other job has a volume of these pools that may still have room when it ends."""
        names = {volume.label for volume in self._fitting(need)}
        leases = self._catalog.leases()
        return any(
            lease.owner != but and lease.resource.name in names for lease in leases if _is_volume(lease.resource)
        )

    def _no_media(self, need: Need, step: Step) -> JobError:
        pools = ", ".join(need.pools)
        reason = f"no volume of pool {pools or '(none)'} has room: add one by `ndmpdup media add`, or expire copies"
        return JobError(Status.NO_MEDIA, step=step.value, reason=reason)

    def _why(self, need: Need) -> str:
        drives = self._taken(ResourceKind.DRIVE)
        if all(_address(drive) in drives for drive in need.drives):
            return "every drive for this job is in use: waiting for one"
        busy = [name for name in need.reads if name in self._taken(ResourceKind.VOLUME)]
        if busy:
            return f"volume {', '.join(busy)} is in use by another job: waiting for it"
        return "a drive or volume is waited for"


def _address(drive: DriveSpec) -> str:
    """What all configurations have in common of a drive: where it is."""
    url = drive.url
    return f"{url.host}:{url.port}/{url.path}"


def _drive(drive: DriveSpec) -> Resource:
    return Resource(ResourceKind.DRIVE, _address(drive))


def _volume(name: str) -> Resource:
    return Resource(ResourceKind.VOLUME, name)


def _is_volume(resource: Resource) -> bool:
    return resource.kind is ResourceKind.VOLUME
