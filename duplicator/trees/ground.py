"""Makes files in an exported tree, each under another name first; no symbolic link is followed on the way."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from duplicator.trees.exports import open_folder, open_root
from duplicator.trees.members import Restored

__all__ = ["Ground", "NewFile", "apply"]


class Ground:
    """A tree, reached through descriptors; keeps the directory that was used last."""

    def __init__(self, tree: str) -> None:
        self._root = open_root(tree)
        self._names: tuple[str, ...] = ()
        self._fd = os.dup(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        os.close(self._root)

    def folder(self, names: tuple[str, ...], *, make: bool = True) -> int:
        """A directory, good until the next call here; what is missing on the way to it is made.

        NotADirectoryError where something else stands in the way, be it a symbolic link to a directory.
        """
        if names != self._names:
            nearer = self._names and names[: len(self._names)] == self._names
            found = self._descend(self._fd, names[len(self._names) :], make) if nearer else None
            found = self._descend(self._root, names, make) if found is None else found
            os.close(self._fd)
            self._names, self._fd = names, found
        return self._fd

    def _descend(self, start: int, names: tuple[str, ...], make: bool) -> int:
        fd = os.dup(start)
        for name in names:
            above = fd
            try:
                fd = _enter(name, above, make=make)
            finally:
                os.close(above)
        return fd

    def make_folder(self, names: tuple[str, ...]) -> int:
        """A directory of the backup, for its owner alone until its attributes come; one that is there stays."""
        if names:
            above = self.folder(names[:-1])
            try:
                os.mkdir(names[-1], 0o700, dir_fd=above)
            except FileExistsError:
                found = os.stat(names[-1], dir_fd=above, follow_symlinks=False)
                if not stat.S_ISDIR(found.st_mode):
                    raise
        return self.folder(names)

    def new_file(self, names: tuple[str, ...]) -> NewFile:
        """A regular file, yet without its name."""
        return NewFile(self.folder(names[:-1]), _last(names))

    def make_link(self, names: tuple[str, ...], source: Ground, target: tuple[str, ...]) -> None:
        """A hard link to a file of ``source``; FileNotFoundError if that is not there."""
        origin = os.dup(source.folder(target[:-1], make=False))
        try:
            found = os.stat(_last(target), dir_fd=origin, follow_symlinks=False)
            folder, name = self.folder(names[:-1]), _last(names)
            with suppress(FileNotFoundError):
                there = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino):
                    return
            _install(
                folder,
                name,
                lambda draft: os.link(
                    _last(target), draft, src_dir_fd=origin, dst_dir_fd=folder, follow_symlinks=False
                ),
            )
        finally:
            os.close(origin)

    def make_special(self, names: tuple[str, ...], member: tarfile.TarInfo, restored: Restored) -> list[str]:
        """A symbolic link, pipe or device; returns the names of the attributes that were refused."""
        folder, name = self.folder(names[:-1]), _last(names)
        refused: list[str] = []

        def make(draft: str) -> None:
            _make_special(draft, folder, member)
            refused.extend(_apply_unopened(draft, folder, restored, is_link=member.issym()))

        _install(folder, name, make)
        return refused


def _last(names: tuple[str, ...]) -> str:
    if not names:
        raise FileExistsError(errno.EEXIST, "the directory of a tree cannot become another kind of file")
    return names[-1]


def _enter(name: str, above: int, *, make: bool) -> int:
    try:
        return open_folder(name, above)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=above)
    return open_folder(name, above)


def _draft_name() -> str:
    return f".ndmpdup-{secrets.token_hex(8)}"


def _install(folder: int, name: str, make: Callable[[str], None]) -> None:
    draft = _draft_name()
    try:
        make(draft)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise


def _make_special(draft: str, folder: int, member: tarfile.TarInfo) -> None:
    if member.issym():
        os.symlink(member.linkname, draft, dir_fd=folder)
    elif member.isfifo():
        os.mkfifo(draft, 0o600, dir_fd=folder)
    else:
        kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
        os.mknod(draft, kind | 0o600, os.makedev(member.devmajor, member.devminor), dir_fd=folder)


class NewFile:
    """A regular file being written; seen under its name by nobody before :meth:`finish`."""

    def __init__(self, folder: int, name: str) -> None:
        self._name = name
        self._draft = _draft_name()
        self._folder = os.dup(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._fd = os.open(self._draft, flags, 0o600, dir_fd=self._folder)
        except OSError:
            os.close(self._folder)
            raise

    def write(self, offset: int, chunk: bytes) -> None:
        """All of ``chunk`` at ``offset``."""
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(self._fd, rest, offset)
            rest, offset = rest[written:], offset + written

    def finish(self, size: int, restored: Restored) -> list[str]:
        """Give it its size, attributes and name; returns the names of the attributes that were refused."""
        os.ftruncate(self._fd, size)
        refused = apply(self._fd, restored)
        os.rename(self._draft, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._close()
        return refused

    def discard(self) -> None:
        """Remove it."""
        with suppress(OSError):
            os.unlink(self._draft, dir_fd=self._folder)
        self._close()

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._folder)


def apply(fd: int, restored: Restored) -> list[str]:
    """Set owner (as root), mode, extended attributes and time; returns the names of those that were refused.

    Where the owner is not restored, a file does not run as its owner either.
    """
    refused = _refused_owner(lambda: os.chown(fd, restored.uid, restored.gid))
    as_owner = os.geteuid() == 0 and not refused
    os.chmod(fd, restored.mode if as_owner else restored.mode & ~(stat.S_ISUID | stat.S_ISGID))
    refused += [name for name, value in restored.xattrs.items() if not _set_xattr(fd, name, value)]
    os.utime(fd, ns=(restored.mtime_ns, restored.mtime_ns))
    return refused


def _refused_owner(change: Callable[[], None]) -> list[str]:
    """Only root gives files away, and not on every file system."""
    if os.geteuid() == 0:
        try:
            change()
        except OSError:
            return ["owner"]
    return []


def _set_xattr(fd: int, name: str, value: bytes) -> bool:
    try:
        os.setxattr(fd, name, value)
    except (OSError, ValueError):
        return False
    return True


def _apply_unopened(name: str, folder: int, restored: Restored, *, is_link: bool) -> list[str]:
    """The same for what must not be opened; links have no mode."""
    refused = _refused_owner(lambda: os.chown(name, restored.uid, restored.gid, dir_fd=folder, follow_symlinks=False))
    if not is_link:
        with _pinned(name, folder) as path:
            os.chmod(path, restored.mode & ~(stat.S_ISUID | stat.S_ISGID))
    os.utime(name, ns=(restored.mtime_ns, restored.mtime_ns), dir_fd=folder, follow_symlinks=False)
    return refused


@contextmanager
def _pinned(name: str, folder: int) -> Iterator[str]:
    """A path to exactly this file, whatever takes its name meanwhile: chmod cannot be told not to follow links."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
