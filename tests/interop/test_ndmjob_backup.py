"""ndmjob backs up a tree and restores it, with our host as its data server, as its tape server, and as both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.index import Index, read_index
from tests.interop.places import PLACES, Places, Stage
from tests.interop.trees import differences, make_tree, paths_below

CASES = [
    # Without us first: what goes wrong there is not our fault.
    ("ndmjob alone", "tar", "f"),
    ("our tape", "tar", "f"),
    ("our tape", "tar", "d"),
    ("our data", "tar", "f"),
    ("our data", "dump", "d"),
    ("ours apart", "tar", "f"),
    ("ours apart", "dump", "d"),
    ("ours in one", "tar", "f"),
    ("ours in one", "dump", "d"),
]


@pytest.mark.parametrize(("where", "butype", "history"), CASES)
def test_a_tree_goes_to_tape_and_comes_back(
    stage: Stage, tmp_path: Path, where: str, butype: str, history: str
) -> None:
    places = PLACES[where](stage)
    tree, restored = make_tree(tmp_path / "tree"), tmp_path / "restored"
    restored.mkdir()
    is_ours = where not in ("ndmjob alone", "our tape")
    places.label()

    report = places.back_up(tree, "-B", butype, "-E", f"HIST={history}")
    assert report.ended_okay, report.text
    index = read_index(tmp_path / "index")
    assert_complete(index, tree)

    report = places.show(tree, "-B", butype)
    assert report.ended_okay, report.text
    if is_ours:
        assert read_index(tmp_path / "contents").entries == index.entries

    report = places.restore(restored, "-B", butype, *(["/"] if is_ours else []))
    assert report.ended_okay, report.text
    assert differences(tree, restored) == []


def test_a_strict_host_serves_ndmjob_too(stage: Stage, tmp_path: Path) -> None:
    both = stage.ours(tree=True, tape=True, profile="strict")
    places = Places(stage.application, both, both)
    tree, restored = make_tree(tmp_path / "tree", files=50), tmp_path / "restored"
    restored.mkdir()
    places.label()
    assert places.back_up(tree).ended_okay
    assert places.restore(restored, "/").ended_okay
    assert differences(tree, restored) == []


def assert_complete(index: Index, tree: Path) -> None:
    """Every path is there, as what it is, with the place of its own to restore it from."""
    assert index.entries.keys() == paths_below(tree)
    for path, entry in index.entries.items():
        found = (tree / path.lstrip("/")).lstat()
        kind = {0o040000: "d", 0o100000: "-", 0o120000: "l"}[found.st_mode & 0o170000]
        assert (entry.kind, entry.mode, entry.mtime) == (kind, found.st_mode & 0o7777, int(found.st_mtime)), path
        assert entry.position is not None, path
        if kind == "-":
            assert entry.size == found.st_size, path
