"""A library behind a host, what mounts its volumes, and what was said of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from duplicator.credentials import Secret
from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.mounts.robot import RobotMounts
from duplicator.plan import Deadlines, Place
from duplicator.status import JobError
from duplicator.urls import NdmpUrl
from tests.duplicator.processes import SECRET, Host, Site

__all__ = ["DOOR", "DRIVE", "SLOT", "LibraryRig", "place_of", "refused"]

DOOR, DRIVE, SLOT = 16, 256, 1024
"""First addresses of a virtual library."""


def place_of(url: NdmpUrl) -> Place:
    """The hosts of these tests have one password."""
    return Place(url, Secret(SECRET))


def refused(work: Coroutine[Any, Any, object], status: int, *words: str) -> JobError:
    """The work ends so, and says these words."""
    with pytest.raises(JobError) as ended:
        asyncio.run(work)
    assert ended.value.status == status, ended.value
    for word in words:
        assert word in ended.value.reason, (word, ended.value.reason)
    return ended.value


class LibraryRig:
    """A virtual library ``lib`` with two drives, served by a process; cartridges VT0001L8 and so on."""

    def __init__(self, site: Site, *, slots: int = 4, cartridges: int = 3, options: str = "") -> None:
        self.site = site
        self.directory = site.folder / "library"
        self._url = (
            f"virtual-library:{self.directory}?drives=2&slots={slots}&cartridges={cartridges}&capacity=1M{options}"
        )
        self.notes: list[str] = []
        self.host = self.serve()

    def serve(self) -> Host:
        """Start the host, again if it has ended."""
        self.host = self.site.serve("--changer", f"lib={self._url}")
        return self.host

    @property
    def library(self) -> LibrarySpec:
        """The library by its configuration."""
        return LibrarySpec("lib", NdmpUrl.parse(self.host.url("lib")))

    def drive(self, number: int, *, device: int | None = None) -> DriveSpec:
        """A drive by its configuration, which may name another ``device`` of the host."""
        url = NdmpUrl.parse(self.host.url(f"lib.drive{number if device is None else device}"))
        return DriveSpec(f"d{number}", url, "lib", number)

    def mounts(
        self,
        *,
        seconds: float = 20.0,
        drives: Sequence[DriveSpec] | None = None,
        last_seen: Callable[[str], str] | None = None,
        connect: float = 30.0,
    ) -> RobotMounts:
        """What mounts the library's volumes; ``seconds`` is the deadline of mounting."""
        known = [self.drive(0), self.drive(1)] if drives is None else drives
        deadlines = Deadlines(mount=seconds, connect=connect)
        return RobotMounts(self.library, drives=known, place_of=place_of, deadlines=deadlines, last_seen=last_seen)

    def note(self, words: str) -> None:
        """Keep a line of the job's log."""
        self.notes.append(words)

    def mount(self, volume: str | None, number: int = 0, *, seconds: float = 20.0) -> None:
        """Mount a volume, with nothing kept from mounts before."""
        asyncio.run(self.mounts(seconds=seconds).mount(self.drive(number), volume, note=self.note))

    def dismount(self, number: int = 0) -> None:
        """Likewise."""
        asyncio.run(self.mounts().dismount(self.drive(number), note=self.note))

    def shelves(self) -> dict[int, str]:
        """The barcodes by element, as the library's own file has them."""
        return shelves_in(self.directory)


def shelves_in(directory: Path) -> dict[int, str]:
    """Likewise, of a library's directory."""
    cartridges = json.loads((directory / "library.json").read_text())["cartridges"]
    return {each["at"]: each["barcode"] for each in cartridges}
