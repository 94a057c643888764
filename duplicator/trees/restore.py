"""Puts single members of an archive back into exported trees."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from duplicator.trees.ground import Ground, NewFile, apply
from duplicator.trees.members import Restored, parse_name, parse_restored
from duplicator.trees.notes import DUMPDIR, parse_dumpdir
from duplicator.trees.outcomes import Outcomes
from duplicator.trees.stream import DamagedStreamError
from duplicator.trees.targets import Place, Target, Targets
from ndmp.enums import RecoveryStatus

__all__ = ["Restorer"]

Wanted: TypeAlias = tuple[Target, Place]
Pieces: TypeAlias = Iterable[tuple[int, bytes]]


class Restorer:
    """Restores members; directories get their attributes at the end, when nothing is written in them any more."""

    def __init__(self, targets: Targets, outcomes: Outcomes, *, purges: bool) -> None:
        self._targets = targets
        self._outcomes = outcomes
        self._purges = purges
        self._grounds: dict[str, Ground] = {}
        self._folders: dict[Place, tuple[Target, str, Restored]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def restore(self, member: tarfile.TarInfo, path: str, *, wanted: Sequence[Wanted], pieces: Pieces) -> None:
        """Put ``member`` to all its places; ``pieces`` are its bytes, and read only if they are needed."""
        for target, place in wanted:
            target.meet(is_folder=member.isdir() or place != target.place)
            with self._outcomes.failing(target, path):
                self._restore_name(member, path, target, place)
        if member.isreg():
            self._restore_file(member, path, wanted, pieces)

    def link(self, path: str, *, first: Wanted, other: Wanted) -> None:
        """Another name for a file that was just restored."""
        target, place = other
        target.meet(is_folder=False)
        with self._outcomes.failing(target, path):
            if path in self._outcomes.failed:
                target.fail(first[0].status)
            else:
                self._ground(place).make_link(place.names, self._ground(first[1]), first[1].names)

    def settle(self) -> None:
        """Give the directories their attributes, the deepest first."""
        for place, (target, path, restored) in reversed(self._folders.items()):
            with self._outcomes.failing(target, path):
                fd = self._ground(place).folder(place.names, make=False)
                self._outcomes.tell_refused(path, apply(fd, restored))

    def _ground(self, place: Place) -> Ground:
        if place.tree not in self._grounds:
            self._grounds[place.tree] = self._stack.enter_context(Ground(place.tree))
        return self._grounds[place.tree]

    def _restore_name(self, member: tarfile.TarInfo, path: str, target: Target, place: Place) -> None:
        """All kinds but regular files."""
        if member.isdir():
            self._restore_folder(member, path, target, place)
        elif member.islnk():
            self._restore_link(member, path, target, place)
        elif member.issym() or member.isdev():
            refused = self._ground(place).make_special(place.names, member, parse_restored(member))
            self._outcomes.tell_refused(path, refused)
        elif not member.isreg():
            raise ValueError(f"members of type {member.type!r} cannot be recovered")

    def _restore_folder(self, member: tarfile.TarInfo, path: str, target: Target, place: Place) -> None:
        restored = parse_restored(member)
        fd = self._ground(place).make_folder(place.names)
        self._folders[place] = (target, path, restored)
        if os.geteuid() != 0:  # root needs no permission to write in it
            with suppress(PermissionError):  # somebody else's, and perhaps open to us as it is
                os.chmod(fd, restored.mode & 0o777 | stat.S_IRWXU)
        if self._purges and DUMPDIR in member.pax_headers:
            self._purge(fd, path, parse_dumpdir(member))

    def _purge(self, folder: int, path: str, codes: Mapping[str, str] | None) -> None:
        """Remove what the directory did not hold, or held as another kind of file."""
        if codes is None:
            self._outcomes.warn(f"/{path}: renamed directories are not followed, and nothing is removed here")
            return
        device = os.fstat(folder).st_dev
        for name in os.listdir(folder):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            is_folder = stat.S_ISDIR(found.st_mode)
            if codes.get(name) in (("D", "N") if is_folder else ("Y", "N")):
                continue
            if found.st_dev != device or (is_folder and _has_mounts(name, folder, device)):
                self._outcomes.warn(f"/{path}/{name}: another file system is there or below, not removed")
            elif is_folder:
                shutil.rmtree(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)

    def _restore_link(self, member: tarfile.TarInfo, path: str, target: Target, place: Place) -> None:
        source = parse_name(member.linkname)
        if source is None:
            raise ValueError(f"a link to {member.linkname!r}, which leads out of the backup")
        origins = [] if source in self._outcomes.failed else self._targets.matching(source)
        for _, origin in sorted(origins, key=lambda each: each[0] is not target):
            try:
                self._ground(place).make_link(place.names, self._ground(origin), origin.names)
            except FileNotFoundError:
                continue
            return
        text = f"its bytes belong to /{source}, which was not recovered; recover both"
        self._outcomes.fail(target, path, status=RecoveryStatus.NOT_FOUND, text=text)

    def _new_file(self, place: Place) -> NewFile:
        return self._ground(place).new_file(place.names)

    def _restore_file(self, member: tarfile.TarInfo, path: str, wanted: Sequence[Wanted], pieces: Pieces) -> None:
        copies = [_Copy(self._outcomes, target, path) for target, _ in wanted]
        try:
            for copy, (_, place) in zip(copies, wanted, strict=True):
                copy.begin(partial(self._new_file, place))
            if any(copy.file for copy in copies):
                _fill(copies, pieces)
            for copy in copies:
                copy.finish(member)
        except DamagedStreamError as problem:
            for target, _ in wanted:
                self._outcomes.fail(target, path, status=RecoveryStatus.IO_ERROR, text=str(problem))
            raise
        finally:
            for copy in copies:
                copy.discard()


def _has_mounts(name: str, parent: int, device: int) -> bool:
    """Whether something is mounted below: removing would go on in there."""
    return any(os.fstat(fd).st_dev != device for _, _, _, fd in os.fwalk(name, dir_fd=parent))


def _fill(copies: Sequence[_Copy], pieces: Pieces) -> None:
    for offset, piece in pieces:
        for copy in copies:
            copy.write(offset, piece)


class _Copy:
    """A regular file on its way to one of its places; a failure ends this copy alone."""

    def __init__(self, outcomes: Outcomes, target: Target, path: str) -> None:
        self._outcomes = outcomes
        self._target = target
        self._path = path
        self.file: NewFile | None = None

    def begin(self, make: Callable[[], NewFile]) -> None:
        with self._outcomes.failing(self._target, self._path):
            self.file = make()

    def write(self, offset: int, piece: bytes) -> None:
        if self.file:
            written = False
            with self._outcomes.failing(self._target, self._path):
                self.file.write(offset, piece)
                written = True
            if not written:
                self.discard()

    def finish(self, member: tarfile.TarInfo) -> None:
        if self.file:
            with self._outcomes.failing(self._target, self._path):
                self._outcomes.tell_refused(self._path, self.file.finish(member.size, parse_restored(member)))
                self.file = None

    def discard(self) -> None:
        if self.file:
            self.file.discard()
            self.file = None
