"""A tree, one directory at a time: each before what lies below it, and that before the next."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final

from duplicator.trees.exports import open_folder
from duplicator.trees.selection import Selection, join

__all__ = ["Entry", "Folder", "Walk"]

_MAX_DEPTH: Final = 256
"""Directories open at once: every level holds a descriptor, and the host has other sessions."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of any kind, as its directory shows it; ``path`` relative to the backup's root."""

    name: str
    path: str
    stat: os.stat_result


@dataclass(slots=True)
class Folder:
    """A directory and what of it belongs to the backup, in order of names. ``fd`` is None where it was not read."""

    path: str
    stat: os.stat_result
    listed: os.stat_result
    """The same, unless it was replaced since the directory above it was read."""
    above: os.stat_result
    """The directory that it lies in; of the root: itself."""
    fd: int | None
    whole: bool
    """All below it is taken, whatever its times."""
    files: list[Entry] = field(default_factory=list)
    folders: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Names that are there and not asked for."""

    @property
    def entries(self) -> list[Entry]:
        """All members that are asked for, in the order of their names' bytes."""
        return sorted([*self.files, *self.folders], key=lambda entry: os.fsencode(entry.name))


class Walk:
    """Visits what ``selection`` asks for; ``report`` is told of what cannot be read."""

    def __init__(self, selection: Selection, report: Callable[[str, str], None]) -> None:
        self._selection = selection
        self._report = report

    def folders(self, root: int) -> Generator[Folder, None, None]:
        """Every directory; its descriptor is open until all below it was visited. ``root`` stays open."""
        found = os.fstat(root)
        first = self._read(Folder("", found, found, found, root, self._whole("", found, above=False)))
        self._device = first.stat.st_dev
        yield first
        stack = [(first, iter(first.folders))]
        try:
            while stack:
                above, rest = stack[-1]
                entry = next(rest, None)
                if entry is None:
                    self._leave(stack.pop()[0])
                elif folder := self._enter(above, entry, len(stack)):
                    stack.append((folder, iter(folder.folders)))
                    yield folder
        finally:
            for folder, _ in stack:
                self._leave(folder)

    def _leave(self, folder: Folder) -> None:
        if folder.path and folder.fd is not None:
            os.close(folder.fd)

    def _enter(self, above: Folder, entry: Entry, depth: int) -> Folder | None:
        whole = self._whole(entry.path, entry.stat, above=above.whole)
        closed = Folder(entry.path, entry.stat, entry.stat, above.stat, None, whole)
        if entry.stat.st_dev != self._device and self._selection.one_file_system:
            return closed
        if depth >= _MAX_DEPTH:
            self._report(entry.path, f"more than {_MAX_DEPTH} directories deep")
            return closed
        assert above.fd is not None
        try:
            fd = open_folder(entry.name, above.fd)
        except (FileNotFoundError, NotADirectoryError):
            self._report(entry.path, "vanished")
            return None
        except OSError as problem:
            self._report(entry.path, str(problem.strerror))
            return closed
        return self._read(Folder(entry.path, os.fstat(fd), entry.stat, above.stat, fd, whole))

    def _whole(self, path: str, found: os.stat_result, *, above: bool) -> bool:
        since = self._selection.since
        return above or since is None or since.arrived(path, found)

    def _read(self, folder: Folder) -> Folder:
        assert folder.fd is not None
        try:
            names = sorted(os.listdir(folder.fd), key=os.fsencode)
        except OSError as problem:
            self._report(folder.path, str(problem.strerror))
            return folder
        for name in names:
            try:
                self._sort_in(folder, name)
            except FileNotFoundError:  # gone since it was listed
                continue
            except OSError as problem:
                self._report(join(folder.path, name), str(problem.strerror))
                folder.left_out.append(name)
        return folder

    def _sort_in(self, folder: Folder, name: str) -> None:
        if self._selection.excludes(name):
            folder.left_out.append(name)
            return
        entry = Entry(name, join(folder.path, name), os.stat(name, dir_fd=folder.fd, follow_symlinks=False))
        is_folder = stat.S_ISDIR(entry.stat.st_mode)
        if not (self._selection.takes(entry.path) or (is_folder and self._selection.leads_on(entry.path))):
            folder.left_out.append(name)
        elif is_folder:
            folder.folders.append(entry)
        else:
            folder.files.append(entry)
