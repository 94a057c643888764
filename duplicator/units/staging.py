"""An image that is being written, in a hidden directory of its unit.

``.incoming-<random>`` holds ``image`` (a file, or a directory of files) and ``lock``, which the writing process keeps
locked: what a killed process left behind is known by its free lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from duplicator.digests import RunningDigest
from duplicator.units.fragments import WritingFragment
from duplicator.units.images import MAX_FRAGMENTS, entry_exists, open_folder
from duplicator.units.refusals import refusing
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Staging", "sweep"]

_PREFIX: Final = ".incoming-"
_IMAGE: Final = b"image"
_LOCK: Final = b"lock"
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TAKEN: Final = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)
_ATTEMPTS: Final = 8


def _audit_fragment(kept: Mapping[int, bytes], number: int, name: bytes) -> None:
    """Whether a fragment fits to those kept: DEVICE_BUSY if it is there, ILLEGAL_ARGS if the image could not be read.

    A directory has no order of its own, so names must sort as the numbers do.
    """
    if number in kept:
        raise ReplyError(Error.DEVICE_BUSY, f"fragment {number} is already written")
    alone = not name and number == 0 and not kept
    neighbours = (other and other != name and (other < name) == (at < number) for at, other in kept.items())
    sorted_in = name and all(neighbours)
    if not alone and not sorted_in:
        raise ReplyError(Error.ILLEGAL_ARGS, f"fragment {number} cannot have that name: names sort as numbers do")


def _hold_lock(folder: int) -> int:
    """Descriptor of the new lock; FileNotFoundError or BlockingIOError when a sweeping process was faster."""
    lock = os.open(_LOCK, _NEW_FILE, 0o600, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.fstat(lock).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "swept")
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove(unit: int, name: bytes) -> None:
    # The lock goes last: while anything else is left, the next sweep finds it.
    with open_folder(unit, name) as folder:
        if entry_exists(folder, _IMAGE):
            try:
                os.unlink(_IMAGE, dir_fd=folder)
            except IsADirectoryError:
                shutil.rmtree(_IMAGE, dir_fd=folder)
        with suppress(FileNotFoundError):
            os.unlink(_LOCK, dir_fd=folder)
    os.rmdir(name, dir_fd=unit)


def _sweep_one(unit: int, name: bytes) -> None:
    with open_folder(unit, name) as folder:
        try:
            lock = os.open(_LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            # Just made, or all but removed. Its maker tries again when it is gone.
            os.rmdir(name, dir_fd=unit)
            return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(unit, name)
    finally:
        os.close(lock)


def sweep(unit: int) -> None:
    """Remove what killed processes left; what is in use or cannot be removed stays."""
    with open_folder(unit, b".") as own, os.scandir(own) as entries:
        names = [os.fsencode(entry.name) for entry in entries if entry.name.startswith(_PREFIX)]
    for name in names:
        with suppress(OSError):
            _sweep_one(unit, name)


class Staging:
    """One image between its first fragment and COMMIT_IMAGE. Its owner sees to it that calls come one at a time."""

    def __init__(self, unit: int, image: bytes) -> None:
        self._unit = unit
        self._target = image
        self._kept: dict[int, bytes] = {}
        self.is_open = False
        """A fragment is being written."""
        with refusing("staging"):
            self._name, self._lock = self._make()

    def _make(self) -> tuple[bytes, int]:
        for _ in range(_ATTEMPTS):
            name = os.fsencode(_PREFIX + secrets.token_hex(8))
            os.mkdir(name, 0o700, dir_fd=self._unit)
            with suppress(FileNotFoundError, BlockingIOError), open_folder(self._unit, name) as folder:
                return name, _hold_lock(folder)
        raise ReplyError(Error.DEVICE_BUSY, "another process keeps removing the staging directory")

    def audit(self, number: int, name: bytes) -> None:
        """Whether this fragment can be opened next."""
        if self.is_open:
            raise ReplyError(Error.DEVICE_BUSY, "the image is being written")
        _audit_fragment(self._kept, number, name)

    def open(self, number: int, name: bytes, size: int | None, digest: RunningDigest) -> WritingFragment:
        """A new fragment; the caller has audited it."""
        with refusing("fragment"), open_folder(self._unit, self._name) as folder:
            opened = self._create(folder, name)
        self.is_open = True
        return WritingFragment(opened, size, digest, release=lambda kept: self._close(number, name, kept=kept))

    def _create(self, folder: int, name: bytes) -> int:
        if not name:
            # Left by fragments that were discarded: nothing is kept, or the audit had refused.
            with suppress(FileNotFoundError):
                os.rmdir(_IMAGE, dir_fd=folder)
            return os.open(_IMAGE, _NEW_FILE, 0o666, dir_fd=folder)
        with suppress(FileExistsError):
            os.mkdir(_IMAGE, dir_fd=folder)
        with open_folder(folder, _IMAGE) as files:
            return os.open(name, _NEW_FILE, 0o666, dir_fd=files)

    def _close(self, number: int, name: bytes, *, kept: bool) -> None:
        # No lock: other threads leave this object alone as long as is_open, which therefore changes last.
        try:
            if kept:
                self._kept[number] = name
            else:
                self._unlink(name)
        finally:
            self.is_open = False

    def _unlink(self, name: bytes) -> None:
        with refusing("fragment"), open_folder(self._unit, self._name) as folder:
            if not name:
                os.unlink(_IMAGE, dir_fd=folder)
                return
            with open_folder(folder, _IMAGE) as files:
                os.unlink(name, dir_fd=files)

    def commit(self, fragments: int) -> None:
        """Show the image under its name, whole and on stable storage; FSE_IMAGE_EXISTS."""
        if self.is_open:
            raise ReplyError(Error.DEVICE_BUSY, "a fragment is still open")
        if not 0 < fragments <= MAX_FRAGMENTS or sorted(self._kept) != list(range(fragments)):
            raise ReplyError(Error.ILLEGAL_STATE, f"{len(self._kept)} fragments are kept, not 0 to {fragments - 1}")
        if entry_exists(self._unit, self._target):
            raise ReplyError(Error.FSE_IMAGE_EXISTS, "the name is taken")
        with refusing("commit"), open_folder(self._unit, self._name) as folder:
            self._show(folder)
            os.fsync(self._unit)

    def _show(self, folder: int) -> None:
        # Both calls are atomic and end in an error where an image is, whatever came in since the look at the name:
        # link() never replaces; rename() of a directory replaces an empty one at most, and that is no image.
        try:
            if not self._kept[0]:
                os.link(_IMAGE, self._target, src_dir_fd=folder, dst_dir_fd=self._unit, follow_symlinks=False)
                return
            with open_folder(folder, _IMAGE) as files:
                os.fsync(files)
            os.rename(_IMAGE, self._target, src_dir_fd=folder, dst_dir_fd=self._unit)
        except OSError as problem:
            if problem.errno in _TAKEN:
                raise ReplyError(Error.FSE_IMAGE_EXISTS, "the name was taken meanwhile") from problem
            raise

    def take_away(self) -> None:
        """Hide an image that is there: it is staged from now on, for :meth:`remove`. A link is moved itself."""
        with refusing("image"), open_folder(self._unit, self._name) as folder:
            os.rename(self._target, _IMAGE, src_dir_fd=self._unit, dst_dir_fd=folder)
            os.fsync(self._unit)

    def remove(self) -> None:
        """Remove what is left; a committed image stays."""
        try:
            with refusing("staging"):
                _remove(self._unit, self._name)
        finally:
            os.close(self._lock)
