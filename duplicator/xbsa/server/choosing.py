"""Which reader or writer a stream gets, by the catalog and the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from duplicator.catalog import Catalog, Copy, CopyState, StoredObject
from duplicator.config import Config, load
from duplicator.plan import Step
from duplicator.status import JobError, Status
from duplicator.xbsa.server.local_disk import LocalReader, LocalWriter, has_local, remove_local, sweep_unit
from duplicator.xbsa.server.orders import Place, ReadOrder, WriteOrder
from duplicator.xbsa.server.roles import ObjectReader, ObjectWriter

__all__ = [
    "choose_reader",
    "choose_writer",
    "configuration",
    "image_is_there",
    "open_catalog",
    "remove_image",
    "sweep_staging",
    "tape_copies",
]

_READABLE: Final = (CopyState.VALID, CopyState.WRITTEN)


def configuration(place: Place) -> Config:
    """The configuration that the daemon was started with."""
    return load(Path(place.config) if place.config else None)


def open_catalog(place: Place, config: Config) -> Catalog:
    """The catalog that the daemon was started with."""
    return Catalog(place.catalog or config.catalog.url)


def _directory(config: Config, unit: str) -> Path | None:
    """Where this machine has the images of a disk unit."""
    found = config.storage.disk.get(unit)
    if found is None:
        reason = f"there is no disk unit {unit!r} in the configuration"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
    return found.path


def _no_path(unit: str) -> JobError:
    reason = f"disk unit {unit!r} has no 'path' on this machine"
    return JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)


@asynccontextmanager
async def choose_reader(order: ReadOrder, told: Callable[[str], None]) -> AsyncIterator[ObjectReader]:
    """The reader of an object's best copy. JobError."""
    config = configuration(order.place)
    with open_catalog(order.place, config) as catalog:
        found = catalog.object(order.copy_id)
        directory = _directory(config, found.unit)
        if directory is None:
            raise _no_path(found.unit)
        reader = LocalReader(directory, found)
        try:
            yield reader
        finally:
            await reader.close()


@asynccontextmanager
async def choose_writer(order: WriteOrder) -> AsyncIterator[ObjectWriter]:
    """The writer on a disk unit. JobError."""
    config = configuration(order.place)
    directory = _directory(config, order.unit)
    if directory is None:
        raise _no_path(order.unit)
    yield LocalWriter(directory)


async def remove_image(config: Config, unit: str, image: str) -> bool:
    """Remove an image of a disk unit; False when it has none of that name. JobError."""
    directory = _directory(config, unit)
    if directory is None:
        raise _no_path(unit)
    return remove_local(directory, image)


async def image_is_there(config: Config, unit: str, image: str) -> bool:
    """Whether a disk unit has an image. JobError."""
    directory = _directory(config, unit)
    if directory is None:
        raise _no_path(unit)
    return has_local(directory, image)


def tape_copies(catalog: Catalog, config: Config, found: StoredObject) -> list[Copy]:
    """The copies on tape of an object's image that can be read, oldest first."""
    return [each for each in catalog.copies() if each.image.name == found.image and each.state in _READABLE]


def sweep_staging(config: Config, unit: str) -> None:
    """Remove what killed writers staged on a unit of this machine. JobError."""
    directory = _directory(config, unit)
    if directory is not None:
        sweep_unit(directory)
