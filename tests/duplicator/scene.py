"""A place where jobs fail: an appliance, a tape server, and a volume with good copies on it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from duplicator.catalog import Catalog, CopyState, JobState
from tests.duplicator.processes import Ended, Host, Running, Site, site_in, wait_until

__all__ = ["BIG", "Scene", "scene_in"]

BIG = 4 << 30
"""Bytes of the image that keeps data flowing; nearly all of it is a hole, and jobs are ended soon."""


class Scene:
    """``good`` are the copies that every failure has to leave as they are."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.is_sound = False
        self.unit = site.folder / "unit"
        self.unit.mkdir()
        (self.unit / "small").write_bytes(hashlib.shake_128(b"small").digest(200_000))
        self.cartridge = site.folder / "ND0001"
        self._data = site.folder / "ND0001.data"
        self.appliance = self.start_appliance()
        self.tape = self.start_tape()
        self._sources = {path: digest(path) for path in self.unit.iterdir()}
        self.good = list[str]()
        self._kept = b""
        self._kept_size = 0
        self.check_usable()

    def start_appliance(self) -> Host:
        """Another appliance on the same unit."""
        return self.site.serve("--lsu", f"lsu={self.unit}")

    def start_tape(self) -> Host:
        """Another tape server on the same cartridge."""
        return self.site.serve("--tape", f"drive=virtual:{self.cartridge}?capacity=64G&sync=no")

    @property
    def source(self) -> str:
        """The storage unit."""
        return self.appliance.url("lsu")

    @property
    def target(self) -> str:
        """The drive."""
        return self.tape.url("drive")

    def add_image(self, name: str, size: int) -> Path:
        """A sparse image, made once, that has to stay as it is."""
        path = self.unit / name
        if path in self._sources:
            return path
        path.write_bytes(b"the head of a large image")
        os.truncate(path, size)
        self._sources[path] = digest(path)
        return path

    def start(self, image: str = "big", *options: str | Path) -> Running:
        """Start a duplication; from now on the scene is sound only once it was checked."""
        self.is_sound = False
        return self.site.start_duplicate(image, source=self.source, target=self.target, options=options)

    def duplicate(self, image: str = "small", *options: str | Path) -> Ended:
        """Run a duplication to its end."""
        return self.start(image, *options).end()

    def _copy_small(self) -> str:
        ended = self.duplicate()
        assert ended.code == 0, ended.err
        return str(ended.document["jobs"][0]["copy"])

    def wait_until_data_flows(self) -> None:
        """Wait until more is on the tape than was there and labels."""
        wait_until(lambda: self._data.stat().st_size > self._kept_size + (8 << 20), "data flows")

    def last_job(self) -> int:
        """The number of the newest job."""
        with Catalog(self.site.catalog) as catalog:
            return catalog.jobs(limit=1)[0].id

    def check_failed(self, ended: Ended, status: int, *words: str, step: str = "") -> dict[str, Any]:
        """The job says why it failed, on the screen and in the catalog, and its copy is failed; gives its document."""
        assert ended.code == 1, ended.err
        (job,) = ended.document["jobs"]
        assert ended.document["success"] is False
        assert (job["status"], job["validated"]) == (status, False), ended.err
        assert step in job["step"], ended.err
        for word in (f"status {status}", *words):
            assert word in ended.err, (word, ended.err)
        with Catalog(self.site.catalog) as catalog:
            recorded = catalog.job(job["job"])
        assert (recorded.state, recorded.status) == (JobState.FAILED, status)
        assert job["reason"] in recorded.reason
        assert recorded.copy_id == job["copy"]
        self._check_copies(job["copy"], whole=job["step"] == "validate")
        return dict(job)

    def check_listed(self, number: int, state: str, status: int | None, *words: str) -> dict[str, Any]:
        """What ``jobs`` says of a job that came to no good end; gives it."""
        job = self.site.ask("jobs", str(number))
        assert (job["state"], job["status"]) == (state, status), job
        for word in words:
            assert word in job["reason"], (word, job["reason"])
        self._check_copies(job["copy"])
        return dict(job)

    def _check_copies(self, failed: str | None, *, whole: bool = False) -> None:
        """``whole``: all of the failed job's copy is on tape; it only was not read back."""
        with Catalog(self.site.catalog) as catalog:
            expected = CopyState.WRITTEN if whole else CopyState.FAILED
            assert failed is None or catalog.copy(failed).state is expected
            assert {catalog.copy(good).state for good in self.good} == {CopyState.VALID}

    def check_usable(self, *, cut_back: bool = True) -> None:
        """Sources and earlier bytes on tape are untouched, hosts idle; the volume takes another copy: sound again.

        ``cut_back``: the job could and had to remove what it wrote to the tape.
        """
        for path, before in self._sources.items():
            assert digest(path) == before, f"{path} was changed"
        for host in (self.appliance, self.tape):
            host.wait_until_idle()
        left = self._read_data()
        assert left[: len(self._kept)] == self._kept
        if cut_back:
            assert self._data.stat().st_size == self._kept_size, "the failed job left bytes on the volume"
        self.good.append(self._copy_small())
        with Catalog(self.site.catalog) as catalog:
            numbers = [catalog.copy(good).fragments[0].file_sequence for good in self.good]
        assert numbers == [*range(1, len(self.good) + 1)], "a failed copy still takes room on the volume"
        self._kept = self._read_data()
        self._kept_size = self._data.stat().st_size
        self.is_sound = True

    def check_good_copies(self) -> None:
        """All good copies verify."""
        verified = self.site.verify(self.good, self.target)
        assert verified.code == 0, verified.err

    def _read_data(self) -> bytes:
        """The first bytes of all that was ever written to the tape, as many as are worth a look."""
        with self._data.open("rb") as data:
            return data.read(16 << 20)


def digest(path: Path) -> tuple[str, int, int, int]:
    """The content of a file, holes passed over, and its size and times of change."""
    found = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for start, end in _extents(file.fileno()):
            file.seek(start)
            found.update(b"%d %d" % (start, end))
            while start < end and (chunk := file.read(min(1 << 20, end - start))):
                found.update(chunk)
                start += len(chunk)
    status = path.stat()
    return found.hexdigest(), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _extents(descriptor: int) -> Iterator[tuple[int, int]]:
    """Where a file has bytes."""
    at = 0
    while True:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, at


@contextmanager
def scene_in(folder: Path) -> Iterator[Scene]:
    """A scene whose processes end with the block."""
    with site_in(folder) as site:
        yield Scene(site)
