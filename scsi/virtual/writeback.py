"""Bytes on their way to the disk while more are written, so that a sync finds little left to do."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final

__all__ = ["Writeback", "begin_writeback"]

_PIECE: Final = 32 << 20
"""Bytes from which on it is worth a thread."""
_WRITE: Final = 2
"""SYNC_FILE_RANGE_WRITE: begin to write what is dirty, and wait for nothing."""
_libc: Final = ctypes.CDLL(None)
_libc.sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin_writeback(fd: int, offset: int, size: int) -> None:
    """Have the kernel begin with these bytes. Whatever fails here shows in the sync, which alone promises anything."""
    _libc.sync_file_range(fd, offset, size, _WRITE)


class Writeback:
    """Begins to write a file that grows at its end to the disk, piece by piece, in a thread that waits for the disk."""

    def __init__(self, fd: int, begin: Callable[[int, int, int], None] = begin_writeback) -> None:
        self._fd = fd
        self._begin = begin
        self._begun = 0
        self._busy = False
        self._pieces: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def cut(self, offset: int) -> None:
        """Bytes from here on are going to be others."""
        self._begun = offset

    def written(self, end: int) -> None:
        """All up to ``end`` is in the file; while the disk has not taken the last piece, nothing more is begun."""
        size = end - self._begun
        if size < _PIECE or self._busy or not self._is_running():
            return
        self._busy = True
        self._pieces.put((self._begun, size))
        self._begun = end

    def finish(self) -> None:
        """Return when the descriptor is not used any more."""
        if self._thread is not None:
            self._pieces.put(None)
            self._thread.join()
            self._thread = None

    def _is_running(self) -> bool:
        """One thread for all pieces: to start one takes half a millisecond from whoever writes."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="writeback", daemon=True)
            with suppress(RuntimeError):  # no thread more: the sync will do it all
                thread.start()
                self._thread = thread
        return self._thread is not None

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._begin(self._fd, *piece)
            self._busy = False
