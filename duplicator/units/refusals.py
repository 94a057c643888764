"""The one border where failures of the file system become NDMP errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["UnitError", "refusal", "refusing"]


class UnitError(ValueError):
    """What the operator named as a storage unit cannot be one."""


_ERRORS: Final[Mapping[int, Error]] = {
    errno.ENOENT: Error.FILE_NOT_FOUND,
    # With O_NOFOLLOW: a symbolic link, or not a directory where one should be, or a socket.
    errno.ELOOP: Error.BAD_FILE,
    errno.ENOTDIR: Error.BAD_FILE,
    errno.EISDIR: Error.BAD_FILE,
    errno.ENXIO: Error.BAD_FILE,
    errno.EACCES: Error.PERMISSION,
    errno.EPERM: Error.PERMISSION,
    errno.EROFS: Error.PERMISSION,
    errno.EEXIST: Error.FSE_IMAGE_EXISTS,
    errno.ENOTEMPTY: Error.FSE_IMAGE_EXISTS,
    errno.ENOSPC: Error.FSE_NO_SPACE,
    errno.EDQUOT: Error.FSE_NO_SPACE,
    errno.EFBIG: Error.FSE_NO_SPACE,
    errno.ENAMETOOLONG: Error.ILLEGAL_ARGS,
    errno.EMFILE: Error.NO_MEM,
    errno.ENFILE: Error.NO_MEM,
    errno.ENOMEM: Error.NO_MEM,
}


def refusal(problem: OSError, what: str) -> ReplyError:
    """The answer for a failed system call; IO where nothing fits. ``what`` names the thing in words."""
    # Not str(problem), which may show paths of the host to a peer.
    reason = os.strerror(problem.errno) if problem.errno else "failed"
    return ReplyError(_ERRORS.get(problem.errno or 0, Error.IO), f"{what}: {reason}")


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn an OSError of the block into its refusal."""
    try:
        yield
    except OSError as problem:
        raise refusal(problem, what) from problem
