"""Writes a backup stream: a pax archive, member by member."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from typing import Final

from duplicator.trees.content import Content, extents, sparse_map
from duplicator.trees.members import MAX_HEADER_BYTES
from ndmp.backends import BackupChannel

__all__ = ["ArchiveWriter"]

_COPY_BYTES: Final = 256 << 10
_SPARSE_PLACEHOLDER: Final = "./GNUSparseFile.0/member"
"""In the header of a sparse file, whose own name is among the pax records; short, so that no record repeats it."""


class _Sink:
    """The channel as tarfile wants a file."""

    def __init__(self, channel: BackupChannel) -> None:
        self._channel = channel

    def write(self, chunk: bytes) -> int:
        return self._channel.write(chunk)

    def tell(self) -> int:
        return self._channel.position

    def read(self, size: int) -> bytes:
        raise io.UnsupportedOperation("read")

    def seek(self, position: int) -> int:
        raise io.UnsupportedOperation("seek")

    def close(self) -> None:
        pass


class ArchiveWriter:
    """An archive that begins where the channel stands, at its start."""

    def __init__(self, channel: BackupChannel) -> None:
        self._channel = channel
        self._tar = tarfile.TarFile(
            mode="w",
            fileobj=_Sink(channel),
            format=tarfile.PAX_FORMAT,
            encoding="utf-8",
            errors="surrogateescape",
            copybufsize=_COPY_BYTES,
        )

    @property
    def position(self) -> int:
        """Where the next member's headers will begin, in bytes of the stream."""
        return self._channel.position

    def add(self, member: tarfile.TarInfo) -> None:
        """A member that is its headers alone."""
        self._tar.addfile(member)
        self._tar.getmembers().clear()  # kept for a table of contents that nobody will ask for

    def add_file(self, member: tarfile.TarInfo, fd: int, found: os.stat_result) -> str:
        """A regular file; returns what went wrong with its bytes, in words, or nothing."""
        content = _content(member, fd, found)
        member.size = content.size
        self._tar.addfile(member, _Readable(content))
        self._tar.getmembers().clear()
        return content.problem or _change(found, os.fstat(fd))

    def close(self) -> None:
        """The end of the archive."""
        self._tar.close()


class _Readable(io.RawIOBase):
    """What the types of tarfile ask for."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


def _content(member: tarfile.TarInfo, fd: int, found: os.stat_result) -> Content:
    holes = extents(fd, found)
    prefix = sparse_map(holes) if holes is not None else b""
    if holes is None or len(prefix) > MAX_HEADER_BYTES // 2:
        return Content(fd, [(0, found.st_size)])
    member.pax_headers = {
        **member.pax_headers,
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": member.name,
        "GNU.sparse.realsize": str(found.st_size),
    }
    member.name = _SPARSE_PLACEHOLDER
    return Content(fd, holes, prefix=prefix)


def _change(before: os.stat_result, after: os.stat_result) -> str:
    if after.st_size > before.st_size:
        return f"grew while it was read; the first {before.st_size} bytes are in the backup"
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        return "changed while it was read"
    return "" if stat.S_ISREG(after.st_mode) else "changed its kind"
