"""Nobody has what somebody else has: leases, from several processes and hosts."""

from __future__ import annotations

import os
from datetime import timedelta

from duplicator.catalog import Catalog, DriveUse, Resource, ResourceKind
from tests.duplicator.catalog.facts import NOON, SECOND, script, sql, start_together

D1, D2 = Resource(ResourceKind.DRIVE, "h:1/d1"), Resource(ResourceKind.DRIVE, "h:1/d2")
V1, V2 = Resource(ResourceKind.VOLUME, "ND0001"), Resource(ResourceKind.VOLUME, "ND0002")
ROBOT = Resource(ResourceKind.LIBRARY, "h:1/changer")


def held(catalog: Catalog) -> dict[Resource, str]:
    return {lease.resource: lease.owner for lease in catalog.leases()}


def test_all_or_nothing(catalog: Catalog) -> None:
    assert catalog.take("a", [D1, V1], job_id=7)
    assert not catalog.take("b", [D2, V1])
    assert not catalog.take("b", [V2, D1])
    assert held(catalog) == {D1: "a", V1: "a"}
    assert catalog.take("a", [V2, D1])
    assert catalog.take("b", [D2])
    assert held(catalog) == {D1: "a", V1: "a", V2: "a", D2: "b"}
    assert {(lease.pid, lease.job_id) for lease in catalog.leases() if lease.owner == "b"} == {(os.getpid(), None)}
    catalog.release("a", [V1])
    catalog.release("b")
    assert held(catalog) == {D1: "a", V2: "a"}
    assert catalog.take("c", [])
    # The same name is another thing in another kind.
    assert catalog.take("c", [Resource(ResourceKind.VOLUME, D1.name), ROBOT])


def test_what_a_dead_process_had_is_free_at_once(catalog: Catalog, url: str) -> None:
    body = "\n".join(
        [
            "print(catalog.take('b', [Resource(ResourceKind.DRIVE, 'h:1/d1')], seconds=10**6), flush=True)",
            "input()",
        ]
    )
    process = script(url, body)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    assert not catalog.take("a", [D1])
    process.kill()
    # WNOWAIT leaves the corpse: it must not keep the lease.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert held(catalog) == {}
    assert catalog.take("a", [D1])
    process.communicate(timeout=10)


def test_a_number_that_went_to_another_process_keeps_nothing(catalog: Catalog, url: str) -> None:
    assert catalog.take("b", [D1])
    sql(url, "UPDATE leases SET process = 'an older one'")
    assert catalog.take("a", [D1])


def test_a_living_process_keeps_what_it_has_without_a_word(catalog: Catalog) -> None:
    assert catalog.take("b", [D1], seconds=1, time=NOON)
    assert not catalog.take("a", [D1], time=NOON + timedelta(days=9))


def test_another_host_keeps_it_as_long_as_it_renews(catalog: Catalog, url: str) -> None:
    assert catalog.take("b", [D1, V1], seconds=60, time=NOON)
    sql(url, "UPDATE leases SET host = 'elsewhere', process = 'one of there', pid = 1")
    assert not catalog.take("a", [D1], time=NOON + 60 * SECOND)
    assert catalog.renew("b", seconds=60, time=NOON + 60 * SECOND) == {D1, V1}
    assert not catalog.take("a", [D1], time=NOON + 120 * SECOND)
    assert [lease.until for lease in catalog.leases(time=NOON)] == [NOON + 120 * SECOND] * 2
    assert catalog.leases(time=NOON + 121 * SECOND) == []
    assert catalog.take("a", [D1], time=NOON + 121 * SECOND)
    # What is lost is not won back by a late renewal.
    assert catalog.renew("b", seconds=60, time=NOON + 121 * SECOND) == {V1}
    assert held(catalog)[D1] == "a"


HAMMER = """
import random, sys
chance = random.Random({seed})
everything = [Resource(ResourceKind.DRIVE, str(n)) for n in range(3)]
everything += [Resource(ResourceKind.VOLUME, str(n)) for n in range(3)]
done = 0
while done < 30:
    wanted = chance.sample(everything, chance.randint(1, 4))
    if not catalog.take('owner {seed}', wanted):
        continue
    for one in wanted:
        # The system says so too: a second user of the same thing would find its file there.
        os.close(os.open(os.path.join({folder!r}, str(one)), os.O_CREAT | os.O_EXCL))
    assert catalog.renew('owner {seed}') == set(wanted)
    for one in wanted:
        os.unlink(os.path.join({folder!r}, str(one)))
    catalog.release('owner {seed}')
    done += 1
print('done')
"""


def test_processes_that_fight_for_leases_never_have_the_same(catalog: Catalog, url: str, tmp_path: object) -> None:
    bodies = [HAMMER.format(seed=seed, folder=str(tmp_path)) for seed in (1, 2)]
    for process in start_together(url, bodies):
        assert process.communicate(timeout=100)[0] == "done\n"
    assert catalog.leases() == []


def test_who_waits_for_a_volume_tells(catalog: Catalog) -> None:
    assert catalog.take("a", [D1, V1])
    assert catalog.take("b", [D2])
    catalog.wait_for("a", "pool")
    assert {lease.owner: lease.waits_for for lease in catalog.leases()} == {"a": "pool", "b": ""}
    catalog.wait_for("a", "")
    assert {lease.waits_for for lease in catalog.leases()} == {""}


def test_drives(catalog: Catalog) -> None:
    assert catalog.drive_uses() == {}
    catalog.update_drive("a", volume="ND0001", used=NOON)
    catalog.update_drive("b", down="dirty")
    catalog.update_drive("b", volume="ND0001")
    assert catalog.drive_uses() == {
        "a": DriveUse("a", "", NOON, ""),
        "b": DriveUse("b", "ND0001", None, "dirty"),
    }
    catalog.update_drive("b", volume="", down="")
    assert catalog.drive_uses()["b"] == DriveUse("b", "", None, "")
