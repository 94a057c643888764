"""What the file history tells of a file: from the file, or from its member in an archive (draft 4.3.1)."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Mapping
from typing import Final

from duplicator.trees.members import time_ns
from duplicator.trees.notes import Notes
from ndmp.backends import FileAttributes
from ndmp.enums import FileType

__all__ = ["attributes_of_member", "attributes_of_stat"]

_KINDS: Final[Mapping[int, FileType]] = {
    stat.S_IFREG: FileType.REG,
    stat.S_IFDIR: FileType.DIR,
    stat.S_IFLNK: FileType.SLINK,
    stat.S_IFIFO: FileType.FIFO,
    stat.S_IFCHR: FileType.CSPEC,
    stat.S_IFBLK: FileType.BSPEC,
    stat.S_IFSOCK: FileType.SOCK,
}
_MEMBER_KINDS: Final[Mapping[bytes, FileType]] = {
    tarfile.DIRTYPE: FileType.DIR,
    tarfile.SYMTYPE: FileType.SLINK,
    tarfile.FIFOTYPE: FileType.FIFO,
    tarfile.CHRTYPE: FileType.CSPEC,
    tarfile.BLKTYPE: FileType.BSPEC,
}
_NS: Final = 1_000_000_000


def attributes_of_stat(found: os.stat_result) -> FileAttributes:
    """Of a file."""
    return FileAttributes(
        _KINDS.get(stat.S_IFMT(found.st_mode), FileType.OTHER),
        found.st_size,
        found.st_mtime_ns // _NS,
        found.st_atime_ns // _NS,
        found.st_ctime_ns // _NS,
        found.st_uid,
        found.st_gid,
        stat.S_IMODE(found.st_mode),
        found.st_nlink,
    )


def attributes_of_member(member: tarfile.TarInfo, notes: Notes) -> FileAttributes:
    """Of a member; a hard link says of its kind only that it is no directory."""
    return FileAttributes(
        _MEMBER_KINDS.get(member.type, FileType.REG),
        member.size if member.isreg() else notes.size,
        _seconds(member, "mtime") or 0,
        _seconds(member, "atime"),
        _seconds(member, "ctime"),
        member.uid,
        member.gid,
        stat.S_IMODE(member.mode),
        notes.links,
    )


def _seconds(member: tarfile.TarInfo, name: str) -> int | None:
    found = time_ns(member, name)
    return None if found is None else found // _NS
