"""A tape used again: its old bytes are overwritten where they lie, and never come back (docs/virtual-tape.md)."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from scsi.virtual.drive import VirtualDrive, open_cartridge
from scsi.virtual.writeback import Writeback, begin_writeback
from tests.scsi.drive_contract import SHORT, A, B, C, write
from tests.scsi.shelf import MIB, blank, objects_on
from tests.scsi.test_virtual_checks import CHECKS

_SECTOR: Final = 512
SUFFIXES: Final = ("data", "check", "index")


def files_of(path: Path) -> dict[str, Path]:
    return {suffix: path.with_name(f"{path.name}.{suffix}") for suffix in SUFFIXES}


@contextmanager
def synced(path: Path) -> Iterator[VirtualDrive]:
    """In a drive as users have it, which waits for the disk."""
    drive = open_cartridge(path)
    try:
        yield drive
    finally:
        drive.close()


def sizes(path: Path) -> tuple[int, int]:
    files = files_of(path)
    return files["data"].stat().st_size, files["check"].stat().st_size


def used(path: Path) -> Path:
    """A tape with five blocks of 512 bytes on it."""
    with synced(path) as drive:
        write(drive, A, B, C, A, B, 1)
    return path


def test_old_bytes_stay_until_the_tape_is_closed(tmp_path: Path) -> None:
    path = used(blank(tmp_path))
    with synced(path) as drive:
        write(drive, SHORT, 1)
        assert sizes(path) == (5 * 512, 5 * 8)
        assert files_of(path)["data"].read_bytes() == SHORT + (A + B + C + A + B)[100:]
        drive.rewind()
        write(drive, A, 1, SHORT, 1)
        assert sizes(path) == (5 * 512, 5 * 8)
    assert files_of(path)["data"].read_bytes() == A + SHORT
    assert files_of(path)["check"].read_bytes() == CHECKS
    assert objects_on(path) == [A, None, SHORT, None]


def test_erasing_drops_them_at_once(tmp_path: Path) -> None:
    table: Sequence[tuple[Callable[[VirtualDrive], None], tuple[int, int]]] = (
        (lambda drive: drive.rewind(), (0, 0)),
        (lambda drive: drive.locate(2), (1024, 16)),
        (lambda drive: write(drive, A), (512, 0)),  # its check is not in the file yet
        (lambda drive: write(drive, A, 1), (512, 8)),
    )
    for row, (prepare, left) in enumerate(table):
        directory = tmp_path / str(row)
        directory.mkdir()
        path = used(blank(directory))
        with synced(path) as drive:
            prepare(drive)
            drive.erase()
            assert sizes(path) == left, row
        assert len(objects_on(path)) == (0, 2, 1, 2)[row]


def test_what_a_kill_left_is_not_on_the_tape_and_goes(tmp_path: Path) -> None:
    path = used(blank(tmp_path))
    files = files_of(path)
    with synced(path) as drive:
        write(drive, SHORT, 1)
        left = {suffix: file.read_bytes() for suffix, file in files.items()}
    for suffix, content in left.items():
        files[suffix].write_bytes(content)
    assert objects_on(path) == [SHORT, None]
    with synced(path) as drive:
        drive.space_end_of_data()
        write(drive, A, 1)
    assert objects_on(path) == [SHORT, None, A, None]
    assert sizes(path) == (612, 16)


# -- power failures ----------------------------------------------------------------------------------------------------


@dataclass
class Disk:
    """What the system was told of some files, in order: a write, a new size, or a sync (None)."""

    names: dict[int, str]
    told: list[tuple[str, Callable[[bytearray], None] | None]] = field(default_factory=list)

    def name(self, fd: int) -> str | None:
        return self.names.get(os.fstat(fd).st_ino)

    def after(self, content: dict[str, bytes], moment: int, luck: Callable[[], bool]) -> dict[str, bytes]:
        """The files if the power fails at that moment: what was synced, and of the rest what had luck."""
        found = {name: bytearray(before) for name, before in content.items()}
        synced_at = {
            name: max((at for at in range(moment) if self.told[at] == (name, None)), default=-1) for name in content
        }
        for at, (name, change) in enumerate(self.told[:moment]):
            if change is not None and (at < synced_at[name] or luck()):
                change(found[name])
        return {name: bytes(after) for name, after in found.items()}


def _put(raw: bytes, at: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content.extend(bytes(max(0, at - len(content))))
        content[at : at + len(raw)] = raw

    return change


def _resize(size: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        del content[size:]
        content.extend(bytes(size - len(content)))

    return change


@contextmanager
def watched(path: Path) -> Iterator[Disk]:
    disk = Disk({file.stat().st_ino: suffix for suffix, file in files_of(path).items()})
    pwrite, ftruncate, fsync, fdatasync = os.pwrite, os.ftruncate, os.fsync, os.fdatasync

    def note(fd: int, change: Callable[[bytearray], None] | None) -> None:
        if name := disk.name(fd):
            disk.told.append((name, change))

    def write_some(fd: int, raw: memoryview, at: int) -> int:
        for piece in range(0, len(raw), _SECTOR):
            note(fd, _put(bytes(raw[piece : piece + _SECTOR]), at + piece))
        return pwrite(fd, raw, at)

    def resize(fd: int, size: int) -> None:
        note(fd, _resize(size))
        ftruncate(fd, size)

    def sync(fd: int) -> None:
        fsync(fd)
        note(fd, None)

    def sync_content(fd: int) -> None:
        fdatasync(fd)
        note(fd, None)

    with pytest.MonkeyPatch.context() as patch:
        for name, stand_in in (
            ("pwrite", write_some),
            ("ftruncate", resize),
            ("fsync", sync),
            ("fdatasync", sync_content),
        ):
            patch.setattr(os, name, stand_in)
        yield disk


def test_power_that_fails_at_any_moment_brings_no_old_block_back(tmp_path: Path) -> None:
    """The system may have brought any part of what was not synced to the disk, in any order."""
    chance, letters = random.Random(11), iter(range(1, 251))
    path = blank(tmp_path)

    def blocks(count: int) -> list[bytes]:
        return [bytes([next(letters)]) * 512 for _ in range(count)]

    tape: list[bytes | None] = [*blocks(6), None, *blocks(2), None]
    with synced(path) as drive:
        write(drive, *tape[:6], 1, *tape[7:9], 1)  # type: ignore[arg-type]  (no marks among them)
    for at, count in ((0, 3), (2, 4), (7, 2), (0, 1), (2, 6), (0, 8), (5, 1)):
        before = {suffix: file.read_bytes() for suffix, file in files_of(path).items()}
        new = blocks(count)
        after = [*tape[:at], *new, None]
        with watched(path) as disk, synced(path) as drive:
            drive.locate(at)
            write(drive, *new, 1)
        allowed = (tape, tape[:at], after)
        for moment in range(len(disk.told) + 1):
            for turn in range(12):
                odds = (0, 1)[turn] if turn < 2 else chance.random()
                left = disk.after(before, moment, lambda odds=odds: chance.random() < odds)
                directory = tmp_path / f"{at}-{count}-{moment}-{turn}"
                directory.mkdir()
                for suffix, content in left.items():
                    (directory / f"VT0001.{suffix}").write_bytes(content)
                assert objects_on(directory / "VT0001") in allowed, (at, count, moment, turn)
        assert disk.after(before, len(disk.told), lambda: False)["index"] == files_of(path)["index"].read_bytes()
        assert objects_on(path) == after
        tape = after


# -- on the way to the disk --------------------------------------------------------------------------------------------


def test_pieces_go_to_the_disk_one_after_the_other_while_more_is_written() -> None:
    begun, entered, free = list[tuple[int, int, int]](), Event(), Event()

    def begin(*piece: int) -> None:
        begun.append(piece)  # type: ignore[arg-type]  (three of them)
        entered.set()
        assert free.wait(10)

    pieces = Writeback(7, begin)
    pieces.cut(MIB)
    pieces.written(32 * MIB)
    assert not entered.is_set(), "too little to be worth a thread"
    pieces.written(33 * MIB)
    assert entered.wait(10)
    pieces.written(90 * MIB)
    free.set()
    pieces.finish()
    pieces.written(91 * MIB)
    pieces.finish()
    assert begun == [(7, MIB, 32 * MIB), (7, 33 * MIB, 58 * MIB)]
    pieces.cut(0)
    pieces.written(MIB)
    pieces.finish()
    assert len(begun) == 2


def test_the_kernel_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = list[tuple[str, int, int]]()

    def begin(fd: int, offset: int, size: int) -> None:
        begin_writeback(fd, offset, size)
        begun.append((os.readlink(f"/proc/self/fd/{fd}"), offset, size))

    monkeypatch.setattr(Writeback.__init__, "__defaults__", (begin,))
    path, block = blank(tmp_path, capacity=1 << 30), memoryview(bytes(MIB))
    for first, sync in ((0, True), (30, True), (0, False)):
        drive = open_cartridge(path, sync=sync)
        drive.locate(first)
        for _ in range(33):
            drive.write_blocks(block, MIB)
        drive.close()
    assert begun == [(str(files_of(path)["data"]), first * MIB, 32 * MIB) for first in (0, 30)]
