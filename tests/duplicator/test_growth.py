"""What a job costs does not grow with what was copied before, nor its memory with the size of the image."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from duplicator.catalog import Catalog, JobKind
from duplicator.engine import duplicate
from duplicator.plan import CopyRequest
from duplicator.status import Status
from ndmp.aio.client import Client
from ndmp.wire import Reply, Request
from tests.bench.growth_jobs import one_job
from tests.duplicator.processes import Host, Site, site_in
from tests.duplicator.robots import DEADLINES, Told, place

MIB = 1 << 20
BEFORE = 3000
"""Copies, jobs and their lines that the catalog has from earlier."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


class Work:
    """What the catalog's database has to do, in instructions of SQLite's machine: they depend on no clock."""

    def __init__(self) -> None:
        self.instructions = 0

    def count(self, connection: sqlite3.Connection, _: object) -> None:
        def one() -> None:
            self.instructions += 1

        connection.set_progress_handler(one, 1)

    @contextmanager
    def counted(self) -> Iterator[None]:
        event.listen(Engine, "connect", self.count)
        try:
            yield
        finally:
            event.remove(Engine, "connect", self.count)

    def of(self, work: Callable[[], Any]) -> int:
        """What this takes."""
        before = self.instructions
        work()
        return self.instructions - before


class Places:
    """A unit with small images, and a tape."""

    def __init__(self, site: Site) -> None:
        unit = site.folder / "unit"
        unit.mkdir()
        for number in range(40):
            (unit / f"image{number}").write_bytes(b"small" * 200)
        self._site = site
        self._hosts: tuple[Host, Host] = (
            site.serve("--lsu", f"lsu={unit}"),
            site.serve("--tape", f"drive=virtual:{site.folder / 'ND0001'}?capacity=1G&sync=no"),
        )

    def copy(self, catalog: Catalog, image: int) -> None:
        """One job."""
        source, tape = self._hosts
        request = CopyRequest(
            f"image{image}",
            place(self._site, source.url("lsu")),
            place(self._site, tape.url("drive")),
            deadlines=DEADLINES,
        )
        told = Told()
        result = asyncio.run(duplicate(request, catalog, told))
        assert (result.status, result.validated) == (Status.SUCCESS, True), told.steps


def multiply(database: sqlite3.Connection, table: str, changed: Callable[[int], dict[str, Any]]) -> None:
    """The first row of a table again and again, with other keys."""
    cursor = database.execute(f"SELECT * FROM {table} ORDER BY rowid LIMIT 1")
    names = [column[0] for column in cursor.description]
    first = dict(zip(names, cursor.fetchone(), strict=True))
    rows = [{**first, **changed(number)} for number in range(BEFORE)]
    values = ", ".join(f":{name}" for name in names)
    quoted = ", ".join(f'"{name}"' for name in names)
    database.executemany(f"INSERT INTO {table} ({quoted}) VALUES ({values})", rows)


def fill(path: Path) -> None:
    """As if thousands of images had been copied, to other volumes, and as many were queued."""
    with closing(sqlite3.connect(path)) as database, database:
        multiply(database, "images", lambda n: {"id": 100 + n, "name": f"old{n}"})
        multiply(database, "jobs", lambda n: {"id": 10_000 + n, "state": "done"})
        multiply(database, "jobs", lambda n: {"id": 20_000 + n, "state": "queued"})
        multiply(database, "job_events", lambda n: {"id": 100_000 + n, "job_id": 10_000 + n})
        copies = [str(uuid.UUID(int=n)) for n in range(BEFORE)]
        multiply(database, "copies", lambda n: {"id": copies[n], "image_id": 100 + n, "job_id": 10_000 + n})
        multiply(database, "fragments", lambda n: {"copy_id": copies[n]})
        multiply(database, "volumes", lambda n: {"label": f"V{n:05}"})
        multiply(
            database, "tape_files", lambda n: {"copy_id": copies[n], "volume": f"V{n // 100:05}", "file_sequence": n}
        )


def test_a_job_in_a_catalog_of_thousands(site: Site) -> None:
    places, work = Places(site), Work()
    with work.counted(), Catalog(site.catalog) as catalog:
        places.copy(catalog, 0)
        in_a_small_one = work.of(lambda: places.copy(catalog, 1))
        fill(site.folder / "catalog.db")
        in_a_large_one = work.of(lambda: places.copy(catalog, 2))
    assert in_a_large_one < 1.25 * in_a_small_one


def test_a_job_on_a_volume_of_many_files(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    requests, call = list[Request[Any]](), Client.call

    async def counted(client: Client, request: Request[Reply], *, deadline: float | None = None) -> Reply:
        requests.append(request)
        return await call(client, request, deadline=deadline)

    monkeypatch.setattr(Client, "call", counted)
    places, work, costs = Places(site), Work(), list[tuple[int, int]]()
    with work.counted(), Catalog(site.catalog) as catalog:
        for number in range(40):
            before = len(requests)
            instructions = work.of(lambda n=number: places.copy(catalog, n))
            costs.append((instructions, len(requests) - before))
    # The first few differ from the others; how often a mover is asked for its state is a matter of luck.
    early, late = (map(min, zip(*some, strict=True)) for some in (costs[3:10], costs[-7:]))
    (instructions, asked), (late_instructions, late_asked) = early, late
    assert late_asked <= asked + 1
    assert late_instructions < 1.05 * instructions


def test_the_next_of_thousands_of_queued_jobs(site: Site) -> None:
    work, queued = Work(), list[int]()
    with work.counted(), Catalog(site.catalog) as catalog:

        def queue() -> int:
            return catalog.queue_job(JobKind.DUPLICATE, image="i", source="disk1", target="tape1", request={})

        queued += [queue() for _ in range(20)]
        among_few = work.of(lambda: catalog.next_job(among=queued))
        with closing(sqlite3.connect(site.folder / "catalog.db")) as database, database:
            multiply(database, "jobs", lambda n: {"id": 1000 + n, "state": "queued"})
        queued += range(1000, 1000 + BEFORE)
        among_many = work.of(lambda: catalog.next_job(among=queued))
    assert among_many < 1.5 * among_few


def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    small, large = (one_job(tmp_path / str(size), size * MIB).peaks_mib for size in (64, 512))
    for party, peak in large.items():
        assert peak < small[party] + 8, (party, small, large)
