"""Which reader or writer a stream gets, by the catalog and the configuration."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from duplicator.catalog import Catalog, Copy, CopyState, StoredObject
from duplicator.config import Config, DiskUnit, load
from duplicator.failures import failing_as
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Step
from duplicator.status import JobError, Status
from duplicator.xbsa.server.copies import choose_copy, is_on_disk
from duplicator.xbsa.server.copies import tape_copies as copies_of
from duplicator.xbsa.server.local_disk import ALGORITHM, LocalReader, LocalWriter, remove_local, sweep_unit
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


def _disk_unit(config: Config, unit: str) -> DiskUnit:
    found = config.storage.disk.get(unit)
    if found is None:
        reason = f"there is no disk unit {unit!r} in the configuration"
        raise JobError(Status.NO_STORAGE_UNIT, step=Step.PREPARE.value, reason=reason)
    return found


@asynccontextmanager
async def choose_reader(order: ReadOrder, told: Callable[[str], None]) -> AsyncIterator[ObjectReader]:
    """The reader of an object's best copy: on disk here, on an appliance, or on tape. JobError."""
    config = configuration(order.place)
    with open_catalog(order.place, config) as catalog:
        with failing_as(Step.PREPARE, "the catalog"):
            found = catalog.object(order.copy_id)
        chosen = await choose_copy(catalog, config, found, source=order.source)
        reader = _reader(config, catalog, found, chosen, job_id=order.job_id)
        try:
            yield reader
        finally:
            await reader.close()


def _reader(
    config: Config, catalog: Catalog, found: StoredObject, chosen: DiskUnit | Copy, *, job_id: int
) -> ObjectReader:
    # What speaks to hosts takes long to load, and most streams do without.
    if isinstance(chosen, Copy):
        from duplicator.xbsa.server.tapes import TapeObjectReader

        return TapeObjectReader(catalog, config, chosen, job_id=job_id, found=found)
    if chosen.path is not None:
        return LocalReader(chosen.path, found)
    from duplicator.xbsa.server.appliance import ApplianceReader, appliance_of

    return ApplianceReader(appliance_of(config, chosen), found)


@asynccontextmanager
async def choose_writer(order: WriteOrder) -> AsyncIterator[ObjectWriter]:
    """The writer on a disk unit, here or on an appliance. JobError."""
    config = configuration(order.place)
    unit = _disk_unit(config, order.unit)
    if unit.path is not None:
        yield LocalWriter(unit.path)
        return
    from duplicator.xbsa.server.appliance import ApplianceWriter, appliance_of

    writer = ApplianceWriter(appliance_of(config, unit), ALGORITHM)
    try:
        yield writer
    finally:
        await writer.close()


async def remove_image(config: Config, unit: str, image: str) -> bool:
    """Remove an image of a disk unit; False when it has none of that name. JobError."""
    found = _disk_unit(config, unit)
    if found.path is not None:
        path = found.path
        return await in_own_thread(lambda: remove_local(path, image), "remove")
    from duplicator.xbsa.server.appliance import appliance_of, remove_from_appliance

    return await remove_from_appliance(appliance_of(config, found), image, Deadlines())


async def image_is_there(config: Config, unit: str, image: str) -> bool:
    """Whether a disk unit has an image. JobError."""
    return await is_on_disk(config, _disk_unit(config, unit), image, Deadlines())


def tape_copies(catalog: Catalog, config: Config, found: StoredObject) -> list[Copy]:
    """The copies on tape of an object's image that can be read, oldest first."""
    return [each for each in copies_of(catalog, found) if each.state in _READABLE]


def sweep_staging(config: Config, unit: str) -> None:
    """Remove what killed writers staged on a unit of this machine. JobError."""
    directory = _disk_unit(config, unit).path
    if directory is not None:
        sweep_unit(directory)
