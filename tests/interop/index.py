"""What ndmjob writes about a backup with ``-I``: the file history, the environment, the media."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

__all__ = ["Entry", "Index", "read_index"]


@dataclass(frozen=True)
class Entry:
    """What the history says of one path."""

    kind: str
    """ndmjob's letter: ``d`` directory, ``-`` file, ``l`` symbolic link."""
    mode: int | None
    size: int | None
    mtime: int | None
    position: int | None
    """The fh_info, None if there is none."""


@dataclass
class Index:
    """An index file, its file history resolved to paths."""

    entries: dict[str, Entry] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    media: list[str] = field(default_factory=list)
    """Label, filemarks to skip, slot and KB of each volume, as ndmjob writes them."""


def read_index(path: Path) -> Index:
    """Read an index; ValueError for a line of no known kind."""
    first, second, *rest = path.read_text().splitlines()
    if (first, second) != ("##ndmjob -I", "##ndmjob -J"):
        raise ValueError(f"{path} is no index")
    index, tree = Index(), _Nodes()
    for line in rest:
        tag, _, text = line.partition(" ")
        words = text.split(" ")
        match tag:
            case "DHf":
                index.entries[unquote(words[0])] = _entry(words[2:])
            case "DHr":
                tree.root = words[0]
            case "DHd":
                tree.members.setdefault(words[0], {})[unquote(words[1])] = words[3]
            case "DHn":
                tree.entries[words[0]] = _entry(words[2:])
            case "DE":
                name, _, value = text.partition("=")
                index.environment[name] = value
            case "CM":
                index.media.append(words[1])
            case _:
                raise ValueError(f"unknown line: {line}")
    if tree.root:
        tree.resolve(tree.root, "/", index.entries)
    return index


@dataclass
class _Nodes:
    """A history by directory and node."""

    root: str = ""
    members: dict[str, dict[str, str]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def resolve(self, node: str, path: str, into: dict[str, Entry]) -> None:
        """Give every path its entry; KeyError for a directory without ".", "..", or a node that nobody described."""
        into[path] = self.entries[node]
        if into[path].kind != "d":
            return
        members = self.members[node]
        if members["."] != node:
            raise ValueError(f"{path} is not its own '.'")
        for name, child in members.items():
            if name == "..":
                if self.members[child].get(path.rpartition("/")[2], child) != node and path != "/":
                    raise ValueError(f"{path}: '..' leads elsewhere")
            elif name != ".":
                self.resolve(child, path.rstrip("/") + "/" + name, into)


def _entry(words: list[str]) -> Entry:
    fields = {"tm" if word.startswith("tm") else word[0]: word for word in words}

    def number(key: str, base: int = 10) -> int | None:
        return int(fields[key][len(key) :], base) if key in fields else None

    return Entry(fields["f"][1:], number("m", 8), number("s"), number("tm"), number("@"))
