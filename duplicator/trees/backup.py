"""A backup: walks a directory, writes its archive, tells its history."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Final

from duplicator.trees.archive import ArchiveWriter
from duplicator.trees.content import open_file
from duplicator.trees.level import DumpLevel
from duplicator.trees.members import MAX_HEADER_BYTES, header, member_name, xattrs
from duplicator.trees.notes import Notes, dumpdir
from duplicator.trees.selection import Selection
from duplicator.trees.story import BackupStory, NodeNumbers
from duplicator.trees.variables import BackupSettings
from duplicator.trees.walk import Entry, Folder, Walk
from ndmp.backends import BackupChannel
from ndmp.enums import LogType

__all__ = ["TreeBackup"]

_HEADERS_BYTES: Final = 1536
"""Of most members: a pax header, its records, the header."""


class TreeBackup:
    """One backup, of the directory behind ``root``."""

    def __init__(self, channel: BackupChannel, settings: BackupSettings, *, root: int, level: DumpLevel) -> None:
        self._channel = channel
        self._settings = settings
        self._root = root
        self._level = level
        self._nodes = NodeNumbers()
        self._story = BackupStory(channel.history, settings.hist, self._nodes)
        self._links: dict[tuple[int, int], tuple[str, int]] = {}
        """Files with several names: the path that carries the bytes, and where its member begins."""
        self._directories: dict[str, int] = {}
        self._missed: set[str] = set()

    def run(self) -> None:
        """Do it all; the dump date is recorded last."""
        self._tell()
        self._since = self._level.base(self._channel)
        expected = self._measure()
        self._writer = ArchiveWriter(self._channel)
        selection = self._select()
        with closing(Walk(selection, self._miss).folders(self._root)) as folders:
            for folder in folders:
                self._carry_folder(folder)
                for entry in folder.files:
                    self._channel.estimate(bytes_left=max(expected - self._writer.position, 0))
                    self._carry(folder, entry)
        self._writer.close()
        self._channel.estimate(bytes_left=0)
        for number in sorted(selection.unmatched):
            self._warn(f"FILES: nothing matches {'/'.join(self._settings.files[number])}")
        self._channel.flush()
        self._level.keep(self._channel, self._directories, frozenset(self._missed))

    def _tell(self) -> None:
        self._channel.set_variable("HIST", self._settings.hist.value)
        self._level.tell(self._channel)
        if self._settings.user:
            self._warn(f"USER={self._settings.user} is passed over: files are read with this host's own rights")

    def _select(self) -> Selection:
        settings = self._settings
        return Selection(settings.exclude, settings.files, self._since, settings.one_file_system)

    def _measure(self) -> int:
        """About how many bytes the archive will have, from a first walk that opens no file."""
        total = 0
        with closing(Walk(self._select(), lambda path, text: None).folders(self._root)) as folders:
            for folder in folders:
                self._channel.check()
                taken = [entry.stat for entry in folder.files if self._is_due(folder, entry)]
                total += sum(min(found.st_size, found.st_blocks * 512) for found in taken)
                total += _HEADERS_BYTES * (len(taken) + 1)
        self._channel.estimate(bytes_left=total)
        return total

    def _is_due(self, folder: Folder, entry: Entry) -> bool:
        return folder.whole or self._since is None or self._since.newer(entry.path, entry.stat)

    def _carry_folder(self, folder: Folder) -> None:
        self._channel.check()
        self._nodes.replace(folder.listed, folder.stat)
        self._story.entries(folder)
        member = header(folder.path, folder.stat)
        assert member is not None
        listing: Mapping[str, str] = {}
        notes = self._notes(folder.stat)
        if folder.fd is not None:
            self._directories[folder.path] = folder.stat.st_ino
            listing, notes = self._listing(folder, notes)
        self._complete(member, folder.path, folder.fd, {**listing, **notes.record()})
        position = self._writer.position
        self._writer.add(member)
        self._story.carried(folder.path, folder.stat, position)

    def _notes(self, found: os.stat_result) -> Notes:
        return Notes.of(found, self._nodes.of(found))

    def _complete(self, member: tarfile.TarInfo, path: str, fd: int | None, records: Mapping[str, str]) -> None:
        attributes: Mapping[str, str] = {}
        try:
            attributes, unnameable = xattrs(fd) if fd is not None else ({}, [])
        except OSError as problem:
            self._warn(f"/{path}: extended attributes: {problem.strerror}")
        else:
            for name in unnameable:
                self._warn(f"/{path}: extended attribute {name!r} is left out: its name is not UTF-8")
        member.pax_headers = {**member.pax_headers, **attributes, **records}

    def _listing(self, folder: Folder, notes: Notes) -> tuple[Mapping[str, str], Notes]:
        """What a directory holds, so that a recovery can tell what was gone, and tell it again as history."""
        codes = [(entry, "Y" if self._is_due(folder, entry) else "N") for entry in folder.files]
        codes += [(entry, "D") for entry in folder.folders]
        numbered = [(entry.name, code, self._nodes.of(entry.stat)) for entry, code in codes]
        numbered += [(name, "N", 0) for name in folder.left_out]
        numbered.sort(key=lambda each: os.fsencode(each[0]))
        if sum(len(name) + 30 for name, _, _ in numbered) * 4 > MAX_HEADER_BYTES:  # four bytes to a character
            self._warn(f"/{folder.path}: too many names to list; what is deleted from it will not be noticed")
            return {}, notes
        listed = replace(notes, entries=tuple(node for _, _, node in numbered))
        return dumpdir((name, code) for name, code, _ in numbered), listed

    def _carry(self, folder: Folder, entry: Entry) -> None:
        if not self._is_due(folder, entry):
            return
        known = self._links.get((entry.stat.st_dev, entry.stat.st_ino)) if entry.stat.st_nlink > 1 else None
        if known:
            self._carry_link(entry, *known)
        elif stat.S_ISREG(entry.stat.st_mode):
            self._carry_file(folder, entry)
        else:
            self._carry_special(folder, entry)

    def _carry_link(self, entry: Entry, target: str, position: int) -> None:
        member = header(entry.path, entry.stat)
        assert member is not None
        member.type = tarfile.LNKTYPE
        member.linkname = member_name(target)
        self._complete(member, entry.path, None, replace(self._notes(entry.stat), first=position).record())
        self._writer.add(member)
        # The other name's member: that one has the bytes, so a recovery can begin there.
        self._story.carried(entry.path, entry.stat, position, again=True)

    def _carry_file(self, folder: Folder, entry: Entry) -> None:
        assert folder.fd is not None
        try:
            fd = open_file(entry.name, folder.fd)
        except OSError as problem:
            gone = isinstance(problem, FileNotFoundError)
            self._miss(entry.path, "vanished" if gone else str(problem.strerror))
            return
        try:
            self._carry_open(entry, fd)
        finally:
            os.close(fd)

    def _carry_open(self, entry: Entry, fd: int) -> None:
        found = os.fstat(fd)
        member = header(entry.path, found)
        if not stat.S_ISREG(found.st_mode) or member is None:
            self._miss(entry.path, "is another kind of file now")
            return
        self._nodes.replace(entry.stat, found)
        self._complete(member, entry.path, fd, self._notes(found).record())
        position = self._writer.position
        problem = self._writer.add_file(member, fd, found)
        if problem:
            self._miss(entry.path, problem)
        self._remember(entry.path, found, position)

    def _carry_special(self, folder: Folder, entry: Entry) -> None:
        member = header(entry.path, entry.stat)
        if member is None:
            self._warn(f"/{entry.path}: a socket is made by its program, and not carried")
            return
        if stat.S_ISLNK(entry.stat.st_mode):
            try:
                member.linkname = os.readlink(entry.name, dir_fd=folder.fd)
            except OSError as problem:
                self._miss(entry.path, str(problem.strerror))
                return
        self._complete(member, entry.path, None, self._notes(entry.stat).record())
        position = self._writer.position
        self._writer.add(member)
        self._remember(entry.path, entry.stat, position)

    def _remember(self, path: str, found: os.stat_result, position: int) -> None:
        if found.st_nlink > 1:
            self._links[found.st_dev, found.st_ino] = path, position
        self._story.carried(path, found, position)

    def _miss(self, path: str, text: str) -> None:
        self._missed.add(path)
        self._warn(f"/{path}: {text}")

    def _warn(self, text: str) -> None:
        self._channel.log(LogType.WARNING, text)
