"""Open fragments: what a mover reads from and writes to."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from duplicator.digests import RunningDigest
from duplicator.units.refusals import refusing
from ndmp.backends import FileStatus, ReadEnd, RecordsRead, RecordsWritten
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["ReadingFragment", "WritingFragment"]


def _identity(opened: int) -> tuple[int, int, int]:
    status = os.fstat(opened)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _records(byte_count: int, record_bytes: int) -> int:
    return -(-byte_count // record_bytes)


class ReadingFragment:
    """A fragment as long as it was when it was opened; owns the descriptor. ``release`` hears of its close."""

    def __init__(self, opened: int, digest: RunningDigest, *, release: Callable[[], None] | None = None) -> None:
        self._digest = digest
        self._release: Final = release
        self._opened = opened
        self._identity = _identity(opened)
        self._size = self._identity[0]
        self._position = 0
        self._record_bytes = 0
        self._spaced_before = 0

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """Fill ``into`` with whole records; only the last of the fragment may be short.

        FILEMARK comes together with the last records, and again at every read after. IO if the file became shorter.
        """
        self._set_record_bytes(record_bytes)
        room = len(into) // record_bytes * record_bytes
        wanted = into[: min(room, self._size - self._position)]
        if wanted:
            self._fill(wanted)
            self._account(wanted)
        end = ReadEnd.FILEMARK if self._position == self._size else None
        return RecordsRead(_records(len(wanted), record_bytes), len(wanted), end)

    def _set_record_bytes(self, record_bytes: int) -> None:
        self._record_bytes = record_bytes
        if self._spaced_before:
            self._position = min(self._spaced_before * record_bytes, self._size)
            self._spaced_before = 0

    def _fill(self, wanted: memoryview) -> None:
        done = 0
        while done < len(wanted):
            with refusing("read"):
                count = os.preadv(self._opened, [wanted[done:]], self._position + done)
            if not count:
                raise ReplyError(Error.IO, f"the fragment became shorter than its {self._size} bytes")
            done += count

    def _account(self, piece: memoryview) -> None:
        if self._position != self._digest.so_far()[0]:
            self._digest.forget()
        self._digest.update(piece)
        self._position += len(piece)

    def space_records(self, count: int) -> int:
        """Move over records of the size last read with; returns how many were not passed.

        Before the first read the record size is unknown: the move is made then, and may end at the filemark.
        Reading anywhere but where the last read ended makes the digest empty from then on.
        """
        if not self._record_bytes:
            target = max(0, self._spaced_before + count)
            passed = abs(target - self._spaced_before)
            self._spaced_before = target
        elif count >= 0:
            passed = min(count, _records(self._size - self._position, self._record_bytes))
            self._position = min(self._position + passed * self._record_bytes, self._size)
        else:
            before = _records(self._position, self._record_bytes)
            passed = min(-count, before)
            self._position = (before - passed) * self._record_bytes
        return abs(count) - passed

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """Refused: PERMISSION."""
        raise ReplyError(Error.PERMISSION, "the fragment is open for reading")

    def status(self) -> FileStatus:
        """Size at open, progress and digest; ``changed`` compares size and times of the file with those at open."""
        with refusing("fragment"):
            changed = _identity(self._opened) != self._identity
        bytes_moved, digest = self._digest.so_far()
        return FileStatus(self._size, bytes_moved, digest, changed)

    def close(self, *, keep: bool) -> None:
        """Release the file; ``keep`` means nothing here."""
        opened, self._opened = self._opened, -1
        if opened >= 0:
            os.close(opened)
            if self._release is not None:
                self._release()


Release = Callable[[bool], None]
"""Told at close whether the fragment is kept."""


class WritingFragment:
    """A staged fragment of ``size`` announced bytes, None: of what comes; owns the descriptor ``opened``."""

    def __init__(self, opened: int, size: int | None, digest: RunningDigest, *, release: Release) -> None:
        self._digest = digest
        self._opened = opened
        self._size = size
        self._position = 0
        self._release: Final = release

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """Take records up to the announced size; what comes after must be zero, else IO and nothing is taken."""
        wanted = records if self._size is None else records[: self._size - self._position]
        padding = records[len(wanted) :]
        if padding.tobytes().count(0) != len(padding):
            raise ReplyError(Error.IO, f"more than the announced {self._size} bytes")
        self._put(wanted)
        if wanted:
            self._digest.update(wanted)
            self._position += len(wanted)
        return RecordsWritten(len(records) // record_bytes)

    def _put(self, wanted: memoryview) -> None:
        done = 0
        while done < len(wanted):
            with refusing("write"):
                done += os.pwrite(self._opened, wanted[done:], self._position + done)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """Refused: PERMISSION."""
        raise ReplyError(Error.PERMISSION, "the fragment is open for writing")

    def space_records(self, count: int) -> int:
        """Refused: PERMISSION."""
        raise ReplyError(Error.PERMISSION, "the fragment is open for writing")

    def status(self) -> FileStatus:
        """Announced size (or what has come), bytes stored and their digest."""
        bytes_moved, digest = self._digest.so_far()
        return FileStatus(bytes_moved if self._size is None else self._size, bytes_moved, digest, changed=False)

    def close(self, *, keep: bool) -> None:
        """Put it on stable storage if ``keep``, else remove it. Incomplete: ILLEGAL_STATE, and it is removed."""
        if self._opened < 0:
            return
        complete = self._size in (None, self._position)
        kept = False
        try:
            kept = keep and complete and self._sync()
        finally:
            opened, self._opened = self._opened, -1
            os.close(opened)
            self._release(kept)
        if keep and not complete:
            raise ReplyError(Error.ILLEGAL_STATE, f"only {self._position} of {self._size} bytes were written")

    def _sync(self) -> bool:
        with refusing("fragment"):
            os.fsync(self._opened)
        return True
