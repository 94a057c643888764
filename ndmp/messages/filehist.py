"""FH: the file history of a backup, by paths or by nodes (draft 4.3)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from ndmp.enums import FileStatUnsupported, FileType, FsType
from ndmp.wire import U32, U64, Post, Tagged, Text, post, struct

__all__ = [
    "FhAddDir",
    "FhAddFile",
    "FhAddNode",
    "FhDir",
    "FhFile",
    "FhNode",
    "FileName",
    "FileStat",
    "NtName",
    "OtherName",
    "UnixName",
]


@struct
class UnixName:
    """A path of a UNIX file system."""

    path: Text


@struct
class NtName:
    """A path of an NT file system, and its short form."""

    nt_path: Text
    dos_path: Text


@struct
class OtherName:
    """A path of another file system: FsType.OTHER, or a number without a name."""

    fs_type: FsType
    path: Text


FileName: TypeAlias = Annotated[
    UnixName | NtName | OtherName,
    Tagged({FsType.UNIX: UnixName, FsType.NT: NtName}, default=OtherName),
]
"""One of a file's names (draft 2.12)."""


@struct
class FileStat:
    """A file's attributes: times in seconds since 1970, ``attributes`` mode bits without the type (draft 4.3.1)."""

    unsupported: FileStatUnsupported
    fs_type: FsType
    file_type: FileType
    mtime: U32
    atime: U32
    ctime: U32
    owner: U32
    group: U32
    attributes: U32
    size: U64
    links: U32


@struct
class FhFile:
    """A file by its paths from the backup's root; ``fh_info`` is its place in the stream, all ones if unknown."""

    names: tuple[FileName, ...]
    stats: tuple[FileStat, ...]
    node: U64
    fh_info: U64


@post(0x703)
class FhAddFile(Post):
    """Files that were backed up, each with path and attributes (draft 4.3.1)."""

    files: tuple[FhFile, ...]


@struct
class FhDir:
    """A name in a directory: the node it leads to and the directory's own."""

    names: tuple[FileName, ...]
    node: U64
    parent: U64


@post(0x704)
class FhAddDir(Post):
    """Names in directories; each directory starts with ``.`` and ``..`` (draft 4.3.2)."""

    dirs: tuple[FhDir, ...]


@struct
class FhNode:
    """The attributes of a node that a directory entry named; ``fh_info`` as in FhFile."""

    stats: tuple[FileStat, ...]
    node: U64
    fh_info: U64


@post(0x705)
class FhAddNode(Post):
    """Attributes of nodes that were backed up (draft 4.3.3)."""

    nodes: tuple[FhNode, ...]
