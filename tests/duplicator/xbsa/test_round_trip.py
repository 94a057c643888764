"""An application's objects: to disk, to tape, gone from disk, and back. Every process is real, and every byte compared.

Two NDMP hosts, the request daemon with its processes, and applications that use the library; digests by hashlib.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobKind, JobState, ObjectQuery, StoredObject
from tests.duplicator.processes import Host, Site, site_in, wait_until
from tests.duplicator.robots import library_server
from tests.duplicator.test_units import add_volumes, configure

pytestmark = pytest.mark.timeout(300)  # some forty processes one after the other, a minute on two quiet processors
LARGE = 300 << 20
ODD = (5 << 20) + 3
DRIVES = 4
CARTRIDGES = 10
DEADLINE = 120.0
Objects = list[list[int | str]]


class Service:
    """A request daemon, and how applications reach it."""

    def __init__(self, site: Site, file: Path, name: str) -> None:
        self._site = site
        folder = site.folder / name
        text = f'[xbsa]\nunit = "disk1"\nfolder = "{folder}"\nstart = "1m"\n'
        config = site.folder / f"{name}.toml"
        config.write_text(file.read_text() + text)
        self._running = site.start("xbsa", "serve", "--config", config)
        self.folder = folder / pwd.getpwuid(os.geteuid()).pw_name
        self._wait()

    def _wait(self) -> None:
        request, process = self.folder / "request", self._running.process
        wait_until(lambda: request.exists() or process.poll() is not None, "the daemon listens")
        assert process.poll() is None, self._running.err

    def application(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """An application that has not begun."""
        variables = {**os.environ, "NDMPDUP_XBSA_SERVICE": str(self.folder), "NDMPDUP_XBSA_START": "60", **environment}
        command = [sys.executable, "-m", "tests.duplicator.xbsa.application", *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=variables, text=True, **pipes)

    def run(self, *words: str, **environment: str) -> Objects:
        """An application from its beginning to its end."""
        return finish(self.application(*words, **environment))

    def stop(self) -> None:
        """End it in order; nothing of its streams is left."""
        self._running.send(15)
        ended = self._running.end()
        assert ended.code in (0, 143), ended.err
        assert not self.folder.exists() or list(self.folder.glob("stream-*")) == []


def finish(application: subprocess.Popen[str]) -> Objects:
    """Let it begin, and wait for what it says."""
    out, err = application.communicate("\n", DEADLINE)
    assert application.returncode == 0, err
    objects: Objects = json.loads(out)["objects"]
    return objects


class Place:
    """A unit that this machine has too, a library of small cartridges, and the daemon."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.unit = site.folder / "unit"
        self.unit.mkdir()
        appliance = site.serve("--lsu", f"lsu={self.unit}")
        self.hosts: tuple[Host, Host] = (
            appliance,
            library_server(site, cartridges=CARTRIDGES, capacity="200M", drives=DRIVES),
        )
        self.by_ndmp = configure(site, *self.hosts, drives=DRIVES)
        self.here = site.folder / "here.toml"
        self.here.write_text(
            self.by_ndmp.read_text().replace('unit = "lsu"\n', f'unit = "lsu"\npath = "{self.unit}"\n')
        )
        add_volumes(site, CARTRIDGES)
        self.service = Service(site, self.here, "xbsa")

    def to_tape(self) -> None:
        """Duplicate what the policy finds new, with all drives at once."""
        ended = self.site.run("run", "--policy", "nightly", "--config", self.by_ndmp, "--json")
        assert ended.code == 0, ended.err
        assert {job["validated"] for job in ended.document["jobs"]} == {True}

    def objects(self) -> dict[int, StoredObject]:
        """What the catalog has."""
        with Catalog(self.site.catalog) as catalog:
            return {one.copy_id: one for one in catalog.find_objects(ObjectQuery(), limit=100)}

    def forget_on_disk(self, made: Objects) -> None:
        """The disk copies are gone."""
        for copy_id, *_ in made:
            shutil.rmtree(self.unit / self.objects()[int(copy_id)].image)

    def volumes_of(self, copy_id: int) -> tuple[str, ...]:
        """Where the object's copy lies."""
        with Catalog(self.site.catalog) as catalog:
            (copy,) = catalog.copies_of_image(self.objects()[copy_id].image)
            assert copy.state is CopyState.VALID
            return copy.volumes

    def forget_objects(self, copy_ids: list[int]) -> None:
        """The catalog does not know them any more."""
        with Catalog(self.site.catalog) as catalog:
            assert catalog.drop_objects(copy_ids) == len(copy_ids)

    def check_known_again(self, *options: str) -> None:
        """What the catalog has lost comes back as it was."""
        before = self.objects()
        self.forget_objects(list(before))
        ended = self.site.run("xbsa", "import", "disk1", *options, "--config", self.by_ndmp)
        assert ended.code == 0, ended.err
        assert self.objects() == before

    def check_deleted(self, images: set[str]) -> None:
        """Nothing of them is on disk or needed on tape."""
        assert self.objects() == {}
        assert images.isdisjoint(path.name for path in self.unit.iterdir())
        with Catalog(self.site.catalog) as catalog:
            copies = [copy for image in images for copy in catalog.copies_of_image(image)]
        assert {copy.state for copy in copies} == {CopyState.EXPIRED}

    def check_left(self) -> None:
        """Nothing is held, staged or unfinished."""
        with Catalog(self.site.catalog) as catalog:
            assert catalog.leases() == []
            assert catalog.pending_objects() == []
            jobs = [job for job in catalog.jobs() if job.kind in (JobKind.BACKUP, JobKind.RESTORE)]
            assert {job.state for job in jobs} == {JobState.DONE}, jobs
        assert list(self.unit.glob(".incoming-*")) == []
        for host in self.hosts:
            host.wait_until_idle()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("round")
    with site_in(folder) as site:
        yield Place(site)
    shutil.rmtree(folder)


OBJECTS = ("/empty:0", "/byte:1", f"/odd:{ODD}:unknown", f"/large:{LARGE}")


def test_from_tape_once_the_disk_copy_is_gone(place: Place) -> None:
    """Nothing, a byte, a size that nobody knew, and an object over two volumes; each in a stream, all at once."""
    made = together([place.service.application("backup", each) for each in OBJECTS])
    assert [size for _, size, _ in made] == [0, 1, ODD, LARGE]
    place.to_tape()
    place.forget_on_disk(made)
    ids = [str(copy_id) for copy_id, *_ in made]
    assert len(place.volumes_of(int(ids[-1]))) == 2
    assert together([place.service.application("restore", copy_id) for copy_id in ids]) == made
    place.check_left()
    place.check_known_again("--from-tape")


def together(applications: list[subprocess.Popen[str]]) -> Objects:
    """Let all begin at once."""
    for application in applications:
        assert application.stdin is not None
        application.stdin.write("\n")
        application.stdin.flush()
    return [objects for application in applications for objects in finish(application)]


def test_a_unit_that_only_its_file_service_reaches(place: Place) -> None:
    """To disk and back through NDMP, from there to tape, and back though it is on disk."""
    service = Service(place.site, place.by_ndmp, "remote")
    made = service.run("backup", "/remote/empty:0", f"/remote/odd:{ODD}:unknown", NDMPDUP_XBSA_DATA="socket")
    ids = [str(copy_id) for copy_id, *_ in made]
    assert service.run("restore", *ids) == made
    place.to_tape()
    assert service.run("restore", ids[-1], NDMPDUP_XBSA_SOURCE="tape") == made[-1:]
    place.check_left()
    place.forget_objects([int(copy_id) for copy_id in place.objects() if str(copy_id) not in ids])
    place.check_known_again()
    images = {one.image for one in place.objects().values()}
    service.run("delete", *ids)
    place.check_deleted(images)
    service.stop()


def test_it_ends_in_order(place: Place) -> None:
    place.service.stop()
