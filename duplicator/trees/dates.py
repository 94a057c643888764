"""Dump dates: which level of which file system was backed up when."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from duplicator.trees.exports import TreeError
from duplicator.trees.selection import Since

__all__ = ["LEVELS", "SECOND_NS", "DumpDates"]

LEVELS: Final = range(10)
SECOND_NS: Final = 1_000_000_000


class DumpDates:
    """Records of backups that ended well, in a directory: one file for each file system and level."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise TreeError(f"dump dates in {folder}: {problem.strerror}") from problem

    def newest_below(self, filesystem: str, level: int) -> Since | None:
        """The newest backup of a lower level; OSError or ValueError for a record that cannot be read."""
        records = reversed(list(self._read(filesystem, range(level))))  # of one moment: the highest level
        return max(records, key=lambda record: record.date_ns, default=None)

    def at(self, filesystem: str, date: int) -> Since | None:
        """The backup of that second since 1970; OSError or ValueError as before."""
        return next((each for each in self._read(filesystem, LEVELS) if each.date_ns // SECOND_NS == date), None)

    def keep(self, filesystem: str, level: int, record: Since) -> None:
        """Replace the record of this level: on the disk when this returns, whole or not at all."""
        fields = {
            "filesystem": filesystem,
            "level": level,
            "date_ns": record.date_ns,
            "directories": dict(record.directories or {}),
            "missed": sorted(record.missed),
        }
        place = self._place(filesystem, level)
        draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
        try:
            with draft.open("x", encoding="ascii") as file:
                json.dump(fields, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
        self._settle()

    def _settle(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self, filesystem: str, levels: Iterable[int]) -> Iterator[Since]:
        for level in levels:
            try:
                fields = json.loads(self._place(filesystem, level).read_text(encoding="ascii"))
            except FileNotFoundError:
                continue
            try:
                directories = {str(path): int(inode) for path, inode in fields["directories"].items()}
                yield Since(int(fields["date_ns"]), directories, frozenset(map(str, fields["missed"])))
            except (AttributeError, KeyError, TypeError) as problem:
                raise ValueError(f"level {level} has a damaged dump date") from problem

    def _place(self, filesystem: str, level: int) -> Path:
        digest = hashlib.sha256(os.fsencode(filesystem)).hexdigest()[:32]
        return self._folder / f"{digest}.{level}.json"
