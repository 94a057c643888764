"""Archives that GNU tar wrote are recovered, with its own sparse formats."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from ndmp.backends import HistoryFile, WantedPath
from tests.duplicator.trees.odd_files import fill
from tests.duplicator.trees.scene import OK, Recovery, Scene, gnu_tar, picture
from tests.peers.requirements import lacking

FORMATS = ("posix", "gnu")


def without_fractions(root: Path) -> None:
    """GNU tar's older format keeps whole seconds, from 1970 on, and no extended attributes."""
    for path in [*root.rglob("*"), root]:
        time = max(int(path.lstat().st_mtime), 0)
        os.utime(path, (time, time), follow_symlinks=False)


@pytest.mark.parametrize("form", FORMATS)
def test_all_kinds_of_files(scene: Scene, form: str) -> None:
    fill(scene.source)
    if form == "gnu":
        without_fractions(scene.source)
    stream = gnu_tar(
        "-C", scene.source, f"--format={form}", "-cf", "-", ".", *(["--xattrs"] if form == "posix" else [])
    )
    place = scene.place()
    channel = scene.recover(stream, scene.all_to(place))
    assert channel.outcomes == [("", OK)], channel.logged
    theirs, ours = (picture(root, xattrs=form == "posix") for root in (scene.source, place))
    assert theirs == ours


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--format=posix", f"--sparse-version={version}"] for version in ("0.0", "0.1", "1.0")),
        ["--format=gnu"],
    ],
)
@pytest.mark.parametrize("extents", [0, 1, 3, 40])
def test_sparse_formats(scene: Scene, arguments: list[str], extents: int) -> None:
    with (scene.source / "sparse").open("wb") as file:
        file.truncate(20_000_001)
        for number in range(extents):
            os.pwrite(file.fileno(), b"bytes %d" % number, number * 262_144 + 4096)
    if (scene.source / "sparse").stat().st_blocks > 10_000:
        lacking("this file system makes no holes")
    (scene.source / "then").write_bytes(b"what comes after")
    stream = gnu_tar("-C", scene.source, *arguments, "--sparse", "-cf", "-", "./sparse", "./then")
    assert len(stream) < 300_000
    place = scene.place()
    scene.recover(stream, scene.all_to(place))
    for name in ("sparse", "then"):
        assert (place / name).read_bytes() == (scene.source / name).read_bytes()
    assert (place / "sparse").stat().st_blocks < 10_000


@pytest.mark.parametrize("form", FORMATS)
def test_one_file_by_the_position_that_a_history_read_back_tells(scene: Scene, form: str) -> None:
    for name in ("a", "b", "n" * 150):
        (scene.source / name).write_bytes(name.encode() * 1000)
    stream = gnu_tar("-C", scene.source, f"--format={form}", "-cf", "-", ".")
    reading = Recovery(stream=stream)
    scene.backend.recover_history("tar", {"HIST": "f"}, [WantedPath("", "")])(reading)
    told = {each.path: each.position for each in reading.history.told if isinstance(each, HistoryFile)}
    for name in ("a", "b", "n" * 150):
        wanted = WantedPath(f"/{name}", f"{scene.tree}/out", position=told[f"/{name}"])
        assert scene.recover(stream, [wanted], DIRECT="y").outcomes == [(f"/{name}", OK)]
        assert (scene.tree / "out").read_bytes() == name.encode() * 1000


def test_incremental_archives_rebuild(scene: Scene) -> None:
    snapshot = scene.folder / "snapshot"
    command = ("-C", scene.source, "--format=posix", f"--listed-incremental={snapshot}", "-cf", "-", ".")
    for name in ("removed", "stays"):
        (scene.source / name).write_bytes(name.encode())
    (scene.source / "sub").mkdir()
    full = gnu_tar(*command)
    (scene.source / "removed").unlink()
    (scene.source / "sub" / "new").write_bytes(b"new")
    partial = gnu_tar(*command)
    place = scene.place()
    for stream in (full, partial):
        scene.recover(stream, scene.all_to(place), "dump", EXTRACT="n")
    assert picture(place) == picture(scene.source)


def test_a_renamed_directory_of_gnu_tar_loses_nothing(scene: Scene) -> None:
    """Its archive says "renamed" and leaves the files out; we cannot follow, so nothing may be removed for it."""
    snapshot = scene.folder / "snapshot"
    command = ("-C", scene.source, "--format=posix", f"--listed-incremental={snapshot}", "-cf", "-", ".")
    (scene.source / "old").mkdir()
    (scene.source / "old" / "file").write_bytes(b"x")
    full = gnu_tar(*command)
    (scene.source / "old").rename(scene.source / "new")
    partial = gnu_tar(*command)
    place = scene.place()
    scene.recover(full, scene.all_to(place), "dump", EXTRACT="n")
    channel = scene.recover(partial, scene.all_to(place), "dump", EXTRACT="n")
    assert (place / "old" / "file").exists()
    assert "renamed directories are not followed" in channel.text()


def test_nodes_cannot_be_told_of_them(scene: Scene) -> None:
    stream = gnu_tar("-C", scene.source, "-cf", "-", ".")
    with pytest.raises(Exception, match="another program"):
        scene.backend.recover_history("dump", {"HIST": "d"}, [WantedPath("", "")])(Recovery(stream=stream))


def test_a_sparse_file_with_a_record_of_its_stored_size(scene: Scene) -> None:
    """As where more than 8 GiB are stored: 512 bytes of list and 3 of the file stand for 2000."""
    listed = b"2\n1000\n3\n2000\n0\n".ljust(512, b"\0") + b"abc"
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for records in (
            {"GNU.sparse.name": "one", "GNU.sparse.realsize": "2000", "size": "515", "path": "GNUSparseFile.1/one"},
            {"size": "515", "path": "GNUSparseFile.1/two", "GNU.sparse.name": "two", "GNU.sparse.realsize": "2000"},
        ):
            member = tarfile.TarInfo("GNUSparseFile.1/x")
            member.size = len(listed)
            member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", **records}
            tar.addfile(member, io.BytesIO(listed))
        then = tarfile.TarInfo("then")
        then.size = 4
        tar.addfile(then, io.BytesIO(b"then"))
    place = scene.place()
    scene.recover(made.getvalue(), scene.all_to(place))
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {
        "one": bytes(1000) + b"abc" + bytes(997),
        "two": bytes(1000) + b"abc" + bytes(997),
        "then": b"then",
    }
