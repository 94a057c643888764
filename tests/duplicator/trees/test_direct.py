"""Recovery by positions reads what it needs, and nothing else."""

from __future__ import annotations

import os

import pytest

from ndmp.backends import HistoryFile, WantedPath
from ndmp.contracts import MemoryBackup
from ndmp.enums import RecoveryStatus
from tests.duplicator.trees.scene import OK, Recovery, Scene

HEADERS = 1536
"""A pax header, its records in one block, the header."""


@pytest.fixture
def backup(scene: Scene) -> MemoryBackup:
    (scene.source / "a").write_bytes(b"a" * 700)
    (scene.source / "b").write_bytes(b"b" * 100_000)
    (scene.source / "c").write_bytes(b"c" * 10)
    (scene.source / "dir" / "below").mkdir(parents=True)
    (scene.source / "dir" / "d").write_bytes(b"d" * 513)
    (scene.source / "dir" / "below" / "e").write_bytes(b"e")
    (scene.source / "dirt").write_bytes(b"not in dir")
    os.link(scene.source / "b", scene.source / "dir" / "link")
    (scene.source / "empty").mkdir()
    return scene.backup(HIST="f")


def told_of(backup: MemoryBackup, path: str) -> HistoryFile:
    (found,) = (told for told in backup.history.told if isinstance(told, HistoryFile) and told.path == path)
    return found


def ask(scene: Scene, backup: MemoryBackup, *paths: tuple[str, str], **environment: str) -> Recovery:
    wanted = []
    for path, destination in paths:
        told = told_of(backup, path)
        wanted.append(WantedPath(path, f"{scene.tree}/{destination}", node=told.node, position=told.position))
    return scene.recover(backup.stream, wanted, **({"DIRECT": "y"} | environment))


def read_bytes(channel: Recovery) -> list[tuple[int, int]]:
    """The stretches asked for, those that touch as one."""
    made: list[tuple[int, int]] = []
    for offset, length in channel.stretches:
        if made and sum(made[-1]) == offset:
            made[-1] = (made[-1][0], made[-1][1] + length)
        else:
            made.append((offset, length))
    return made


def test_one_file(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/a", "out"))
    assert (scene.tree / "out").read_bytes() == b"a" * 700
    assert read_bytes(channel) == [(told_of(backup, "/a").position, HEADERS + 700)]
    assert channel.outcomes == [("/a", OK)]


def test_several_in_the_order_of_the_tape(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/c", "c"), ("/dirt", "dirt"), ("/a", "a"))
    a, c, dirt = (told_of(backup, path).position for path in ("/a", "/c", "/dirt"))
    assert read_bytes(channel) == [(a, HEADERS + 700), (c, HEADERS + 10), (dirt, HEADERS + 10)]
    assert {path: (scene.tree / path).read_bytes() for path in ("a", "c", "dirt")} == {
        "a": b"a" * 700,
        "c": b"c" * 10,
        "dirt": b"not in dir",
    }
    assert channel.outcomes == [("/c", OK), ("/dirt", OK), ("/a", OK)]


def test_a_directory_is_read_to_its_end_and_one_header_more(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/dir/below", "below"))
    below, after = told_of(backup, "/dir/below"), told_of(backup, "/empty")
    assert below.position is not None
    assert after.position is not None
    assert {path.name for path in (scene.tree / "below").iterdir()} == {"e"}
    assert min(offset for offset, _ in channel.stretches) == below.position
    assert max(map(sum, channel.stretches)) == after.position + HEADERS


def test_a_directory_without_what_is_below(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/dir", "dir"), RECURSIVE="n")
    assert list((scene.tree / "dir").iterdir()) == []
    assert read_bytes(channel) == [(told_of(backup, "/dir").position, HEADERS)]


def test_a_second_name_alone_brings_the_bytes(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/dir/link", "alone"))
    assert (scene.tree / "alone").read_bytes() == b"b" * 100_000
    assert channel.outcomes == [("/dir/link", OK)]


def test_a_second_name_is_found_by_position_alone(scene: Scene, backup: MemoryBackup) -> None:
    """Some applications keep no nodes; a position of a file with one name only is still held against that name."""
    for path, outcome in (("/dir/link", OK), ("/b", OK), ("/a", RecoveryStatus.NOT_FOUND)):
        wanted = WantedPath(
            path, f"{scene.tree}/alone", position=told_of(backup, path if outcome is OK else "/c").position
        )
        channel = scene.recover(backup.stream, [wanted], DIRECT="y")
        assert channel.outcomes == [(path, outcome)]
        if outcome is OK:
            assert (scene.tree / "alone").read_bytes() == b"b" * 100_000


def test_both_names_are_one_file_again(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/dir/link", "two"), ("/b", "one"))
    assert (scene.tree / "two").samefile(scene.tree / "one")
    assert channel.outcomes == [("/dir/link", OK), ("/b", OK)]
    assert read_bytes(channel) == [(told_of(backup, "/b").position, HEADERS + 100_000)], "once for both"


def test_a_link_in_a_directory_whose_first_name_is_elsewhere(scene: Scene, backup: MemoryBackup) -> None:
    channel = ask(scene, backup, ("/dir", "dir"))
    assert channel.outcomes == [("/dir", RecoveryStatus.NOT_FOUND)]
    assert "its bytes belong to /b" in channel.text()
    assert sorted(os.listdir(scene.tree / "dir")) == ["below", "d"]
    both = ask(scene, backup, ("/dir", "dir2"), ("/b", "b"))
    assert both.outcomes == [("/dir", OK), ("/b", OK)]
    assert (scene.tree / "dir2" / "link").samefile(scene.tree / "b")


def test_a_wrong_position_is_not_believed(scene: Scene, backup: MemoryBackup) -> None:
    wrong = told_of(backup, "/a")
    wanted = [
        WantedPath("/c", f"{scene.tree}/c", node=told_of(backup, "/c").node, position=wrong.position),
        WantedPath("/dirt", f"{scene.tree}/dirt", position=told_of(backup, "/dirt").position),
    ]
    channel = scene.recover(backup.stream, wanted, DIRECT="y")
    assert channel.outcomes == [("/c", RecoveryStatus.NOT_FOUND), ("/dirt", OK)]
    assert not (scene.tree / "c").exists()


def test_without_all_positions_the_stream_is_read_in_order(scene: Scene, backup: MemoryBackup) -> None:
    wanted = [
        WantedPath("/a", f"{scene.tree}/a", position=told_of(backup, "/a").position),
        WantedPath("/c", f"{scene.tree}/c"),
    ]
    channel = scene.recover(backup.stream, wanted, DIRECT="y")
    assert channel.stretches == [(0, (1 << 64) - 1)]
    assert channel.outcomes == [("/a", OK), ("/c", OK)]


def test_a_sparse_file(scene: Scene) -> None:
    with (scene.source / "sparse").open("wb") as file:
        file.truncate(10_000_000)
        os.pwrite(file.fileno(), b"bytes", 4096 * 1000)
    channel = scene.backup(HIST="f")
    recovery = ask(scene, channel, ("/sparse", "out"))
    assert (scene.tree / "out").read_bytes() == (scene.source / "sparse").read_bytes()
    assert sum(length for _, length in recovery.stretches) < 20_000


def test_a_position_within_a_file_fails_alone(scene: Scene, backup: MemoryBackup) -> None:
    inside, good = told_of(backup, "/b"), told_of(backup, "/dirt")
    assert inside.position is not None
    wanted = [
        WantedPath("/b", f"{scene.tree}/b", position=inside.position + 4096),
        WantedPath("/b", f"{scene.tree}/b", position=len(backup.stream) + 512),
        WantedPath("/dirt", f"{scene.tree}/dirt", position=good.position),
    ]
    channel = scene.recover(backup.stream, wanted, DIRECT="y")
    assert [status for _, status in channel.outcomes] == [RecoveryStatus.IO_ERROR, RecoveryStatus.IO_ERROR, OK]
    assert sorted(os.listdir(scene.tree)) == ["dirt", "source"]


def test_a_second_name_of_a_symbolic_link_or_pipe(scene: Scene) -> None:
    (scene.source / "link").symlink_to("there")
    os.mkfifo(scene.source / "pipe")
    for name in ("link", "pipe"):
        os.link(scene.source / name, scene.source / f"z{name}", follow_symlinks=False)
    backup = scene.backup(HIST="f")
    channel = ask(scene, backup, ("/zlink", "l"), ("/zpipe", "p"))
    assert [status for _, status in channel.outcomes] == [OK, OK], channel.logged
    assert os.readlink(scene.tree / "l") == "there"
    assert (scene.tree / "p").is_fifo()
