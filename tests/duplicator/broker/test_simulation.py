"""Many jobs of every kind on a few drives, in virtual time: nobody has what another has, and all come to an end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable

import pytest

from duplicator.broker import Grant
from duplicator.broker_needs import Need, Pool, Reading, Writing
from duplicator.catalog import Catalog, Resource, VolumeState
from duplicator.status import JobError, Status
from tests.duplicator.broker.bench import BY_HAND, D1, D2, D3, Bench
from tests.duplicator.broker.virtual_time import run

POOLS = (Pool("p", scratch="s"), Pool("q", scratch="s"))
JOBS = 40
LABELS = [f"V{number:05}" for number in range(14)]


class Users:
    """Who really uses what, beside what the broker believes."""

    def __init__(self) -> None:
        self._by: dict[Resource, str] = {}

    def begin(self, name: str, resources: Iterable[Resource]) -> None:
        for resource in resources:
            assert self._by.setdefault(resource, name) == name, f"{resource}: {self._by[resource]} and {name}"

    def end(self, name: str) -> None:
        self._by = {resource: who for resource, who in self._by.items() if who != name}


class Work:
    """The jobs of one run; ``ended`` counts how."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.chance = random.Random(seed)
        self.users = Users()
        self.ended: Counter[str] = Counter()

    def need(self) -> Need:
        """What some job needs."""
        kind = self.chance.choice(["write", "write", "write", "read", "copy"])
        volumes = tuple(self.chance.sample(LABELS[:10], self.chance.randint(1, 3)))
        writing = Writing(self.chance.choice("pq")) if kind != "read" else None
        reading = Reading(volumes) if kind != "write" else None
        return Need(writing=writing, reading=reading, priority=self.chance.randint(0, 3))

    async def job(self, number: int) -> None:
        """One job: it comes some time, works, spans perhaps, and gives all back."""
        name = f"job {number}"
        await asyncio.sleep(self.chance.uniform(0, 2000))
        try:
            async with self.bench.broker.acquired(self.need(), note=self.bench.note(name)) as grant:
                try:
                    await self.use(name, grant)
                finally:
                    self.users.end(name)
            self.ended["done"] += 1
        except JobError as error:
            self.ended[error.status.name] += 1

    async def use(self, name: str, grant: Grant) -> None:
        self.users.begin(name, grant.resources)
        if grant.write_drive is not None:
            self.bench.broker.mounted(grant, grant.write_drive, grant.volume or f"B{name[4:]}")
        await asyncio.sleep(self.chance.uniform(1, 300))
        for _ in range(self.chance.choice([0, 0, 1, 2]) if grant.volume else 0):
            full = grant.volume or ""
            if await self.bench.broker.next_volume(grant, note=self.bench.note(name)) is None:
                return
            self.bench.catalog.update_volume(full, state=VolumeState.FULL)
            self.users.begin(name, grant.resources)
            await asyncio.sleep(self.chance.uniform(1, 300))
        self.bench.broker.renew(grant)

    async def expire(self) -> None:
        """Now and then full volumes become scratch."""
        while True:
            await asyncio.sleep(400)
            leased = {lease.resource.name for lease in self.bench.catalog.leases()}
            for volume in self.bench.catalog.volumes():
                if volume.state is VolumeState.FULL and volume.label not in leased:
                    self.bench.catalog.update_volume(volume.label, state=VolumeState.SCRATCH)


@pytest.mark.parametrize(
    ("url", "seed"),
    [
        *(("sqlite", seed) for seed in range(2)),
        *(pytest.param("sqlite", seed, marks=pytest.mark.long) for seed in range(2, 12)),
        pytest.param("postgresql", 4, marks=pytest.mark.interop),
    ],
    indirect=["url"],
)
def test_many_jobs(catalog: Catalog, seed: int) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2, D3, BY_HAND, pools=POOLS, poll=20)
        for number, label in enumerate(LABELS):
            pool = "ppqqs"[number % 5]
            state = VolumeState.SCRATCH if pool == "s" else VolumeState.APPENDABLE
            bench.add(label, state, pool=pool)
        work = Work(bench, seed)
        expiry = asyncio.create_task(work.expire())
        async with asyncio.TaskGroup() as group:
            for number in range(JOBS):
                group.create_task(work.job(number))
        expiry.cancel()
        assert sum(work.ended.values()) == JOBS
        assert set(work.ended) <= {"done", Status.NO_MEDIA.name}
        # They were in each other's way.
        assert sum(map(bool, bench.told.values())) > JOBS // 4
        assert work.ended["done"] > JOBS * 0.8
        assert catalog.leases() == []

    run(main())
