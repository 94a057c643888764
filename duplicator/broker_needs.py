"""What jobs need of drives and volumes, and what the broker knows when it chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from duplicator.catalog import DriveUse, Resource, ResourceKind, Volume
from duplicator.drives import DriveSpec, LibrarySpec

__all__ = [
    "Need",
    "Pool",
    "Reading",
    "Situation",
    "Writing",
    "drive_resource",
    "library_resource",
    "volume_resource",
]


def drive_resource(drive: DriveSpec) -> Resource:
    """What all duplicators call a drive, whatever name their configurations give it."""
    return Resource(ResourceKind.DRIVE, f"{drive.url.host}:{drive.url.port}/{drive.url.path}")


def library_resource(library: LibrarySpec) -> Resource:
    """The same of a library; whoever moves something in it has it for that long."""
    return Resource(ResourceKind.LIBRARY, f"{library.url.host}:{library.url.port}/{library.url.path}")


def volume_resource(label: str) -> Resource:
    """The same of a volume."""
    return Resource(ResourceKind.VOLUME, label)


@dataclass(frozen=True, slots=True)
class Pool:
    """``media``: the identifiers of volumes that are let in, empty for any; ``scratch``: the pool it takes from."""

    name: str
    media: frozenset[str] = frozenset()
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class Writing:
    """A drive with a volume to write: any one of the pool, or ``volume``. ``drives``: names; empty for any."""

    pool: str
    volume: str = ""
    drives: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """A drive, and all of these volumes, one after another. ``drives``: names; empty for any."""

    volumes: tuple[str, ...]
    drives: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Need:
    """All that a job needs at once: a drive to write, a drive to read, or one of each. Higher priorities go first."""

    writing: Writing | None = None
    reading: Reading | None = None
    priority: int = 0
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All drives and volumes at one moment, and who has what."""

    drives: tuple[DriveSpec, ...]
    media: Mapping[str, frozenset[str]]
    """The media that a drive writes, by its name; any, where it is not in here."""
    pools: Mapping[str, Pool]
    volumes: Mapping[str, Volume]
    uses: Mapping[str, DriveUse]
    owners: Mapping[Resource, str]
    waits: Mapping[str, str] = field(default_factory=dict)
    """Owners that wait for another volume, and of which pool."""

    def use(self, drive: DriveSpec) -> DriveUse:
        """What is known of a drive."""
        name = drive_resource(drive).name
        return self.uses.get(name) or DriveUse(name, "", None, "")

    def drive_of(self, volume: str) -> Resource | None:
        """The drive that a volume is in."""
        found = (name for name, use in self.uses.items() if use.volume == volume)
        return next((Resource(ResourceKind.DRIVE, name) for name in found), None)

    def reaches(self, drive: DriveSpec, volume: str) -> bool:
        """Whether a volume can come into a drive: by the robot that has it, or else in an operator's hand."""
        inside = self._library_of(volume)
        return not inside if drive.library is None else inside == drive.library

    def _library_of(self, volume: str) -> str:
        at = self.drive_of(volume)
        if at is not None:
            return next((drive.library or "" for drive in self.drives if drive_resource(drive) == at), "")
        known = self.volumes.get(volume)
        place = known.location.partition(" ")[0] if known else ""
        return place if any(drive.library == place for drive in self.drives) else ""
