"""A batch over the volumes of ndmjob's robot: its mover pauses at the end of each, and goes on with the next."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, VolumeState
from tests.duplicator.processes import USER, Site
from tests.duplicator.test_spanning import check_on_tape
from tests.interop.sites import site_within
from tests.interop.test_duplicate_ndmjob import read_simulated_tape
from tests.interop.test_mounts_ndmjob import SLOT, Robot
from tests.peers import Namespace, NdmjobDaemon, ndmjob_daemon

LIMIT = 1_200_000
"""Bytes of a tape; early warning is 64 KiB before."""
SIZES = {"long": [100_001, 1_500_000, 0], "exact": [6 * 65536], "odd": [131_073, 200_000], "one": [1]}
VOLUMES = ("RV0001", "RV0002", "RV0003", "RV0004")
RECORD = 65536


@pytest.fixture
def site(namespace: Namespace, tmp_path: Path) -> Iterator[Site]:
    with site_within(namespace, tmp_path) as made:
        yield made


@pytest.fixture
def small_tapes(namespace: Namespace, tmp_path: Path) -> Iterator[NdmjobDaemon]:
    directory = tmp_path / "ndmjob"
    directory.mkdir()
    with ndmjob_daemon(namespace, directory, 10000, tape_limit=LIMIT) as daemon:
        yield daemon


def make_images(unit: Path) -> dict[str, list[bytes]]:
    contents = {
        name: [hashlib.shake_128(f"{name}{n}".encode()).digest(size) for n, size in enumerate(sizes)]
        for name, sizes in SIZES.items()
    }
    unit.mkdir()
    for name, parts in contents.items():
        if len(parts) == 1:
            (unit / name).write_bytes(parts[0])
            continue
        (unit / name).mkdir()
        for number, part in enumerate(parts):
            (unit / name / f"part{number}").write_bytes(part)
    return contents


def test_a_batch_over_volumes_of_ndmjob(site: Site, small_tapes: NdmjobDaemon) -> None:
    contents = make_images(site.folder / "unit")
    source = site.serve("--lsu", f"lsu={site.folder / 'unit'}")
    robot = Robot(small_tapes, {SLOT + number: name for number, name in enumerate(VOLUMES)})
    password = site.secret_file("ndmjob-password", small_tapes.password)
    config = site.folder / "ndmpdup.toml"
    config.write_text(f"""
[hosts.appliance]
address = "127.0.0.1"
port = {source.port}
user = "{USER}"
password_file = "{site.password}"
[hosts.tapehost]
address = "127.0.0.1"
port = {small_tapes.port}
user = "{small_tapes.user}"
password_file = "{password}"
[storage.disk.disk1]
host = "appliance"
unit = "lsu"
[storage.tape.tape1]
library = "sim"
pool = "daily"
[pools.daily]
[libraries.sim]
host = "tapehost"
changer = "{robot.directory}"
drives = {{ d0 = 0 }}
[drives.d0]
host = "tapehost"
device = "{robot.directory}/drive0"
[policies.nightly]
from = "disk1"
to = "tape1"
""")
    added = site.run("media", "add", *VOLUMES, "--pool", "daily", "--config", config)
    assert added.code == 0, added.err
    ended = site.start("run", "--policy", "nightly", "--config", config, "--json").end(deadline=100)
    assert ended.code == 0, ended.err
    jobs = ended.document["jobs"]
    assert {(job["status"], job["validated"]) for job in jobs} == {(0, True)}
    assert len(jobs) == len(SIZES)
    names = {name: address for address, name in robot.shelves().items()}
    with Catalog(site.catalog) as catalog:
        copies = {copy.image.name: copy for copy in catalog.copies()}
        used = sorted({volume for copy in copies.values() for volume in copy.volumes})
        found = {volume: read_simulated_tape(robot.file(names[volume])) for volume in used}
        for name, copy in copies.items():
            check_on_tape(found, copy, contents[name], RECORD)
        assert len(copies["long"].volumes) == 2
        states = {volume.label: volume.state for volume in catalog.volumes()}
        assert VolumeState.FULL in states.values()
    back = site.folder / "back"
    units = ("--from", "tape1", "--config", config)
    restored = site.start("restore", copies["long"].id, *units, "--to", back).end(deadline=60)
    assert restored.code == 0, restored.err
    assert [path.read_bytes() for path in sorted((back / "long").iterdir())] == contents["long"]
    assert not list(robot.directory.glob("*.lck")), "no drive was left open"
    source.wait_until_idle()
