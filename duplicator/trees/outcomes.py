"""What went wrong in a recovery: into the application's log, and into the status of the wanted path it belongs to."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from duplicator.trees.targets import Target
from ndmp.backends import RecoverChannel
from ndmp.enums import LogType, RecoveryStatus

__all__ = ["Outcomes"]

_STATUSES: Final[Mapping[int, RecoveryStatus]] = {
    errno.EACCES: RecoveryStatus.PERMISSION,
    errno.EPERM: RecoveryStatus.PERMISSION,
    errno.EROFS: RecoveryStatus.PERMISSION,
    errno.ENOENT: RecoveryStatus.NO_DIRECTORY,
    errno.ENOTDIR: RecoveryStatus.NO_DIRECTORY,
    errno.EEXIST: RecoveryStatus.FILE_PATH_EXISTS,
    errno.EISDIR: RecoveryStatus.FILE_PATH_EXISTS,
    errno.ENOTEMPTY: RecoveryStatus.FILE_PATH_EXISTS,
    errno.ENOMEM: RecoveryStatus.OUT_OF_MEMORY,
    errno.EIO: RecoveryStatus.IO_ERROR,
    errno.ENOSPC: RecoveryStatus.IO_ERROR,
    errno.EDQUOT: RecoveryStatus.IO_ERROR,
    errno.EFBIG: RecoveryStatus.IO_ERROR,
}


class Outcomes:
    """Keeps the failures of single files from ending the recovery."""

    def __init__(self, channel: RecoverChannel) -> None:
        self._channel = channel
        self._refused: set[str] = set()
        self.failed: set[str] = set()
        """Paths in the backup that are not, or not all of them, on the disk as they should be."""

    def warn(self, text: str) -> None:
        """A line in the log."""
        self._channel.log(LogType.WARNING, text)

    def fail(self, target: Target, path: str, *, status: RecoveryStatus, text: str) -> None:
        """``path`` of the backup is not recovered for ``target``."""
        self.failed.add(path)
        target.fail(status)
        self._channel.log(LogType.ERROR, f"/{path}: {text}")

    @contextmanager
    def failing(self, target: Target, path: str) -> Iterator[None]:
        """A failed system call, or a header that no file can have, is a failure of ``path`` and no more."""
        try:
            yield
        except OSError as problem:
            status = _STATUSES.get(problem.errno or 0, RecoveryStatus.UNDEFINED_ERROR)
            self.fail(target, path, status=status, text=problem.strerror or str(problem))
        except (ValueError, OverflowError, RecursionError) as problem:
            self.fail(target, path, status=RecoveryStatus.UNDEFINED_ERROR, text=str(problem))

    def tell_refused(self, path: str, attributes: Iterable[str]) -> None:
        """Attributes that a file could not be given: each is told of once."""
        for name in attributes:
            if name not in self._refused:
                self._refused.add(name)
                self.warn(f"/{path}, and perhaps others: {name} cannot be restored here")
