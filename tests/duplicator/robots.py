"""A tape server with a virtual library, and the engine run in this process with volumes that its robot brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from duplicator.credentials import read_password_file
from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.mounts.protocol import Note
from duplicator.mounts.robot import RobotMounts
from duplicator.plan import Deadlines, Place
from duplicator.recorder import Progress
from duplicator.urls import NdmpUrl
from tests.duplicator.processes import Host, Site

__all__ = ["DEADLINES", "RobotSupply", "Told", "library_server", "place", "volume_name"]

DEADLINES = Deadlines(connect=10, request=20, tape=20, mount=10, stall=10)


def volume_name(number: int) -> str:
    """The label of a cartridge of a virtual library, from 1; its barcode has L8 behind it."""
    return f"VT{number:04}"


def library_server(site: Site, name: str = "lib", *, cartridges: int, capacity: str, drives: int = 1) -> Host:
    """A tape server with a new library of blank cartridges; drives are called ``lib.drive0`` and so on."""
    options = f"drives={drives}&slots={cartridges}&cartridges={cartridges}&capacity={capacity}&sync=no"
    return site.serve("--changer", f"{name}=virtual-library:{site.folder / name}?{options}")


def place(site: Site, url: str) -> Place:
    """An URL with the password of the site's hosts."""
    return Place(NdmpUrl.parse(url), read_password_file(site.password))


class RobotSupply:
    """Implements VolumeSupply with these volumes, in this order."""

    def __init__(self, site: Site, host: Host, volumes: Sequence[str], name: str = "lib", drive: int = 0) -> None:
        library = LibrarySpec(name, NdmpUrl.parse(host.url(name)))
        self._drive = DriveSpec(f"d{drive}", NdmpUrl.parse(host.url(f"{name}.drive{drive}")), name, drive)
        self._mounts = RobotMounts(
            library, drives=[self._drive], place_of=lambda url: place(site, str(url)), deadlines=DEADLINES
        )
        self._left = list(volumes)

    async def first(self, note: Note) -> str | None:
        """See VolumeSupply."""
        volume = self._left.pop(0)
        await self._mounts.mount(self._drive, volume, note=note)
        return volume

    async def another(self, full: str, note: Note) -> str | None:
        """See VolumeSupply."""
        return self._left.pop(0)

    async def next(self, volume: str | None, note: Note) -> None:
        """See VolumeSupply."""
        await self._mounts.mount(self._drive, volume, note=note)

    def holds(self, volume: str) -> None:
        """See VolumeSupply."""

    async def find(self, volume: str, note: Note) -> None:
        """See VolumeSupply."""
        await self._mounts.mount(self._drive, volume, note=note)


@dataclass
class Told:
    """A watcher that keeps what it is told."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    progresses: list[Progress] = field(default_factory=list)

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        self.steps.append((step, text))

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher."""
        self.progresses.append(progress)
