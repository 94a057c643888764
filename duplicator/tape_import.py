"""Rebuilds the catalog from tapes: reads the labels of volumes, and adds what they tell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from duplicator.catalog import Catalog, CatalogError, Copy, Learned, VolumeContents, VolumeState
from duplicator.failures import failing_as
from duplicator.hostlink import open_session
from duplicator.labels import FileHeader, LabelError, check_volume_id
from duplicator.plan import Deadlines, Place, Step
from duplicator.tape_scan import VolumeScan, scan_volume
from duplicator.tape_side import TapeSide
from ndmp.errors import NdmpError

__all__ = ["Found", "ImportReport", "Shelf", "TapeImport", "Told", "VolumeReport"]

Told: TypeAlias = Callable[[str], None]
"""Takes a line of progress."""


class Found(Enum):
    """What a tape turned out to be."""

    OURS = "ours"
    FOREIGN = "foreign"
    BLANK = "blank"
    UNKNOWN = "unknown"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where a cartridge is, and what its label for people and robots says."""

    volume: str = ""
    """By its barcode, or as the operator was asked for it; empty where nothing is known beforehand."""
    barcode: str = ""
    media: str = ""
    location: str = ""
    drive: int | None = None
    """Of the library, from 0, if it is in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeReport:
    """What became of one volume; ``volume`` is empty for a tape without a name."""

    volume: str
    drive: str
    found: Found
    what: str = ""
    """Of a foreign tape: its format."""
    state: VolumeState | None = None
    files: int = 0
    new_files: int = 0
    unfinished: FileHeader | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of all volumes, and how the copies stand of which they hold something."""

    volumes: tuple[VolumeReport, ...]
    copies: tuple[Copy, ...]

    @property
    def is_good(self) -> bool:
        """Whether all was read, and nothing contradicts the catalog."""
        return not any(volume.problems for volume in self.volumes)


@dataclass(slots=True)
class _Read:
    """A volume that was read."""

    scan: VolumeScan
    shelf: str
    drive: str
    contents: VolumeContents | None
    problems: tuple[str, ...]


@dataclass(slots=True)
class TapeImport:
    """One run; ``pool`` is for volumes that are new. A trial only tells what would be added."""

    catalog: Catalog
    deadlines: Deadlines
    pool: str = ""
    is_trial: bool = False
    told: Told = lambda _: None
    _reports: list[VolumeReport] = field(default_factory=list)
    _copies: dict[str, Copy] = field(default_factory=dict)
    _trials: list[_Read] = field(default_factory=list)

    async def take(self, tape: Place, shelf: Shelf) -> None:
        """Read the volume in a drive, and add it to the catalog. JobError when the drive cannot be used."""
        read = self._judge(await self._scan(tape, shelf), tape, shelf)
        if self.is_trial:
            self._trials.append(read)
        else:
            self._add([read])

    def failed(self, shelf: Shelf, drive: str, problem: str) -> None:
        """A volume could not be looked at."""
        self._reports.append(VolumeReport(volume=shelf.volume, drive=drive, found=Found.UNKNOWN, problems=(problem,)))

    def report(self) -> ImportReport:
        """What became of all."""
        if self._trials:
            self._add(self._trials)
            self._trials = []
        copies = sorted(self._copies.values(), key=lambda copy: (copy.created, copy.id))
        return ImportReport(tuple(sorted(self._reports, key=lambda each: each.volume)), tuple(copies))

    # -- reading -------------------------------------------------------------------------------------------------

    async def _scan(self, place: Place, shelf: Shelf) -> VolumeScan:
        drive = place.url.path

        def told(count: int) -> None:
            self.told(f"drive {drive}: volume {shelf.volume or '?'}, {count} files")

        async with open_session(place, self.deadlines, extended=False) as session:
            with failing_as(Step.VALIDATE, session.name):
                tape = TapeSide(session)
                await tape.mount()
                try:
                    return await scan_volume(tape, told)
                finally:
                    with suppress(NdmpError, TimeoutError):
                        await tape.close()

    def _judge(self, scan: VolumeScan, tape: Place, shelf: Shelf) -> _Read:
        """What the catalog is to be told of it; nothing, if it is not what it should be."""
        drive, label = str(tape.url), scan.label
        if label is None:
            return _Read(scan, shelf.volume, drive, None, self._problems_of_blank(shelf))
        if label.ours and shelf.volume and label.volume != shelf.volume:
            problem = f"its label says that it is volume {label.volume}, and it came as {shelf.volume}"
            return _Read(scan, shelf.volume, drive, None, (problem,))
        name = label.volume if label.ours else shelf.volume or _name(label.volume)
        contents = VolumeContents(
            volume=name,
            files=scan.files,
            count=scan.count,
            unfinished=scan.unfinished,
            is_partial=scan.is_partial,
            foreign="" if label.ours else f"{label.kind.value} {label.volume}".rstrip(),
            tape_url=drive,
            pool=self.pool,
            barcode=shelf.barcode,
            media=shelf.media,
            location=shelf.location,
        )
        return _Read(scan, shelf.volume, drive, contents if name else None, scan.problems)

    def _problems_of_blank(self, shelf: Shelf) -> tuple[str, ...]:
        known = self.catalog.volume(shelf.volume) if shelf.volume else None
        if known is None or not known.files:
            return ()
        return (f"the tape is blank, and the catalog knows {known.files} files on volume {known.label}",)

    # -- adding --------------------------------------------------------------------------------------------------

    def _add(self, volumes: list[_Read]) -> None:
        known = [read.contents for read in volumes if read.contents is not None]
        try:
            lesson = self.catalog.import_volumes(known, dry_run=self.is_trial)
        except CatalogError as error:
            self._reports.extend(_report(read, Learned("", contradiction=str(error))) for read in volumes)
            return
        learned = iter(lesson.volumes)
        self._reports.extend(_report(read, next(learned) if read.contents else Learned("")) for read in volumes)
        self._copies.update({copy.id: copy for copy in lesson.copies})


def _name(volume: str) -> str:
    """The name of another system's volume, if it can be one of ours."""
    with suppress(LabelError):
        return check_volume_id(volume)
    return ""


def _report(read: _Read, learned: Learned) -> VolumeReport:
    label = read.scan.label
    found = Found.BLANK if label is None else Found.OURS if label.ours else Found.FOREIGN
    contradiction = (f"{learned.contradiction}; nothing of it was imported",) if learned.contradiction else ()
    return VolumeReport(
        volume=read.contents.volume if read.contents else read.shelf or (label.volume if label else ""),
        drive=read.drive,
        found=found,
        what=f"{label.kind.value} {label.volume}".rstrip() if label and not label.ours else "",
        state=learned.state,
        files=read.scan.count,
        new_files=learned.new_files,
        unfinished=read.scan.unfinished,
        problems=(*read.problems, *contradiction),
    )
