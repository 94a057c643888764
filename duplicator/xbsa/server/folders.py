"""The folders of the request daemon, their owners and modes.

What lies in a user's folder is made with the rights of that user: whatever links are put there, they lead nowhere the
user could not go alone.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = [
    "DATA",
    "NAME",
    "PROGRESS",
    "REQUEST",
    "FolderError",
    "acting_as",
    "clear",
    "default_folder",
    "held",
    "remove_stream",
    "stream_name",
    "user_folder",
]

REQUEST: Final = "request"
NAME: Final = "name"
DATA: Final = "data"
PROGRESS: Final = "progress"
_STREAM: Final = "stream-"
_LOCK: Final = "lock"


class FolderError(Exception):
    """The folder cannot be used; the text says what to do."""


def default_folder() -> Path:
    """Where the daemon of this user listens."""
    from platformdirs import user_runtime_path

    if os.geteuid() == 0:
        return Path("/run/ndmpdup/xbsa")
    return user_runtime_path("ndmpdup", appauthor=False) / "xbsa"


def stream_name() -> str:
    """The name of a new stream's folder."""
    return _STREAM + secrets.token_hex(8)


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    """What the block makes belongs to this user, and needs no more than the user's rights; no thread may run beside."""
    if uid == os.geteuid():
        yield
        return
    user = pwd.getpwuid(uid)
    before = os.geteuid(), os.getegid(), os.getgroups()
    os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
    try:
        os.setegid(user.pw_gid)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
        os.setgroups(before[2])


@contextmanager
def held(folder: Path, *, shared: bool) -> Iterator[None]:
    """The daemon's folder for one daemon alone; ``shared``: users other than its owner have folders in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror}; name another folder with --folder") from error
    try:
        _audit(folder, os.fstat(opened))
        os.fchmod(opened, 0o711 if shared else 0o700)
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=opened)
        try:
            _lock(folder, lock)
            yield
        finally:
            os.close(lock)
    finally:
        os.close(opened)


def _audit(folder: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise FolderError(f"{folder} belongs to another user; name another folder with --folder")
    if status.st_mode & 0o022:
        raise FolderError(f"others can write in {folder}: run chmod go-w on it, or name another folder with --folder")


def _lock(folder: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderError(
            f"a request daemon runs on {folder} already; end it first, or name another folder with --folder"
        ) from error


def user_folder(folder: Path, uid: int) -> Path:
    """The folder of a user in that of the daemon, made if need be; what an earlier daemon left there is removed."""
    place = folder / pwd.getpwuid(uid).pw_name
    with suppress(FileExistsError):
        place.mkdir(mode=0o700)
        os.chown(place, uid, pwd.getpwuid(uid).pw_gid)
    status = place.lstat()
    if not place.is_dir() or place.is_symlink() or status.st_uid != uid:
        raise FolderError(f"{place} is not a folder of its user; remove it")
    place.chmod(0o700)
    clear(place)
    return place


def clear(place: Path) -> None:
    """Remove what no stream needs any more: sockets, and folders of streams. What its user makes of it may stay."""
    for each in (place / REQUEST, *place.glob(f"{_STREAM}*")):
        _remove(each)


def remove_stream(folder: Path) -> None:
    """Remove a stream's folder; links in it are not followed."""
    if folder.name.startswith(_STREAM):
        _remove(folder)


def _remove(path: Path) -> None:
    """Remove a file, link or folder of a user. That one may make it as deep as no call can remove: then it stays."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        with suppress(RecursionError):
            shutil.rmtree(path, ignore_errors=True)
