"""Which files a backup takes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

__all__ = ["CLOCK_MARGIN_NS", "Selection", "Since", "folder_of", "join"]

CLOCK_MARGIN_NS: Final = 2_000_000_000
"""Nanoseconds by which a file's times may lag the clock: kernels stamp by their last tick, FAT by even seconds."""


def join(folder: str, name: str) -> str:
    """The path of ``name`` in ``folder``; the backup's root is the empty path."""
    return f"{folder}/{name}" if folder else name


def folder_of(path: str) -> str:
    """The path of the directory that ``path`` lies in."""
    return path.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Since:
    """An earlier backup that this one adds to."""

    date_ns: int
    """When its scan began."""
    directories: Mapping[str, int] | None = None
    """Inodes of its directories by path; None where no record was kept."""
    missed: frozenset[str] = frozenset()
    """Paths that it should have carried and could not."""

    def newer(self, path: str, found: os.stat_result) -> bool:
        """Whether the file may have changed since, or was missed then."""
        return max(found.st_mtime_ns, found.st_ctime_ns) >= self.date_ns - CLOCK_MARGIN_NS or path in self.missed

    def arrived(self, path: str, found: os.stat_result) -> bool:
        """Whether this directory may be new at its place, so that old files below it were never backed up there."""
        if self.directories is None:
            return bool(path) and self.newer(path, found)
        return self.directories.get(path) != found.st_ino or path in self.missed


@dataclass(slots=True)
class Selection:
    """Patterns of names to leave out, and patterns of paths to take (none: all)."""

    exclude: Sequence[str] = ()
    files: Sequence[Sequence[str]] = ()
    since: Since | None = None
    one_file_system: bool = True
    unmatched: set[int] = field(init=False)
    """Numbers of the patterns in ``files`` that nothing matched so far."""

    def __post_init__(self) -> None:
        self.unmatched = set(range(len(self.files)))

    def excludes(self, name: str) -> bool:
        """Whether a pattern of EXCLUDE has this last component."""
        return any(fnmatchcase(name, pattern) for pattern in self.exclude)

    def takes(self, path: str) -> bool:
        """Whether ``path`` is asked for, itself or as part of a directory."""
        names = path.split("/")
        hits = [number for number, pattern in enumerate(self.files) if _begins(names, pattern)]
        self.unmatched.difference_update(hits)
        return bool(hits) or not self.files

    def leads_on(self, path: str) -> bool:
        """Whether something asked for may lie below the directory ``path``."""
        names = path.split("/")
        return any(len(names) < len(pattern) and _agree(names, pattern) for pattern in self.files)


def _begins(names: Sequence[str], pattern: Sequence[str]) -> bool:
    return len(names) >= len(pattern) and _agree(names, pattern)


def _agree(names: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(map(fnmatchcase, names, pattern))
