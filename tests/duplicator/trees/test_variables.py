"""Variables that cannot be meant are refused, with a text; unknown ones are passed over."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from duplicator.trees import TreeBackend, TreeError
from ndmp.backends import WantedPath
from ndmp.enums import Error
from ndmp.errors import ReplyError
from tests.duplicator.trees.scene import Scene, tmpfs, warnings

BACKUP: Sequence[tuple[str, dict[str, str], Error]] = (
    ("tar", {"FILESYSTEM": ""}, Error.ILLEGAL_ARGS),
    ("tar", {"FILESYSTEM": "source"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILESYSTEM": "/"}, Error.NOT_AUTHORIZED),
    ("tar", {"FILESYSTEM": "TREE2"}, Error.NOT_AUTHORIZED),
    ("tar", {"FILESYSTEM": "TREE/../outside"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILESYSTEM": "TREE/missing"}, Error.FILE_NOT_FOUND),
    ("tar", {"FILESYSTEM": "TREE/file"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILESYSTEM": "TREE/link"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILESYSTEM": "TREE/link/outside"}, Error.ILLEGAL_ARGS),
    ("tar", {"HIST": "x"}, Error.ILLEGAL_ARGS),
    ("tar", {"HIST": "fd"}, Error.ILLEGAL_ARGS),
    ("tar", {"DIRECT": "maybe"}, Error.ILLEGAL_ARGS),
    ("tar", {"RECURSIVE": "1"}, Error.ILLEGAL_ARGS),
    ("tar", {"ONE_FILE_SYSTEM": "0"}, Error.ILLEGAL_ARGS),
    ("tar", {"TYPE": "dump"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILES": "../x"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILES": "/etc"}, Error.ILLEGAL_ARGS),
    ("tar", {"FILES": "x " * 1001}, Error.ILLEGAL_ARGS),
    ("tar", {"EXCLUDE": "a/b"}, Error.ILLEGAL_ARGS),
    ("tar", {"EXCLUDE": "x," * 1001}, Error.ILLEGAL_ARGS),
    ("dump", {"LEVEL": "10"}, Error.ILLEGAL_ARGS),
    ("dump", {"LEVEL": "-1"}, Error.ILLEGAL_ARGS),
    ("dump", {"LEVEL": "\u0663"}, Error.ILLEGAL_ARGS),
    ("dump", {"UPDATE": "x"}, Error.ILLEGAL_ARGS),
    ("dump", {"EXTRACT": "x"}, Error.ILLEGAL_ARGS),
    ("dump", {"BASE_DATE": "yesterday"}, Error.ILLEGAL_ARGS),
    ("dump", {"BASE_DATE": "9" * 13}, Error.ILLEGAL_ARGS),
    ("cpio", {}, Error.ILLEGAL_ARGS),
)


@pytest.fixture
def full(scene: Scene) -> Scene:
    (scene.tree / "file").write_bytes(b"")
    (scene.folder / "outside").mkdir()
    (scene.tree / "link").symlink_to(scene.folder)
    return scene


def test_backups_that_are_refused(full: Scene) -> None:
    for butype, variables, error in BACKUP:
        asked = {name: value.replace("TREE", str(full.tree)) for name, value in variables.items()}
        with pytest.raises(ReplyError) as refusal:
            full.backend.backup(butype, {"FILESYSTEM": str(full.source)} | asked)
        assert refusal.value.error == error, variables
        assert refusal.value.text


def test_backups_that_are_not(full: Scene) -> None:
    accepted = (
        ("tar", {"HIST": "F", "DIRECT": "Y", "RECURSIVE": "N", "TYPE": "TAR"}),
        ("tar", {"LEVEL": "ten", "HIST": "", "NOBODY_KNOWS": "this"}),
        ("dump", {"FILES": "/etc", "LEVEL": "9", "BASE_DATE": "-1"}),
    )
    for butype, variables in accepted:
        full.backup(butype, None, **variables)


def test_another_user_is_told_of(scene: Scene) -> None:
    (told,) = warnings(scene.backup(USER="operator"))
    assert "USER=operator" in told


@pytest.mark.parametrize("variables", [{"DIRECT": "x"}, {"RECURSIVE": "x"}, {"EXTRACT": "x"}, {"HIST": "x"}])
def test_recoveries_that_are_refused(scene: Scene, variables: dict[str, str]) -> None:
    for start in (scene.backend.recover, scene.backend.recover_history):
        with pytest.raises(ReplyError) as refusal:
            start("dump", variables, [WantedPath("", str(scene.tree))])
        assert refusal.value.error == Error.ILLEGAL_ARGS


def test_trees_that_cannot_be_offered(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for trees in ([tmp_path / "missing"], [tmp_path / "file"], [tmp_path, tmp_path / "."]):
        with pytest.raises(TreeError):
            TreeBackend(trees, None)
    with pytest.raises(TreeError):
        TreeBackend([tmp_path], tmp_path / "file" / "dates")


def test_of_nested_trees_the_inner_one_holds(scene: Scene) -> None:
    backend = TreeBackend([scene.tree, scene.source], None)
    assert [found.name for found in backend.file_systems()] == [str(scene.tree), str(scene.source)]
    backend.backup("tar", {"FILESYSTEM": str(scene.source)})


def test_file_systems(scene: Scene) -> None:
    (found,) = scene.backend.file_systems()
    assert dict(found.environment) == {
        "LOCAL": "y",
        "TYPE": found.fs_type,
        "AVAILABLE_BACKUP": "dump,tar",
        "AVAILABLE_RECOVERY": "dump,tar",
    }
    assert found.fs_type
    assert found.total_bytes is not None
    assert found.available_bytes is not None
    assert found.available_bytes <= found.total_bytes
    assert found.status == "online"
    scene.source.rmdir()
    scene.tree.rmdir()
    (gone,) = scene.backend.file_systems()
    assert (gone.status, gone.total_bytes) == ("offline", None)


def test_the_mount_is_the_one_that_df_names(scene: Scene) -> None:
    line = subprocess.run(
        ["df", "--output=source,fstype", scene.tree], capture_output=True, check=True, timeout=30, text=True
    ).stdout.splitlines()[1]
    (found,) = scene.backend.file_systems()
    # The kernel's table may say /dev/root where df has found the device's own name.
    assert found.fs_type == line.split()[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting is root's")
def test_mount_points_may_have_any_name(scene: Scene) -> None:
    """The kernel's table is one line each; what else separates lines elsewhere stands in it as it is."""
    for name in ("\r", "\x0b", "\x1e", "\x85", "\u2028", " - ", "\n", "\t\\", "\udcff"):
        tree = scene.tree / f"a{name}b"
        tree.mkdir()
        with tmpfs(tree):
            (found,) = TreeBackend([tree], None).file_systems()
        assert (found.name, found.fs_type) == (str(tree), "tmpfs")
