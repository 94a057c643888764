"""The directory trees on offer, and ways into them that no symbolic link leads out of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from duplicator.trees.mounts import Mount, mount_of
from ndmp.backends import FileSystem
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Exports", "TreeError", "components", "open_folder", "open_root"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NETWORK_TYPES: Final = frozenset({"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3"})


class TreeError(ValueError):
    """What the operator named as a tree, or as the place of its dump dates, cannot be one."""


def components(path: str) -> tuple[str, ...]:
    """The names in ``path``; ILLEGAL_ARGS for ``..`` and for what no file system can hold."""
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if ".." in names or "\0" in path:
        raise ReplyError(Error.ILLEGAL_ARGS, f"{path!r} is no plain path")
    return names


def open_root(tree: str) -> int:
    """A descriptor of the tree's own directory; the operator named it, so links in its path are followed."""
    return os.open(tree, _FOLDER)


def open_folder(name: str, parent: int) -> int:
    """A descriptor of a directory in ``parent``; ENOTDIR for a symbolic link. Leaves its access time alone."""
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW | os.O_NOATIME, dir_fd=parent)
    except PermissionError:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)  # O_NOATIME is the owner's privilege


class Exports:
    """The trees on offer, by absolute path."""

    def __init__(self, trees: Sequence[Path]) -> None:
        self._trees = {Path(os.path.abspath(tree)): None for tree in trees}
        if len(self._trees) < len(trees):
            raise TreeError("a tree is named twice")
        for tree in self._trees:
            try:
                os.close(open_root(str(tree)))
            except OSError as problem:
                raise TreeError(f"tree {tree}: {problem.strerror}") from problem

    def locate(self, path: str) -> tuple[str, tuple[str, ...]]:
        """The tree that ``path`` lies in and the names below it; ILLEGAL_ARGS, NOT_AUTHORIZED."""
        if not path.startswith("/"):
            raise ReplyError(Error.ILLEGAL_ARGS, f"{path!r} is no absolute path")
        asked = Path("/", *components(path))
        inside = [tree for tree in self._trees if asked.is_relative_to(tree)]
        if not inside:
            raise ReplyError(Error.NOT_AUTHORIZED, f"{path!r} is in no exported tree")
        tree = max(inside, key=lambda each: len(each.parts))
        return str(tree), asked.relative_to(tree).parts

    def open(self, path: str) -> int:
        """A descriptor of the directory ``path``; FILE_NOT_FOUND, PERMISSION, ILLEGAL_ARGS for other files."""
        tree, names = self.locate(path)
        try:
            return _descend(tree, names)
        except FileNotFoundError as missing:
            raise ReplyError(Error.FILE_NOT_FOUND, f"there is no {path!r}") from missing
        except PermissionError as denied:
            raise ReplyError(Error.PERMISSION, f"{path!r} cannot be opened") from denied
        except OSError as problem:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{path!r}: {problem.strerror}") from problem

    def file_systems(self, butypes: str) -> Sequence[FileSystem]:
        """One for each tree, with the numbers of the file system that it lies on."""
        return [_file_system(str(tree), butypes) for tree in self._trees]


def _descend(tree: str, names: Sequence[str]) -> int:
    folder = open_root(tree)
    for name in names:
        above = folder
        try:
            folder = open_folder(name, above)
        finally:
            os.close(above)
    return folder


def _file_system(tree: str, butypes: str) -> FileSystem:
    mount = mount_of(tree)
    environment = (
        ("LOCAL", "n" if mount.fs_type in _NETWORK_TYPES else "y"),
        ("TYPE", mount.fs_type),
        ("AVAILABLE_BACKUP", butypes),
        ("AVAILABLE_RECOVERY", butypes),
    )
    try:
        room = os.statvfs(tree)
    except OSError:
        return FileSystem(tree, mount.fs_type, mount.device, environment=environment, status="offline")
    return _measured(tree, mount, room, environment)


def _measured(tree: str, mount: Mount, room: os.statvfs_result, environment: Sequence[tuple[str, str]]) -> FileSystem:
    return FileSystem(
        tree,
        mount.fs_type,
        mount.device,
        total_bytes=room.f_blocks * room.f_frsize,
        used_bytes=(room.f_blocks - room.f_bfree) * room.f_frsize,
        available_bytes=room.f_bavail * room.f_frsize,
        # Some file systems make inodes as they are needed and count none.
        total_inodes=room.f_files or None,
        used_inodes=room.f_files - room.f_ffree if room.f_files else None,
        environment=environment,
    )
