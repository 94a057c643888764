"""Backup and recovery of file systems, as the maker of a data server provides them (draft 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ndmp.enums import ButypeAttribute, FileType, LogType, RecoveryStatus

__all__ = [
    "BackupChannel",
    "BackupRun",
    "BackupType",
    "DataBackend",
    "FileAttributes",
    "FileHistory",
    "FileSystem",
    "OperationChannel",
    "OperationEnded",
    "RecoverChannel",
    "RecoverRun",
    "WantedPath",
]


class OperationEnded(Exception):  # noqa: N818  (not always an error: the application may have asked for it)
    """The operation was aborted or lost its data connection; a backend releases what it holds and lets this pass."""


@dataclass(frozen=True, slots=True)
class BackupType:
    """A butype: its name, the variables it starts with, and what it can do (draft 3.2.5)."""

    name: str
    environment: Sequence[tuple[str, str]]
    attributes: ButypeAttribute


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A place that can be backed up (draft 3.2.6). Sizes in bytes; None is unknown."""

    name: str
    """What goes into the variable FILESYSTEM."""
    fs_type: str
    device: str = ""
    total_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    total_inodes: int | None = None
    used_inodes: int | None = None
    environment: Sequence[tuple[str, str]] = ()
    status: str = "online"


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """What the file history tells of a file (draft 4.3.1). Times in seconds since 1970; None is unknown."""

    file_type: FileType
    size: int
    mtime: int
    atime: int | None = None
    ctime: int | None = None
    owner: int = 0
    group: int | None = None
    mode: int = 0
    """Permission bits, without the type."""
    links: int = 1


class FileHistory(Protocol):
    """Tells the application what is in the backup, as it is written. May wait for the application to keep up.

    Paths begin with the separator and are relative to the backup's root. ``position`` is what a recovery of this one
    file will get back as :attr:`WantedPath.position`; None: it cannot be read alone.
    """

    def add_file(self, path: str, attributes: FileAttributes, *, node: int, position: int | None) -> None:
        """One file by its path: for HIST=f (draft 4.3.1)."""
        ...

    def add_entry(self, name: str, *, node: int, parent: int) -> None:
        """One name in directory ``parent``: for HIST=d.

        Of each directory first "." and "..", then its members, without another directory's in between; the root
        comes first, as parent of itself (draft 4.3.2).
        """
        ...

    def add_node(self, node: int, attributes: FileAttributes, *, position: int | None) -> None:
        """The attributes of a node, after the entry that names it (draft 4.3.3)."""
        ...


class OperationChannel(Protocol):
    """What every operation may tell. Each method may raise OperationEnded, which is to pass through."""

    @property
    def history(self) -> FileHistory:
        """The file history of this operation."""
        ...

    def log(self, kind: LogType, text: str) -> None:
        """A line for the application's log: a file that could not be read does not end a backup."""
        ...

    def estimate(self, *, bytes_left: int | None, seconds_left: int | None = None) -> None:
        """How much is still to come; asked for by DATA_GET_STATE."""
        ...

    def set_variable(self, name: str, value: str) -> None:
        """Add to the environment, or replace, what DATA_GET_ENV returns."""
        ...

    def check(self) -> None:
        """Raise OperationEnded if the operation is over: for stretches without any other call here."""
        ...


class BackupChannel(OperationChannel, Protocol):
    """The stream that a backup writes."""

    @property
    def position(self) -> int:
        """Bytes written so far."""
        ...

    def write(self, chunk: bytes | bytearray | memoryview) -> int:
        """Send all of ``chunk``; returns its length. Raises OperationEnded when nobody takes it any more."""
        ...

    def flush(self) -> None:
        """Have everything that was written, and the history, on its way: before a note that the backup was made."""
        ...


class RecoverChannel(OperationChannel, Protocol):
    """The stream that a recovery reads, stretch by stretch."""

    def expect(self, offset: int, length: int) -> None:
        """Ask for a stretch of the backup stream, in bytes; all ones in ``length`` is up to its end.

        The next bytes of :meth:`read` are this stretch; the one before must have been read to its end.
        """
        ...

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes of the stretch, at least one; empty at its end or at the end of the stream."""
        ...

    def recovered(self, original_path: str, status: RecoveryStatus) -> None:
        """What became of one wanted path: LOG_FILE with the ``original_path`` of the request (draft 4.2.2)."""
        ...


@dataclass(frozen=True, slots=True)
class WantedPath:
    """A path to recover (draft 3.5.2.4): where it was, and where it goes; None is unknown."""

    original_path: str
    """Relative to the backup's root; empty for everything."""
    destination_path: str
    name: str = ""
    """Its new last component, below the destination path; empty: the destination path is all of the new path."""
    other_name: str = ""
    node: int | None = None
    position: int | None = None
    """What the file history said of it."""


BackupRun = Callable[[BackupChannel], None]
RecoverRun = Callable[[RecoverChannel], None]


class DataBackend(Protocol):
    """File systems and the butypes that back them up.

    The three operations audit at once, raising ReplyError to refuse, and return what does the work; the host runs
    that in a thread of its own. It returns when all is done, even if single files failed (those are logged); any
    exception but OperationEnded ends the operation as INTERNAL_ERROR, with its text in the application's log.
    """

    @property
    def butypes(self) -> Sequence[BackupType]:
        """What is on offer."""
        ...

    def file_systems(self) -> Sequence[FileSystem]:
        """What can be backed up, with its sizes of now."""
        ...

    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        """Prepare a backup; ILLEGAL_ARGS for variables that cannot be meant, NOT_AUTHORIZED, FILE_NOT_FOUND."""
        ...

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        """Prepare a recovery of these paths."""
        ...

    def recover_history(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        """Prepare to read a backup for its file history alone; NOT_SUPPORTED where that cannot be done."""
        ...
