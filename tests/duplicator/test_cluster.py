"""Jobs on a Dask cluster: its scheduler and its workers are processes, and workers say which drives they have."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobKind, JobState
from duplicator.orders import CopyOrder
from tests.duplicator.agents.places import Place
from tests.duplicator.cluster_driver import HOLD
from tests.duplicator.processes import Running, Site, site_in, wait_until

pytest.importorskip("distributed", reason="Dask is an extra")
IMAGE = hashlib.shake_128(b"image").digest(300_001)


class Cluster:
    """A scheduler and its workers, in processes of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._file = site.folder / "scheduler.json"
        self._workers = 0
        self._dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", self._file)
        wait_until(self._file.exists, "the scheduler listens")

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(json.loads(self._file.read_text())["address"])

    def worker(self, resources: str, **environment: str) -> Running:
        """A worker with two threads."""
        self._workers += 1
        where = ["--host", "127.0.0.1", "--scheduler-file", self._file, "--local-directory", self.site.folder]
        plain = ["--no-nanny", "--no-dashboard", "--nthreads", "2", "--resources", resources]
        running = self._dask("worker", *where, *plain, **environment)
        running.wait_for("Registered to")
        return running

    def _dask(self, what: str, *words: str | Path, **environment: str) -> Running:
        return self.site.start_module("dask", what, *words, **environment)

    def submit(
        self, which: str, jobs: list[tuple[int, str, Mapping[str, float]]], config: Path | None = None
    ) -> Running:
        """Run jobs there, from another process."""
        return self.site.start_module(
            "tests.duplicator.cluster_driver",
            self.address,
            self.site.catalog,
            str(config or "-"),
            which,
            json.dumps(jobs),
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def queue(site: Site, *images_and_drives: tuple[str, str]) -> list[tuple[int, str, Mapping[str, float]]]:
    """Jobs that want a drive each."""
    with Catalog(site.catalog) as catalog:
        numbers = [
            catalog.queue_job(JobKind.DUPLICATE, image=image, source="s", target=drive, request={})
            for image, drive in images_and_drives
        ]
    return [
        (number, image, {f"drive:{drive}": 1})
        for number, (image, drive) in zip(numbers, images_and_drives, strict=True)
    ]


def test_no_two_jobs_have_a_drive_at_once(site: Site) -> None:
    cluster = Cluster(site)
    hold = {HOLD: str(site.folder)}
    cluster.worker("drive:d1=1", **hold)
    cluster.worker("drive:d2=1", **hold)
    jobs = queue(site, ("a", "d1"), ("b", "d1"), ("c", "d2"), ("d", "d2"))
    ended = cluster.submit("hold", jobs).end()
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [[number, 0, "", False] for number, _, _ in jobs]
    # What a worker tells is heard here, and each drive had a process of its own.
    assert "job 3: hold: c has d2" in ended.err
    pids = [(site.folder / f"{number}.begun").read_text() for number, _, _ in jobs]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_batch_is_cancelled_through_the_catalog(site: Site) -> None:
    cluster = Cluster(site)
    cluster.worker("drive:d1=1 drive:d2=1", **{HOLD: str(site.folder)})
    jobs = queue(site, ("long", "d1"), ("long", "d2"), ("never", "d3"))
    running = cluster.submit("hold", jobs)
    running.wait_for("no worker of the cluster offers drive:d3=1 yet: the job waits")
    wait_until(lambda: len(list(site.folder.glob("*.begun"))) == 2, "both jobs run")
    running.send(signal.SIGINT)
    assert running.end().code != 0
    with Catalog(site.catalog) as catalog:
        assert [catalog.job(number).state for number, _, _ in jobs] == [JobState.CANCELLED] * 3


def test_without_a_cluster_a_password_stays_here(site: Site) -> None:
    command = ("tcp://127.0.0.1:9", "postgresql+psycopg://u:secret@db/c", "-", "hold", "[]")
    assert site.start_module("tests.duplicator.cluster_driver", *command).end().code != 0


def test_both_sides_on_workers(site: Site) -> None:
    place = Place(site)
    for name in ("one", "two"):
        (place.unit / name).write_bytes(IMAGE + name.encode())
    config = place.writer()
    cluster = Cluster(site)
    cluster.worker("drive:d1=1 agent:writer=1", NDMPDUP_CONFIG=str(config))
    cluster.worker("agent:reader=1", NDMPDUP_CONFIG=str(place.reader))
    with Catalog(site.catalog) as catalog:
        jobs = [
            (
                catalog.queue_job(
                    JobKind.DUPLICATE,
                    image=image,
                    source="lsu",
                    target="t",
                    request=CopyOrder(image=image, source="lsu", target="t").document(),
                ),
                image,
                {"drive:d1": 1, "agent:writer": 1},
            )
            for image in ("one", "two")
        ]
    ended = cluster.submit("real", jobs).end(deadline=120)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [[number, 0, "", True] for number, _, _ in jobs], ended.err
    assert "the read side is run by agent reader" in ended.err
    with Catalog(site.catalog) as catalog:
        assert [copy.state for copy in catalog.copies()] == [CopyState.VALID] * 2
        assert {catalog.job(number).agents for number, _, _ in jobs} == {"writer, reader"}
    place.appliance.wait_until_idle()
    place.tape.wait_until_idle()
