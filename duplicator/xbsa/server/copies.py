"""Where the copies of an object are, and which of them is read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, TypeAlias

from duplicator.catalog import Catalog, Copy, CopyState, StoredObject
from duplicator.config import Config, DiskUnit
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Step
from duplicator.status import JobError, Status
from duplicator.units import DirectoryUnits, UnitError
from duplicator.xbsa.server.images import DATA, fragment_named
from duplicator.xbsa.wire import Place
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Source", "choose_copy", "is_copy_of", "is_on_disk", "places_of", "tape_copies"]

Source: TypeAlias = Literal["any", "disk", "tape"]
_READABLE: Final = (CopyState.VALID, CopyState.WRITTEN)
"""The states of copies that may be read, the better one first."""
_VAULT: Final = "vault"


async def choose_copy(
    catalog: Catalog, config: Config, found: StoredObject, *, source: Source = "any", deadlines: Deadlines | None = None
) -> DiskUnit | Copy:
    """The disk unit that has the object, else the best copy on tape. JobError says what was looked at."""
    looked: list[str] = []
    if source != "tape":
        unit = config.storage.disk.get(found.unit)
        if unit is None:
            looked.append(f"the configuration has no disk unit {found.unit!r}")
        else:
            try:
                if await is_on_disk(config, unit, found.image, deadlines or Deadlines()):
                    return unit
                looked.append(f"disk unit {unit.name} does not have it")
            except JobError as error:
                looked.append(f"disk unit {unit.name} cannot be asked: {error.reason}")
    if source != "disk":
        copies = tape_copies(catalog, found)
        readable = [copy for copy in copies if copy.state in _READABLE]
        if readable:
            return min(readable, key=lambda copy: (_is_away(catalog, copy), _READABLE.index(copy.state)))
        looked += [f"copy {copy.id} on tape is {copy.state.value}" for copy in copies] or ["no copy of it is on tape"]
    which = "" if source == "any" else f" from {source}"
    reason = f"object {found.copy_id} (image {found.image}) cannot be read{which}: {'; '.join(looked)}"
    raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=reason)


def tape_copies(catalog: Catalog, found: StoredObject) -> list[Copy]:
    """The copies of the object on tape, in whatever state; an image of the same name with other bytes is none."""
    return [copy for copy in catalog.copies_of_image(found.image) if is_copy_of(copy, found)]


def is_copy_of(copy: Copy, found: StoredObject) -> bool:
    """Whether a copy of an image of its name has its bytes, as far as the catalog can tell."""
    fragment = fragment_named(copy, DATA)
    if fragment is None:  # not whole yet; its image must do
        return copy.state not in _READABLE
    same = copy.algorithm != found.algorithm or fragment.digest == found.digest
    return fragment.size == found.size and same


def _is_away(catalog: Catalog, copy: Copy) -> bool:
    """Whether a volume that it needs is in no library."""
    volumes = (catalog.volume(label) for label in copy.volumes)
    return any(volume is None or volume.location.startswith(_VAULT) for volume in volumes)


async def is_on_disk(config: Config, unit: DiskUnit, image: str, deadlines: Deadlines) -> bool:
    """Whether the unit has the image, by its folder here or by its file service. JobError if it cannot be asked."""
    if unit.path is not None:
        path = unit.path
        return await in_own_thread(lambda: _is_in_folder(path, image), "look")
    # What speaks to hosts takes long to load, and most streams do without.
    from duplicator.xbsa.server.appliance import appliance_of, is_on_appliance

    return await is_on_appliance(appliance_of(config, unit), image, deadlines)


def _is_in_folder(path: Path, image: str) -> bool:
    try:
        with DirectoryUnits({"unit": path}, writable=False) as units:
            units.image("unit", image)
    except UnitError as error:
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_IMAGE.value, reason=str(error)) from error
    except ReplyError as error:
        if error.error == Error.FILE_NOT_FOUND:
            return False
        raise JobError(Status.FILE_READ_FAILED, step=Step.CHECK_IMAGE.value, reason=error.text) from error
    return True


async def places_of(
    catalog: Catalog, config: Config, found: StoredObject, deadlines: Deadlines | None = None
) -> tuple[Place, ...]:
    """Where its copies are, for people."""
    return (*await _on_disk(config, found, deadlines or Deadlines()), *_on_tape(tape_copies(catalog, found)))


async def _on_disk(config: Config, found: StoredObject, deadlines: Deadlines) -> tuple[Place, ...]:
    unit = config.storage.disk.get(found.unit)
    if unit is None:
        return ()
    try:
        there = await is_on_disk(config, unit, found.image, deadlines)
    except JobError as error:
        return (Place("disk", unit.name, f"unknown: {error.reason}"),)
    return (Place("disk", unit.name, "stored"),) if there else ()


def _on_tape(copies: Iterable[Copy]) -> tuple[Place, ...]:
    return tuple(Place("tape", ", ".join(copy.volumes), copy.state.value, copy.id) for copy in copies)
