"""The index of a virtual tape on disk: a header, then entries that are only ever appended (docs/virtual-tape.md).

Entries go out in batches. A batch counts when its last entry is there and every CRC in it is right: whoever is killed
half way through leaves a tail that is ignored, and removed by the next writer. Overwriting appends a CUT, so that what
comes before the position survives a kill at any moment even where the cut falls inside a run.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final
from zlib import crc32

from scsi.errors import CorruptImage, NotAVirtualTape
from scsi.tape import MAX_BLOCK_BYTES
from scsi.virtual.layout import Run, RunList

__all__ = ["HEADER_BYTES", "MAX_ENTRIES", "MAX_TAPE_BYTES", "Header", "Journal", "read_header", "replay"]

HEADER_BYTES: Final = 64
ENTRY_BYTES: Final = 32
MAX_ENTRIES: Final = 1 << 22
MAX_TAPE_BYTES: Final = 1 << 62
"""Keeps every offset within a signed 64-bit file offset."""
MAX_OBJECTS: Final = 1 << 62

MAGIC: Final = b"VTAPEIDX"
VERSION: Final = 1
_HEADER: Final = struct.Struct(">8sHHIQQ28x")
_ENTRY: Final = struct.Struct(">HHIQQ4x")
_CRC: Final = struct.Struct(">I")
_ENTRIES_A_READ: Final = 4096


class Kind(IntEnum):
    """What an entry says."""

    BLOCKS = 1
    FILEMARKS = 2
    CUT = 3


class Place(IntFlag):
    """Where in its batch an entry stands."""

    FIRST = 1
    LAST = 2


class HeaderFlag(IntFlag):
    """Flags of the whole cartridge."""

    WRITE_PROTECTED = 1
    CHECKED = 2


_KNOWN_FLAGS: Final = HeaderFlag.WRITE_PROTECTED | HeaderFlag.CHECKED


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in field order; ``first`` is the logical object that the run begins at, or that a CUT begins with."""

    kind: int
    place: int
    block_bytes: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Header:
    """What is fixed when a cartridge is made. Early warning begins at that many bytes before the capacity.

    ``checked``: there is a check of each block beside it.
    """

    capacity_bytes: int
    early_warning_bytes: int
    write_protected: bool = False
    checked: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.capacity_bytes <= MAX_TAPE_BYTES:
            raise ValueError(f"capacity of {self.capacity_bytes} bytes is not within 1..{MAX_TAPE_BYTES}")
        if not 0 <= self.early_warning_bytes <= self.capacity_bytes:
            raise ValueError(f"early warning at {self.early_warning_bytes} bytes is not within 0..capacity")

    def pack(self) -> bytes:
        """The 64 bytes on disk."""
        flags = HeaderFlag.WRITE_PROTECTED * self.write_protected | HeaderFlag.CHECKED * self.checked
        return _sealed(_HEADER.pack(MAGIC, VERSION, HEADER_BYTES, flags, self.capacity_bytes, self.early_warning_bytes))


def read_header(index_fd: int) -> Header:
    """Read and check the header; NotAVirtualTape says what is wrong with it."""
    raw = os.pread(index_fd, HEADER_BYTES, 0)
    if len(raw) < HEADER_BYTES or not raw.startswith(MAGIC):
        raise NotAVirtualTape(f"no index of a virtual tape: it does not begin with a header of {HEADER_BYTES} bytes")
    _, version, header_bytes, flags, capacity, early_warning = _HEADER.unpack_from(raw)
    if version != VERSION:
        raise NotAVirtualTape(f"index version {version} is not known here, only {VERSION}")
    if not _intact(raw) or header_bytes != HEADER_BYTES or flags & ~int(_KNOWN_FLAGS):
        raise NotAVirtualTape(f"the header of the index is damaged or uses unknown flags: {raw.hex()}")
    try:
        found = HeaderFlag(flags)
        return Header(capacity, early_warning, HeaderFlag.WRITE_PROTECTED in found, HeaderFlag.CHECKED in found)
    except ValueError as error:
        raise NotAVirtualTape(f"the header of the index makes no sense: {error}") from error


def replay(index_fd: int) -> tuple[RunList, int]:
    """What the index says is on the tape, and how many entries say it; a torn tail is passed over.

    CorruptImage if a bad entry has a whole batch after it (so it was on disk once) or if entries contradict each other.
    """
    runs, batch, kept = RunList(), list[Entry](), 0
    torn: int | None = None
    for number, entry in enumerate(_entries(index_fd)):
        if entry is None:
            torn = number if torn is None else torn
        elif torn is not None:
            if entry.place & Place.FIRST:
                raise CorruptImage(f"entry {torn} of the index is damaged, and good ones follow")
        else:
            if bool(entry.place & Place.FIRST) == bool(batch) or entry.place > Place.FIRST | Place.LAST:
                raise CorruptImage(f"entry {number} of the index is not where its batch should be")
            batch.append(entry)
            if entry.place & Place.LAST:
                for whole in batch:
                    _apply(runs, whole)
                batch, kept = [], number + 1
    return runs, kept


class Journal:
    """An index open for appending. Not one method is atomic in memory: after OSError, what was appended is not kept."""

    def __init__(self, index_fd: int, *, entries: int, end: int, sync: bool) -> None:
        self.entries = entries
        self.end = end
        self._fd = index_fd
        self._sync = sync
        self._tail_clean = False

    def append(self, runs: Sequence[tuple[int, Run]]) -> None:
        """Add runs as one batch and bring it to the disk."""
        self._append([_run_entry(first, run) for first, run in runs])
        self.end = runs[-1][0] + runs[-1][1].count

    def cut(self, number: int) -> None:
        """Say that every object from ``number`` on is gone, and bring that to the disk."""
        if number:
            self._append([Entry(Kind.CUT, 0, 0, number, 0)])
        else:
            self.entries = 0
            self._drop_tail()
        self.end = number

    def _append(self, entries: list[Entry]) -> None:
        if not self._tail_clean:
            self._drop_tail()
        self._tail_clean = False
        _write_all(self._fd, _batch(entries), HEADER_BYTES + ENTRY_BYTES * self.entries)
        if self._sync:
            os.fdatasync(self._fd)
        self.entries += len(entries)
        self._tail_clean = True

    def _drop_tail(self) -> None:
        os.ftruncate(self._fd, HEADER_BYTES + ENTRY_BYTES * self.entries)
        if self._sync:
            os.fsync(self._fd)
        self._tail_clean = True


def _entries(index_fd: int) -> Iterator[Entry | None]:
    size = os.fstat(index_fd).st_size - HEADER_BYTES
    if size > MAX_ENTRIES * ENTRY_BYTES:
        raise CorruptImage(f"the index has {size // ENTRY_BYTES} entries, more than {MAX_ENTRIES}")
    offset = HEADER_BYTES
    while piece := os.pread(index_fd, _ENTRIES_A_READ * ENTRY_BYTES, offset):
        for at in range(0, len(piece), ENTRY_BYTES):
            raw = piece[at : at + ENTRY_BYTES]
            yield Entry(*_ENTRY.unpack_from(raw)) if len(raw) == ENTRY_BYTES and _intact(raw) else None
        offset += len(piece)


def _apply(runs: RunList, entry: Entry) -> None:
    kind, first, run = entry.kind, entry.first, Run(entry.count, entry.block_bytes)
    if kind == Kind.CUT and first <= runs.end:
        runs.cut(first)
    elif kind in (Kind.BLOCKS, Kind.FILEMARKS) and first == runs.end and _sane(runs, run, blocks=kind == Kind.BLOCKS):
        runs.append(run)
    else:
        raise CorruptImage(f"an entry of the index does not fit object {runs.end}: {entry}")


def _sane(runs: RunList, run: Run, *, blocks: bool) -> bool:
    size_fits = 1 <= run.block_bytes <= MAX_BLOCK_BYTES if blocks else run.block_bytes == 0
    return (
        size_fits
        and run.count >= 1
        and runs.end + run.count <= MAX_OBJECTS
        and runs.end_byte + run.bytes <= MAX_TAPE_BYTES
    )


def _run_entry(first: int, run: Run) -> Entry:
    return Entry(Kind.BLOCKS if run.block_bytes else Kind.FILEMARKS, 0, run.block_bytes, first, run.count)


def _batch(entries: list[Entry]) -> bytes:
    packed = bytearray()
    for number, entry in enumerate(entries):
        place = (Place.FIRST if number == 0 else 0) | (Place.LAST if number == len(entries) - 1 else 0)
        packed += _sealed(_ENTRY.pack(entry.kind, place, entry.block_bytes, entry.first, entry.count))
    return bytes(packed)


def _sealed(raw: bytes) -> bytes:
    return raw + _CRC.pack(crc32(raw))


def _intact(raw: bytes) -> bool:
    return raw[-4:] == _CRC.pack(crc32(raw[:-4]))


def _write_all(fd: int, raw: bytes, offset: int) -> None:
    view = memoryview(raw)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written
