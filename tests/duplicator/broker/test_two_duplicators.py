"""Two processes with one catalog and one library: neither drives nor volumes are ever used by both."""

from __future__ import annotations

import json
from pathlib import Path

from duplicator.broker_needs import drive_resource, volume_resource
from duplicator.catalog import Catalog, VolumeState
from tests.duplicator.broker.bench import D1, D2
from tests.duplicator.catalog.facts import script, start_together

JOBS = 12
DUPLICATOR = """
import asyncio, json, random
from pathlib import Path
from duplicator.broker import Broker
from duplicator.broker_needs import Need, Reading, Writing
from tests.duplicator.broker.bench import D1, D2

chance = random.Random({seed})
broker = Broker(catalog, [D1, D2], poll=0.02)
folder = Path({folder!r})
done = []

def begin(resources):
    # A file that both would make: the system refuses it to the second.
    for one in resources:
        (folder / str(one).replace('/', '_')).touch(exist_ok=False)

def end(resources):
    for one in resources:
        (folder / str(one).replace('/', '_')).unlink()

async def job(number):
    need = chance.choice([
        Need(writing=Writing('p')),
        Need(reading=Reading(('A', 'B'))),
        Need(writing=Writing('p'), reading=Reading(('C',))),
    ])
    async with broker.acquired(need, note=lambda text: None, seconds=100) as grant:
        mine = set(grant.resources)
        begin(mine)
        if grant.write_drive:
            broker.mounted(grant, grant.write_drive, grant.volume)
        await asyncio.sleep(chance.uniform(0, 0.02))
        end(mine)
        done.append([grant.owner, sorted(map(str, mine))])

async def main():
    async with asyncio.TaskGroup() as group:
        for number in range({jobs}):
            group.create_task(job(number))

asyncio.run(main())
print(json.dumps(done))
"""


def fill(catalog: Catalog) -> None:
    for label in "ABCDE":
        catalog.add_volume(label, tape_url="", pool="p", state=VolumeState.APPENDABLE, location="lib slot 1")


def test_they_compete(catalog: Catalog, url: str, tmp_path: Path) -> None:
    fill(catalog)
    folder = tmp_path / "used"
    folder.mkdir()
    bodies = [DUPLICATOR.format(seed=seed, folder=str(folder), jobs=JOBS) for seed in (1, 2)]
    done = []
    for process in start_together(url, bodies):
        output, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        done.append(json.loads(output))
    assert [len(each) for each in done] == [JOBS, JOBS]
    both = [{name for _, names in each for name in names} for each in done]
    # They did compete: each had each drive.
    assert {str(drive_resource(D1)), str(drive_resource(D2))} <= both[0] & both[1]
    assert list(folder.iterdir()) == []
    assert catalog.leases() == []


HOLDER = """
import asyncio
from duplicator.broker import Broker
from duplicator.broker_needs import Need, Writing
from tests.duplicator.broker.bench import D1

async def main():
    grant = await Broker(catalog, [D1]).acquire(Need(writing=Writing('p')), note=lambda text: print(text, flush=True))
    print(grant.volume, flush=True)
    input()

asyncio.run(main())
"""


def test_what_a_killed_one_had_the_other_gets(catalog: Catalog, url: str) -> None:
    fill(catalog)
    first = script(url, HOLDER)
    assert first.stdout is not None
    assert first.stdout.readline() == "A\n"
    assert catalog.leases()[0].pid == first.pid
    second = script(url, HOLDER)
    assert second.stdout is not None
    assert second.stdout.readline() == "waits: not enough drives are free of d1\n"
    first.kill()
    assert second.stdout.readline() == "A\n"
    assert {lease.resource for lease in catalog.leases()} == {drive_resource(D1), volume_resource("A")}
    assert {lease.pid for lease in catalog.leases()} == {second.pid}
    for process, text in ((first, None), (second, "\n")):
        process.communicate(text, timeout=60)
    assert catalog.leases() == []
