"""Levels of butype dump: what each takes, and that all of them together rebuild the tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from duplicator.trees import TreeBackend
from ndmp.backends import HistoryFile, OperationEnded, WantedPath
from ndmp.contracts import MemoryBackup
from ndmp.enums import Error
from ndmp.errors import ReplyError
from tests.duplicator.trees.scene import NOW_NS, OK, Meddling, Scene, gnu_tar, picture, warnings

HOUR = 3600 * 10**9


def touch(path: Path, body: bytes, time_ns: int) -> None:
    """A file as if written at ``time_ns``; its ctime is that of the test, years before the scene's clock."""
    path.write_bytes(body)
    os.utime(path, ns=(time_ns, time_ns))


def names(channel: MemoryBackup) -> str:
    """What the archive carries, without the directories."""
    listed = gnu_tar("-tf", "-", into=channel.stream).decode().split()
    return " ".join(name.removeprefix("./") for name in listed if not name.endswith("/"))


def test_each_level_takes_what_is_newer_than_the_last_lower_one(scene: Scene) -> None:
    steps = (  # level, new file, what is taken
        (0, "a", "a"),
        (1, "b", "b"),
        (2, "c", "c"),
        (1, "d", "b c d"),
        (9, "e", "e"),
        (5, "f", "e f"),
        (9, "g", "g"),
        (0, "h", "a b c d e f g h"),
        (3, "i", "i"),
    )
    for step, (level, new, taken) in enumerate(steps):
        touch(scene.source / new, b"x", NOW_NS + step * HOUR)
        scene.now_ns = NOW_NS + step * HOUR + HOUR // 2
        channel = scene.backup("dump", LEVEL=str(level))
        assert names(channel) == taken, (step, level)
        assert channel.variables["LEVEL"] == str(level)
        assert channel.variables["DUMP_DATE"] == str(scene.now_ns // 10**9)


def test_a_change_in_the_second_of_the_backup_is_not_lost(scene: Scene) -> None:
    """A file system stamps by its clock's last tick, so a file written after the scan may look a little older."""
    touch(scene.source / "old", b"x", NOW_NS - HOUR)
    scene.backup("dump")
    for lag_ns, taken in ((0, "file"), (10_000_000, "file"), (999_999_999, "file"), (60 * 10**9, "")):
        touch(scene.source / "file", b"x", NOW_NS - lag_ns)
        assert names(scene.backup("dump", LEVEL="1", UPDATE="n")) == taken, lag_ns


def test_only_backups_with_update_that_ended_well_count(scene: Scene) -> None:
    class Ending(MemoryBackup):
        def write(self, chunk: bytes | bytearray | memoryview) -> int:
            raise OperationEnded("the tape is full")

    touch(scene.source / "a", b"x", NOW_NS - HOUR)
    scene.backup("dump", UPDATE="n")
    with pytest.raises(OperationEnded):
        scene.backup("dump", channel=Ending())
    channel = scene.backup("dump", LEVEL="1", UPDATE="n")
    assert names(channel) == "a"
    assert warnings(channel) == ["no backup below level 1 is recorded: all files are taken"]


def test_records_are_kept_for_each_file_system_and_over_restarts(scene: Scene) -> None:
    (scene.source / "sub").mkdir()
    touch(scene.source / "sub" / "a", b"x", NOW_NS - HOUR)
    scene.backup("dump", FILESYSTEM=f"{scene.source}//./")
    again = TreeBackend([scene.tree], scene.folder / "dates", clock=lambda: scene.now_ns)
    for filesystem, taken in ((scene.source, ""), (scene.source / "sub", "a")):
        channel = MemoryBackup()
        again.backup("dump", {"FILESYSTEM": str(filesystem), "LEVEL": "1"})(channel)
        assert names(channel) == taken


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"date_ns": "x", "directories": {}, "missed": []}', b"\xff"])
def test_damaged_records_make_a_full_backup(scene: Scene, damage: bytes) -> None:
    touch(scene.source / "a", b"x", NOW_NS - HOUR)
    scene.backup("dump")
    (record,) = (scene.folder / "dates").iterdir()
    record.write_bytes(damage)
    channel = scene.backup("dump", LEVEL="1")
    assert names(channel) == "a"
    assert "dump dates cannot be read" in warnings(channel)[0]


def test_without_a_place_for_dates_there_is_level_0_alone(scene: Scene) -> None:
    backend = TreeBackend([scene.tree], None)
    backend.backup("dump", {"FILESYSTEM": str(scene.source), "LEVEL": "0"})(MemoryBackup())
    with pytest.raises(ReplyError) as refusal:
        backend.backup("dump", {"FILESYSTEM": str(scene.source), "LEVEL": "1"})
    assert refusal.value.error == Error.ILLEGAL_ARGS


def test_a_base_date_stands_for_a_level(scene: Scene) -> None:
    touch(scene.source / "old", b"x", NOW_NS - HOUR)
    first = scene.backup("dump", BASE_DATE="0", UPDATE="n")
    touch(scene.source / "new", b"x", NOW_NS + HOUR)
    assert names(scene.backup("dump", BASE_DATE=first.variables["DUMP_DATE"], UPDATE="n")) == "new"
    assert names(scene.backup("dump", BASE_DATE="-1", UPDATE="n")) == "new old"


def change_everything(source: Path) -> None:
    """Between two levels: each kind of change, with old times where they would hide it."""
    later = NOW_NS + HOUR
    (source / "removed").unlink()
    shutil.rmtree(source / "removed folder")
    touch(source / "changed", b"after", later)
    touch(source / "sub" / "added", b"added", later)
    (source / "becomes a folder").unlink()
    (source / "becomes a folder").mkdir()
    touch(source / "becomes a folder" / "f", b"f", later)
    shutil.rmtree(source / "becomes a file")
    touch(source / "becomes a file", b"file", later)
    # What is below it keeps its times, and so would be taken for old.
    (source / "moved").rename(source / "sub" / "moved here")


def before_everything(source: Path) -> None:
    for folder in ("sub", "removed folder", "becomes a file", "moved/deep"):
        (source / folder).mkdir(parents=True)
        touch(source / folder / "inside", folder.encode(), NOW_NS - HOUR)
    for name in ("removed", "changed", "becomes a folder", "stays"):
        touch(source / name, name.encode(), NOW_NS - HOUR)


@pytest.fixture
def levels(scene: Scene) -> list[bytes]:
    """Streams of level 0 and, after the changes, level 1."""
    before_everything(scene.source)
    full = scene.backup("dump")
    change_everything(scene.source)
    partial = scene.backup("dump", LEVEL="1")
    assert "stays" not in names(partial)
    return [bytes(full.stream), bytes(partial.stream)]


def test_a_rebuild_has_all_changes(scene: Scene, levels: list[bytes]) -> None:
    place = scene.place()
    for stream in levels:
        channel = scene.recover(stream, scene.all_to(place), "dump", EXTRACT="n")
        assert channel.outcomes == [("", OK)], channel.logged
    assert picture(place) == picture(scene.source)


def test_gnu_tar_rebuilds_the_same(scene: Scene, levels: list[bytes]) -> None:
    place = scene.place()
    for number, stream in enumerate(levels):
        gnu_tar("-C", place, "--listed-incremental=/dev/null", "-xpf", scene.outside(stream, str(number)))
    assert picture(place) == picture(scene.source)


def test_an_extraction_removes_nothing(scene: Scene, levels: list[bytes]) -> None:
    place = scene.place()
    (place / "mine").write_bytes(b"mine")
    scene.recover(levels[1], scene.all_to(place), "dump")
    assert (place / "mine").read_bytes() == b"mine"
    assert (place / "changed").read_bytes() == b"after"


def test_a_rebuild_of_one_directory_touches_no_other(scene: Scene, levels: list[bytes]) -> None:
    place = scene.place()
    for folder in (place, place / "sub"):
        folder.mkdir(exist_ok=True)
        (folder / "gone").write_bytes(b"gone")
    scene.recover(levels[1], [WantedPath("/sub", str(place), name="sub")], "dump", EXTRACT="n")
    assert (place / "gone").exists()
    assert not (place / "sub" / "gone").exists()


def test_left_out_names_are_not_taken_for_removed(scene: Scene) -> None:
    touch(scene.source / "keep.o", b"o", NOW_NS - HOUR)
    stream = scene.backup("dump", EXCLUDE="*.o").stream
    place = scene.place()
    (place / "keep.o").write_bytes(b"there")
    scene.recover(stream, scene.all_to(place), "dump", EXTRACT="n")
    assert (place / "keep.o").read_bytes() == b"there"


def test_a_file_that_was_missed_is_taken_by_the_next_level(scene: Scene) -> None:
    """It was a fault of the backup's moment, and nothing about the file changes when it is over."""
    touch(scene.source / "file", b"x" * 300_000, NOW_NS - HOUR)

    channel = Meddling(meddle=lambda: touch(scene.source / "file", b"", NOW_NS - HOUR))
    assert "shrank" in warnings(scene.backup("dump", channel=channel))[0]
    assert names(scene.backup("dump", LEVEL="1")) == "file"
    assert names(scene.backup("dump", LEVEL="2")) == ""


def test_the_history_of_a_level(scene: Scene) -> None:
    before_everything(scene.source)
    scene.backup("dump")
    touch(scene.source / "sub" / "new", b"new", NOW_NS + HOUR)
    told = scene.backup("dump", LEVEL="1", HIST="f").history.told
    files = [each.path for each in told if isinstance(each, HistoryFile) and each.attributes.size == 3]
    assert files == ["/sub/new"]


def test_a_backup_that_never_left_this_host_does_not_count(scene: Scene) -> None:
    """Small ones wait in memory until the end: the connection may break, or the application abort, after the walk."""

    class Breaking(MemoryBackup):
        def flush(self) -> None:
            raise OperationEnded("the data connection broke")

    touch(scene.source / "a", b"x", NOW_NS - HOUR)
    with pytest.raises(OperationEnded):
        scene.backup("dump", channel=Breaking())
    assert not list((scene.folder / "dates").iterdir())


def test_a_backup_of_the_future_is_no_base(scene: Scene) -> None:
    """The clock was set back: by times, what changed since would look older than the backup."""
    scene.backup("dump")
    scene.now_ns = NOW_NS - HOUR
    touch(scene.source / "since", b"x", NOW_NS - HOUR)
    for variables in ({"LEVEL": "1"}, {"BASE_DATE": str(NOW_NS // 10**9)}):
        channel = scene.backup("dump", UPDATE="n", **variables)
        assert names(channel) == "since", variables
        assert "clock" in warnings(channel)[0]
