"""A cartridge on disk: DIR/BARCODE.data holds the bytes of all blocks, DIR/BARCODE.index says what they are.

DIR/BARCODE.check tells whether they still are what they were; cartridges of old have none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from scsi.errors import (
    AccessDenied,
    CartridgeExists,
    CorruptImage,
    DeviceBusy,
    DeviceUrlError,
    EndOfMedium,
    MediumError,
    NoMedium,
    NotAVirtualTape,
)
from scsi.virtual.checks import Checks
from scsi.virtual.durable import sync_directory
from scsi.virtual.journal import MAX_ENTRIES, Header, Journal, read_header, replay
from scsi.virtual.layout import Run
from scsi.virtual.memory import memory_file
from scsi.virtual.replays import REPLAYS
from scsi.virtual.writeback import Writeback

__all__ = [
    "Cartridge",
    "MapRun",
    "RunKind",
    "cartridge_files",
    "cartridge_header",
    "cartridge_map",
    "create_cartridge",
    "remove_cartridge",
]

_BARCODE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,31}")
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SPARE_ENTRIES: Final = 16
"""Room in a full index for the CUT and the filemarks that let a tape be ended and used again."""


class RunKind(Enum):
    """What a run of the map is made of."""

    BLOCKS = "blocks"
    FILEMARKS = "filemarks"


@dataclass(frozen=True, slots=True)
class MapRun:
    """A stretch of equal objects; ``file_number`` is that of the first one, ``block_bytes`` 0 for filemarks."""

    file_number: int
    kind: RunKind
    count: int
    block_bytes: int


def cartridge_files(path: Path) -> tuple[Path, Path]:
    """The names of the data and the index of cartridge DIR/BARCODE; DeviceUrlError for an impossible barcode."""
    if not _BARCODE.fullmatch(path.name):
        raise DeviceUrlError(
            f"barcode {path.name!r}: 1 to 32 letters, digits, '_', '.' and '-' are allowed, and no dot in front"
        )
    return path.with_name(f"{path.name}.data"), path.with_name(f"{path.name}.index")


def check_file(path: Path) -> Path:
    """The name of the checks of a cartridge."""
    return path.with_name(f"{path.name}.check")


def create_cartridge(
    path: Path, *, capacity_bytes: int, early_warning_bytes: int, write_protected: bool = False
) -> None:
    """Make a blank cartridge, whole or not at all; CartridgeExists if any of it is there. Readable by its owner."""
    block_file, index_file = cartridge_files(path)
    header = Header(capacity_bytes, early_warning_bytes, write_protected)
    with _as_device_errors(path):
        block_fd = os.open(block_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # An empty one was left by somebody killed between the two files.
            if os.fstat(block_fd).st_size:
                raise CartridgeExists(f"{block_file} is there and not empty")
            os.close(os.open(check_file(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            _publish(header.pack(), index_file)
        finally:
            os.close(block_fd)


def remove_cartridge(path: Path) -> None:
    """Delete a cartridge, the index first: without it there is no tape. None is no error."""
    block_file, index_file = cartridge_files(path)
    with _as_device_errors(path):
        for file in (index_file, memory_file(path), check_file(path), block_file):
            file.unlink(missing_ok=True)


def cartridge_header(path: Path) -> Header:
    """Capacity, early warning and write protection of a cartridge; needs no lock."""
    with _reading(path) as (_, index_fd):
        return read_header(index_fd)


def cartridge_map(path: Path) -> Sequence[MapRun]:
    """What is committed on a cartridge, run by run; needs no lock, so a writer may be ahead of it."""
    with _reading(path) as (block_fd, index_fd):
        read_header(index_fd)
        runs, _ = replay(index_fd)
        runs.cut_to_bytes(os.fstat(block_fd).st_size)
    found, file_number = list[MapRun](), 0
    for run in runs:
        kind = RunKind.BLOCKS if run.block_bytes else RunKind.FILEMARKS
        found.append(MapRun(file_number, kind, run.count, run.block_bytes))
        file_number += 0 if run.block_bytes else run.count
    return found


class Cartridge:
    """The files of one cartridge, held by an exclusive lock until :meth:`close`. Offsets follow from ``runs``."""

    def __init__(self, path: Path, *, sync: bool, read_only: bool) -> None:
        self._path = path
        self._sync = sync
        self._tail_ready = False
        self._has_remains = False
        """Bytes of what was overwritten may lie behind the end of data."""
        self._checks: Checks | None = None
        access = os.O_RDONLY if read_only else os.O_RDWR
        with _as_device_errors(path):
            self._block_fd, self._index_fd = _open_pair(path, access)
            self._writeback = Writeback(self._block_fd)
            try:
                _lock(self._index_fd, path)
                self._load(access)
            except BaseException:
                self._release()
                raise

    def _load(self, access: int) -> None:
        self.header = read_header(self._index_fd)
        if self.header.checked:
            self._checks = _open_checks(self._path, access)
        self.runs, entries = REPLAYS.take(self._path, self._index_fd)
        self._journal = Journal(self._index_fd, entries=entries, end=self.runs.end, sync=self._sync)
        self.runs.cut_to_bytes(os.fstat(self._block_fd).st_size)
        self._committed = len(self.runs)

    def read(self, into: memoryview, offset: int) -> None:
        """Fill ``into`` from ``offset`` of the block bytes; MediumError if they are not there."""
        with _as_device_errors(self._path):
            while into:
                count = os.preadv(self._block_fd, [into], offset)
                if count == 0:
                    raise MediumError(f"{self._path}: the block bytes end at {offset}, before the index says so")
                into, offset = into[count:], offset + count

    def damaged(self, number: int, blocks: memoryview, block_bytes: int) -> int | None:
        """Which of these blocks, of which the first is object ``number``, is not as it was written; counted from 0."""
        if self._checks is None:
            return None
        with _as_device_errors(self._path):
            return self._checks.damaged(self._block_ordinal(number), blocks, block_bytes)

    def begin_write(self, number: int) -> None:
        """Make object ``number`` the next one to be written; drops everything from there on, on the disk first.

        Its bytes stay, to be overwritten in place. Without syncs they go: the index could come to the disk alone, and
        old blocks with their old checks would be taken for those that it means.
        """
        if self._tail_ready and number == self.runs.end:
            return
        with _as_device_errors(self._path):
            if number < self._journal.end:
                self._journal.cut(number)
            self.runs.cut(number)
            self._committed = len(self.runs)
            if self._checks is not None:
                self._checks.cut(self._block_ordinal(self.runs.end))
        self._writeback.cut(self.runs.end_byte)
        self._tail_ready = self._has_remains = True
        if not self._sync:
            self.drop_remains()

    def drop_remains(self) -> None:
        """Give the room of what lies behind the end of data back to the file system, once writing has begun."""
        with _as_device_errors(self._path):
            self._drop_remains()

    def append_blocks(self, blocks: memoryview, block_bytes: int) -> int:
        """Write a run of blocks at the end, uncommitted; returns how many had room on the file system."""
        self._check_room_in_index()
        with _as_device_errors(self._path):
            count = _write_while_room(self._block_fd, blocks, self.runs.end_byte) // block_bytes
            if self._checks is not None:
                self._checks.note(blocks[: count * block_bytes], block_bytes)
        if count:
            self._append(Run(count, block_bytes))
        if self._sync:
            self._writeback.written(self.runs.end_byte)
        return count

    def append_filemarks(self, count: int) -> None:
        """Add filemarks at the end, uncommitted."""
        self._check_room_in_index(spare=0)
        self._append(Run(count, 0))

    def commit(self) -> None:
        """Bring everything written to the disk: blocks, then index. If that fails, ``runs`` falls back to the disk."""
        pending = self.runs.since(self._committed)
        if not pending:
            return
        try:
            with _as_device_errors(self._path):
                if self._sync:
                    os.fdatasync(self._block_fd)
                if self._checks is not None:
                    self._checks.commit(sync=self._sync)
                self._journal.append(pending)
        except BaseException:
            self.runs.cut(pending[0][0])
            self._tail_ready = False
            raise
        self._committed = len(self.runs)

    def close(self) -> None:
        """Commit, drop what was not overwritten, release the lock; it is released even if the commit fails."""
        try:
            self.commit()
            with suppress(OSError):  # nobody reads them, and whoever writes next drops them
                self._drop_remains()
            self._keep_replay()
        finally:
            self._release()

    def _drop_remains(self) -> None:
        if self._has_remains:
            os.ftruncate(self._block_fd, self.runs.end_byte)
            if self._checks is not None:
                self._checks.drop_remains()

    def _keep_replay(self) -> None:
        """For the next one that opens it here; not where the block bytes end before the index says so."""
        if self.runs.end == self._journal.end:
            with suppress(OSError):  # all is on the disk; whoever opens it next will see
                REPLAYS.keep(self._path, self._index_fd, self.runs, self._journal.entries)

    def _block_ordinal(self, number: int) -> int:
        return number - self.runs.marks_before(number)

    def _append(self, run: Run) -> None:
        self.runs.append(run, merge=len(self.runs) > self._committed)

    def _check_room_in_index(self, *, spare: int = _SPARE_ENTRIES) -> None:
        if self._journal.entries + len(self.runs) - self._committed + spare >= MAX_ENTRIES:
            raise EndOfMedium(f"{self._path}: the index is full with {MAX_ENTRIES} entries")

    def _release(self) -> None:
        self._writeback.finish()
        if self._checks is not None:
            self._checks.close()
        os.close(self._block_fd)
        os.close(self._index_fd)


@contextmanager
def _as_device_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors into ours; the only place that does."""
    try:
        yield
    except PermissionError as error:
        raise AccessDenied(f"{path}: {error.strerror}") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise EndOfMedium(f"{path}: {error.strerror}") from error
        raise MediumError(f"{path}: {error.strerror}") from error


@contextmanager
def _reading(path: Path) -> Iterator[tuple[int, int]]:
    with _as_device_errors(path):
        block_fd, index_fd = _open_pair(path, os.O_RDONLY)
        try:
            yield block_fd, index_fd
        finally:
            os.close(block_fd)
            os.close(index_fd)


def _open_pair(path: Path, access: int) -> tuple[int, int]:
    block_file, index_file = cartridge_files(path)
    try:
        index_fd = os.open(index_file, access | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NoMedium(f"there is no cartridge {path}") from error
    try:
        return os.open(block_file, access | os.O_CLOEXEC), index_fd
    except FileNotFoundError as error:
        os.close(index_fd)
        raise NotAVirtualTape(f"{index_file} is there, but not {block_file.name}") from error
    except BaseException:
        os.close(index_fd)
        raise


def _open_checks(path: Path, access: int) -> Checks:
    try:
        return Checks(os.open(check_file(path), access | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise CorruptImage(
            f"{check_file(path)} is missing: without it nobody can tell whether blocks are whole"
        ) from error


def _lock(index_fd: int, path: Path) -> None:
    try:
        fcntl.flock(index_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise DeviceBusy(f"cartridge {path} is in use") from error


def _write_while_room(fd: int, blocks: memoryview, offset: int) -> int:
    done = 0
    while done < len(blocks):
        try:
            done += os.pwrite(fd, blocks[done:] if done else blocks, offset + done)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            break
    return done


def _publish(content: bytes, target: Path) -> None:
    """Give ``target`` its whole content in one step, unless it exists."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".blank-") as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
        try:
            os.link(draft.name, target)
        except FileExistsError as error:
            raise CartridgeExists(f"{target} is there already") from error
    sync_directory(target.parent)
