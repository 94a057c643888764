"""The queue from the command line: priorities, cancel, suspend and resume, retries, and what stays of each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobState
from tests.duplicator.processes import Host, Running, Site, site_in, wait_until
from tests.duplicator.robots import library_server
from tests.duplicator.test_spanning import appliance
from tests.duplicator.test_units import add_volumes, configure

BIG = 3 << 30
"""Bytes of the sparse image that keeps data flowing until somebody stops it."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


class Place:
    """One drive, some volumes, and an image whose second fragment takes long."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.source, _ = appliance(site, {"small": [100_000], "big": [50_000, 1]})
        os.truncate(site.folder / "unit" / "big" / "part1", BIG)
        self.server = library_server(site, cartridges=3, capacity="8G")
        self.config = configure(site, self.source, self.server, drives=1)
        add_volumes(site, 3)

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.source, self.server

    def duplicate(self, *images: str, options: tuple[str, ...] = ()) -> Running:
        """Start a command on the units."""
        units = ("--from", "disk1", "--to", "tape1", "--config", self.config)
        return self.site.start("duplicate", *images, *units, *options, "--json")

    def state(self, job: int) -> JobState:
        with Catalog(self.site.catalog) as catalog:
            return catalog.job(job).state

    def check_left(self, job: int, state: JobState) -> None:
        """The job has this state; its first fragment is kept, the volume cut back, and nothing in use."""
        with Catalog(self.site.catalog) as catalog:
            found = catalog.job(job)
            assert (found.state, found.status) == (state, 150), found
            copy = catalog.copy(str(found.copy_id))
            assert copy.state is CopyState.INCOMPLETE
            assert [fragment.index for fragment in copy.fragments] == [0]
            assert catalog.leases() == []
            (volume,) = copy.volumes
        (data,) = (self.site.folder / "lib").glob(f"{volume}L8.data")
        wait_until(lambda: data.stat().st_size < 1 << 20, "the volume is cut back")
        for host in self.hosts:
            host.wait_until_idle()


def shrink(site: Site) -> None:
    """Let the rest of the image be short from now on: tests resume it. Its time of change is put back."""
    path = site.folder / "unit" / "big" / "part1"
    os.truncate(path, BIG)


def test_stop_from_another_process_and_resume(site: Site) -> None:
    place = Place(site)
    for number, (verb, state) in enumerate((("suspend", JobState.SUSPENDED), ("cancel", JobState.CANCELLED)), 1):
        job = place.duplicate("big") if number == 1 else site.start("resume", "1", "--config", place.config, "--json")
        job.wait_for("fragment 2 of 2 flows")
        said = site.run(verb, "1")
        assert (said.code, said.out) == (0, f"job 1: is asked to {verb}\n"), said.err
        ended = job.end()
        assert ended.code in (1, 0, 130), ended.err
        assert verb in ended.err or "cancelled" in ended.err
        place.check_left(1, state)
    with Catalog(site.catalog) as catalog:
        steps = [event.text for event in catalog.events(1)]
        assert [each.number for each in catalog.tries(1)] == [1, 2]
    assert any("1 of 2 fragments are on tape already" in text for text in steps)


def test_ctrl_c_cancels_what_runs_and_what_waits(site: Site) -> None:
    place = Place(site)
    job = place.duplicate("big", "small")
    job.wait_for("fragment 2 of 2 flows")
    job.process.send_signal(2)
    ended = job.end()
    assert ended.code == 130, ended.err
    place.check_left(1, JobState.CANCELLED)
    assert place.state(2) is JobState.CANCELLED
    ended = site.run("resume", "2", "--config", place.config, "--json")
    assert ended.code == 0, ended.err
    assert ended.document["jobs"][0]["validated"] is True


def test_priorities_and_queued_jobs(site: Site) -> None:
    """One drive: the queue is run in the order of priorities, and then of age."""
    place = Place(site)
    for priority in ("0", "5", "-1"):
        queued = place.duplicate("small", options=("--queue", "--priority", priority)).end()
        assert queued.code == 0, queued.err
    assert [place.state(number) for number in (1, 2, 3)] == [JobState.QUEUED] * 3
    cancelled = site.run("cancel", "3")
    assert cancelled.out == "job 3: cancelled\n"
    ended = site.run("run", "--config", place.config, "--json")
    assert ended.code == 0, ended.err
    assert [job["job"] for job in ended.document["jobs"]] == [2, 1]
    assert place.state(3) is JobState.CANCELLED
    assert json.loads(site.run("jobs", "2", "--json").out)["priority"] == 5


def test_a_failure_that_passes_is_tried_again(site: Site) -> None:
    """The appliance is away at the first try."""
    place = Place(site)
    text = place.config.read_text()
    place.config.write_text(
        text.replace('to = "tape1"', 'to = "tape1"\nimages = "small"\nretries = 1\nback_off = "1s"')
    )
    queued = site.run("run", "--policy", "nightly", "--config", place.config, "--jobs", "1", "--json")
    assert queued.code == 0, queued.err
    with Catalog(site.catalog) as catalog:
        assert catalog.job(1).tries == 1
    place.source.kill()
    failing = site.start("duplicate", "small", "--from", "disk1", "--to", "tape1", "--config", place.config,
                         "--retries", "1", "--back-off", "0.2", "--json")  # fmt: skip
    ended = failing.end()
    assert ended.code == 1
    with Catalog(site.catalog) as catalog:
        assert [each.status for each in catalog.tries(2)] == [54, 54]


def test_every_command_uses_the_catalog_of_the_configuration(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --catalog and its variable."""
    config = site.folder / "ndmpdup.toml"
    config.write_text(f'[catalog]\nurl = "sqlite:///{site.folder / "named.db"}"\n[pools.daily]\n')
    monkeypatch.setattr(site, "catalog", "")
    monkeypatch.setenv("NDMPDUP_CONFIG", str(config))
    assert site.run("media", "add", "VT0001L8", "--pool", "daily").code == 0
    assert site.run("run").out == "no job is queued\n"
    assert site.run("jobs").out == "no jobs yet\n"
    with Catalog(f"sqlite:///{site.folder / 'named.db'}") as catalog:
        assert [volume.label for volume in catalog.volumes()] == ["VT0001"]
    monkeypatch.setenv("NDMPDUP_CONFIG", str(site.folder / "absent.toml"))
    ended = site.run("jobs")
    assert (ended.code, "absent.toml" in ended.err) == (2, True)
