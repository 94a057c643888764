"""What a backup writes, as GNU tar reads it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ndmp.contracts import MemoryBackup
from ndmp.enums import ButypeAttribute
from tests.duplicator.trees.odd_files import fill
from tests.duplicator.trees.scene import Scene, gnu_tar, picture, tmpfs, warnings
from tests.peers.requirements import lacking


@pytest.fixture
def filled(scene: Scene) -> Scene:
    fill(scene.source)
    return scene


@pytest.mark.parametrize("butype", ["tar", "dump"])
def test_gnu_tar_extracts_the_same(filled: Scene, butype: str) -> None:
    archive = filled.outside(filled.backup(butype).stream)
    place = filled.place()
    gnu_tar("-C", place, "-xpf", archive, "--xattrs", "--numeric-owner", "--warning=no-unknown-keyword")
    assert picture(place) == picture(filled.source)
    for special in ("pipe", "null", "loop"):  # diff says of these that they differ, or waits
        (filled.source / special).unlink(missing_ok=True)
        (place / special).unlink(missing_ok=True)
    subprocess.run(["diff", "-r", "--no-dereference", filled.source, place], check=True, timeout=60)


def test_gnu_tar_lists_all_names_and_no_others(filled: Scene) -> None:
    stream = filled.backup().stream
    listed = gnu_tar("-tf", "-", "--quoting-style=literal", "--null", "--warning=no-unknown-keyword", into=stream)
    expected = gnu_tar("-C", filled.source, "-cf", "-", ".")
    names = gnu_tar("-tf", "-", "--quoting-style=literal", into=expected)
    assert sorted(listed.splitlines()) == sorted(names.splitlines())


def test_recovered_files_are_the_same(filled: Scene) -> None:
    place = filled.place()
    filled.recover(filled.backup().stream, filled.all_to(place))
    assert picture(place) == picture(filled.source)
    assert os.listdir(place / "closed") == ["inside"]


HOLES: Sequence[tuple[str, int, list[int]]] = (
    ("hole first", 5_000_000, [4_999_000]),
    ("hole last", 5_000_000, [0]),
    ("nothing but a hole", 7_777_777, []),
    ("holes between", 9_000_001, [0, 3_000_000, 6_000_000, 9_000_000]),
    ("sp\udcffrse " + "n" * 150, 2_000_000, [1_000_000]),
)


def make_sparse(root: Path) -> None:
    for name, size, offsets in HOLES:
        with (root / name).open("wb") as file:
            file.truncate(size)
            for offset in offsets:
                os.pwrite(file.fileno(), b"bytes", offset - offset % 4096)


def used_bytes(root: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in root.iterdir())


def test_holes_are_not_carried_and_come_back(scene: Scene) -> None:
    make_sparse(scene.source)
    if used_bytes(scene.source) > 1_000_000:
        lacking("this file system makes no holes")
    stream = scene.backup().stream
    assert len(stream) < 150_000, "eight extents of a few KiB, not 24 MB"
    ours, theirs = scene.place("ours"), scene.place("theirs")
    scene.recover(stream, scene.all_to(ours))
    gnu_tar("-C", theirs, "-xpf", scene.outside(stream), "--warning=no-unknown-keyword")
    for place in (ours, theirs):
        assert picture(place) == picture(scene.source)
        assert used_bytes(place) < 1_000_000


def test_a_socket_is_logged_and_the_rest_carried(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene.source / "file").write_bytes(b"f")
    monkeypatch.chdir(scene.source)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        channel = scene.backup()
    assert [text for text in warnings(channel) if "/sock" in text]
    assert gnu_tar("-tf", "-", into=channel.stream) == b"./\n./file\n"


def test_an_attribute_that_tar_cannot_name_is_logged(scene: Scene) -> None:
    """Who may write to one file must not be able to end the backup of all."""
    (scene.source / "file").write_bytes(b"x")
    os.setxattr(scene.source / "file", b"user.\xff", b"odd")
    os.setxattr(scene.source / "file", b"user.plain", b"\xff\n=")
    channel = scene.backup()
    assert warnings(channel) == ["/file: extended attribute 'user.\\udcff' is left out: its name is not UTF-8"]
    place = scene.place()
    scene.recover(channel.stream, scene.all_to(place))
    assert os.listxattr(place / "file") == ["user.plain"]
    assert os.getxattr(place / "file", "user.plain") == b"\xff\n="


def test_a_link_that_leads_out_is_carried_as_a_link(scene: Scene) -> None:
    (scene.folder / "outside").mkdir()
    (scene.folder / "outside" / "secret").write_bytes(b"secret")
    (scene.source / "link").symlink_to(scene.folder / "outside")
    stream = scene.backup().stream
    assert gnu_tar("-tf", "-", into=stream) == b"./\n./link\n"
    assert b"secret" not in stream


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting is root's")
def test_other_file_systems_are_left_alone_unless_asked_for(scene: Scene) -> None:
    mounted = scene.source / "mounted"
    mounted.mkdir()
    with tmpfs(mounted):
        (mounted / "inside").write_bytes(b"x")
        alone, crossing = scene.backup(HIST="f"), scene.backup(HIST="f", ONE_FILE_SYSTEM="n")
    assert gnu_tar("-tf", "-", into=alone.stream) == b"./\n./mounted/\n"
    assert gnu_tar("-tf", "-", into=crossing.stream) == b"./\n./mounted/\n./mounted/inside\n"
    nodes = [told.node for told in crossing.history.told]
    assert len(set(nodes)) == 3, "a node of another file system may have the same number"


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"EXCLUDE": "*.o,core"}, b"./\n./a.c\n./b.c\n./sub/\n./sub/c.c\n"),
        ({"EXCLUDE": "sub, *.c"}, b"./\n./a.o\n./core\n"),
        ({"FILES": "./*.c sub"}, b"./\n./a.c\n./b.c\n./sub/\n./sub/c.c\n./sub/c.o\n"),
        ({"FILES": "sub/*.o"}, b"./\n./sub/\n./sub/c.o\n"),
        ({"FILES": "*", "EXCLUDE": "*.[co]"}, b"./\n./core\n./sub/\n"),
        ({"FILES": "."}, b"./\n./a.c\n./a.o\n./b.c\n./core\n./sub/\n./sub/c.c\n./sub/c.o\n"),
    ],
)
def test_patterns(scene: Scene, variables: dict[str, str], names: bytes) -> None:
    (scene.source / "sub").mkdir()
    for name in ("a.c", "a.o", "b.c", "core", "sub/c.c", "sub/c.o"):
        (scene.source / name).write_bytes(b"")
    assert gnu_tar("-tf", "-", into=scene.backup("tar", None, **variables).stream) == names


def test_a_pattern_that_nothing_matches_is_told(scene: Scene) -> None:
    (scene.source / "a").write_bytes(b"")
    assert warnings(scene.backup(FILES="a b/*")) == ["FILES: nothing matches b/*"]


def test_access_times_stay(scene: Scene) -> None:
    file = scene.source / "file"
    file.write_bytes(b"x")
    for path in (file, scene.source):
        os.utime(path, ns=(10**18, 2 * 10**18))
    scene.backup()
    assert [path.stat().st_atime_ns for path in (file, scene.source)] == [10**18, 10**18]


def test_estimates_count_down_to_nothing(scene: Scene) -> None:
    for number in range(5):
        (scene.source / str(number)).write_bytes(b"x" * 50_000)
    told: list[int] = []

    class Estimating(MemoryBackup):
        def estimate(self, *, bytes_left: int | None, seconds_left: int | None = None) -> None:
            assert bytes_left is not None
            told.append(bytes_left)

    scene.backup(channel=Estimating())
    assert told == sorted(told, reverse=True)
    assert 250_000 <= told[0] <= 270_000
    assert told[-1] == 0


def test_what_is_on_offer(scene: Scene) -> None:
    by_name = {each.name: each for each in scene.backend.butypes}
    assert sorted(by_name) == ["dump", "tar"]
    assert dict(by_name["dump"].environment)["LEVEL"] == "0"
    assert ButypeAttribute.BACKUP_INCREMENTAL in by_name["dump"].attributes
    assert ButypeAttribute.BACKUP_INCREMENTAL not in by_name["tar"].attributes
    assert ButypeAttribute.BACKUP_FILELIST not in by_name["dump"].attributes
