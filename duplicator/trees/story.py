"""What a backup tells of its files, in the format that the application asked for (draft 4.3)."""

from __future__ import annotations

import os

from duplicator.trees.attributes import attributes_of_stat
from duplicator.trees.variables import Hist
from duplicator.trees.walk import Folder
from ndmp.backends import FileHistory

__all__ = ["BackupStory", "NodeNumbers"]


class NodeNumbers:
    """Node numbers: inodes, told apart by device where a backup crosses file systems (draft 4.3.2, rule 7)."""

    def __init__(self) -> None:
        self._devices: dict[int, int] = {}
        self._successors: dict[tuple[int, int], int] = {}

    def replace(self, listed: os.stat_result, found: os.stat_result) -> None:
        """``found`` is at the name of ``listed`` by now: it goes by the number that the history gave that name."""
        if not os.path.samestat(listed, found):
            self._successors[found.st_dev, found.st_ino] = self.of(listed)

    def of(self, found: os.stat_result) -> int:
        """The number of a file, the same for all its names."""
        if number := self._successors.get((found.st_dev, found.st_ino)):
            return number
        place = self._devices.setdefault(found.st_dev, len(self._devices))
        return found.st_ino ^ place << 48


class BackupStory:
    """The file history of a backup as it is written."""

    def __init__(self, history: FileHistory, hist: Hist, nodes: NodeNumbers) -> None:
        self._history = history
        self._hist = hist
        self._nodes = nodes

    def entries(self, folder: Folder) -> None:
        """A directory's own two names and those of its members, before any of their nodes."""
        if self._hist is not Hist.NODES:
            return
        own, parent = self._nodes.of(folder.stat), self._nodes.of(folder.above)
        self._history.add_entry(".", node=own, parent=own)
        self._history.add_entry("..", node=parent, parent=own)
        for entry in folder.entries:
            self._history.add_entry(entry.name, node=self._nodes.of(entry.stat), parent=own)

    def carried(self, path: str, found: os.stat_result, position: int, *, again: bool = False) -> None:
        """A member of the archive; ``again``: another name of a file whose member begins at ``position``."""
        if self._hist is Hist.NONE or (again and self._hist is Hist.NODES):
            return
        attributes, node = attributes_of_stat(found), self._nodes.of(found)
        if self._hist is Hist.NODES:
            self._history.add_node(node, attributes, position=position)
        else:
            self._history.add_file(f"/{path}", attributes, node=node, position=position)
