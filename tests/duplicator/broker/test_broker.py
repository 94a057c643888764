"""The queue for drives and volumes, in virtual time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from duplicator.broker_needs import Need, Pool, Reading, Writing, drive_resource, volume_resource
from duplicator.catalog import Catalog, CatalogError, Resource, VolumeState
from duplicator.status import JobError, Status
from tests.duplicator.broker.bench import BY_HAND, D1, D2, D3, D4, NOON, Bench, read, write
from tests.duplicator.broker.virtual_time import run
from tests.duplicator.catalog.facts import sql

SCRATCH, FULL = VolumeState.SCRATCH, VolumeState.FULL


def held(catalog: Catalog) -> set[Resource]:
    return {lease.resource for lease in catalog.leases()}


def test_a_grant_and_its_end(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2)
        bench.add("A")
        async with bench.broker.acquired(write(), note=bench.note("job")) as grant:
            assert (grant.write_drive, grant.read_drive, grant.volume) == (D1, None, "A")
            assert held(catalog) == grant.resources == {drive_resource(D1), volume_resource("A")}
            bench.broker.renew(grant)
            bench.broker.mounted(grant, D1, "A")
        assert held(catalog) == set()
        assert catalog.drive_uses()[drive_resource(D1).name].volume == "A"
        assert bench.told == {"job": []}

    run(main())


def test_drives_are_spread_and_mounted_volumes_go_on(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2, D3)
        for label in "ABC":
            bench.add(label)
        used = []
        for _ in range(4):
            await asyncio.sleep(1)
            grant = await bench.acquire(write(drives=frozenset()))
            used.append((grant.write_drive, grant.volume))
            bench.broker.release(grant)
        assert [drive.name for drive, _ in used if drive] == ["d1", "d2", "d3", "d1"]
        grant = await bench.acquire(write())
        assert grant.write_drive is not None
        bench.broker.mounted(grant, grant.write_drive, grant.volume or "")
        bench.broker.release(grant)
        again = await bench.acquire(write())
        assert (again.write_drive, again.volume) == (grant.write_drive, grant.volume)

    run(main())


def test_turns(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        for label in "AB":
            bench.add(label)
        first = await bench.acquire(write())
        needs = {"old": write(), "young": read("B"), "urgent": write(priority=5), "last": write(priority=-1)}
        order: list[str] = []

        async def job(name: str) -> None:
            async with bench.broker.acquired(needs[name], note=bench.note(name)):
                order.append(name)
                await asyncio.sleep(60)

        async with asyncio.TaskGroup() as group:
            for name in needs:
                group.create_task(job(name))
                await asyncio.sleep(0.1)
            assert order == []
            bench.broker.release(first)
        assert order == ["urgent", "old", "young", "last"]
        assert bench.told["last"] == ["waits: not enough drives are free of d1"]

    run(main())


def test_small_needs_do_not_starve_a_big_one(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2)
        for label in "ABC":
            bench.add(label)
        grants = [await bench.acquire(write()) for _ in range(2)]
        big = bench.start(Need(writing=Writing("p"), reading=Reading(("C",))), "big")
        small = bench.start(write(), "small")
        await asyncio.sleep(5)
        bench.broker.release(grants[0])
        await asyncio.sleep(5)
        # One drive is free, and kept for who needs two and came first.
        assert not big.done()
        assert not small.done()
        bench.broker.release(grants[1])
        await asyncio.sleep(0)
        assert {drive_resource(D1), drive_resource(D2), volume_resource("C")} <= (await big).resources
        assert not small.done()
        bench.broker.release(await big)
        await small

    run(main())


def test_who_lacks_a_volume_keeps_no_drive_from_others(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2)
        for label in "AB":
            bench.add(label)
        first = await bench.acquire(write(volume="A"))
        stuck = bench.start(read("A"), "stuck")
        assert (await bench.acquire(read("B"), seconds=1)).read_drive == D2
        assert not stuck.done()
        assert bench.told["stuck"] == ["waits: volume A is in use"]
        bench.broker.release(first)
        assert (await stuck).read_drive == D1

    run(main())


def test_leaving_the_queue(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        for label in "AB":
            bench.add(label)
        first = await bench.acquire(write())
        with pytest.raises(JobError, match="in time: not enough drives") as caught:
            await bench.acquire(write(), seconds=7)
        assert caught.value.status == Status.NO_DRIVES
        assert asyncio.get_running_loop().time() == pytest.approx(7)
        waiting = bench.start(write(), "waiting")
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        # One that is cancelled in the moment in which it is served keeps nothing.
        served = bench.start(write(), "served")
        await asyncio.sleep(1)
        bench.broker.release(first)
        served.cancel()
        with pytest.raises(asyncio.CancelledError):
            await served
        assert held(catalog) == set()

    run(main())


def test_what_another_process_gives_back_is_found(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        bench.add("A")
        with Catalog(url) as other:
            assert other.take("other", [drive_resource(D1)])
            waiting = bench.start(write(), "job")
            await asyncio.sleep(10)
            assert not waiting.done()
            other.release("other")
            await asyncio.sleep(1.1)
            assert waiting.done()

    run(main())


def test_the_next_volume(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2)
        for label in "AB":
            bench.add(label)
        grant = await bench.acquire(write())
        assert await bench.broker.next_volume(grant, note=bench.note("job")) == "B"
        assert bench.state("A") is VolumeState.APPENDABLE, "it is not complete yet"
        catalog.update_volume("A", state=FULL)
        assert grant.resources == {drive_resource(D1), volume_resource("A"), volume_resource("B")}
        with pytest.raises(JobError) as caught:
            await bench.broker.next_volume(grant, note=bench.note("job"))
        assert caught.value.status == Status.NO_MEDIA
        assert asyncio.get_running_loop().time() == 0
        assert [lease.waits_for for lease in catalog.leases()] == [""] * 3
        bench.broker.release(grant)

    run(main())


def test_the_next_volume_is_waited_for_while_another_job_has_one(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2, D3)
        for label in "AB":
            bench.add(label)
        first, second = await bench.acquire(write()), await bench.acquire(write())
        third = bench.start(write(priority=9), "third")
        await asyncio.sleep(1)
        spanning = asyncio.create_task(bench.broker.next_volume(first, note=bench.note("first")))
        await asyncio.sleep(10)
        assert bench.told["first"] == ["waits: all volumes of pool p with room are in use"]
        assert {lease.owner for lease in catalog.leases() if lease.waits_for == "p"} == {first.owner}
        bench.broker.release(second)
        # It goes before those that have not begun, whatever their priority.
        assert await spanning == "B"
        catalog.update_volume("A", state=FULL)
        assert [lease.waits_for for lease in catalog.leases()] == [""] * 3
        await asyncio.sleep(10)
        assert not third.done()
        bench.broker.release(first)
        assert (await third).volume == "B"

    run(main())


def test_nobody_waits_for_a_volume_that_was_filled_meanwhile(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2, D3)
        for label in "AB":
            bench.add(label)
        first, second = await bench.acquire(write()), await bench.acquire(write())
        spanning = asyncio.create_task(bench.broker.next_volume(first, note=bench.note("first")))
        queued = bench.start(write(), "queued")
        await asyncio.sleep(10)
        assert not spanning.done()
        assert not queued.done()
        began = asyncio.get_running_loop().time()
        for grant, waiting in (
            (second, bench.broker.next_volume(second, note=bench.note("second"))),
            (first, spanning),
        ):
            with pytest.raises(JobError) as caught:
                await waiting
            assert caught.value.status == Status.NO_MEDIA
            bench.fill(grant)
        with pytest.raises(JobError) as caught:
            await queued
        assert caught.value.status == Status.NO_MEDIA
        assert asyncio.get_running_loop().time() - began <= 1

    run(main())


def test_two_that_have_what_the_other_needs_do_not_wait_for_each_other(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2, D3, D4)
        for label in "ABCD":
            bench.add(label)
        first = await bench.acquire(Need(writing=Writing("p", "A"), reading=Reading(("B",))))
        second = await bench.acquire(Need(writing=Writing("p", "C"), reading=Reading(("D",))))
        waits = asyncio.create_task(bench.broker.next_volume(first, note=bench.note("first")))
        await asyncio.sleep(10)
        assert not waits.done()
        with pytest.raises(JobError) as caught:
            await bench.broker.next_volume(second, note=bench.note("second"))
        assert caught.value.status == Status.NO_MEDIA
        assert not waits.done()
        bench.fill(second)
        assert await waits == "D"

    run(main())


def test_a_volume_of_the_scratch_pool_goes_back_unless_it_was_written(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, pools=(Pool("p", scratch="s"),))
        bench.add("A", SCRATCH, pool="s")
        for state, pool in ((SCRATCH, "s"), (VolumeState.APPENDABLE, "p")):
            grant = await bench.acquire(write())
            volume = catalog.volume("A")
            assert volume is not None
            assert volume.pool == "p"
            catalog.update_volume("A", state=state)
            bench.broker.release(grant)
            volume = catalog.volume("A")
            assert volume is not None
            assert volume.pool == pool

    run(main())


def test_a_volume_that_changed_between_look_and_take_is_not_given(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        for label in "AB":
            bench.add(label)
        take = catalog.take

        def late(owner: str, wanted: set[Resource], **more: int | None) -> bool:
            sql(url, "UPDATE volumes SET state = 'full' WHERE label = 'A'")
            return take(owner, wanted, **more)

        catalog.take = late  # type: ignore[method-assign,assignment]
        grant = await bench.acquire(write())
        assert grant.volume == "B"
        assert held(catalog) == grant.resources

    run(main())


def test_what_an_operator_brings(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, BY_HAND, D1)
        bench.add("A")
        grant = await bench.acquire(write(drives=frozenset({"hand"})))
        assert (grant.write_drive, grant.volume) == (BY_HAND, None)
        bench.broker.mounted(grant, BY_HAND, "NEW")
        assert volume_resource("NEW") in grant.resources <= held(catalog)
        bench.broker.renew(grant)
        other = await bench.acquire(read("A"))
        with pytest.raises(JobError, match="volume A in drive hand is in use") as caught:
            bench.broker.mounted(grant, BY_HAND, "A")
        assert caught.value.status == Status.WRONG_TAPE
        bench.broker.release(other)

    run(main())


def test_a_volume_that_the_need_did_not_name(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1, D2)
        for label in "AB":
            bench.add(label)
        first, second = await bench.acquire(write(volume="A")), await bench.acquire(write(volume="B"))
        with pytest.raises(JobError, match="volume B stays in use") as caught:
            await bench.broker.also(first, "B", note=bench.note("first"), seconds=5)
        assert caught.value.status == Status.NO_DRIVES
        assert asyncio.get_running_loop().time() <= 5
        later = asyncio.create_task(bench.broker.also(first, "B", note=bench.note("first"), seconds=60))
        await asyncio.sleep(2)
        bench.broker.release(second)
        await later
        assert volume_resource("B") in first.resources <= held(catalog)
        await bench.broker.also(first, "B", note=bench.note("first"), seconds=0)

    run(main())


def test_a_grant_that_another_host_took(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        bench.add("A")
        grant = await bench.acquire(write())
        sql(url, "UPDATE leases SET owner = 'elsewhere' WHERE kind = 'drive'")
        with pytest.raises(JobError, match="drive host:10000/dev/d1: another host took it"):
            bench.broker.renew(grant)

    run(main())


def test_a_catalog_that_fails_fails_the_job(catalog: Catalog, url: str) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        bench.add("A")
        first = await bench.acquire(write())
        waiting = bench.start(write(), "waiting")
        await asyncio.sleep(3)
        sql(url, "ALTER TABLE drives RENAME TO away")
        with pytest.raises(CatalogError):
            await waiting
        sql(url, "ALTER TABLE away RENAME TO drives")
        bench.broker.release(first)
        bench.broker.release(await bench.acquire(write()))

    run(main())


def test_when_a_drive_was_used(catalog: Catalog) -> None:
    async def main() -> None:
        bench = Bench(catalog, D1)
        bench.add("A")
        await asyncio.sleep(5)
        await bench.acquire(write())
        assert catalog.drive_uses()[drive_resource(D1).name].last_used == NOON + timedelta(seconds=5)

    run(main())
