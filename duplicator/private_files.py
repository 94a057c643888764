"""Reads files that hold secrets, if they are safe: a regular file of ours that nobody else has access to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

__all__ = ["CredentialError", "open_private", "read_private"]


class CredentialError(Exception):
    """A secret was not found, or the place it should come from is not safe; the text never holds a secret."""


def _refuse(what: str, path: Path, reason: str) -> NoReturn:
    raise CredentialError(f"{what} {path}: {reason}")


def _check_private(what: str, path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        _refuse(what, path, "is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        _refuse(what, path, "belongs to another user")
    if mode := stat.S_IMODE(status.st_mode) & 0o077:
        _refuse(what, path, f"others have access (mode bits {mode:03o}): run chmod 600 on it")


def _open_at_once(path: str, flags: int) -> int:
    # A pipe without a writer must not hold us up.
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def open_private(path: Path, what: str) -> Iterator[BinaryIO]:
    """The file, open for reading; CredentialError, which calls it ``what``, unless it is safe."""
    try:
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115  (closed below)
    except OSError as error:
        _refuse(what, path, error.strerror or "cannot be read")
    with file:
        _check_private(what, path, os.fstat(file.fileno()))
        yield file


def read_private(path: Path, what: str, *, limit: int) -> str:
    """All of a safe file of at most ``limit`` bytes, as text; CredentialError."""
    with open_private(path, what) as file:
        try:
            content = file.read(limit + 1)
        except OSError as error:
            _refuse(what, path, error.strerror or "cannot be read")
    if len(content) > limit:
        _refuse(what, path, f"is longer than {limit} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # The exception holds the bytes: it must not be chained.
        text = None
    if text is None:
        _refuse(what, path, "is not valid UTF-8")
    return text
