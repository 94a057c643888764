"""Objects on a disk unit whose directory is on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from duplicator.catalog import StoredObject
from duplicator.digests import new_digest
from duplicator.own_thread import in_own_thread, let_go
from duplicator.plan import Step
from duplicator.status import JobError, Status
from duplicator.status_map import refused
from duplicator.units.fragments import WritingFragment
from duplicator.units.images import component, entry_exists, open_fragment
from duplicator.units.refusals import refusing
from duplicator.units.staging import Staging, sweep
from duplicator.xbsa.channel import ReceivingEnd, SendingEnd
from duplicator.xbsa.server.roles import Kept
from ndmp.enums import DigestAlgorithm
from ndmp.errors import ReplyError

__all__ = [
    "ALGORITHM",
    "DATA_FILE",
    "DESCRIPTOR_FILE",
    "LocalReader",
    "LocalWriter",
    "remove_local",
    "sweep_unit",
]

ALGORITHM: Final = DigestAlgorithm.XXH3_128
DATA_FILE: Final = b"data"
DESCRIPTOR_FILE: Final = b"object.json"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WRITE_BYTES: Final = 1 << 20
_LET_GO: Final = 5.0
"""Seconds for a thread that was told to end."""
R = TypeVar("R")


@contextmanager
def _failing(step: Step) -> Iterator[None]:
    try:
        yield
    except ReplyError as error:
        raise JobError(refused(error.error, step), step=step.value, reason=error.text) from error


@contextmanager
def _opened_unit(directory: Path) -> Iterator[int]:
    with refusing(f"storage unit {directory}"):
        unit = os.open(directory, _FOLDER)
    try:
        yield unit
    finally:
        os.close(unit)


def sweep_unit(directory: Path) -> None:
    """Remove what killed writers staged there. JobError."""
    with _failing(Step.COMMIT), _opened_unit(directory) as unit:
        sweep(unit)


async def _blocking(work: Callable[[], R], name: str, stop: Callable[[], None]) -> R:
    """The work in a thread of its own, which ``stop`` ends when nobody waits for it any more."""
    doing = in_own_thread(work, name)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        stop()
        await let_go(doing, _LET_GO)
        raise


class LocalReader:
    """Implements :class:`ObjectReader`: the file is read straight into the slots of the channel.

    An XXH3-128 is left to the library, which computes it of what it hands over: two processes share the work.
    """

    def __init__(self, directory: Path, found: StoredObject) -> None:
        self._directory = directory
        self._object = found
        self._file = -1

    async def ready(self, told: Callable[[str], None]) -> int:
        """See ObjectReader."""
        with _failing(Step.READ_OPEN), _opened_unit(self._directory) as unit:
            self._file = open_fragment(unit, component(self._object.image), 0)
            size = os.fstat(self._file).st_size
        if size != self._object.size:
            raise self._wrong(f"{size} bytes, where the catalog has {self._object.size}")
        os.posix_fadvise(self._file, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return size

    async def feed(self, target: SendingEnd) -> int:
        """See ObjectReader."""
        return await _blocking(lambda: self._feed(target), "disk reader", target.close)

    def _feed(self, target: SendingEnd) -> int:
        digest = None if self._object.algorithm == ALGORITHM else new_digest(self._object.algorithm)
        position = 0
        with _failing(Step.MOVE):
            while count := self._read(slot := target.room(), position):
                if digest:
                    digest.update(slot[:count])
                target.put(count)
                position += count
        if position != self._object.size:
            raise self._wrong(f"it changed while it was read: {position} bytes of {self._object.size}")
        if digest and digest.digest() != self._object.digest:
            raise self._wrong("its digest is not that of the catalog")
        target.finish()
        return position

    def _read(self, slot: memoryview, position: int) -> int:
        with refusing("read"):
            return os.preadv(self._file, [slot], position)

    def _wrong(self, why: str) -> JobError:
        reason = f"image {self._object.image} is not what was stored: {why}"
        return JobError(Status.FILE_READ_FAILED, step=Step.MOVE.value, reason=reason)

    async def close(self) -> None:
        """See ObjectReader."""
        opened, self._file = self._file, -1
        if opened >= 0:
            os.close(opened)


class LocalWriter:
    """Implements :class:`ObjectWriter` by staging, as the file service on the same directory does."""

    def __init__(self, directory: Path) -> None:
        with _failing(Step.PREPARE), refusing(f"storage unit {directory}"):
            self._unit = os.open(directory, _FOLDER)
        self._staged: dict[bytes, Staging] = {}
        self._shown: list[bytes] = []

    async def take(self, image: str, source: ReceivingEnd) -> Kept:
        """See ObjectWriter."""
        return await _blocking(lambda: self._take(component(image), source), "disk writer", source.close)

    def _take(self, image: bytes, source: ReceivingEnd) -> Kept:
        with _failing(Step.MOVE):
            if entry_exists(self._unit, image):
                raise JobError(Status.FILE_WRITE_FAILED, step=Step.PREPARE.value, reason="the image's name is taken")
            staging = self._staged[image] = Staging(self._unit, image)
            digest = new_digest(ALGORITHM)
            fragment = staging.open(0, DATA_FILE, None, digest)
            size = _pour(source, fragment)
        return Kept(size, digest.digest())

    async def describe(self, image: str, document: bytes) -> None:
        """See ObjectWriter."""
        with _failing(Step.MOVE):
            fragment = self._staged[component(image)].open(1, DESCRIPTOR_FILE, len(document), new_digest(ALGORITHM))
            fragment.write_records(memoryview(document), 1)
            fragment.close(keep=True)

    async def commit(self) -> None:
        """See ObjectWriter."""
        with _failing(Step.COMMIT):
            for image, staging in self._staged.items():
                staging.commit(2)
                self._shown.append(image)
            self._drop()

    async def abandon(self) -> None:
        """See ObjectWriter."""
        with _failing(Step.COMMIT):
            while self._shown:
                _remove_image(self._unit, self._shown.pop())
            self._drop()

    def _drop(self) -> None:
        while self._staged:
            self._staged.popitem()[1].remove()


def _pour(source: ReceivingEnd, fragment: WritingFragment) -> int:
    """All that comes, on stable storage; else the fragment is gone again."""
    kept = False
    size = 0
    buffer = memoryview(bytearray(_WRITE_BYTES))
    try:
        while count := source.receive(buffer):
            fragment.write_records(buffer[:count], 1)
            size += count
        kept = True
    finally:
        fragment.close(keep=kept)
    return size


def remove_local(directory: Path, image: str) -> bool:
    """Remove an image of a unit; False when there is none. JobError."""
    with _failing(Step.COMMIT), _opened_unit(directory) as unit:
        return _remove_image(unit, component(image))


def _remove_image(unit: int, image: bytes) -> bool:
    if not entry_exists(unit, image):
        return False
    taken = Staging(unit, image)
    try:
        taken.take_away()
    finally:
        taken.remove()
    return True
