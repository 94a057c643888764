"""The file service, as the maker of a disk appliance provides it (docs/fse.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ndmp.backends.devices import RecordDevice
from ndmp.enums import DigestAlgorithm

__all__ = [
    "FileHandle",
    "FileServiceBackend",
    "FileStatus",
    "FragmentInfo",
    "ImageInfo",
    "UnitInfo",
]


@dataclass(frozen=True, slots=True)
class UnitInfo:
    """A storage unit: a named place that holds images. Sizes in bytes."""

    name: str
    total_bytes: int
    free_bytes: int
    writable: bool


@dataclass(frozen=True, slots=True)
class FragmentInfo:
    """One file of an image. ``name`` is empty where the image is a single plain file."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image and its fragments in order; ``modified`` in seconds since 1970."""

    name: str
    modified: int
    fragments: tuple[FragmentInfo, ...]

    @property
    def size(self) -> int:
        """Bytes of all fragments."""
        return sum(fragment.size for fragment in self.fragments)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What an open fragment has carried so far.

    ``digest`` covers exactly ``bytes_moved`` bytes from its start; empty without an algorithm or after a seek.
    """

    size: int
    bytes_moved: int
    digest: bytes
    changed: bool
    """The fragment was modified by somebody since it was opened."""


class FileHandle(RecordDevice, Protocol):
    """An open fragment. Reading ends with FILEMARK; writing drops what comes after the announced size, if zero."""

    def status(self) -> FileStatus:
        """Size, progress and digest; may be asked at any time."""
        ...

    def close(self, *, keep: bool) -> None:
        """Release it. One opened for writing is kept for the commit if ``keep``; ILLEGAL_STATE if incomplete."""
        ...


class FileServiceBackend(Protocol):
    """Storage units and the images in them (docs/fse.md). Names never reach outside their unit."""

    @property
    def algorithms(self) -> Sequence[DigestAlgorithm]:
        """Digests on offer, the preferred one first."""
        ...

    @property
    def writable(self) -> bool:
        """Whether any unit takes images back."""
        ...

    def units(self) -> Sequence[UnitInfo]:
        """All units, by name."""
        ...

    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        """Up to ``limit`` images with names sorting after ``after``; FILE_NOT_FOUND for an unknown unit."""
        ...

    def image(self, unit: str, name: str) -> ImageInfo:
        """One image; FILE_NOT_FOUND, or BAD_FILE for something that is no image."""
        ...

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> FileHandle:
        """Open fragment number ``fragment`` (from 0) for reading."""
        ...

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> FileHandle:
        """Open a fragment of a new image; nothing of it is visible before :meth:`commit`.

        Without a ``size`` it is what was written when it is closed, all of it: there is no padding then.
        """
        ...

    def commit(self, unit: str, image: str, fragments: int) -> None:
        """Make an image of ``fragments`` kept fragments visible, all at once; FSE_IMAGE_EXISTS if it is there."""
        ...

    def discard(self, unit: str, image: str) -> None:
        """Remove what was written of an image that was not committed; none is no error."""
        ...

    def remove(self, unit: str, image: str) -> None:
        """Remove an image that is there, whole; FILE_NOT_FOUND, DEVICE_BUSY while a fragment of it is open."""
        ...
