"""File history entries as the posts that carry them (draft 4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from ndmp.backends import FileAttributes, HistoryEntry, HistoryFile, HistoryNode
from ndmp.enums import FileStatUnsupported, FsType
from ndmp.messages.filehist import FhAddDir, FhAddFile, FhAddNode, FhDir, FhFile, FhNode, FileStat, UnixName
from ndmp.types import ALL_ONES_32, ALL_ONES_64
from ndmp.wire import Post

__all__ = ["history_posts"]

_ENTRIES_AT_ONCE: Final = 128
"""Of one post: with the longest paths that a system call takes still less than peers take as one message."""
_PERMISSIONS: Final = 0o7777


def history_posts(entries: Sequence[HistoryFile] | Sequence[HistoryEntry] | Sequence[HistoryNode]) -> Iterator[Post]:
    """Posts of bounded size, in the order of the entries; all of one kind."""
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        post, convert = _KINDS[type(entries[0])]
        yield post(tuple(map(convert, entries[start : start + _ENTRIES_AT_ONCE])))


def _file(entry: HistoryFile) -> FhFile:
    return FhFile((UnixName(entry.path),), (_stat(entry.attributes),), entry.node, _position(entry.position))


def _entry(entry: HistoryEntry) -> FhDir:
    return FhDir((UnixName(entry.name),), entry.node, entry.parent)


def _node(entry: HistoryNode) -> FhNode:
    return FhNode((_stat(entry.attributes),), entry.node, _position(entry.position))


def _position(position: int | None) -> int:
    return ALL_ONES_64 if position is None else position


def _stat(attributes: FileAttributes) -> FileStat:
    unsupported = FileStatUnsupported(0)
    for field, bit in (
        (attributes.atime, FileStatUnsupported.ATIME),
        (attributes.ctime, FileStatUnsupported.CTIME),
        (attributes.group, FileStatUnsupported.GROUP),
    ):
        unsupported |= bit if field is None else FileStatUnsupported(0)
    return FileStat(
        unsupported,
        FsType.UNIX,
        attributes.file_type,
        mtime=_word(attributes.mtime),
        atime=_word(attributes.atime),
        ctime=_word(attributes.ctime),
        owner=_word(attributes.owner),
        group=_word(attributes.group),
        attributes=attributes.mode & _PERMISSIONS,
        size=attributes.size,
        links=_word(attributes.links),
    )


def _word(number: int | None) -> int:
    """What 32 bits can hold of it: a file may be older than 1970, or bear a date after 2106."""
    return ALL_ONES_32 if number is None else min(max(number, 0), ALL_ONES_32 - 1)


_KINDS: Final[Mapping[type, tuple[Callable[..., Post], Callable[[Any], object]]]] = {
    HistoryFile: (FhAddFile, _file),
    HistoryEntry: (FhAddDir, _entry),
    HistoryNode: (FhAddNode, _node),
}
"""The post of each kind of entry, and what it holds."""
