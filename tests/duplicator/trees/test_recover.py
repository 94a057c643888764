"""Where recovered files go, and what is told of them (draft 3.5.2.4, 4.2.2)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ndmp.backends import WantedPath
from ndmp.enums import Error, RecoveryStatus
from ndmp.errors import ReplyError
from tests.duplicator.trees.scene import NOBODY, OK, Recovery, Scene, unprivileged


@pytest.fixture
def stream(scene: Scene) -> bytes:
    users = scene.source / "users" / "tyler"
    users.mkdir(parents=True)
    (users / "log").write_bytes(b"log")
    (scene.source / "updatelog").write_bytes(b"update")
    return bytes(scene.backup().stream)


def tree_of(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("original", "destination", "name", "made"),
    [  # the draft's examples
        ("", "vol3", "", {"vol3/updatelog": b"update", "vol3/users/tyler/log": b"log"}),
        ("", ".", "vol3", {"vol3/updatelog": b"update", "vol3/users/tyler/log": b"log"}),
        ("/", "vol3/", "", {"vol3/updatelog": b"update", "vol3/users/tyler/log": b"log"}),
        ("/users/tyler", "vol1/users/tyler.from.vol3", "", {"vol1/users/tyler.from.vol3/log": b"log"}),
        ("/users/tyler", "vol1/users", "tyler.from.vol3", {"vol1/users/tyler.from.vol3/log": b"log"}),
        ("/users/tyler/", "vol1", "t", {"vol1/t/log": b"log"}),
        ("/updatelog", "recovered", "updatelog", {"recovered/updatelog": b"update"}),
        ("updatelog", "a/b/c/d", "", {"a/b/c/d": b"update"}),
    ],
)
def test_destinations(
    scene: Scene, stream: bytes, original: str, destination: str, name: str, made: dict[str, bytes]
) -> None:
    place = scene.place()
    channel = scene.recover(stream, [WantedPath(original, f"{place}/{destination}", name=name)])
    assert tree_of(place) == made
    assert channel.outcomes == [(original, OK)]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (WantedPath("/x", ""), Error.ILLEGAL_ARGS),
        (WantedPath("/x", "relative"), Error.ILLEGAL_ARGS),
        (WantedPath("/x", "/elsewhere/x"), Error.NOT_AUTHORIZED),
        (WantedPath("/x", "TREE/../x"), Error.ILLEGAL_ARGS),
        (WantedPath("/x", "TREE", name=".."), Error.ILLEGAL_ARGS),
        (WantedPath("/x", "TREE", name="a/b"), Error.ILLEGAL_ARGS),
        (WantedPath("/x", "TREEhouse"), Error.NOT_AUTHORIZED),
        (WantedPath("/../x", "TREE/x"), Error.ILLEGAL_ARGS),
        (WantedPath("/x\0", "TREE/x"), Error.ILLEGAL_ARGS),
    ],
)
def test_places_that_are_refused(scene: Scene, wanted: WantedPath, error: Error) -> None:
    destination = wanted.destination_path.replace("TREE", str(scene.tree))
    with pytest.raises(ReplyError) as refusal:
        scene.backend.recover("tar", {}, [WantedPath(wanted.original_path, destination, wanted.name)])
    assert refusal.value.error == error


def test_reading_ends_when_all_single_files_are_there(scene: Scene) -> None:
    (scene.source / "a").write_bytes(b"a")
    (scene.source / "b").write_bytes(b"b" * 1_000_000)
    stream = scene.backup().stream
    taken = 0

    class Counting(Recovery):
        def read(self, count: int) -> bytes:
            nonlocal taken
            read = super().read(count)
            taken += len(read)
            return read

    channel = Counting(stream=bytes(stream))
    scene.backend.recover("tar", {}, [WantedPath("/a", f"{scene.tree}/out")])(channel)
    assert channel.outcomes == [("/a", OK)]
    assert taken < 10_000


def test_one_path_to_two_places(scene: Scene, stream: bytes) -> None:
    places = [WantedPath("/updatelog", f"{scene.tree}/{name}") for name in ("one", "two")]
    channel = scene.recover(stream, [*places, WantedPath("", f"{scene.tree}/all")])
    assert [(scene.tree / name).read_bytes() for name in ("one", "two", "all/updatelog")] == [b"update"] * 3
    assert [status for _, status in channel.outcomes] == [OK] * 3


def test_only_the_directory_itself(scene: Scene, stream: bytes) -> None:
    scene.recover(stream, [WantedPath("/users", f"{scene.tree}/u")], RECURSIVE="n")
    assert list((scene.tree / "u").iterdir()) == []


def test_an_existing_file_is_replaced_and_not_written_into(scene: Scene, stream: bytes) -> None:
    target = scene.tree / "target"
    target.write_bytes(b"old and longer than the new one")
    os.link(target, scene.tree / "other name")
    scene.recover(stream, [WantedPath("/updatelog", str(target))])
    assert target.read_bytes() == b"update"
    assert (scene.tree / "other name").read_bytes() == b"old and longer than the new one"
    assert sorted(os.listdir(scene.tree)) == ["other name", "source", "target"], "no drafts are left"


def test_what_stands_in_the_way(scene: Scene, stream: bytes) -> None:
    (scene.tree / "folder").mkdir()
    (scene.tree / "file").write_bytes(b"")
    (scene.tree / "link").symlink_to(scene.folder)
    cases = [
        ("/updatelog", "folder", RecoveryStatus.FILE_PATH_EXISTS),
        ("/updatelog", "", RecoveryStatus.FILE_PATH_EXISTS),
        ("/users", "file", RecoveryStatus.FILE_PATH_EXISTS),
        ("/updatelog", "file/below", RecoveryStatus.NO_DIRECTORY),
        ("/users/tyler", "link", RecoveryStatus.FILE_PATH_EXISTS),
        ("/users/tyler", "link/tyler", RecoveryStatus.NO_DIRECTORY),
        ("/nowhere", "x", RecoveryStatus.NOT_FOUND),
        ("/users/tyler/log", "good", OK),
    ]
    for original, name, status in cases:
        channel = scene.recover(stream, [WantedPath(original, f"{scene.tree}/{name}")])
        assert channel.outcomes == [(original, status)], (original, name, channel.logged)
    assert not (scene.folder / "tyler").exists()
    assert not (scene.folder / "log").exists()


def test_one_failure_below_a_directory_is_the_directory_s(scene: Scene, stream: bytes) -> None:
    place = scene.place()
    (place / "users" / "tyler" / "log" / "in the way").mkdir(parents=True)
    channel = scene.recover(stream, scene.all_to(place))
    assert channel.outcomes == [("", RecoveryStatus.FILE_PATH_EXISTS)]
    assert (place / "updatelog").read_bytes() == b"update"
    assert "/users/tyler/log: " in channel.text()


def test_a_second_name_alone_in_stream_order(scene: Scene) -> None:
    (scene.source / "a").write_bytes(b"a")
    os.link(scene.source / "a", scene.source / "b")
    stream = scene.backup().stream
    channel = scene.recover(stream, [WantedPath("/b", f"{scene.tree}/b")])
    assert channel.outcomes == [("/b", RecoveryStatus.NOT_FOUND)]
    assert "its bytes belong to /a" in channel.text()
    channel = scene.recover(stream, [WantedPath("/b", f"{scene.tree}/b"), WantedPath("/a", f"{scene.tree}/c")])
    assert channel.outcomes == [("/b", OK), ("/a", OK)]
    assert (scene.tree / "b").samefile(scene.tree / "c")


def test_twice_over_itself(scene: Scene) -> None:
    """Links that are already there, among others, leave no drafts behind."""
    (scene.source / "a").write_bytes(b"a")
    os.link(scene.source / "a", scene.source / "b")
    (scene.source / "c").symlink_to("a")
    os.mkfifo(scene.source / "d")
    stream, place = scene.backup().stream, scene.place()
    for _ in range(2):
        scene.recover(stream, scene.all_to(place))
    assert sorted(os.listdir(place)) == ["a", "b", "c", "d"]


def test_without_root_s_rights(open_scene: Scene) -> None:
    scene = open_scene
    (scene.source / "closed").mkdir()
    (scene.source / "closed" / "file").write_bytes(b"x")
    (scene.source / "closed").chmod(0o555)
    (scene.source / "runs").write_bytes(b"#!")
    (scene.source / "runs").chmod(0o6755)
    stream, place = scene.backup().stream, scene.place()
    locked = scene.place("locked")
    locked.chmod(0o555)
    with unprivileged(place):
        for _ in range(2):
            assert scene.recover(stream, scene.all_to(place)).outcomes == [("", OK)]
        (refused,) = scene.recover(stream, [WantedPath("/runs", f"{locked}/runs")]).outcomes
    assert refused == ("/runs", RecoveryStatus.PERMISSION)
    assert stat.S_IMODE((place / "closed").stat().st_mode) == 0o555
    assert stat.S_IMODE((place / "runs").stat().st_mode) == 0o755, "it would run as somebody else"
    assert (place / "runs").stat().st_uid == (os.geteuid() or NOBODY)
    (place / "closed").chmod(0o755)
    (scene.source / "closed").chmod(0o755)


def test_a_stream_that_breaks_off(scene: Scene, stream: bytes) -> None:
    """At any block; single files that came before are there, what came after is told of."""
    end = stream.rindex(b"log") // 512 * 512 + 512
    for cut in range(0, end + 512, 512):
        channel = Recovery(stream=stream[:cut])
        wanted = [WantedPath("/updatelog", f"{scene.tree}/out"), WantedPath("/users", f"{scene.tree}/users")]
        with pytest.raises(Exception, match=r"archive|stream ends"):
            scene.backend.recover("tar", {}, wanted)(channel)
        first, second = (status for _, status in channel.outcomes)
        assert second == RecoveryStatus.IO_ERROR
        assert first == (OK if (scene.tree / "out").exists() else RecoveryStatus.IO_ERROR)
        (scene.tree / "out").unlink(missing_ok=True)
