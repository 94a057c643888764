"""Members of an archive: files as tar headers, and headers as what is put on recovered files."""

from __future__ import annotations

import os
import re
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from errno import ENODATA, ENOTSUP
from functools import lru_cache
from grp import getgrgid
from math import isfinite
from pwd import getpwuid
from typing import Final

__all__ = [
    "MAX_HEADER_BYTES",
    "Restored",
    "header",
    "member_name",
    "parse_name",
    "parse_restored",
    "time_ns",
    "xattrs",
]

MAX_HEADER_BYTES: Final = 64 << 20
"""Headers of one member, its pax records among them."""
_XATTR: Final = "SCHILY.xattr."
_TYPES: Final[Mapping[int, bytes]] = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}
_DECIMAL: Final = re.compile(r"(-?)(\d{1,11})(?:\.(\d{1,9})\d*)?")


def member_name(path: str) -> str:
    """The name in the archive of a path relative to the backup's root, as GNU tar has it for ``.``."""
    return f"./{path}" if path else "."


def parse_name(name: str) -> str | None:
    """The path relative to the backup's root; None for a name that leads out of it."""
    names = [each for each in name.split("/") if each not in ("", ".")]
    return None if ".." in names or "\0" in name else "/".join(names)


def header(path: str, found: os.stat_result) -> tarfile.TarInfo | None:
    """The header of a file, its bytes still to come; None for a kind that tar cannot carry."""
    kind = _TYPES.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        return None
    made = tarfile.TarInfo(member_name(path))
    made.type = kind
    made.mode = stat.S_IMODE(found.st_mode)
    made.uid, made.gid = found.st_uid, found.st_gid
    made.uname, made.gname = _user(found.st_uid), _group(found.st_gid)
    made.mtime = found.st_mtime_ns // 1_000_000_000
    made.pax_headers = {
        "mtime": _seconds(found.st_mtime_ns),
        "atime": _seconds(found.st_atime_ns),
        "ctime": _seconds(found.st_ctime_ns),
    }
    if kind in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        made.devmajor, made.devminor = os.major(found.st_rdev), os.minor(found.st_rdev)
    return made


@lru_cache(maxsize=1024)
def _user(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return ""


@lru_cache(maxsize=1024)
def _group(gid: int) -> str:
    try:
        return getgrgid(gid).gr_name
    except KeyError:
        return ""


def _seconds(time_ns: int) -> str:
    sign, seconds, rest = "-" if time_ns < 0 else "", *divmod(abs(time_ns), 1_000_000_000)
    return f"{sign}{seconds}.{rest:09}"


def _nanoseconds(text: str) -> int | None:
    match = _DECIMAL.fullmatch(text)
    if not match:
        return None
    time_ns = int(match[2]) * 1_000_000_000 + int((match[3] or "").ljust(9, "0"))
    return -time_ns if match[1] else time_ns


def xattrs(fd: int) -> tuple[dict[str, str], list[str]]:
    """Pax records of a file's extended attributes, and the names that no record can have; OSError if unreadable."""
    try:
        names = os.listxattr(fd)
    except OSError as problem:
        if problem.errno == ENOTSUP:
            return {}, []
        raise
    unnameable = [name for name in names if not _is_utf8(name)]
    records = {_XATTR + _escape(name): _xattr(fd, name) for name in names if name not in unnameable}
    return {keyword: value for keyword, value in records.items() if value is not None}, unnameable


def _is_utf8(name: str) -> bool:
    """Values may be any bytes under hdrcharset=BINARY; keywords are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _xattr(fd: int, name: str) -> str | None:
    try:
        return os.getxattr(fd, name).decode("utf-8", "surrogateescape")
    except OSError as problem:
        if problem.errno == ENODATA:  # removed meanwhile
            return None
        raise


def _escape(name: str) -> str:
    """A keyword ends at the first "=": GNU tar's way around."""
    return name.replace("%", "%25").replace("=", "%3D")


def _unescape(name: str) -> str:
    return name.replace("%3D", "=").replace("%25", "%")


@dataclass(frozen=True, slots=True)
class Restored:
    """What of a header belongs on the recovered file, besides its bytes."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[str, bytes]


def parse_restored(member: tarfile.TarInfo) -> Restored:
    """Read a header; ValueError for numbers that no file can have."""
    if not (0 <= member.uid < 0xFFFFFFFF and 0 <= member.gid < 0xFFFFFFFF):
        raise ValueError(f"owner {member.uid}:{member.gid}")
    pairs = ((key.removeprefix(_XATTR), value) for key, value in member.pax_headers.items() if key.startswith(_XATTR))
    attributes = {_unescape(name): value.encode("utf-8", "surrogateescape") for name, value in pairs}
    return Restored(stat.S_IMODE(member.mode), member.uid, member.gid, time_ns(member, "mtime") or 0, attributes)


def time_ns(member: tarfile.TarInfo, name: str) -> int | None:
    """A time of the member, as exact as the archive has it; None if it is not there."""
    precise = _nanoseconds(member.pax_headers.get(name, ""))
    if precise is None and name == "mtime" and isfinite(member.mtime):
        return int(member.mtime) * 1_000_000_000
    return precise
