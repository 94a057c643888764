"""A file service in memory: one unit of images, small and honest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ndmp.backends import FileStatus, FragmentInfo, ImageInfo, ReadEnd, RecordsRead, RecordsWritten, UnitInfo
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError

__all__ = ["MemoryFiles", "MemoryFragment"]

Parts = list[tuple[str, bytes]]


@dataclass
class MemoryFragment:
    """An open fragment; ``kept`` takes what was written."""

    contents: bytearray
    size: int | None
    algorithm: DigestAlgorithm
    kept: dict[int, tuple[str, bytes]] | None = None
    place: tuple[int, str] = (0, "")
    at: int = 0
    record_bytes: int = 0
    released: Callable[[], None] = lambda: None

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        self.record_bytes = record_bytes
        taken = self.contents[self.at : self.at + len(into) // record_bytes * record_bytes]
        into[: len(taken)] = taken
        self.at += len(taken)
        return RecordsRead(-(-len(taken) // record_bytes), len(taken), None if taken else ReadEnd.FILEMARK)

    def space_records(self, count: int) -> int:
        assert self.size is not None
        ends = -(-self.size // self.record_bytes)
        here = -(-self.at // self.record_bytes)
        target = min(max(0, here + count), ends)
        self.at = min(target * self.record_bytes, self.size)
        return abs(count) - abs(target - here)

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        fits = records if self.size is None else records[: self.size - len(self.contents)]
        if any(records[len(fits) :]):
            raise ReplyError(Error.IO, "more than was announced")
        self.contents += fits
        self.at = len(self.contents)
        return RecordsWritten(len(records) // record_bytes)

    def status(self) -> FileStatus:
        covered = self.contents[: self.at]
        digest = hashlib.sha256(covered).digest() if self.algorithm else b""
        return FileStatus(self.at if self.size is None else self.size, self.at, digest, changed=False)

    def close(self, *, keep: bool) -> None:
        kept, self.kept = self.kept, None
        self.released()
        self.released = lambda: None
        if kept is None or not keep:
            return
        if self.size not in (None, len(self.contents)):
            raise ReplyError(Error.ILLEGAL_STATE, "incomplete")
        number, name = self.place
        kept[number] = name, bytes(self.contents)


@dataclass
class MemoryFiles:
    """The unit is called "unit"."""

    shown: dict[str, Parts] = field(default_factory=dict)
    staged: dict[str, dict[int, tuple[str, bytes]]] = field(default_factory=dict)
    reading: Counter[str] = field(default_factory=Counter)
    algorithms: Sequence[DigestAlgorithm] = (DigestAlgorithm.SHA256,)
    writable: bool = True

    def units(self) -> Sequence[UnitInfo]:
        return [UnitInfo("another", 0, 0, writable=False), UnitInfo("unit", 1 << 20, 1 << 19, writable=True)]

    def images(self, unit: str, after: str, limit: int) -> Sequence[ImageInfo]:
        self._audit_unit(unit)
        return [self.image(unit, name) for name in sorted(self.shown) if name > after][:limit]

    def _audit_unit(self, unit: str) -> None:
        if unit != "unit":
            raise ReplyError(Error.FILE_NOT_FOUND, "no such unit")

    def image(self, unit: str, name: str) -> ImageInfo:
        self._audit_unit(unit)
        if name not in self.shown:
            raise ReplyError(Error.FILE_NOT_FOUND, "no such image")
        return ImageInfo(name, 7, tuple(FragmentInfo(part, len(body)) for part, body in self.shown[name]))

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> MemoryFragment:
        if fragment >= len(self.image(unit, image).fragments):
            raise ReplyError(Error.ILLEGAL_ARGS, "no such fragment")
        body = self.shown[image][fragment][1]
        self.reading[image] += 1
        done = {"released": lambda: self.reading.subtract([image])}
        return MemoryFragment(bytearray(body), len(body), algorithm, **done)

    def open_write(
        self, unit: str, image: str, fragment: int, name: str, size: int | None, algorithm: DigestAlgorithm
    ) -> MemoryFragment:
        self._audit_unit(unit)
        if "/" in image or image.startswith("."):
            raise ReplyError(Error.ILLEGAL_ARGS, "no name")
        if image in self.shown:
            raise ReplyError(Error.FSE_IMAGE_EXISTS)
        kept = self.staged.setdefault(image, {})
        return MemoryFragment(bytearray(), size, algorithm, kept, (fragment, name))

    def commit(self, unit: str, image: str, fragments: int) -> None:
        if image not in self.staged:
            raise ReplyError(Error.FILE_NOT_FOUND)
        if sorted(self.staged[image]) != list(range(fragments)):
            raise ReplyError(Error.ILLEGAL_STATE, "fragments are missing")
        kept = self.staged.pop(image)
        self.shown[image] = [kept[number] for number in range(fragments)]

    def discard(self, unit: str, image: str) -> None:
        self.staged.pop(image, None)

    def remove(self, unit: str, image: str) -> None:
        self.image(unit, image)
        if self.reading[image]:
            raise ReplyError(Error.DEVICE_BUSY, "it is being read")
        del self.shown[image]
