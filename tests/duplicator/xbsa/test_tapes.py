"""Objects from tape: drive and volumes from the broker, over volumes, compared, and given back however it ends."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from duplicator.catalog import Catalog, Copy, CopyState, JobKind, Resource, ResourceKind, StoredObject
from duplicator.config import Config, DiskUnit, load
from duplicator.status import JobError, Status
from duplicator.xbsa.server.copies import choose_copy, places_of
from duplicator.xbsa.server.tapes import TapeObjectReader
from ndmp.enums import DigestAlgorithm
from tests.duplicator.processes import Host, Site, site_in
from tests.duplicator.robots import library_server
from tests.duplicator.test_units import add_volumes, configure
from tests.duplicator.xbsa.ends import Taking
from tests.duplicator.xbsa.test_appliance import an_object, put

DEADLINE = 60.0
SIZE = 3_000_000


class Place:
    """A library with one drive, and objects of which each has a copy on tape; volumes take 2 MB."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.unit = site.folder / "unit"
        self.unit.mkdir()
        self.content = hashlib.shake_128(b"big").digest(SIZE)
        self.found = replace(put(self.unit, self.content, "big"), unit="disk1")
        self.empty = replace(put(self.unit, b"", "empty"), unit="disk1")
        self.hosts = (site.serve("--lsu", f"lsu={self.unit}"), self._library())
        self.file = configure(site, *self.hosts, drives=1)
        add_volumes(site, 6)
        units = ("--from", "disk1", "--to", "tape1", "--config", self.file)
        ended = site.run("duplicate", "big", "empty", *units, "--digest", "sha256", "--json")
        assert ended.code == 0, ended.err
        self.config = load(self.file)

    def _library(self) -> Host:
        return library_server(self.site, cartridges=6, capacity="2M")

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.site.catalog)

    def copy(self, image: str = "big") -> Copy:
        with self.catalog as catalog:
            (copy,) = catalog.copies_of_image(image)
            return copy

    def read(self, target: Taking, found: StoredObject, config: Config | None = None) -> list[str]:
        """One restore; what was told."""
        told: list[str] = []

        async def story() -> None:
            with self.catalog as catalog:
                job = catalog.start_job(JobKind.RESTORE, image=found.image, source="", target="")
                copy = self.copy(found.image)
                reader = TapeObjectReader(catalog, config or self.config, copy, job_id=job, found=found)
                try:
                    async with asyncio.timeout(DEADLINE):
                        assert await reader.ready(told.append) == found.size
                        assert await reader.feed(target) == found.size
                finally:
                    await reader.close()
                    await reader.close()

        try:
            asyncio.run(story())
        finally:
            self.check_given_back()
        return told

    def check_given_back(self) -> None:
        with self.catalog as catalog:
            assert catalog.leases() == []
        for host in self.hosts:
            host.wait_until_idle()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with site_in(tmp_path_factory.mktemp("tapes")) as site:
        yield Place(site)


def test_an_object_over_two_volumes(place: Place) -> None:
    assert len(place.copy().volumes) == 2
    target = Taking()
    told = place.read(target, place.found)
    assert (bytes(target.content), target.ended) == (place.content, True)
    assert any("drive d0 granted" in line for line in told)
    with place.catalog as catalog:
        job = catalog.jobs(limit=1)[0]
        assert (job.drive, job.bytes_moved, job.bytes_total) == ("d0", SIZE, SIZE)
        assert job.copy_id == place.copy().id
        assert {event.step for event in catalog.events(job.id)} >= {"prepare", "read side: open image", "move data"}


def test_an_empty_object(place: Place) -> None:
    target = Taking()
    place.read(target, place.empty)
    assert (bytes(target.content), target.ended) == (b"", True)


def test_another_digest_gets_no_end(place: Place) -> None:
    target = Taking()
    with pytest.raises(JobError, match="digest is") as failure:
        place.read(target, replace(place.found, digest=bytes(32)))
    assert failure.value.status == Status.MEDIA_READ_ERROR
    assert (target.ended, target.closed.is_set()) == (False, True)
    # The tape gave what was copied: the copy is as good as before.
    assert place.copy().state is CopyState.VALID


def test_an_application_that_wants_no_more(place: Place) -> None:
    """The reader is cancelled in the middle of a chunk; mover, tape, drive and volumes are given back."""
    reached = threading.Event()

    async def story() -> None:
        with place.catalog as catalog:
            job = catalog.start_job(JobKind.RESTORE, image="big", source="", target="")
            reader = TapeObjectReader(catalog, place.config, place.copy(), job_id=job, found=place.found)

            def silent() -> None:
                reached.set()
                target.closed.wait()

            target = Taking(silent)
            await reader.ready(lambda _: None)
            feeding = asyncio.ensure_future(reader.feed(target))
            await asyncio.to_thread(reached.wait)
            feeding.cancel()
            with pytest.raises(asyncio.CancelledError):
                await feeding
            await reader.close()
            assert not target.ended

    asyncio.run(story())
    place.check_given_back()
    target = Taking()
    place.read(target, place.found)
    assert target.ended


KILLED = """
import asyncio, sys
from pathlib import Path
from duplicator.catalog import Catalog, JobKind
from duplicator.config import load
from duplicator.xbsa.server.tapes import TapeObjectReader
from tests.duplicator.xbsa.ends import Taking

def silent():
    print("flows", flush=True)
    sys.stdin.read()

async def story():
    catalog = Catalog(sys.argv[1])
    job = catalog.start_job(JobKind.RESTORE, image="big", source="", target="")
    (copy,) = catalog.copies_of_image("big")
    reader = TapeObjectReader(catalog, load(Path(sys.argv[2])), copy, job_id=job)
    await reader.ready(lambda _: None)
    await reader.feed(Taking(silent))

asyncio.run(story())
"""


def test_a_reader_that_is_killed_keeps_nothing(place: Place) -> None:
    words = [sys.executable, "-c", KILLED, place.site.catalog, str(place.file)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "flows\n"
        with place.catalog as catalog:
            assert len(catalog.leases()) == 3
        process.kill()
    place.check_given_back()
    with place.catalog as catalog:
        (dead,) = catalog.mark_dead_jobs()
        assert dead.step == "move data"
    target = Taking()
    place.read(target, place.found)
    assert bytes(target.content) == place.content


def test_a_volume_that_stays_in_use(place: Place) -> None:
    (volume, _) = place.copy().volumes
    with place.catalog as catalog:
        assert catalog.take("another", [Resource(ResourceKind.VOLUME, volume)])
        text = place.file.read_text() + '[xbsa]\nunit = "disk1"\ntape = ["tape1"]\nstart = 1\n'
        hurried = place.site.folder / "hurried.toml"
        hurried.write_text(text)
        told: list[str] = []

        async def story() -> None:
            job = catalog.start_job(JobKind.RESTORE, image="big", source="", target="")
            reader = TapeObjectReader(catalog, load(hurried), place.copy(), job_id=job)
            try:
                await reader.ready(told.append)
            finally:
                await reader.close()

        with pytest.raises(JobError) as failure:
            asyncio.run(story())
        assert failure.value.status == Status.NO_DRIVES
        assert any(volume in line for line in told)
        catalog.release("another")
    place.check_given_back()


def test_which_copy_is_read(place: Place) -> None:
    """On disk if it is there, by its folder or by the file service; else on tape; and it says what was looked at."""
    by_file_service = place.config
    here = place.site.folder / "here.toml"
    here.write_text(place.file.read_text().replace('unit = "lsu"\n', f'unit = "lsu"\npath = "{place.unit}"\n'))
    elsewhere = replace(place.found, unit="gone")
    hidden = place.unit / ".hidden"

    async def choose(config: Config, found: StoredObject, source: str) -> str:
        with place.catalog as catalog:
            try:
                chosen = await choose_copy(catalog, config, found, source=source)  # type: ignore[arg-type]
            except JobError as error:
                return error.reason
            return "disk" if isinstance(chosen, DiskUnit) else "tape"

    def answers(found: StoredObject) -> list[str]:
        return [
            asyncio.run(choose(config, found, source))
            for config in (by_file_service, load(here))
            for source in ("any", "disk", "tape")
        ]

    assert answers(place.found) == ["disk", "disk", "tape"] * 2
    (place.unit / "big").rename(hidden)
    try:
        lost = "object 1 (image big) cannot be read from disk: disk unit disk1 does not have it"
        assert answers(place.found) == ["tape", lost, "tape"] * 2
    finally:
        hidden.rename(place.unit / "big")
    assert answers(elsewhere)[0::3] == ["tape"] * 2
    never = replace(an_object(b"x", "never"), unit="disk1")
    for text in answers(never)[0::3]:
        assert text.endswith("cannot be read: disk unit disk1 does not have it; no copy of it is on tape")
    assert answers(replace(place.found, image="empty", size=5))[2].endswith("no copy of it is on tape")


def test_places(place: Place) -> None:
    with place.catalog as catalog:
        found = asyncio.run(places_of(catalog, place.config, place.found))
    assert [(one.kind, one.state) for one in found] == [("disk", "stored"), ("tape", "valid")]
    assert found[1].where == ", ".join(place.copy().volumes)


@pytest.mark.parametrize(("part", "text"), [("bytes", "digest is"), ("labels", "the trailer labels .* disagree")])
def test_a_copy_whose_tape_is_bad_is_read_no_more(place: Place, part: str, text: str) -> None:
    """What the tape gives is not what the catalog has of the copy: that is marked as failed, as by a verify."""
    copy = place.copy()
    wrong = replace(copy, algorithm=DigestAlgorithm.BLAKE3)
    if part == "labels":
        wrong = replace(copy, fragments=tuple(replace(one, digest=bytes(32)) for one in copy.fragments))
    place.copy = lambda image="big": wrong  # type: ignore[method-assign]
    try:
        with pytest.raises(JobError, match=text) as failure:
            place.read(Taking(), place.found)
    finally:
        del place.copy
    assert failure.value.status == Status.MEDIA_READ_ERROR
    with place.catalog as catalog:
        assert catalog.copy(copy.id).state is CopyState.FAILED
        catalog.set_copy_state(copy.id, CopyState.VALID)


def test_only_whole_copies_are_read(place: Place) -> None:
    with place.catalog as catalog:
        catalog.set_copy_state(place.copy("empty").id, CopyState.FAILED)
        with pytest.raises(JobError, match=r"copy .* on tape is failed"):
            asyncio.run(choose_copy(catalog, place.config, place.empty, source="tape"))
        catalog.set_copy_state(place.copy("empty").id, CopyState.WRITTEN)
        assert isinstance(asyncio.run(choose_copy(catalog, place.config, place.empty, source="tape")), Copy)
