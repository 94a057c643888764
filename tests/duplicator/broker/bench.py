"""A catalog with volumes, drives of a library and of an operator, and a log of what jobs are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from duplicator.broker import Broker, Grant
from duplicator.broker_needs import Need, Pool, Reading, Writing
from duplicator.catalog import Catalog, Volume, VolumeState
from duplicator.drives import DriveSpec
from duplicator.urls import NdmpUrl

__all__ = ["BY_HAND", "D1", "D2", "D3", "D4", "NOON", "Bench", "read", "write"]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
D1, D2, D3, D4 = (DriveSpec(f"d{n}", NdmpUrl("u", "host", 10000, f"dev/d{n}"), "lib", n) for n in range(1, 5))
BY_HAND = DriveSpec("hand", NdmpUrl("u", "elsewhere", 10000, "dev/nst0"))


def write(pool: str = "p", *, volume: str = "", priority: int = 0, drives: frozenset[str] = frozenset()) -> Need:
    return Need(writing=Writing(pool, volume, drives), priority=priority)


def read(*volumes: str, priority: int = 0) -> Need:
    return Need(reading=Reading(volumes), priority=priority)


class Bench:
    """``told``: what the jobs heard, by their names."""

    def __init__(self, catalog: Catalog, *drives: DriveSpec, pools: tuple[Pool, ...] = (), poll: float = 1.0) -> None:
        self.catalog = catalog
        self.told: dict[str, list[str]] = {}
        self.broker = Broker(catalog, drives, pools=pools, poll=poll, clock=self.now)

    @staticmethod
    def now() -> datetime:
        """The wall clock: that of the event loop."""
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    def note(self, name: str) -> Callable[[str], None]:
        """Where a job of this name is told something."""
        return self.told.setdefault(name, []).append

    async def acquire(self, need: Need, name: str = "job", seconds: float | None = None) -> Grant:
        """A grant for a job of that name."""
        return await self.broker.acquire(need, note=self.note(name), seconds=seconds)

    def start(self, need: Need, name: str) -> asyncio.Task[Grant]:
        """The same, while the test goes on."""
        return asyncio.create_task(self.acquire(need, name), name=name)

    def add(
        self, label: str, state: VolumeState = VolumeState.APPENDABLE, *, pool: str = "p", location: str = "lib slot 1"
    ) -> Volume:
        """A volume, in the library if not elsewhere."""
        return self.catalog.add_volume(label, tape_url="", state=state, pool=pool, location=location, media="L8")

    def fill(self, grant: Grant) -> None:
        """The job of a grant filled the volume that it wrote, and ends."""
        assert grant.volume is not None
        self.catalog.update_volume(grant.volume, state=VolumeState.FULL)
        self.broker.release(grant)

    def state(self, label: str) -> VolumeState:
        """A volume's state."""
        found = self.catalog.volume(label)
        assert found is not None
        return found.state
