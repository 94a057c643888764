"""A recovery: reads a backup in stream order, or from where the wanted files are known to begin."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from itertools import groupby

from duplicator.trees.members import parse_name
from duplicator.trees.notes import Notes, parse_notes
from duplicator.trees.outcomes import Outcomes
from duplicator.trees.restore import Restorer
from duplicator.trees.stream import DamagedStreamError, MemberStream
from duplicator.trees.targets import Target, Targets
from duplicator.trees.variables import RecoverSettings
from ndmp.backends import RecoverChannel, WantedPath
from ndmp.enums import RecoveryStatus

__all__ = ["TreeRecovery"]


class TreeRecovery:
    """One recovery of ``targets``."""

    def __init__(self, channel: RecoverChannel, settings: RecoverSettings, targets: Targets) -> None:
        self._channel = channel
        self._settings = settings
        self._targets = targets
        self._outcomes = Outcomes(channel)

    def run(self) -> None:
        """Do it all, and tell of each wanted path what became of it; DamagedStreamError after that."""
        purges = self._settings.rebuild and self._settings.recursive
        with Restorer(self._targets, self._outcomes, purges=purges) as self._restorer:
            try:
                self._recover()
            except DamagedStreamError:
                self._give_up()
                self._end()
                raise
            self._end()

    def _recover(self) -> None:
        if self._settings.direct and all(target.wanted.position is not None for target in self._targets.each):
            ordered = sorted(self._targets.each, key=_position)
            for position, group in groupby(ordered, key=_position):
                self._recover_apart(position, list(group))
        else:
            self._recover_in_order()

    def _recover_in_order(self) -> None:
        stream = MemberStream(self._channel)
        for member in stream:
            path = self._path(member)
            if path is not None:
                wanted = self._targets.matching(path)
                self._restorer.restore(member, path, wanted=wanted, pieces=stream.contents(member))
            if self._targets.settled:
                break

    def _recover_apart(self, position: int, group: Sequence[Target]) -> None:
        """A stretch that is no archive says nothing of the others."""
        try:
            self._recover_at(position, group)
        except DamagedStreamError as problem:
            for target in group:
                self._outcomes.fail(target, target.path, status=RecoveryStatus.IO_ERROR, text=str(problem))

    def _recover_at(self, position: int, group: Sequence[Target]) -> None:
        """All that begins at one position: several destinations, or several names of one file."""
        stream = MemberStream(self._channel, position)
        members = iter(stream)
        member = next(members, None)
        path = None if member is None else self._path(member)
        found = [target for target in group if self._is_there(target, member, path)]
        if member is None or path is None or not found:
            return
        named = [target for target in found if target.path == path] or found[:1]
        wanted = [(target, target.place) for target in named]
        self._restorer.restore(member, path, wanted=wanted, pieces=stream.contents(member))
        for target in found:
            if target not in named:
                self._restorer.link(path, first=wanted[0], other=(target, target.place))
        if member.isdir() and self._settings.recursive:
            self._recover_below(stream, members, folder=path, named=named)

    def _recover_below(
        self, stream: MemberStream, members: Iterator[tarfile.TarInfo], *, folder: str, named: Sequence[Target]
    ) -> None:
        """What follows a directory and lies below it: an archive has that in one piece."""
        beginning = f"{folder}/" if folder else ""
        for member in members:
            path = self._path(member)
            if path is None:
                continue
            if not path.startswith(beginning):
                break
            wanted = [(target, target.place.below(path[len(beginning) :])) for target in named]
            self._restorer.restore(member, path, wanted=wanted, pieces=stream.contents(member))

    def _is_there(self, target: Target, member: tarfile.TarInfo | None, path: str | None) -> bool:
        """Whether the member at the target's position is that file, by its name or as another name of its node."""
        if path == target.path:
            return True
        if member and not member.isdir() and not member.islnk() and _may_be(target.wanted, parse_notes(member)):
            return True
        text = f"not at byte {target.wanted.position} of the backup"
        self._outcomes.fail(target, target.path, status=RecoveryStatus.NOT_FOUND, text=text)
        return False

    def _path(self, member: tarfile.TarInfo) -> str | None:
        path = parse_name(member.name)
        if path is None:
            self._outcomes.warn(f"{member.name!r} leads out of the backup, and is left out")
        return path

    def _give_up(self) -> None:
        """What was not recovered whole before the stream broke will not be."""
        for target in self._targets.each:
            if target.is_folder or not target.met:
                target.fail(RecoveryStatus.IO_ERROR)

    def _end(self) -> None:
        self._restorer.settle()
        for target in self._targets.each:
            self._channel.recovered(target.wanted.original_path, target.status)


def _position(target: Target) -> int:
    return target.wanted.position or 0


def _may_be(wanted: WantedPath, notes: Notes) -> bool:
    """Whether a file is known by another name too; an application that keeps no nodes asks by position alone."""
    return notes.links > 1 if wanted.node is None else wanted.node == notes.node
