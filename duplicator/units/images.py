"""What is an image in a directory, found without ever following a symbolic link.

A regular file is an image with one fragment. A directory of regular files is an image whose fragments are those files,
sorted by the bytes of their names. Names that start with a dot are neither. Everything else is BAD_FILE.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from duplicator.units.refusals import refusing
from ndmp.backends import FragmentInfo, ImageInfo
from ndmp.enums import Error
from ndmp.errors import ReplyError
from ndmp.services.files import audit_name

__all__ = [
    "MAX_FRAGMENTS",
    "component",
    "entry_exists",
    "find_image",
    "list_images",
    "open_folder",
    "open_fragment",
    "to_bytes",
]

MAX_FRAGMENTS: Final = 10_000
"""Fragments of one image at most: numbers 0 to 9999."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the open of a pipe would wait for a writer.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What a listing leaves out: no image, gone since the scan, or closed to this process.
_LEFT_OUT: Final = (Error.BAD_FILE, Error.FILE_NOT_FOUND, Error.PERMISSION)


def to_bytes(name: str) -> bytes:
    """A name as the file system has it; bytes that are no UTF-8 come back as they were."""
    return name.encode("utf-8", "surrogateescape")


def _to_text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def component(name: str) -> bytes:
    """The bytes of a name that is one plain path component; ILLEGAL_ARGS for any other."""
    audit_name(name)
    return to_bytes(name)


def _not_an_image(name: bytes, why: str) -> ReplyError:
    return ReplyError(Error.BAD_FILE, f"{_to_text(name)!r} is no image: {why}")


def _status(folder: int, name: bytes) -> os.stat_result:
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def entry_exists(folder: int, name: bytes) -> bool:
    """Whether anything has this name, image or not."""
    try:
        _status(folder, name)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def open_folder(parent: int, name: bytes) -> Iterator[int]:
    """Descriptor of a directory, for as long as the block runs."""
    folder = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield folder
    finally:
        os.close(folder)


def _open_regular(folder: int, name: bytes) -> int:
    # Looked at before and after: opening a device could already act on it, and the name may change between.
    if not stat.S_ISREG(_status(folder, name).st_mode):
        raise _not_an_image(name, "not a regular file")
    opened = os.open(name, _FILE, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _not_an_image(name, "not a regular file")
    return opened


def _visible(folder: int, accept: Callable[[os.DirEntry[str]], bool]) -> Iterator[bytes]:
    # A descriptor of its own: scandir(fd) moves the position that all duplicates of fd share, other threads' too.
    with open_folder(folder, b".") as own, os.scandir(own) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and accept(entry):
                yield os.fsencode(entry.name)


def _fragment_names(folder: int, image: bytes) -> list[bytes]:
    def accept(entry: os.DirEntry[str]) -> bool:
        if not entry.is_file(follow_symlinks=False):
            raise _not_an_image(image, "it holds something that is no regular file")
        return True

    names: list[bytes] = []
    for name in _visible(folder, accept):
        names.append(name)
        if len(names) > MAX_FRAGMENTS:
            raise _not_an_image(image, f"more than {MAX_FRAGMENTS} files")
    if not names:
        raise _not_an_image(image, "an empty directory")
    return sorted(names)


def _seconds(status: os.stat_result) -> int:
    # Times before 1970 have no form on the wire.
    return max(0, status.st_mtime_ns // 1_000_000_000)


def _directory_image(unit: int, name: bytes) -> ImageInfo:
    with open_folder(unit, name) as folder:
        modified = _seconds(os.fstat(folder))
        fragments = []
        for file_name in _fragment_names(folder, name):
            status = _status(folder, file_name)
            modified = max(modified, _seconds(status))
            fragments.append(FragmentInfo(_to_text(file_name), status.st_size))
    return ImageInfo(_to_text(name), modified, tuple(fragments))


def find_image(unit: int, name: bytes) -> ImageInfo:
    """The image of a name; FILE_NOT_FOUND, or BAD_FILE."""
    with refusing(f"image {_to_text(name)!r}"):
        status = _status(unit, name)
        if stat.S_ISDIR(status.st_mode):
            return _directory_image(unit, name)
        if not stat.S_ISREG(status.st_mode):
            raise _not_an_image(name, "neither a file nor a directory")
        return ImageInfo(_to_text(name), _seconds(status), (FragmentInfo("", status.st_size),))


def _may_be_image(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def _next_names(unit: int, after: bytes, count: int) -> list[bytes]:
    with refusing("listing"):
        return heapq.nsmallest(count, (name for name in _visible(unit, _may_be_image) if name > after))


def _found(unit: int, name: bytes) -> ImageInfo | None:
    try:
        return find_image(unit, name)
    except ReplyError as refused:
        if refused.error not in _LEFT_OUT:
            raise
        return None


def list_images(unit: int, after: bytes, limit: int) -> list[ImageInfo]:
    """Up to ``limit`` images whose names sort after ``after``; memory is bounded by ``limit``."""
    images: list[ImageInfo] = []
    while names := _next_names(unit, after, limit - len(images)):
        images += (image for name in names if (image := _found(unit, name)))
        after = names[-1]
    return images


def open_fragment(unit: int, image: bytes, number: int) -> int:
    """Descriptor of a fragment, for reading; ILLEGAL_ARGS for a number that the image does not have."""
    with refusing(f"image {_to_text(image)!r}"):
        if not stat.S_ISDIR(_status(unit, image).st_mode):
            _audit_number(number, 1)
            return _open_regular(unit, image)
        with open_folder(unit, image) as folder:
            names = _fragment_names(folder, image)
            _audit_number(number, len(names))
            return _open_regular(folder, names[number])


def _audit_number(number: int, fragments: int) -> None:
    if not 0 <= number < fragments:
        raise ReplyError(Error.ILLEGAL_ARGS, f"fragment {number} of {fragments}")
