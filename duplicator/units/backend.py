"""Storage units on directories, for all sessions of a host."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from duplicator.digests import ALGORITHMS, RunningDigest, new_digest
from duplicator.units.fragments import ReadingFragment, WritingFragment
from duplicator.units.images import (
    MAX_FRAGMENTS,
    component,
    entry_exists,
    find_image,
    list_images,
    open_fragment,
    to_bytes,
)
from duplicator.units.refusals import UnitError, refusing
from duplicator.units.staging import Staging, sweep
from ndmp.backends import ImageInfo, UnitInfo
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError

__all__ = ["DirectoryUnits"]

_log: Final = logging.getLogger(__name__)


class _Unit:
    """One directory; everything in it is reached through its descriptor."""

    def __init__(self, name: str, directory: Path, *, writable: bool) -> None:
        self._name = name
        self._writable = writable
        self._staged: dict[bytes, Staging] = {}
        self._read = Counter[bytes]()
        """How many fragments of an image are open."""
        self._staged_lock = threading.Lock()
        try:
            self.root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as problem:
            raise UnitError(f"storage unit {name}: {directory}: {problem.strerror}") from problem
        if writable:
            sweep(self.root)

    def describe(self) -> UnitInfo:
        with refusing(f"unit {self._name}"):
            room = os.fstatvfs(self.root)
        writable = self._writable and not room.f_flag & os.ST_RDONLY
        return UnitInfo(self._name, room.f_blocks * room.f_frsize, room.f_bavail * room.f_frsize, writable)

    def open_read(self, image: bytes, fragment: int, digest: RunningDigest) -> ReadingFragment:
        with self._staged_lock:
            opened = open_fragment(self.root, image, fragment)
            self._read[image] += 1
        return ReadingFragment(opened, digest, release=lambda: self._release(image))

    def _release(self, image: bytes) -> None:
        with self._staged_lock:
            self._read[image] -= 1
            if not self._read[image]:
                del self._read[image]

    def remove(self, image: bytes) -> None:
        self._audit_writable()
        with self._staged_lock:
            find_image(self.root, image)
            if self._read[image] > 0:
                raise ReplyError(Error.DEVICE_BUSY, "a fragment of the image is open")
            taken = Staging(self.root, image)
            try:
                taken.take_away()
            finally:
                _remove(taken)

    def _audit_writable(self) -> UnitInfo:
        found = self.describe()
        if not found.writable:
            raise ReplyError(Error.PERMISSION, f"unit {self._name} is not writable")
        return found

    def audit_new(self, image: bytes, size: int) -> None:
        found = self._audit_writable()
        with refusing("image"):
            if entry_exists(self.root, image):
                raise ReplyError(Error.FSE_IMAGE_EXISTS, "the name is taken")
        if size > found.free_bytes:
            raise ReplyError(Error.FSE_NO_SPACE, f"unit {self._name} has no room for {size} bytes")

    @contextmanager
    def staging(self, image: bytes) -> Iterator[Staging]:
        """The staging of a new image, made if need be; one made here goes again if the block fails."""
        with self._staged_lock:
            staging = self._staged.get(image) or Staging(self.root, image)
            try:
                yield staging
                self._staged[image] = staging
            finally:
                if image not in self._staged:
                    _remove(staging)

    def commit(self, image: bytes, fragments: int) -> None:
        with self._staged_lock:
            if image not in self._staged:
                raise ReplyError(Error.FILE_NOT_FOUND, "nothing of that image was written")
            self._staged[image].commit(fragments)
            _remove(self._staged.pop(image))

    def discard(self, image: bytes) -> None:
        with self._staged_lock:
            staging = self._staged.get(image)
            if staging and staging.is_open:
                raise ReplyError(Error.DEVICE_BUSY, "a fragment is still open")
            if staging:
                self._staged.pop(image).remove()

    def close(self) -> None:
        with self._staged_lock:
            for staging in self._staged.values():
                _remove(staging)
            self._staged.clear()
        os.close(self.root)


def _remove(staging: Staging) -> None:
    # Not the caller's failure: his image is committed, or refused for a better reason. The next start sweeps it.
    try:
        staging.remove()
    except ReplyError as refused:
        _log.warning("left in place: %s", refused)


class DirectoryUnits:
    """Implements :class:`ndmp.backends.FileServiceBackend`; ``units`` are names and directories.

    An image is written by one session at a time. The interface does not tell sessions apart, so a fragment that is
    already kept, or any fragment while another is open, is DEVICE_BUSY; another process loses at the commit.
    """

    def __init__(self, units: Mapping[str, Path], *, writable: bool = True) -> None:
        self._units: dict[str, _Unit] = {}
        self._writable = writable
        try:
            for name in sorted(units, key=to_bytes):
                _audit_unit_name(name)
                self._units[name] = _Unit(name, units[name], writable=writable)
        except UnitError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was not committed and let go of the directories; all handles are closed before."""
        while self._units:
            self._units.popitem()[1].close()

    @property
    def algorithms(self) -> Sequence[DigestAlgorithm]:
        """See FileServiceBackend."""
        return ALGORITHMS

    @property
    def writable(self) -> bool:
        """See FileServiceBackend."""
        return self._writable

    def _unit(self, name: str) -> _Unit:
        if name not in self._units:
            raise ReplyError(Error.FILE_NOT_FOUND, f"no storage unit {name!r}")
        return self._units[name]

    def units(self) -> Sequence[UnitInfo]:
        """See FileServiceBackend."""
        return [unit.describe() for unit in self._units.values()]

    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        """See FileServiceBackend. Names sort by their bytes; what is no image is left out."""
        return list_images(self._unit(unit).root, to_bytes(after), limit)

    def image(self, unit: str, name: str) -> ImageInfo:
        """See FileServiceBackend."""
        return find_image(self._unit(unit).root, component(name))

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> ReadingFragment:
        """See FileServiceBackend."""
        digest = new_digest(algorithm)
        return self._unit(unit).open_read(component(image), fragment, digest)

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> WritingFragment:
        """See FileServiceBackend. Names of an image's fragments must sort as their numbers do."""
        target = component(image)
        file_name = component(name) if name else b""
        if not 0 <= fragment < MAX_FRAGMENTS or (size or 0) < 0:
            raise ReplyError(Error.ILLEGAL_ARGS, f"fragment {fragment} of {size} bytes")
        digest = new_digest(algorithm)
        place = self._unit(unit)
        place.audit_new(target, size or 0)
        with place.staging(target) as staging:
            staging.audit(fragment, file_name)
            return staging.open(fragment, file_name, size, digest)

    def commit(self, unit: str, image: str, fragments: int) -> None:
        """See FileServiceBackend. ILLEGAL_STATE unless fragments 0 to ``fragments`` - 1 are kept, and no others."""
        self._unit(unit).commit(component(image), fragments)

    def discard(self, unit: str, image: str) -> None:
        """See FileServiceBackend."""
        self._unit(unit).discard(component(image))

    def remove(self, unit: str, image: str) -> None:
        """See FileServiceBackend. No link is followed; it is hidden first, so that no half of it is ever an image."""
        self._unit(unit).remove(component(image))


def _audit_unit_name(name: str) -> None:
    try:
        component(name)
    except ReplyError as refused:
        raise UnitError(f"storage unit {name!r}: {refused.text}") from refused
