"""The command line with two agents: the write side here, the read side in a process with other credentials."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog
from tests.duplicator.agents.places import Place
from tests.duplicator.processes import SECRET, Ended, site_in


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with site_in(tmp_path) as site:
        made = Place(site)
        (made.unit / "image").write_bytes(b"image" * 100_000)
        yield made


def duplicate(place: Place, config: Path, *options: str) -> Ended:
    units = ("--from", "lsu", "--to", "t", "--config", config, "--json")
    return place.site.start("duplicate", "image", *units, *options).end(deadline=60)


@pytest.mark.parametrize("scheduler", [(), ("--scheduler", "local")])
def test_the_read_side_is_run_by_another_agent(place: Place, scheduler: tuple[str, ...]) -> None:
    """Once in the process of the command, once by a worker of a cluster."""
    config = place.writer()
    assert SECRET not in config.read_text()
    ended = duplicate(place, config, *scheduler)
    assert ended.code == 0, ended.err
    (job,) = ended.document["jobs"]
    assert (job["status"], job["validated"]) == (0, True)
    assert "agent reader: appliance tells: mover paused, EOF" in ended.err
    with Catalog(place.site.catalog) as catalog:
        assert catalog.job(1).agents == "write side: agent writer; read side: agent reader"
    for host in (place.appliance, place.tape):
        host.wait_until_idle()


def test_nobody_has_the_credentials(place: Place) -> None:
    """It is said before a tape is touched."""
    ended = duplicate(place, place.writer(reader=False))
    assert ended.code == 1
    (job,) = ended.document["jobs"]
    assert (job["status"], job["step"]) == (2006, "prepare")
    assert "no agent has credentials for host 'appliance' of the read side" in job["reason"]
    assert not (place.folder / "ND0001.data").exists() or (place.folder / "ND0001.data").stat().st_size == 0
