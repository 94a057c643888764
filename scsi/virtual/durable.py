"""Small files that are replaced as a whole: killed at any moment, the old one is there or the new one."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file", "sync_directory"]


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` into a file that its owner alone can read; on the disk when it returns. OSError.

    One writer at a time: who holds the lock of what it belongs to.
    """
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk. OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
