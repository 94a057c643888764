"""Jobs on a Dask cluster: its scheduler and its workers are processes, and workers say which drives they have."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobKind, JobState, Stop
from duplicator.cluster import LOCAL, needs, run_on_cluster
from duplicator.orders import CopyOrder
from duplicator.selection import Assignment
from duplicator.status import JobError
from tests.duplicator.agents.places import Place
from tests.duplicator.catalog.databases import postgresql_cluster
from tests.duplicator.cluster_driver import HOLD, Lines, hold
from tests.duplicator.config.texts import config_of
from tests.duplicator.processes import Running, Site, site_in, wait_until
from tests.duplicator.scene import BIG

ToDo = tuple[int, str, Mapping[str, float]]
"""Number, image and needs of a job."""
IMAGE = hashlib.shake_128(b"image").digest(300_001)


class Cluster:
    """A scheduler and its workers, in processes of a site."""

    def __init__(self, site: Site, address: str | None = None) -> None:
        self.site = site
        (site.folder / "begun").mkdir()
        if address is not None:
            self.address = address
            return
        scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        scheduler.wait_for("Scheduler at:")
        self.address = scheduler.err.partition("Scheduler at:")[2].split()[0]

    def worker(self, resources: str, **environment: str) -> Running:
        """A worker with two threads."""
        where = [self.address, "--host", "127.0.0.1", "--local-directory", self.site.folder]
        plain = ["--no-nanny", "--no-dashboard", "--nthreads", "2", "--resources", resources]
        running = self._dask("worker", *where, *plain, **environment)
        running.wait_for("Registered to")
        return running

    def _dask(self, what: str, *words: str | Path, **environment: str) -> Running:
        return self.site.start_module("dask", what, *words, **environment)

    def submit(self, config: Path | None, jobs: list[ToDo], **environment: str) -> Running:
        """Run jobs there, from another process."""
        return self.site.start_module(
            "tests.duplicator.cluster_driver",
            self.address,
            self.site.catalog,
            config or "-",
            json.dumps(jobs),
            **environment,
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def queue(site: Site, *images_and_drives: tuple[str, str]) -> list[ToDo]:
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
    ended = cluster.submit(None, jobs).end()
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [[number, 0, "", False] for number, _, _ in jobs]
    # What a worker tells is heard here, and each drive had a process of its own.
    assert "job 3: hold: c has d2" in ended.err
    pids = [(site.folder / "begun" / str(number)).read_text() for number, _, _ in jobs]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_batch_is_cancelled_through_the_catalog(site: Site) -> None:
    cluster = Cluster(site)
    cluster.worker("drive:d1=1 drive:d2=1", **{HOLD: str(site.folder)})
    jobs = queue(site, ("long", "d1"), ("long", "d2"), ("never", "d3"))
    running = cluster.submit(None, jobs)
    running.wait_for("no worker of the cluster offers drive:d3=1 yet: the job waits")
    assert "drive:d1=1 yet" not in running.err
    wait_until(lambda: len(list((site.folder / "begun").iterdir())) == 2, "both jobs run")
    running.send(signal.SIGINT)
    assert running.end().code != 0
    with Catalog(site.catalog) as catalog:
        assert [catalog.job(number).state for number, _, _ in jobs] == [JobState.CANCELLED] * 3


def test_a_cluster_of_this_machine(site: Site) -> None:
    cluster = Cluster(site, LOCAL)
    jobs = queue(site, ("long", "d1"), ("b", "d1"), ("c", "d2"))
    running = cluster.submit(None, jobs, **{HOLD: str(site.folder)})
    wait_until(lambda: len(list((site.folder / "begun").iterdir())) == 2, "two jobs run")
    assert listening(running.process.pid) <= {"0100007F"}, "others can connect"
    with Catalog(site.catalog) as catalog:
        catalog.ask_to_stop(jobs[0][0], Stop.CANCEL)
    ended = running.end()
    assert ended.code == 0, ended.err
    assert [result[:2] for result in json.loads(ended.out)] == [[1, 150], [2, 0], [3, 0]], ended.out


def listening(pid: int) -> set[str]:
    """The addresses on which a process listens, as /proc/net/tcp has them."""
    held = {os.readlink(descriptor) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}
    tables = [Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:] for kind in ("tcp", "tcp6")]
    rows = [line.split() for table in tables for line in table]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held}


def test_a_password_does_not_go_to_a_cluster(site: Site) -> None:
    url = "postgresql+psycopg://u:a-secret@db/c"
    with Catalog(site.catalog) as catalog:
        work = run_on_cluster("tcp://nowhere", [], hold, Lines(), catalog=catalog, catalog_url=url)
        with pytest.raises(JobError, match="the catalog's URL has a password") as refused:
            asyncio.run(work)
    assert "a-secret" not in str(refused.value)


def test_what_a_job_needs(tmp_path: Path) -> None:
    drives = """
        [hosts.t]
        address = "t"
        user = "u"
        [drives]
        d1 = { host = "t", device = "1" }
        d2 = { host = "t", device = "2" }
        [storage.tape]
        one = { drives = ["d1"] }
        two = { drives = ["d1", "d2"] }
    """
    agents = "[agents.a]\nhosts = ['t']\n[agents.b]\nhosts = ['t']\ncommand = ['x']\n"
    choice = Assignment("a", "b", "t", "r", "")
    for text, unit, expected in (
        (drives, "one", {"drive:d1": 1}),
        (drives, "two", {"drives": 1}),
        (agents + drives, "one", {"drive:d1": 1, "agent:a": 1}),
    ):
        config = config_of(tmp_path, text)
        assert needs(config, config.storage.tape[unit], choice) == expected


def order(site: Site, image: str) -> ToDo:
    """A real job of a Place."""
    request = CopyOrder(image=image, source="lsu", target="t").document()
    with Catalog(site.catalog) as catalog:
        number = catalog.queue_job(JobKind.DUPLICATE, image=image, source="lsu", target="t", request=request)
    return number, image, {}


def test_both_sides_on_workers_and_the_catalog_in_postgresql(site: Site) -> None:
    with postgresql_cluster() as database:
        site.catalog = database.empty_database()
        copy_on_workers(site, Place(site))
        site.close()


def copy_on_workers(site: Site, place: Place) -> None:
    """Two jobs whose sides are with agents on two workers."""
    for name in ("one", "two"):
        (place.unit / name).write_bytes(IMAGE + name.encode())
    config = place.writer()
    cluster = Cluster(site)
    cluster.worker("drive:d1=1 agent:writer=1", NDMPDUP_CONFIG=str(config))
    cluster.worker("agent:reader=1", NDMPDUP_CONFIG=str(place.reader))
    jobs = [order(site, image) for image in ("one", "two")]
    ended = cluster.submit(config, jobs).end(deadline=120)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == [[number, 0, "", True] for number, _, _ in jobs], ended.err
    assert "the read side is run by agent reader" in ended.err
    with Catalog(site.catalog) as catalog:
        assert [copy.state for copy in catalog.copies()] == [CopyState.VALID] * 2
        assert {catalog.job(number).agents for number, _, _ in jobs} == {
            "write side: agent writer; read side: agent reader"
        }
    place.appliance.wait_until_idle()
    place.tape.wait_until_idle()


def test_a_job_goes_on_when_its_worker_dies(site: Site) -> None:
    place = Place(site)
    (place.unit / "big").touch()
    os.truncate(place.unit / "big", BIG)
    config, cluster = place.writer(), Cluster(site)
    writers = [cluster.worker("drive:d1=1 agent:writer=1", NDMPDUP_CONFIG=str(config)) for _ in range(2)]
    cluster.worker("agent:reader=1", NDMPDUP_CONFIG=str(place.reader))
    job = order(site, "big")
    running = cluster.submit(config, [job])
    place.wait_until_data_flows()
    with Catalog(site.catalog) as catalog:
        first = catalog.job(job[0]).pid
        (writer,) = (writer for writer in writers if writer.process.pid == first)
        writer.process.kill()
        wait_until(lambda: catalog.job(job[0]).pid not in (0, first), "another worker has the job")
        wait_until(lambda: catalog.job(job[0]).step == "move data", "data flows again")
        catalog.ask_to_stop(job[0], Stop.CANCEL)
        ended = running.end()
        assert json.loads(ended.out)[0][:2] == [job[0], 150], ended.err
        tries = [(one.number, one.status) for one in catalog.tries(job[0])]
        assert tries == [(1, None), (2, 150)]
        assert not [copy for copy in catalog.copies() if copy.state is CopyState.VALID]
