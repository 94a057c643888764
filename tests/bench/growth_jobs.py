"""How jobs grow: with the size of an image, with the number of images, and with the number of drives."""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.growing import MIB, Ended, Growth, Panel, Point, Scale, ended, rss_bytes, watched
from tests.bench.sources import make_image
from tests.duplicator.processes import Host, Site, site_in, spawn_here
from tests.duplicator.robots import library_server
from tests.duplicator.test_units import add_volumes, configure

__all__ = ["JOB_GROWTHS", "OneJob", "one_job"]

_SIZES: Final = (1 * MIB, 16 * MIB, 256 * MIB, 1024 * MIB, 4096 * MIB, 16384 * MIB)
_QUICK_SIZES: Final = (1 * MIB, 64 * MIB)
_OFTEN: Final = 1024 * MIB
"""Images up to this size are copied three times."""
_STRETCHES: Final = 10
_SMALL: Final = 1000
_DRIVES: Final = (1, 2, 4, 8)
_OF_A_DRIVE: Final = 64 * MIB
_IMAGES_FOR_DRIVES: Final = 32
_PARTIES: Final = ("application", "appliance", "tape server")


def _command(site: Site, *words: str | Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    environment["NDMPDUP_CATALOG"] = site.catalog
    with (site.folder / "out").open("wb") as out, (site.folder / "err").open("wb") as err:
        command = [sys.executable, "-m", "duplicator.cli.main", *map(str, words)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment)


# -- with the size of an image -----------------------------------------------------------------------------------


def _by_size(scale: Scale) -> Iterator[Point]:
    for size in _QUICK_SIZES if scale.quick else _SIZES:
        often = 1 if scale.quick or size > _OFTEN else 3
        runs = [one_job(scale.folder / f"{size}-{number}", size).figures for number in range(often)]
        names = runs[0]
        yield Point(size / MIB, {name: statistics.median(run[name] for run in runs) for name in names})


@dataclass(frozen=True, slots=True)
class OneJob:
    """What a job took: rates in MB/s, and the peaks of memory in MiB by party."""

    flow: float
    whole: float
    peaks_mib: Mapping[str, float]

    @property
    def figures(self) -> Mapping[str, float]:
        """By the names of the curve."""
        peaks = {f"{party}'s peak": peak for party, peak in self.peaks_mib.items()}
        return {"data flow": self.flow, "whole job, read back": self.whole, **peaks}


def one_job(folder: Path, size: int) -> OneJob:
    """A job with hosts of its own, of an image that is all hole, read back by its digest."""
    with site_in(_made(folder), spawn_here) as site:
        unit = _made(folder / "unit")
        (unit / "image").touch()
        os.truncate(unit / "image", size)
        appliance = site.serve("--lsu", f"lsu={unit}")
        tape = site.serve("--tape", f"drive=virtual:{folder / 'ND0001'}?capacity=64G&sync=no")
        begin = time.perf_counter()
        ours = ended(_duplicate(site, appliance, tape), begin)
        moved = json.loads((folder / "out").read_text())["jobs"][0]["move_seconds"]
        peaks = (ours.peak_bytes, rss_bytes(appliance.pid, peak=True), rss_bytes(tape.pid, peak=True))
    for path in folder.glob("ND0001*"):
        path.unlink()
    peaks_mib = {party: peak / MIB for party, peak in zip(_PARTIES, peaks, strict=True)}
    return OneJob(size / moved / 1e6, size / ours.seconds / 1e6, peaks_mib)


def _duplicate(site: Site, appliance: Host, tape: Host) -> subprocess.Popen[bytes]:
    passwords = ("--from-password-file", site.password, "--to-password-file", site.password)
    places = ("--from", appliance.url("lsu"), "--to", tape.url("drive"))
    return _command(site, "duplicate", "image", *places, *passwords, "--json")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


# -- with the number of images -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Library:
    """Hosts, a configuration with so many drives, and a policy that copies all images of the unit."""

    site: Site
    appliance: Host
    tape: Host
    config: Path

    def run(self) -> subprocess.Popen[bytes]:
        """Run the policy."""
        return _command(self.site, "run", "--policy", "nightly", "--config", self.config, "--json")

    def done(self) -> int:
        """How many jobs have ended."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._database)) as database:
            return int(database.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone()[0])
        return 0

    @property
    def _database(self) -> Path:
        return self.site.folder / "catalog.db"

    def catalog_bytes(self) -> int:
        """The catalog, with what is not in its main file yet."""
        return sum(path.stat().st_size for path in self.site.folder.glob("catalog.db*"))


def _library(site: Site, drives: int) -> _Library:
    appliance = site.serve("--lsu", f"lsu={site.folder / 'unit'}")
    tape = library_server(site, cartridges=drives, capacity="64G", drives=drives)
    config = configure(site, appliance, tape, drives=drives)
    add_volumes(site, drives)
    return _Library(site, appliance, tape, config)


def _by_number(scale: Scale) -> Iterator[Point]:
    folder = _made(scale.folder / "many")
    unit = _made(folder / "unit")
    for number in range(scale.images):
        (unit / f"image{number:06}").write_bytes(os.urandom(_SMALL))
    with site_in(folder, spawn_here) as site:
        library = _library(site, 1)
        process = library.run()
        pids = dict(zip(_PARTIES, (process.pid, library.appliance.pid, library.tape.pid), strict=True))
        looks = [(*look, library.catalog_bytes()) for look in watched(process, pids, library.done)]
        if process.returncode:
            raise RuntimeError((folder / "err").read_text()[-2000:])
    yield from _stretches(looks, scale.images)


_Look = tuple[int, float, Mapping[str, float], Mapping[str, float], int]


def _stretches(looks: Sequence[_Look], images: int) -> Iterator[Point]:
    """The rate and the cost of a job within each tenth of all of them."""
    begun = [look for look in looks if look[0]]
    last = begun[0]
    for look in begun[1:]:
        done, when, cpu, memory, catalog = look
        if done - last[0] < images / _STRETCHES and look is not begun[-1]:
            continue
        jobs = done - last[0]
        if jobs < images / _STRETCHES / 2:
            continue  # the rest of a stretch
        yield Point(
            done,
            {
                "jobs": jobs / (when - last[1]),
                **{f"{party}'s CPU": (cpu[party] - last[2][party]) / jobs * 1000 for party in _PARTIES},
                "catalog": catalog / MIB,
                **{f"{party}'s memory": memory[party] / MIB for party in _PARTIES},
            },
        )
        last = look


# -- with the number of drives -----------------------------------------------------------------------------------


def _by_drives(scale: Scale) -> Iterator[Point]:
    size, images = (_OF_A_DRIVE // 16, 4) if scale.quick else (_OF_A_DRIVE, _IMAGES_FOR_DRIVES)
    for drives in _DRIVES[:2] if scale.quick else _DRIVES:
        folder = _made(scale.folder / f"drives{drives}")
        unit = _made(folder / "unit")
        for number in range(images):
            make_image(unit / f"image{number:02}", size)
        with site_in(folder, spawn_here) as site:
            library = _library(site, drives)
            begin = time.perf_counter()
            ours = ended(library.run(), begin)
            memory = rss_bytes(library.tape.pid, peak=True)
        yield Point(drives, _of_drives(ours, images * size, images, memory))


def _of_drives(ours: Ended, size: int, images: int, memory: int) -> Mapping[str, float]:
    return {
        "all drives, read back": size / ours.seconds / 1e6,
        "jobs": images / ours.seconds,
        "tape server's peak": memory / MIB,
    }


JOB_GROWTHS: Final[Mapping[str, Growth]] = {
    "size": Growth(
        "One job, by the size of its image",
        "MiB",
        (
            Panel("MB/s", ("data flow", "whole job, read back")),
            Panel("MiB", tuple(f"{party}'s peak" for party in _PARTIES)),
        ),
        _by_size,
    ),
    "images": Growth(
        "Small images to one drive, one job each, read back",
        "jobs done",
        (
            Panel("jobs/s", ("jobs",)),
            Panel("ms of CPU a job", tuple(f"{party}'s CPU" for party in _PARTIES)),
            Panel("MiB", ("catalog", *(f"{party}'s memory" for party in _PARTIES))),
        ),
        _by_number,
        logarithmic=False,
    ),
    "drives": Growth(
        "Images of 64 MiB, read back, by the number of drives",
        "drives",
        (Panel("MB/s", ("all drives, read back",)), Panel("jobs/s", ("jobs",)), Panel("MiB", ("tape server's peak",))),
        _by_drives,
        logarithmic=False,
    ),
}
"""By the names that the command line has for them."""
