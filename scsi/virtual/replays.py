"""Indexes as this process left them, so that it need not read each entry of a long one whenever a tape is opened."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xxhash import xxh3_128

from scsi.virtual.journal import replay
from scsi.virtual.layout import RunList

__all__ = ["REPLAYS", "Replays"]

_PIECE: Final = 1 << 20
_MOST_ENTRIES: Final = 1 << 18
"""Of all indexes together; each takes some 200 bytes."""


@dataclass(frozen=True, slots=True)
class _Left:
    """``digest``: of the whole file whose entries say ``runs``."""

    digest: bytes
    runs: RunList
    entries: int


class Replays:
    """By cartridge. What is kept counts only for a file that has the very same bytes."""

    def __init__(self, most_entries: int = _MOST_ENTRIES) -> None:
        self._most_entries = most_entries
        self._left: dict[Path, _Left] = {}
        self._turn = threading.Lock()

    def take(self, path: Path, index_fd: int) -> tuple[RunList, int]:
        """What the index says is on the tape, and how many entries say it: see ``replay``. The caller's from now on."""
        with self._turn:
            left = self._left.pop(path.absolute(), None)
        if left is not None and left.digest == _digest(index_fd):
            return left.runs, left.entries
        return replay(index_fd)

    def keep(self, path: Path, index_fd: int, runs: RunList, entries: int) -> None:
        """What the index says now; nobody else has ``runs`` any more. OSError if the index cannot be read."""
        left = _Left(_digest(index_fd), runs, entries)
        with self._turn:
            self._left.pop(path.absolute(), None)
            self._left[path.absolute()] = left
            while sum(each.entries for each in self._left.values()) > self._most_entries:
                del self._left[next(iter(self._left))]


REPLAYS: Final = Replays()
"""Those of this process."""


def _digest(index_fd: int) -> bytes:
    whole, offset = xxh3_128(), 0
    while piece := os.pread(index_fd, _PIECE, offset):
        whole.update(piece)
        offset += len(piece)
    return whole.digest()
