"""Objects that the catalog does not know, from the descriptors beside their data: on a disk unit, or on tape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duplicator.catalog import Catalog, CatalogError, Copy, CopyState, JobKind, StoredObject
from duplicator.config import Config, DiskUnit
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import open_session
from duplicator.job import recorded
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Step
from duplicator.recorder import Recorder, Watcher
from duplicator.status import JobError, Status
from duplicator.units import DirectoryUnits, UnitError
from duplicator.xbsa.server.appliance import appliance_of, read_descriptor
from duplicator.xbsa.server.copies import is_copy_of
from duplicator.xbsa.server.images import (
    DATA,
    DESCRIPTOR,
    LONGEST_DOCUMENT,
    DocumentError,
    fragment_named,
    read_document,
)
from duplicator.xbsa.server.tapes import TapeObjectReader
from ndmp.enums import DigestAlgorithm

__all__ = ["Imported", "import_tapes", "import_unit"]

_SUFFIX: Final = ".xbsa"
_PAGE: Final = 1000
_READABLE: Final = (CopyState.VALID, CopyState.WRITTEN)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an image: the object that is known now, or why there is none."""

    image: str
    object: StoredObject | None
    problem: str = ""


async def import_unit(
    catalog: Catalog, config: Config, unit: DiskUnit, *, dry_run: bool = False
) -> AsyncIterator[Imported]:
    """The objects of a disk unit that are new, one after the other. JobError if the unit cannot be asked."""
    place = None if unit.path is not None else appliance_of(config, unit)
    for image in await _images(config, unit):
        if not _is_new(catalog, unit, image):
            continue

        async def descriptor(image: str = image) -> bytes:
            if place is None:
                assert unit.path is not None
                return await _descriptor_here(unit.path, image)
            return await read_descriptor(place, image, Deadlines())

        yield await _learn(catalog, unit, image, descriptor, dry_run=dry_run)


async def import_tapes(
    catalog: Catalog, config: Config, unit: DiskUnit, watcher: Watcher, *, dry_run: bool = False
) -> AsyncIterator[Imported]:
    """The new objects of copies on tape, as if they had been on this disk unit; each is a job."""
    for copy in _new_copies(catalog, unit):

        async def descriptor(copy: Copy = copy) -> bytes:
            return await _descriptor_on_tape(catalog, config, copy, watcher)

        yield await _learn(catalog, unit, copy.image.name, descriptor, dry_run=dry_run, copy=copy)


def _is_new(catalog: Catalog, unit: DiskUnit, image: str) -> bool:
    return image.endswith(_SUFFIX) and catalog.object_of(unit.name, image) is None


def _new_copies(catalog: Catalog, unit: DiskUnit) -> list[Copy]:
    """One of each image; those that lie on the same volumes one after the other."""
    found: dict[str, Copy] = {}
    for copy in sorted(catalog.copies(), key=lambda copy: copy.volumes):
        whole = fragment_named(copy, DATA) and fragment_named(copy, DESCRIPTOR)
        if whole and copy.state in _READABLE and _is_new(catalog, unit, copy.image.name):
            found.setdefault(copy.image.name, copy)
    return list(found.values())


async def _learn(
    catalog: Catalog,
    unit: DiskUnit,
    image: str,
    descriptor: Callable[[], Awaitable[bytes]],
    *,
    dry_run: bool,
    copy: Copy | None = None,
) -> Imported:
    try:
        found = read_document(await descriptor(), unit=unit.name, image=image)
        if copy is not None and not is_copy_of(copy, found):
            return Imported(image, None, f"copy {copy.id} has other bytes than its {DESCRIPTOR} tells of")
        return Imported(image, found if dry_run else catalog.learn_object(found))
    except JobError as error:
        return Imported(image, None, error.reason)
    except DocumentError as error:
        return Imported(image, None, f"its {DESCRIPTOR} cannot be read: {error}")
    except CatalogError as error:
        return Imported(image, None, str(error))


# -- where they are ----------------------------------------------------------------------------------------------------


async def _images(config: Config, unit: DiskUnit) -> Sequence[str]:
    if unit.path is not None:
        path = unit.path
        return await in_own_thread(lambda: _images_here(path), "listing")
    async with open_session(appliance_of(config, unit), Deadlines(), step=Step.CHECK_IMAGE) as session:
        with failing_as(Step.CHECK_IMAGE, session.name):
            files = FileSide(session)
            await files.check_unit(Step.CHECK_IMAGE)
            return [image.name async for image in files.images()]


def _images_here(path: Path) -> list[str]:
    names = [""]
    with _unit_here(path) as units:
        while page := units.images("unit", names[-1], _PAGE):
            names += [image.name for image in page]
    return names[1:]


@contextmanager
def _unit_here(path: Path) -> Iterator[DirectoryUnits]:
    with failing_as(Step.READ_OPEN, f"folder {path}"):
        try:
            with DirectoryUnits({"unit": path}, writable=False) as units:
                yield units
        except UnitError as error:
            raise JobError(Status.NO_STORAGE_UNIT, step=Step.READ_OPEN.value, reason=str(error)) from error


async def _descriptor_here(path: Path, image: str) -> bytes:
    return await in_own_thread(lambda: _read_here(path, image), "descriptor")


def _read_here(path: Path, image: str) -> bytes:
    with _unit_here(path) as units:
        names = [fragment.name for fragment in units.image("unit", image).fragments]
        if DESCRIPTOR not in names:
            raise _none(image)
        opened = units.open_read("unit", image, names.index(DESCRIPTOR), DigestAlgorithm.NONE)
        try:
            if opened.status().size > LONGEST_DOCUMENT:
                raise _none(image)
            room = memoryview(bytearray(LONGEST_DOCUMENT))
            return bytes(room[: opened.read_records(room, 1).bytes_read])
        finally:
            opened.close(keep=False)


def _none(image: str) -> JobError:
    reason = f"image {image} has no {DESCRIPTOR} of at most {LONGEST_DOCUMENT} bytes: it is none of an object"
    return JobError(Status.FILE_READ_FAILED, step=Step.READ_OPEN.value, reason=reason)


# -- from tape ---------------------------------------------------------------------------------------------------------


async def _descriptor_on_tape(catalog: Catalog, config: Config, copy: Copy, watcher: Watcher) -> bytes:
    target = _Document()
    job_id = catalog.start_job(JobKind.RESTORE, image=copy.image.name, source=copy.tape_url, target=DESCRIPTOR)
    async with recorded(Recorder(catalog, job_id, watcher, image=copy.image.name)) as outcome:
        reader = TapeObjectReader(catalog, config, copy, job_id=job_id, wanted=DESCRIPTOR)
        try:
            if await reader.ready(lambda text: watcher.step(job_id, "", text)) > LONGEST_DOCUMENT:
                raise _none(copy.image.name)
            await reader.feed(target)
        finally:
            await reader.close()
    if outcome.reason:
        raise JobError(outcome.status, step=Step.MOVE.value, reason=outcome.reason)
    return bytes(target.content)


class _Document:
    """Implements :class:`duplicator.xbsa.channel.Taker`: keeps what comes."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.sent = 0

    def send(self, chunk: memoryview) -> None:
        """See Taker."""
        self.content += chunk
        self.sent += len(chunk)

    def finish(self) -> None:
        """See Taker."""

    def close(self) -> None:
        """See Taker."""
