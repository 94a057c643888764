"""An index that is kept from the last time says the same as one that is read, and counts only for the same bytes."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from scsi.errors import CorruptImage
from scsi.virtual.journal import HEADER_BYTES, replay
from scsi.virtual.layout import RunList
from scsi.virtual.replays import REPLAYS, Replays
from tests.scsi.drive_contract import A, B, C, write
from tests.scsi.shelf import blank, loaded, objects_on


def kept(path: Path) -> tuple[RunList, int]:
    """What this process has of the cartridge, put back."""
    index = os.open(index_of(path), os.O_RDONLY)
    try:
        runs, entries = REPLAYS.take(path, index)
        REPLAYS.keep(path, index, runs, entries)
        return runs, entries
    finally:
        os.close(index)


def index_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.index")


def read(path: Path) -> tuple[RunList, int]:
    """What the file says."""
    with index_of(path).open("rb") as index:
        return replay(index.fileno())


def test_the_same_whatever_was_done(tmp_path: Path) -> None:
    chance = random.Random(7)
    path = blank(tmp_path)
    for _ in range(60):
        with loaded(path) as drive:
            drive.locate(chance.randrange(drive.position().block_number + 1) if chance.random() < 0.3 else 0)
            if chance.random() < 0.7:
                drive.space_end_of_data()
            for _ in range(chance.randrange(4)):
                write(drive, *chance.choices([A, B, b"s" * 100, 1, 2], k=chance.randrange(1, 5)))
                if chance.random() < 0.3:
                    drive.locate(chance.randrange(drive.position().block_number + 1))
        (runs, entries), (said, said_by) = kept(path), read(path)
        assert (list(runs), runs.end, runs.end_byte, runs.marks) == (list(said), said.end, said.end_byte, said.marks)
        assert entries == said_by


def test_an_index_that_is_as_it_was_left_is_not_read_entry_by_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, 1, B, 2)

    def read_again(index_fd: int) -> tuple[RunList, int]:
        pytest.fail("the index is read again")

    monkeypatch.setattr("scsi.virtual.replays.replay", read_again)
    assert objects_on(path) == [A, None, B, None, None]
    with loaded(path) as drive:
        drive.space_end_of_data()
        write(drive, C, 1)
    assert objects_on(path) == [A, None, B, None, None, C, None]


def test_another_index_in_its_place_is_read(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path, other = blank(tmp_path), blank(tmp_path / "other")
    with loaded(path) as drive:
        write(drive, A, B, 1)
    with loaded(other) as drive:
        write(drive, C, B, A, 1)
    for suffix in ("index", "data", "check"):
        shutil.copy(other.with_name(f"{other.name}.{suffix}"), path.with_name(f"{path.name}.{suffix}"))
    assert objects_on(path) == [C, B, A, None]


def test_a_damaged_index_is_found(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, 1)
        write(drive, B, 1)
    raw = bytearray(index_of(path).read_bytes())
    raw[HEADER_BYTES + 5] ^= 1
    index_of(path).write_bytes(raw)
    with pytest.raises(CorruptImage, match="entry 0"), loaded(path):
        pass


def test_block_bytes_that_are_gone_are_not_on_the_tape(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, A, B, 1)
    os.truncate(path.with_name(f"{path.name}.data"), len(A))
    assert objects_on(path) == [A]
    assert objects_on(path) == [A]


def test_the_oldest_goes_when_there_is_no_room(tmp_path: Path) -> None:
    replays = Replays(most_entries=2 * len((A, 1)))
    left = dict[Path, RunList]()
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        path = blank(tmp_path / name)
        with loaded(path) as drive:
            write(drive, A, 1)
        with index_of(path).open("rb") as index:
            runs, entries = replay(index.fileno())
            replays.keep(path, index.fileno(), runs, entries)
        left[path] = runs
    for path, is_there in zip(left, (False, True, True), strict=True):
        with index_of(path).open("rb") as index:
            runs, _ = replays.take(path, index.fileno())
        assert (runs is left[path]) == is_there
        assert list(runs) == list(left[path])
