"""Files that cannot be read, or change while they are: logged, and the archive stays whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ndmp.backends import WantedPath
from ndmp.contracts import MemoryBackup, MemoryHistory
from ndmp.contracts.history import directories_of
from tests.duplicator.trees.scene import OK, Meddling, Scene, gnu_tar, unprivileged, warnings

SIZE = 1_000_000


def shrink(file: Path) -> None:
    os.truncate(file, 500_000)


def grow(file: Path) -> None:
    with file.open("ab") as end:
        end.write(b"more" * 100_000)


def rewrite(file: Path) -> None:
    with file.open("r+b") as middle:
        middle.write(b"new")
    os.utime(file, ns=(1, 1))


@pytest.mark.parametrize(
    ("change", "words", "kept"),
    [(shrink, "shrank to 500000 bytes", 500_000), (grow, "grew while", SIZE), (rewrite, "changed while", SIZE)],
)
def test_a_file_changes_while_it_is_read(scene: Scene, change: Callable[[Path], None], words: str, kept: int) -> None:
    file = scene.source / "file"
    file.write_bytes(b"x" * SIZE)
    (scene.source / "next").write_bytes(b"next")
    channel = scene.backup(channel=Meddling(meddle=lambda: change(file)))
    assert [text for text in warnings(channel) if text.startswith("/file: ") and words in text]
    archive = scene.outside(channel.stream)
    carried = gnu_tar("-xOf", archive, "./file")
    assert len(carried) == SIZE
    assert carried[3:kept] == b"x" * (kept - 3)
    assert carried[kept:] == bytes(SIZE - kept)
    assert gnu_tar("-xOf", archive, "./next") == b"next"


def test_a_hole_that_is_filled_meanwhile_does_no_harm(scene: Scene) -> None:
    file = scene.source / "file"
    with file.open("wb") as sparse:
        sparse.write(b"x" * 400_000)
        sparse.truncate(SIZE)
    channel = scene.backup(channel=Meddling(meddle=lambda: file.write_bytes(b"y" * 100)))
    assert len(gnu_tar("-xOf", scene.outside(channel.stream), "./file")) == SIZE


@dataclass
class Attentive(MemoryHistory):
    """Calls ``act`` as soon as the name is told, which is before the file is read."""

    name: str = ""
    act: Callable[[], object] = lambda: None

    def add_entry(self, name: str, *, node: int, parent: int) -> None:
        super().add_entry(name, node=node, parent=parent)
        if name == self.name:
            self.act()


@dataclass
class AttentiveBackup(MemoryBackup):
    history: MemoryHistory = field(default_factory=Attentive)


def swap_for(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def act(file: Path) -> None:
        file.unlink()
        make(file)

    return act


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Path.unlink, "vanished"),
        (swap_for(lambda file: file.symlink_to("/etc/passwd")), "symbolic links"),
        (swap_for(os.mkfifo), "another kind"),
        (swap_for(Path.mkdir), "another kind"),
    ],
)
def test_a_file_is_gone_or_replaced_when_its_turn_comes(scene: Scene, act: Callable[[Path], None], words: str) -> None:
    file = scene.source / "file"
    file.write_bytes(b"x")
    (scene.source / "next").write_bytes(b"next")
    history = Attentive(name="file", act=lambda: act(file))
    channel = scene.backup(channel=AttentiveBackup(history=history), HIST="d")
    assert [text for text in warnings(channel) if text.startswith("/file: ") and words in text], channel.logged
    assert gnu_tar("-tf", "-", into=channel.stream) == b"./\n./next\n"


def test_a_directory_is_gone_or_replaced_when_its_turn_comes(scene: Scene) -> None:
    for name in ("gone", "link", "next"):
        (scene.source / name).mkdir()

    def act() -> None:
        (scene.source / "gone").rmdir()
        (scene.source / "link").rmdir()
        (scene.source / "link").symlink_to("/etc")

    channel = scene.backup(channel=AttentiveBackup(history=Attentive(name="next", act=act)), HIST="d")
    assert warnings(channel) == ["/gone: vanished", "/link: vanished"]
    assert gnu_tar("-tf", "-", into=channel.stream) == b"./\n./next/\n"


def test_who_takes_a_name_meanwhile_is_found_by_the_history_of_that_name(scene: Scene) -> None:
    """Programs replace files, and sometimes directories, by renaming others over them."""
    (scene.source / "file").write_bytes(b"before")
    (scene.source / "folder").mkdir()
    (scene.folder / "new").mkdir()
    (scene.folder / "new" / "inside").write_bytes(b"inside")

    def act() -> None:
        (scene.folder / "other").write_bytes(b"after")
        (scene.folder / "other").rename(scene.source / "file")
        (scene.folder / "new").rename(scene.source / "folder")

    channel = scene.backup(channel=AttentiveBackup(history=Attentive(name="folder", act=act)), HIST="d")
    nodes = directories_of(channel.history)
    assert nodes.keys() == {"/", "/file", "/folder", "/folder/inside"}
    file = nodes["/file"]
    assert file.attributes.size == len(b"after")
    wanted = WantedPath("/file", str(scene.place()), name="again", node=file.node, position=file.position)
    assert scene.recover(channel.stream, [wanted], DIRECT="y").outcomes == [("/file", OK)]
    assert (scene.tree / "place" / "again").read_bytes() == b"after"


def test_files_that_may_not_be_read_are_logged(open_scene: Scene) -> None:
    scene = open_scene
    (scene.source / "next").write_bytes(b"next")
    (scene.source / "secret").write_bytes(b"secret")
    (scene.source / "secret").chmod(0o000)
    (scene.source / "closed").mkdir()
    (scene.source / "closed" / "inside").write_bytes(b"inside")
    (scene.source / "closed").chmod(0o000)
    try:
        with unprivileged():
            channel = scene.backup()
    finally:
        (scene.source / "closed").chmod(0o700)
    assert sorted(warnings(channel)) == ["/closed: Permission denied", "/secret: Permission denied"]
    assert gnu_tar("-tf", "-", into=channel.stream) == b"./\n./next\n./closed/\n"


def test_a_directory_that_may_be_listed_and_not_entered(open_scene: Scene) -> None:
    folder = open_scene.source / "listed"
    folder.mkdir()
    (folder / "inside").write_bytes(b"inside")
    folder.chmod(0o444)
    try:
        with unprivileged():
            channel = open_scene.backup()
    finally:
        folder.chmod(0o755)
    assert warnings(channel) == ["/listed/inside: Permission denied"]
    assert gnu_tar("-tf", "-", into=channel.stream) == b"./\n./listed/\n"
    place = open_scene.place()
    (place / "listed").mkdir()
    (place / "listed" / "inside").write_bytes(b"from before")
    open_scene.recover(channel.stream, open_scene.all_to(place), "dump", EXTRACT="n")
    assert (place / "listed" / "inside").read_bytes() == b"from before", "not removed as if it had been gone"


def test_deeper_than_descriptors_reach(scene: Scene) -> None:
    top = os.open(scene.source, os.O_RDONLY)
    folder = os.dup(top)
    for _ in range(300):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    os.close(top)
    channel = scene.backup()
    (told,) = warnings(channel)
    assert "more than 256 directories deep" in told
    assert gnu_tar("-tf", "-", into=channel.stream).count(b"\n") == 257
