"""The bytes of a regular file, without its holes, in exactly the length that was announced."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final, TypeAlias

__all__ = ["Content", "Extent", "extents", "open_file", "sparse_map"]

_MAX_EXTENTS: Final = 100_000
_BLOCK: Final = 512

Extent: TypeAlias = tuple[int, int]
"""Offset and length of bytes between holes."""


def open_file(name: str, parent: int) -> int:
    """A descriptor for reading; never waits for a pipe's other end, never follows a link, leaves atime alone."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=parent)
    except PermissionError:
        return os.open(name, flags, dir_fd=parent)  # O_NOATIME is the owner's privilege


def extents(fd: int, found: os.stat_result) -> Sequence[Extent] | None:
    """Where the file has bytes, with an empty extent at the end of a last hole; None: it has no holes to speak of."""
    if found.st_blocks * _BLOCK >= found.st_size:
        return None
    made: list[Extent] = []
    end = 0
    while end < found.st_size and len(made) <= _MAX_EXTENTS:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), found.st_size)
        except OSError as problem:
            if problem.errno != errno.ENXIO:  # that: no bytes from here on
                return None
            start = end = found.st_size
        start = min(start, found.st_size)
        made.append((start, end - start))
    if len(made) > _MAX_EXTENTS or made == [(0, found.st_size)]:
        return None
    return made


def sparse_map(found: Sequence[Extent]) -> bytes:
    """The list of extents that begins the bytes of a member in GNU tar's sparse format 1.0."""
    numbers = [len(found), *(number for extent in found for number in extent)]
    text = "".join(f"{number}\n" for number in numbers).encode("ascii")
    return text.ljust(-(-len(text) // _BLOCK) * _BLOCK, b"\0")


class Content:
    """Reads the announced extents; what cannot be read any more is zeros, and ``problem`` says why."""

    def __init__(self, fd: int, found: Sequence[Extent], *, prefix: bytes = b"") -> None:
        self._fd = fd
        self._rest = [extent for extent in reversed(found) if extent[1]]
        self._prefix = prefix
        self.size = len(prefix) + sum(length for _, length in found)
        self.problem = ""

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes; the caller asks for no more than :attr:`size` in all."""
        pieces = [self._prefix[:count]]
        self._prefix = self._prefix[count:]
        count -= len(pieces[0])
        while count:
            start, length = self._rest.pop()
            taken = min(length, count)
            pieces.append(self._piece(start, taken))
            if taken < length:
                self._rest.append((start + taken, length - taken))
            count -= taken
        return pieces[1] if len(pieces) == 2 and not pieces[0] else b"".join(pieces)

    def _piece(self, start: int, length: int) -> bytes:
        made = b""
        while len(made) < length and not self.problem:
            try:
                more = os.pread(self._fd, length - len(made), start + len(made))
            except OSError as problem:
                self.problem = f"{problem.strerror} at byte {start + len(made)}; zeros stand for the rest"
                break
            if not more:
                self.problem = f"shrank to {start + len(made)} bytes while it was read; zeros stand for the rest"
            made = made + more if made else more
        return made.ljust(length, b"\0")
