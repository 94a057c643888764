"""Jobs by the units of a configuration: a library, several drives, volumes from the broker, and images that span."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, VolumeState
from tests.duplicator.processes import USER, Host, Site, site_in
from tests.duplicator.robots import library_server, volume_name
from tests.duplicator.test_spanning import appliance, check_on_tape, volumes


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def configure(site: Site, source: Host, server: Host, *, drives: int) -> Path:
    """A configuration of one disk unit and one tape unit with the drives of a library."""
    login = f'user = "{USER}"\npassword_file = "{site.password}"\n'
    names = [f"d{number}" for number in range(drives)]
    text = f"""
[catalog]
url = "{site.catalog}"
[hosts.appliance]
address = "127.0.0.1"
port = {source.port}
{login}
[hosts.tapehost]
address = "127.0.0.1"
port = {server.port}
{login}
[storage.disk.disk1]
host = "appliance"
unit = "lsu"
[storage.tape.tape1]
library = "lib"
pool = "daily"
[pools.daily]
[libraries.lib]
host = "tapehost"
changer = "lib"
drives = {{ {", ".join(f"{name} = {number}" for number, name in enumerate(names))} }}
[policies.nightly]
from = "disk1"
to = "tape1"
"""
    text += "".join(f'[drives.{name}]\nhost = "tapehost"\ndevice = "lib.drive{n}"\n' for n, name in enumerate(names))
    file = site.folder / "ndmpdup.toml"
    file.write_text(text)
    return file


def add_volumes(site: Site, count: int) -> None:
    """Scratch volumes of the pool, as `media add` does."""
    with Catalog(site.catalog) as catalog:
        for number in range(1, count + 1):
            catalog.add_volume(volume_name(number), tape_url="", state=VolumeState.SCRATCH, pool="daily")


def test_images_over_two_drives(site: Site) -> None:
    sizes = {"a": [3_000_000], "b": [100_000, 2_500_000], "c": [0], "d": [700_000], "e": [65536, 1, 65535]}
    source, contents = appliance(site, sizes)
    server = library_server(site, cartridges=10, capacity="2M", drives=2)
    config = configure(site, source, server, drives=2)
    add_volumes(site, 10)
    ended = site.run("duplicate", *sizes, "--from", "disk1", "--to", "tape1", "--config", config, "--json")
    assert ended.code == 0, ended.err
    jobs = ended.document["jobs"]
    assert {(job["status"], job["validated"]) for job in jobs} == {(0, True)}
    with Catalog(site.catalog) as catalog:
        found = volumes(site, 10)
        for copy in catalog.copies():
            check_on_tape(found, copy, contents[copy.image.name], 65536)
        assert catalog.leases() == []
        assert len({job.drive for job in catalog.jobs()}) == 2
    for host in (source, server):
        host.wait_until_idle()
