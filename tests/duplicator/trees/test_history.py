"""The file history: true positions, the draft's order, and the same again from the tape."""

from __future__ import annotations

import os

import pytest

from ndmp.backends import HistoryEntry, HistoryFile, HistoryNode, WantedPath
from ndmp.contracts import MemoryBackup
from ndmp.enums import FileType
from tests.duplicator.trees.odd_files import fill
from tests.duplicator.trees.scene import Recovery, Scene, gnu_tar


def small_tree(scene: Scene) -> None:
    (scene.source / "b").mkdir()
    (scene.source / "b" / "c").write_bytes(b"12345")
    (scene.source / "b" / "c").chmod(0o4751)
    os.utime(scene.source / "b" / "c", ns=(5 * 10**9, 7 * 10**9 + 5))
    (scene.source / "a").symlink_to("target")
    (scene.source / "z").mkdir()


def node(scene: Scene, path: str) -> int:
    return os.lstat(scene.source / path).st_ino


def test_by_files(scene: Scene) -> None:
    small_tree(scene)
    told = [each for each in scene.backup(HIST="f").history.told if isinstance(each, HistoryFile)]
    assert [each.path for each in told] == ["/", "/a", "/b", "/b/c", "/z"]
    assert [each.node for each in told] == [node(scene, path) for path in ("", "a", "b", "b/c", "z")]
    found = told[3].attributes
    assert (found.file_type, found.size, found.mtime, found.atime) == (FileType.REG, 5, 7, 5)
    assert (found.owner, found.group, found.mode, found.links) == (os.geteuid(), os.getegid(), 0o4751, 1)
    kinds = [FileType.DIR, FileType.SLINK, FileType.DIR, FileType.REG, FileType.DIR]
    assert [each.attributes.file_type for each in told] == kinds


def test_by_directories_and_nodes(scene: Scene) -> None:
    small_tree(scene)
    root, a, b, c, z = (node(scene, path) for path in ("", "a", "b", "b/c", "z"))
    told = [
        (each.name, each.node, each.parent) if isinstance(each, HistoryEntry) else each.node
        for each in scene.backup("dump", HIST="y").history.told
        if isinstance(each, HistoryEntry | HistoryNode)
    ]
    assert told == [
        *((".", root, root), ("..", root, root), ("a", a, root), ("b", b, root), ("z", z, root), root, a),
        *((".", b, b), ("..", root, b), ("c", c, b), b, c),
        *((".", z, z), ("..", root, z), z),
    ]


@pytest.mark.parametrize("butype", ["tar", "dump"])
def test_a_position_is_where_gnu_tar_can_begin(scene: Scene, butype: str) -> None:
    """Every member alone: the bytes from its position on are an archive that begins with it."""
    fill(scene.source)
    channel = scene.backup(butype, HIST="f")
    seen = set()
    for told in channel.history.told:
        assert isinstance(told, HistoryFile)
        assert told.position is not None
        assert told.position % 512 == 0
        if told.position in seen:
            continue  # another name of a file
        seen.add(told.position)
        rest = bytes(channel.stream[told.position :])
        listed = gnu_tar("-tf", "-", "--quoting-style=literal", "--warning=none", into=rest)
        names = listed.decode("utf-8", "surrogateescape")
        assert names.startswith(f".{told.path}"), told.path


def test_all_names_of_a_file_have_one_node_and_the_position_of_its_bytes(scene: Scene) -> None:
    (scene.source / "one").write_bytes(b"x" * 1000)
    (scene.source / "sub").mkdir()
    os.link(scene.source / "one", scene.source / "sub" / "two")
    files = [told for told in scene.backup(HIST="f").history.told if isinstance(told, HistoryFile)]
    one, two = (told for told in files if told.path in ("/one", "/sub/two"))
    assert (one.node, one.position, one.attributes.links) == (two.node, two.position, 2)
    told = scene.backup(HIST="d").history.told
    assert sum(isinstance(each, HistoryNode) and each.node == one.node for each in told) == 1
    assert sum(isinstance(each, HistoryEntry) and each.node == one.node for each in told) == 2


@pytest.mark.parametrize("butype", ["tar", "dump"])
@pytest.mark.parametrize("hist", ["f", "d"])
def test_the_same_again_from_the_stream(scene: Scene, butype: str, hist: str) -> None:
    """All but the kind of a second name, which a tar header does not tell."""
    fill(scene.source)
    (scene.source / "sub" / "same link").unlink()
    first = scene.backup(butype, HIST=hist, EXCLUDE="size*")
    again = Recovery(stream=bytes(first.stream))
    scene.backend.recover_history(butype, first.variables, [WantedPath("", "")])(again)
    assert list(map(repr, again.history.told)) == list(map(repr, first.history.told))


def short(told: HistoryFile | HistoryEntry | HistoryNode) -> str | int:
    match told:
        case HistoryFile(path):
            return path
        case HistoryEntry(name):
            return name
    return told.node


def test_the_history_of_one_directory(scene: Scene) -> None:
    small_tree(scene)
    stream = scene.backup().stream
    for hist, expected in (
        ("f", ["/b", "/b/c"]),
        ("d", [".", "..", "a", "b", "z", node(scene, ""), ".", "..", "c", node(scene, "b"), node(scene, "b/c")]),
    ):
        channel = Recovery(stream=bytes(stream))
        scene.backend.recover_history("tar", {"HIST": hist}, [WantedPath("/b", ""), WantedPath("/no", "")])(channel)
        assert list(map(short, channel.history.told)) == expected
        assert channel.text() == "/no: not in the backup"


def test_none_unless_asked_for(scene: Scene) -> None:
    channel: MemoryBackup = scene.backup("dump", HIST="n")
    assert channel.history.told == []
    assert channel.variables["HIST"] == "n"
