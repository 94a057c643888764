"""Which drives and volumes a job gets: a pure function of what it needs and of the situation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

from duplicator.broker_needs import Need, Pool, Reading, Situation, Writing, drive_resource, volume_resource
from duplicator.catalog import Resource, Volume, VolumeState
from duplicator.drives import DriveSpec
from duplicator.media.places import in_vault
from duplicator.plan import Step
from duplicator.status import JobError, Status

__all__ = ["Choice", "Wait", "choose", "choose_next", "usable"]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_CLEANING: Final = "CU"
_UNKNOWN: Final = 3
"""The order of volumes that the catalog does not know."""
_WRITABLE: Final = frozenset({VolumeState.APPENDABLE, VolumeState.SCRATCH})
_REFUSED: Final[Mapping[VolumeState, Status]] = {
    VolumeState.PROTECTED: Status.MEDIA_PROTECTED,
    VolumeState.FOREIGN: Status.MEDIA_PROTECTED,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What to take. ``volume``: the one to write; None where nothing is written, or an operator brings one."""

    write_drive: DriveSpec | None
    read_drive: DriveSpec | None
    volume: str | None
    resources: frozenset[Resource]


@dataclass(frozen=True, slots=True)
class Wait:
    """It cannot be now. ``reserve``: what is free and kept from those that come later in the queue."""

    reason: str
    reserve: frozenset[Resource] = frozenset()


@dataclass(frozen=True, slots=True)
class _Half:
    """A way to write, or to read."""

    drive: DriveSpec
    volume: str | None
    resources: frozenset[Resource]
    rank: tuple[Any, ...]


def choose(need: Need, situation: Situation, reserved: Collection[Resource] = ()) -> Choice | Wait:
    """The best that is free, or why there is nothing now; JobError when waiting is in vain."""
    writers = _writers(need.writing, situation) if need.writing else []
    readers = _readers(need.reading, situation) if need.reading else []
    if need.writing and need.reading and len({*writers, *readers}) == 1:
        raise _no_drive(f"one drive is configured for it, {writers[0].name}, and it needs two")
    taken = situation.owners.keys() | reserved
    writes = list(_write_ways(need.writing, situation, writers)) if need.writing else [None]
    reads = list(_read_ways(need.reading, situation, readers)) if need.reading else [None]
    pairs = [pair for pair in product(writes, reads) if _is_free(pair, taken)]
    if pairs:
        return _choice(*min(pairs, key=lambda pair: [half.rank for half in pair if half]))
    return _wait(need, situation, [*writers, *readers])


def choose_next(
    pool: str, drive: DriveSpec, situation: Situation, *, owner: str, reserved: Collection[Resource] = ()
) -> Choice | Wait:
    """Another volume for who writes in ``drive`` already; JobError when none can come."""
    ways = list(_write_ways(Writing(pool), situation, [drive]))
    mine = {resource for resource, who in situation.owners.items() if who == owner}
    others = (situation.owners.keys() | reserved) - mine
    free = [way for way in ways if _is_free((way, None), others) and volume_resource(way.volume or "") not in mine]
    if free:
        return _choice(min(free, key=lambda way: way.rank), None)
    holders = {situation.owners.get(volume_resource(way.volume or "")) for way in ways} - {None, owner}
    if not holders & _moving(situation, {**situation.waits, owner: pool}):
        reason = f"no appendable or scratch volume of {_pool_words(pool)} can come into drive {drive.name}"
        raise JobError(Status.NO_MEDIA, step=Step.WRITE_MOUNT.value, reason=reason)
    return Wait(f"all volumes of {_pool_words(pool)} with room are in use")


def usable(volume: Volume | None, pool: Pool) -> bool:
    """Whether a job that writes to a pool may have this volume, if it is free."""
    if volume is None or volume.state not in _WRITABLE or volume.media == _CLEANING or in_vault(volume.location):
        return False
    if pool.media and volume.media and volume.media not in pool.media:
        return False
    is_lent = bool(pool.scratch) and volume.pool == pool.scratch and volume.state is VolumeState.SCRATCH
    return volume.pool == pool.name or is_lent


# Drives.


def _writers(writing: Writing, situation: Situation) -> list[DriveSpec]:
    """The drives that could do it, were they free; JobError when there are none."""
    pool = _pool(writing.pool, situation)
    named = [drive for drive in situation.drives if not writing.drives or drive.name in writing.drives]
    able = [drive for drive in named if _takes(drive, pool.media, situation)]
    if not able:
        raise _no_drive(f"no drive is configured that writes volumes of {_pool_words(pool.name)}")
    if writing.volume:
        _check_named(writing.volume, situation)
        able = [drive for drive in able if situation.reaches(drive, writing.volume)]
        if not able:
            raise _out_of_reach(writing.volume, situation)
    able = _up(able, situation)
    if not any(True for _ in _write_ways(writing, situation, able)):
        reason = f"no appendable or scratch volume of {_pool_words(pool.name)} is where a drive can have it"
        raise JobError(Status.NO_MEDIA, step=Step.WRITE_MOUNT.value, reason=reason)
    return able


def _readers(reading: Reading, situation: Situation) -> list[DriveSpec]:
    """The same to read."""
    named = [drive for drive in situation.drives if not reading.drives or drive.name in reading.drives]
    if not named:
        raise _no_drive("no drive is configured for it")
    able = [drive for drive in named if all(situation.reaches(drive, volume) for volume in reading.volumes)]
    if not able:
        lost = [each for each in reading.volumes if not any(situation.reaches(drive, each) for drive in named)]
        raise _out_of_reach(lost[0] if lost else reading.volumes[0], situation)
    return _up(able, situation)


def _up(drives: list[DriveSpec], situation: Situation) -> list[DriveSpec]:
    up = [drive for drive in drives if not situation.use(drive).down]
    if not up:
        reason = "; ".join(f"drive {drive.name} is down: {situation.use(drive).down}" for drive in drives)
        raise JobError(Status.DRIVES_DOWN, step=Step.PREPARE.value, reason=reason)
    return up


def _takes(drive: DriveSpec, media: frozenset[str], situation: Situation) -> bool:
    writes = situation.media.get(drive.name)
    return not writes or not media or bool(writes & media)


# Ways to do it.


def _write_ways(writing: Writing, situation: Situation, drives: list[DriveSpec]) -> Iterator[_Half]:
    for drive in drives:
        for volume in _candidates(writing, drive, situation):
            at = situation.drive_of(volume.label)
            way = _distance(drive, at), _last_used(drive, situation), -volume.size, volume.label, drive.name
            yield _half(drive, volume.label, at, (_order(volume, writing.pool), *way))
        if drive.library is None and writing.volume not in situation.volumes:
            # An operator can bring what nobody knows yet.
            way = 0, _last_used(drive, situation), 0, "", drive.name
            yield _half(drive, writing.volume or None, None, (_UNKNOWN, *way))


def _candidates(writing: Writing, drive: DriveSpec, situation: Situation) -> Iterator[Volume]:
    pool = _pool(writing.pool, situation)
    writes = situation.media.get(drive.name, frozenset())
    for volume in situation.volumes.values():
        wanted = volume.label == writing.volume if writing.volume else usable(volume, pool)
        fits = not writes or not volume.media or volume.media in writes
        if wanted and fits and situation.reaches(drive, volume.label):
            yield volume


def _order(volume: Volume, pool: str) -> int:
    """Appendable ones first (of these the fuller ones: few volumes are begun), then scratch of the pool, then other."""
    if volume.state is VolumeState.APPENDABLE:
        return 0
    return 1 if volume.pool == pool else 2


def _distance(drive: DriveSpec, at: Resource | None) -> int:
    """Mounted here, nowhere, or in another drive."""
    if at is None:
        return 1
    return 0 if at == drive_resource(drive) else 2


def _read_ways(reading: Reading, situation: Situation, drives: list[DriveSpec]) -> Iterator[_Half]:
    places = {at for at in map(situation.drive_of, reading.volumes) if at}
    volumes = frozenset(map(volume_resource, reading.volumes))
    for drive in drives:
        mine = drive_resource(drive)
        rank = (0 if mine in places else 1, _last_used(drive, situation), drive.name)
        yield _Half(drive, None, volumes | places | {mine}, rank)


def _half(drive: DriveSpec, volume: str | None, at: Resource | None, rank: tuple[Any, ...]) -> _Half:
    """A volume in another drive comes with that drive, so that nobody mounts there meanwhile."""
    resources = {drive_resource(drive)}
    if volume:
        resources |= {volume_resource(volume)}
    if at:
        resources |= {at}
    return _Half(drive, volume, frozenset(resources), rank)


def _is_free(pair: tuple[_Half | None, _Half | None], taken: Collection[Resource]) -> bool:
    halves = [half for half in pair if half]
    if any(not half.resources.isdisjoint(taken) for half in halves):
        return False
    return len(halves) < 2 or halves[0].resources.isdisjoint(halves[1].resources)


def _choice(write: _Half | None, read: _Half | None) -> Choice:
    resources = frozenset().union(*(half.resources for half in (write, read) if half))
    return Choice(
        write_drive=write.drive if write else None,
        read_drive=read.drive if read else None,
        volume=write.volume if write else None,
        resources=resources,
    )


def _last_used(drive: DriveSpec, situation: Situation) -> datetime:
    return situation.use(drive).last_used or _NEVER


# Why not.


def _wait(need: Need, situation: Situation, drives: list[DriveSpec]) -> Wait:
    """Drives are kept for who lacks nothing else; volumes that are named are kept in any case."""
    named = list(need.reading.volumes) if need.reading else []
    named += [need.writing.volume] if need.writing and need.writing.volume else []
    lacking = [volume for volume in named if volume_resource(volume) in situation.owners]
    kept = frozenset(map(volume_resource, named)) - situation.owners.keys()
    if lacking:
        return Wait(f"volume {lacking[0]} is in use", kept)
    free = frozenset(map(drive_resource, drives)) - situation.owners.keys()
    names = ", ".join(sorted({drive.name for drive in drives}))
    if need.writing and not need.writing.volume and not _has_free_volume(need.writing, situation, drives):
        return Wait(f"all volumes of {_pool_words(need.writing.pool)} with room are in use", kept)
    return Wait(f"not enough drives are free of {names}", kept | free)


def _has_free_volume(writing: Writing, situation: Situation, drives: list[DriveSpec]) -> bool:
    ways = _write_ways(writing, situation, drives)
    return any(way.volume is None or volume_resource(way.volume) not in situation.owners for way in ways)


def _moving(situation: Situation, waits: Mapping[str, str]) -> set[str]:
    """The owners that will give back what they have: those that wait only for what is free, or for owners that will."""
    moving = set(situation.owners.values()) - waits.keys()
    while True:
        more = {
            owner
            for owner, pool in waits.items()
            if owner not in moving and not _holders(pool, situation).isdisjoint({None, *moving})
        }
        if not more:
            return moving
        moving |= more


def _holders(pool: str, situation: Situation) -> set[str | None]:
    """Who has the volumes that a pool can use; None: nobody."""
    wanted = _pool(pool, situation)
    volumes = (each for each in situation.volumes.values() if usable(each, wanted))
    return {situation.owners.get(volume_resource(volume.label)) for volume in volumes}


def _check_named(label: str, situation: Situation) -> None:
    volume = situation.volumes.get(label)
    if volume is not None and volume.state not in _WRITABLE:
        status = _REFUSED.get(volume.state, Status.NO_MEDIA)
        reason = f"volume {label} takes no files: it is {volume.state.value}"
        raise JobError(status, step=Step.WRITE_MOUNT.value, reason=reason)


def _out_of_reach(label: str, situation: Situation) -> JobError:
    volume = situation.volumes.get(label)
    where = volume.location if volume and volume.location else "nobody knows where"
    reason = f"volume {label} cannot come into a drive for it; it is {where}"
    return JobError(Status.NO_MEDIA, step=Step.WRITE_MOUNT.value, reason=reason)


def _no_drive(reason: str) -> JobError:
    return JobError(Status.NO_DRIVES, step=Step.PREPARE.value, reason=reason)


def _pool(name: str, situation: Situation) -> Pool:
    return situation.pools.get(name) or Pool(name)


def _pool_words(name: str) -> str:
    return f"pool {name}" if name else "no pool"
