"""The file history of a backup, from its stream alone (draft 3.5.2.5)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable

from duplicator.trees.attributes import attributes_of_member
from duplicator.trees.members import parse_name
from duplicator.trees.notes import Notes, parse_dumpdir, parse_notes
from duplicator.trees.selection import folder_of
from duplicator.trees.stream import DamagedStreamError, MemberStream
from duplicator.trees.targets import Targets
from duplicator.trees.variables import Hist
from ndmp.backends import FileHistory, RecoverChannel
from ndmp.enums import LogType

__all__ = ["retell"]


def retell(channel: RecoverChannel, hist: Hist, targets: Targets) -> None:
    """Read the stream to its end and tell the history of the wanted paths."""
    teller = _NodeTeller(channel.history) if hist is Hist.NODES else _FileTeller(channel.history)
    for member in MemberStream(channel):
        path = parse_name(member.name)
        if path is None:
            continue
        wanted = targets.matching(path)
        if wanted or (member.isdir() and hist is Hist.NODES and targets.leads_on(path)):
            teller.tell(member, path)
        for target, _ in wanted:
            target.meet(is_folder=True)
    for target in targets.each:
        if not target.met:
            channel.log(LogType.WARNING, f"{target.wanted.original_path}: not in the backup")


class _FileTeller:
    """One file by its path (draft 4.3.1)."""

    def __init__(self, history: FileHistory) -> None:
        self._history = history

    def tell(self, member: tarfile.TarInfo, path: str) -> None:
        notes = parse_notes(member)
        position = notes.first if member.islnk() else member.offset
        self._history.add_file(f"/{path}", attributes_of_member(member, notes), node=notes.node, position=position)


class _NodeTeller:
    """Directories with the nodes of their members, then nodes (draft 4.3.2, 4.3.3)."""

    def __init__(self, history: FileHistory) -> None:
        self._history = history
        self._above: dict[str, int] = {}
        """Nodes of the directories on the way to the last one."""

    def tell(self, member: tarfile.TarInfo, path: str) -> None:
        notes = parse_notes(member)
        if not notes.node:
            raise DamagedStreamError(f"/{path} has no node number: another program made this archive")
        if member.isdir():
            self._tell_entries(path, notes, parse_dumpdir(member) or {})
        if not member.islnk():
            self._history.add_node(notes.node, attributes_of_member(member, notes), position=member.offset)

    def _tell_entries(self, path: str, notes: Notes, names: Iterable[str]) -> None:
        own = notes.node
        self._above = {each: node for each, node in self._above.items() if not each or path.startswith(f"{each}/")}
        parent = self._above.get(folder_of(path), own) if path else own
        self._above[path] = own
        self._history.add_entry(".", node=own, parent=own)
        self._history.add_entry("..", node=parent, parent=own)
        for name, node in zip(names, notes.entries, strict=False):
            if node:
                self._history.add_entry(name, node=node, parent=own)
