"""Reads a file history as an application does, and finds what breaks the draft's rules (draft 4.3)."""

from __future__ import annotations

from itertools import groupby

from ndmp.backends import HistoryEntry, HistoryFile, HistoryNode
from ndmp.contracts.channels import MemoryHistory

__all__ = ["directories_of", "files_of"]


def files_of(history: MemoryHistory) -> dict[str, HistoryFile]:
    """What HIST=f told, by path; AssertionError where it breaks a rule (draft 4.3.1)."""
    found: dict[str, HistoryFile] = {}
    for told in history.told:
        assert isinstance(told, HistoryFile), f"{told} in a history by files"
        assert told.path.startswith("/"), f"{told.path!r} does not begin with the separator"
        assert told.path not in found, f"{told.path!r} is told twice"
        found[told.path] = told
    return found


def directories_of(history: MemoryHistory) -> dict[str, HistoryNode]:
    """What HIST=d told, by path; AssertionError where it breaks a rule (draft 4.3.2, 4.3.3)."""
    entries = [told for told in history.told if isinstance(told, HistoryEntry)]
    nodes = {told.node: told for told in history.told if isinstance(told, HistoryNode)}
    assert len(entries) + len(nodes) == len(history.told), "a node twice, or a path in a history by directories"
    _check_order(history)
    members = _members(entries)
    return {path: nodes[node] for path, node in _paths(members, root=entries[0].node).items() if node in nodes}


def _check_order(history: MemoryHistory) -> None:
    named: set[int] = set()
    for told in history.told:
        if isinstance(told, HistoryEntry):
            named.add(told.node)
        else:
            assert told.node in named, f"node {told.node} is described before it is named"


def _members(entries: list[HistoryEntry]) -> dict[int, list[HistoryEntry]]:
    """Of each directory ".." and its members, all that is told of it in one piece that begins with "." and ".."."""
    found: dict[int, list[HistoryEntry]] = {}
    for parent, group in groupby(entries, key=lambda entry: entry.parent):
        assert parent not in found, f"directory {parent} is told in pieces"
        told = list(group)
        assert [entry.name for entry in told[:2]] == [".", ".."], f'directory {parent} does not begin with "." and ".."'
        assert told[0].node == parent, f'"." of directory {parent} is another node'
        assert found or told[1].node == parent, "the root is not its own parent"
        found[parent] = told[1:]
    return found


def _paths(members: dict[int, list[HistoryEntry]], *, root: int) -> dict[str, int]:
    found, waiting = {"/": root}, [("", root)]
    while waiting:
        folder, node = waiting.pop()
        for entry in members[node][1:]:
            path = f"{folder}/{entry.name}"
            found[path] = entry.node
            if entry.node in members:
                assert members[entry.node][0].node == node, f'".." of {path!r} is another node'
                waiting.append((path, entry.node))
    return found
