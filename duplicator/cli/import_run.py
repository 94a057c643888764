"""What `ndmpdup import` does once it knows what is wanted: drives, volumes, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import typer

from duplicator.ansi import LabelError, check_volume_id
from duplicator.catalog import Catalog, Copy, CopyState
from duplicator.cli.batch import open_catalog
from duplicator.cli.by_hand import ask_operator, operator_of
from duplicator.cli.documents import copy_document
from duplicator.cli.endings import UsageProblem
from duplicator.cli.running import run
from duplicator.cli.terminal import complain, plain, print_json, say
from duplicator.config import Config, load, local_agent
from duplicator.drives import DriveSpec
from duplicator.equipment import Equipment
from duplicator.mounts.carrying import place_words
from duplicator.plan import Deadlines, Place
from duplicator.status import ExitCode
from duplicator.tape_import import Found, ImportReport, Shelf, TapeImport, VolumeReport
from duplicator.volume_rounds import VolumeRounds, shelves_of, unreadable

__all__ = ["Wanted", "from_configuration", "from_drive"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; ``volumes``: only these, if there are any."""

    volumes: tuple[str, ...]
    waits: Deadlines
    _: KW_ONLY
    pool: str | None
    is_trial: bool
    catalog: str | None
    as_json: bool

    def __post_init__(self) -> None:
        for volume in self.volumes:
            try:
                check_volume_id(volume)
            except LabelError as error:
                raise UsageProblem(str(error)) from error

    def work(self, catalog: Catalog, pool: str | None = None) -> TapeImport:
        """The import, for volumes of a pool unless another one was asked for."""
        chosen = self.pool if self.pool is not None else pool or ""
        return TapeImport(catalog, self.waits, chosen, self.is_trial, told=lambda line: complain(plain(line)))


def from_drive(wanted: Wanted, tape: Place) -> None:
    """The volume in a drive, or those that an operator puts into it."""
    with open_catalog(wanted.catalog) as catalog:
        drive, mounts = operator_of(tape, wanted.waits, catalog)
        work = wanted.work(catalog)
        rounds = VolumeRounds(catalog, [drive], lambda _: mounts, lambda _: tape)
        run(rounds.run(work, map(Shelf, wanted.volumes)))
        _tell(work.report(), wanted)


def from_configuration(wanted: Wanted, file: Path | None, *, library: str | None, unit: str | None) -> None:
    """The volumes of a library, or those that belong to the drives of a tape unit."""
    config = load(file)
    name, pool = (library, None) if unit is None else _unit(config, unit)
    if name is not None and name not in config.libraries:
        raise UsageProblem(f"--library: the configuration has no library {name!r}; it has {_names(config.libraries)}")
    agent = local_agent(config)
    if agent is None:
        raise UsageProblem("the configuration has no agent that is this machine: one without a `command`")
    with open_catalog(wanted.catalog, config.file) as catalog:
        equipment = Equipment(config, agent, catalog, deadlines=wanted.waits, ask=ask_operator)
        drives = _drives(config, equipment, name, unit)
        work = wanted.work(catalog, pool)
        rounds = VolumeRounds(catalog, drives, equipment.mounts, equipment.place)
        run(_round(rounds, work, wanted, name))
        _tell(work.report(), wanted)


def _unit(config: Config, name: str) -> tuple[str | None, str | None]:
    entry = config.storage.tape.get(name)
    if entry is None:
        known = _names(config.storage.tape)
        raise UsageProblem(f"--unit: the configuration has no tape unit {name!r}; it has {known}")
    return entry.library, entry.pool


def _names(entries: Mapping[str, object]) -> str:
    return ", ".join(entries) or "none"


def _drives(config: Config, equipment: Equipment, library: str | None, unit: str | None) -> list[DriveSpec]:
    if library is None:
        return equipment.drives(config.storage.tape[str(unit)])
    drives = [equipment.drive(name) for name in config.libraries[library].drives]
    if not drives:
        raise UsageProblem(f"library {library!r} has no drives in the configuration")
    return drives


async def _round(rounds: VolumeRounds, work: TapeImport, wanted: Wanted, library: str | None) -> None:
    if library is None:
        await rounds.run(work, map(Shelf, wanted.volumes))
        return
    inventory = await rounds.mounts_of(rounds.drives[0]).inventory()
    for element in unreadable(inventory):
        complain(f"the cartridge in {place_words(element)} has no barcode that can be read: it is passed over")
    there = {shelf.volume: shelf for shelf in shelves_of(inventory, library)}
    for volume in wanted.volumes:
        if volume not in there:
            work.failed(Shelf(volume), "", f"volume {volume} is not in library {library}")
    shelves = [there[volume] for volume in wanted.volumes or there if volume in there]
    if shelves:
        await rounds.run(work, shelves)


# -- how it ended ----------------------------------------------------------------------------------------------------


def _tell(report: ImportReport, wanted: Wanted) -> None:
    if wanted.as_json:
        print_json(_document(report, is_trial=wanted.is_trial))
    else:
        for line in _lines(report, is_trial=wanted.is_trial):
            say(plain(line))
    for volume in report.volumes:
        for problem in volume.problems:
            complain(plain(f"ndmpdup: {_title(volume)}: {problem}"))
    if not report.is_good:
        raise typer.Exit(ExitCode.FAILED)


def _lines(report: ImportReport, *, is_trial: bool) -> list[str]:
    looked_at = [volume for volume in report.volumes if volume.found is not Found.UNKNOWN]
    lines = [f"{_title(volume)}: {_volume_words(volume)}" for volume in looked_at]
    lines.extend(_copy_words(copy) for copy in report.copies)
    return [*lines, "a trial: the catalog is as it was"] if is_trial else lines


def _title(volume: VolumeReport) -> str:
    return f"volume {volume.volume}" if volume.volume else f"the tape in {volume.drive}"


def _volume_words(volume: VolumeReport) -> str:
    if volume.found is Found.BLANK:
        return "blank, passed over"
    if volume.found is Found.FOREIGN:
        return f"{volume.what}, foreign"
    if volume.state is None:
        return f"{_files(volume.files)}, not imported"
    words = f"{_files(volume.files)}, {volume.new_files} of them new; {volume.state.value}"
    if volume.unfinished is not None:
        words += f"; at its end a file without its end, of copy {volume.unfinished.copy_id}"
    return words


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _copy_words(copy: Copy) -> str:
    words = f"copy {copy.id}: {copy.image.name}, {copy.state.value}"
    if copy.state is CopyState.INCOMPLETE:
        words += f": {len(copy.fragments)} of {copy.image.fragments} fragments are whole"
    return f"{words}, on volumes {', '.join(copy.volumes)}" if copy.volumes else words


def _document(report: ImportReport, *, is_trial: bool) -> dict[str, Any]:
    return {
        "volumes": [_volume_document(volume) for volume in report.volumes],
        "copies": [copy_document(copy) for copy in report.copies],
        "dry_run": is_trial,
        "success": report.is_good,
    }


def _volume_document(volume: VolumeReport) -> dict[str, Any]:
    return {
        "volume": volume.volume or None,
        "drive": volume.drive or None,
        "found": volume.found.value,
        "what": volume.what,
        "state": volume.state.value if volume.state else None,
        "files": volume.files,
        "new_files": volume.new_files,
        "unfinished_copy": volume.unfinished.copy_id if volume.unfinished else None,
        "problems": list(volume.problems),
    }
