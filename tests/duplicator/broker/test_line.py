"""Brokers of several processes let each other go first."""

from __future__ import annotations

import asyncio
import json

from duplicator.broker_needs import Need, Reading, Writing
from duplicator.catalog import Catalog
from tests.duplicator.broker.bench import D1, D2, Bench, write
from tests.duplicator.broker.virtual_time import run


def benches(catalog: Catalog, url: str) -> tuple[Bench, Bench]:
    """Two, as two processes have them: each sees of the other what the catalog says."""
    first, second = Bench(catalog, D1), Bench(Catalog(url), D1)
    for label in "ABC":
        first.add(label)
    return first, second


def test_between_processes_too_it_is_priority_then_age(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        here, there = benches(catalog, url)
        order: list[str] = []

        async def job(bench: Bench, name: str, priority: int) -> None:
            async with bench.broker.acquired(write(priority=priority), note=bench.note(name)):
                order.append(name)
                await asyncio.sleep(60)

        first = await here.acquire(write())
        async with asyncio.TaskGroup() as group:
            for bench, name, priority in ((here, "h1", 0), (there, "t1", 0), (here, "h2", 0), (there, "t2", 1)):
                group.create_task(job(bench, name, priority))
                await asyncio.sleep(0.1)
            here.broker.release(first)
        assert order == ["t2", "h1", "t1", "h2"]
        assert catalog.line() == []
        there.catalog.close()

    run(main())


def test_who_does_not_take_what_it_could_have_holds_up_nobody_for_long(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        here, there = benches(catalog, url)
        need = json.dumps({"writing": {"drives": ["host:10000/dev/d1"], "pool": "p", "volume": ""}, "reading": None})
        there.catalog.join_line("asleep", priority=9, since=here.now(), need=need, seconds=10**6)
        began = asyncio.get_running_loop().time()
        await here.acquire(write())
        assert 1 < asyncio.get_running_loop().time() - began < 20
        there.catalog.close()

    run(main())


def test_who_needs_something_else_is_no_matter(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        here, there = benches(catalog, url)
        for owner, drives, pool in (("a", ["host:10000/dev/d9"], "p"), ("b", ["host:10000/dev/d1"], "no such")):
            need = json.dumps({"writing": {"drives": drives, "pool": pool, "volume": ""}, "reading": None})
            there.catalog.join_line(owner, priority=9, since=here.now(), need=need, seconds=10**6)
        await here.acquire(write(), seconds=0)
        there.catalog.close()

    run(main())


def test_a_big_need_of_another_process_is_not_starved(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        here, there = Bench(catalog, D1, D2), Bench(Catalog(url), D1, D2)
        for label in "ABC":
            here.add(label)
        grants = [await here.acquire(write()) for _ in range(2)]
        big = there.start(Need(writing=Writing("p"), reading=Reading(("C",))), "big")
        await asyncio.sleep(2)
        small = here.start(write(), "small")
        await asyncio.sleep(2)
        for grant in grants:
            here.broker.release(grant)
            await asyncio.sleep(3)
            assert not small.done()
        there.broker.release(await big)
        await small
        there.catalog.close()

    run(main())
