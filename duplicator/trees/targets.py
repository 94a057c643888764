"""What is wanted of a backup, and where it goes (draft 3.5.2.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from duplicator.trees.exports import components
from duplicator.trees.selection import folder_of
from ndmp.backends import WantedPath
from ndmp.enums import Error, RecoveryStatus
from ndmp.errors import ReplyError

__all__ = ["Place", "Target", "Targets"]


@dataclass(frozen=True, slots=True)
class Place:
    """A path in an exported tree: the tree, and the names below it."""

    tree: str
    names: tuple[str, ...]

    def below(self, path: str) -> Place:
        """The place of ``path``, relative to this one."""
        return Place(self.tree, self.names + tuple(path.split("/"))) if path else self


Locate: TypeAlias = Callable[[str], tuple[str, tuple[str, ...]]]


@dataclass(slots=True)
class Target:
    """One wanted path: relative to the backup's root as archives have it, and what became of it."""

    wanted: WantedPath
    path: str
    place: Place
    status: RecoveryStatus = RecoveryStatus.NOT_FOUND
    met: bool = False
    is_folder: bool = False

    def meet(self, *, is_folder: bool) -> None:
        """The wanted path itself, or something below it, is in the backup."""
        if not self.met:
            self.met, self.status = True, RecoveryStatus.SUCCESSFUL
        self.is_folder |= is_folder

    def fail(self, status: RecoveryStatus) -> None:
        """It, or a file below it, could not be recovered; the first reason stays."""
        self.met = True
        if self.status in (RecoveryStatus.SUCCESSFUL, RecoveryStatus.NOT_FOUND):
            self.status = status


class Targets:
    """All that is wanted. ILLEGAL_ARGS, NOT_AUTHORIZED for what cannot be; without ``locate`` nothing goes anywhere."""

    def __init__(self, wanted: Sequence[WantedPath], locate: Locate | None, *, recursive: bool) -> None:
        self._recursive = recursive
        self.each = [_target(path, locate) for path in wanted]
        self._unsettled = list(self.each)
        self._by_path: dict[str, list[Target]] = {}
        for target in self.each:
            self._by_path.setdefault(target.path, []).append(target)

    def matching(self, path: str) -> list[tuple[Target, Place]]:
        """Who wants ``path``, itself or as part of a directory, and where it goes for each."""
        found = []
        for ancestor in _ancestry(path) if self._recursive else [path]:
            for target in self._by_path.get(ancestor, ()):
                rest = path[len(ancestor) :].lstrip("/")
                found.append((target, target.place.below(rest)))
        return found

    def leads_on(self, path: str) -> bool:
        """Whether something wanted may lie below ``path``."""
        return any(not path or target.path.startswith(f"{path}/") for target in self.each)

    @property
    def settled(self) -> bool:
        """Nothing that may still come is wanted: all are single files, and were met."""
        while self._unsettled and self._unsettled[-1].met and not self._unsettled[-1].is_folder:
            self._unsettled.pop()
        return not self._unsettled


def _ancestry(path: str) -> Iterator[str]:
    yield path
    while path:
        path = folder_of(path)
        yield path


def _target(wanted: WantedPath, locate: Locate | None) -> Target:
    path = "/".join(components(wanted.original_path))
    return Target(wanted, path, Place(*locate(_destination(wanted))) if locate else Place("", ()))


def _destination(wanted: WantedPath) -> str:
    if not wanted.destination_path:
        raise ReplyError(Error.ILLEGAL_ARGS, f"{wanted.original_path!r} has no destination")
    if "/" in wanted.name or wanted.name in (".", ".."):
        raise ReplyError(Error.ILLEGAL_ARGS, f"{wanted.name!r} is not the name of a file")
    return f"{wanted.destination_path}/{wanted.name}" if wanted.name else wanted.destination_path
