"""A directory tree of a data server goes to tape by plain NDMP v4, and its archive comes back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from duplicator.catalog import CopyState
from duplicator.sources import TreeSource
from duplicator.status import Status
from tests.duplicator.robots import DEADLINES, RobotSupply, library_server, place, volume_name
from tests.duplicator.sources.bench import Bench
from tests.duplicator.test_spanning import noise

NOW = 1_700_000_000.0
NAME = "20231114T221320Z"


def make_tree(root: Path) -> dict[str, bytes]:
    """A tree of a few files; their bytes by their paths."""
    files = {f"d{number % 3}/file {number}": noise(number * 40_001, str(number)) for number in range(11)}
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return files


def extracted(archive: Path, into: Path) -> dict[str, bytes]:
    """What tar finds in it."""
    into.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", into], check=True, timeout=30, capture_output=True)
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}


@pytest.mark.parametrize("butype", ["tar", "dump"])
def test_a_tree_over_volumes_comes_back_as_an_archive(bench: Bench, butype: str) -> None:
    """Its length is known at the end; without a digest of its source the copy is written, and never called valid."""
    site, tree = bench.site, bench.site.folder / "tree"
    files = make_tree(tree)
    data = site.serve("--tree", str(tree), "--state", str(site.folder / "state"))
    server = library_server(site, cartridges=4, capacity="1M")
    environment = [("HIST", "y"), *([("LEVEL", "0")] if butype == "dump" else [])]
    by = TreeSource(
        place(site, data.url("")), str(tree), DEADLINES, butype=butype, environment=environment, now=lambda: NOW
    )
    made = bench.run(
        server.url("lib.drive0"), by, supply=RobotSupply(site, server, [volume_name(n) for n in (1, 2, 3, 4)])
    )
    copy = bench.copy(made)
    (fragment,) = copy.fragments
    assert not made.validated
    assert (copy.state, copy.route, fragment.digest) == (CopyState.WRITTEN, "direct", b"")
    assert copy.image.name == f"127.0.0.1{str(tree).replace('/', '_')}.L0.{NAME}"
    assert (copy.image.unit, copy.image.modified, copy.image.size) == (butype, int(NOW), fragment.size)
    assert made.size == fragment.size > sum(map(len, files.values()))
    assert len(copy.volumes) >= 3
    assert bench.said("its source gave none, so there is nothing to compare it with")
    assert bench.said("for a recovery: FILESYSTEM=" + str(tree))
    assert bench.said("file history: 15 files" if butype == "tar" else "15 nodes")
    data.wait_until_idle()

    back = site.folder / "back"
    restored = bench.restore(copy, server.url("lib.drive0"), back, RobotSupply(site, server, []))
    assert restored.status == Status.SUCCESS, restored
    assert extracted(back / copy.image.name, site.folder / "out") == files
    server.wait_until_idle()


def test_what_cannot_be_backed_up(bench: Bench) -> None:
    """Another backup type is refused before a tape is mounted; a path that is not offered leaves the tape as it was."""
    site, tree = bench.site, bench.site.folder / "tree"
    make_tree(tree)
    host = site.serve("--tree", str(tree), "--tape", f"drive=virtual:{site.folder / 'T1'}?capacity=64M")
    data, drive = place(site, host.url("")), host.url("drive")
    made = bench.run(drive, TreeSource(data, str(tree), DEADLINES, butype="zfs"))
    assert (made.status, made.step) == (Status.NDMP_FAILURE, "check image")
    assert "has no backup type 'zfs'; it has tar" in made.reason
    assert (site.folder / "T1.data").read_bytes() == b""

    made = bench.run(drive, TreeSource(data, str(tree / "none"), DEADLINES))
    assert (made.status, made.step) == (Status.NOTHING_MATCHES, "move data")
    host.wait_until_idle()
    both = [bench.copy(bench.run(drive, TreeSource(data, str(tree), DEADLINES, now=lambda: NOW))) for _ in range(2)]
    assert [(copy.fragments[0].file_sequence, copy.number) for copy in both] == [(1, 1), (2, 2)]
    copy = both[1]
    assert copy.image == both[0].image
    verified = site.verify([copy.id], drive)
    (job,) = verified.document["jobs"]
    assert (verified.code, job["status"], job["validated"]) == (1, 0, False), verified.err
    assert "is still written: its source gave no digest to compare" in verified.err
    host.wait_until_idle()
