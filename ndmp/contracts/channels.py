"""What a data operation tells and moves, in memory: the channels of ndmp.backends without a host."""

from __future__ import annotations

from dataclasses import dataclass, field

from ndmp.backends import (
    FileAttributes,
    HistoryEntry,
    HistoryFile,
    HistoryNode,
    OperationEnded,
)
from ndmp.enums import LogType, RecoveryStatus
from ndmp.types import ALL_ONES_64

__all__ = ["MemoryBackup", "MemoryHistory", "MemoryRecovery"]


@dataclass
class MemoryHistory:
    """Keeps the file history, in the order in which it came."""

    told: list[HistoryFile | HistoryEntry | HistoryNode] = field(default_factory=list)

    def add_file(self, path: str, attributes: FileAttributes, *, node: int, position: int | None) -> None:
        """See FileHistory."""
        self.told.append(HistoryFile(path, attributes, node, position))

    def add_entry(self, name: str, *, node: int, parent: int) -> None:
        """See FileHistory."""
        self.told.append(HistoryEntry(name, node, parent))

    def add_node(self, node: int, attributes: FileAttributes, *, position: int | None) -> None:
        """See FileHistory."""
        self.told.append(HistoryNode(node, attributes, position))


@dataclass
class _Operation:
    """What every operation may tell. It ends, with OperationEnded, after ``patience`` calls; None: never."""

    patience: int | None = None
    calls: int = 0
    history: MemoryHistory = field(default_factory=MemoryHistory)
    logged: list[tuple[LogType, str]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def log(self, kind: LogType, text: str) -> None:
        """See OperationChannel."""
        self.check()
        self.logged.append((kind, text))

    def estimate(self, *, bytes_left: int | None, seconds_left: int | None = None) -> None:
        """See OperationChannel."""
        self.check()

    def set_variable(self, name: str, value: str) -> None:
        """See OperationChannel."""
        self.check()
        self.variables[name] = value

    def check(self) -> None:
        """See OperationChannel."""
        if self.calls == self.patience:
            raise OperationEnded("the application aborts")
        self.calls += 1


@dataclass
class MemoryBackup(_Operation):
    """Takes a backup stream."""

    stream: bytearray = field(default_factory=bytearray)

    @property
    def position(self) -> int:
        """See BackupChannel."""
        return len(self.stream)

    def write(self, chunk: bytes | bytearray | memoryview) -> int:
        """See BackupChannel."""
        self.check()
        self.stream += chunk
        return len(chunk)

    def flush(self) -> None:
        """See BackupChannel."""
        self.check()


@dataclass
class MemoryRecovery(_Operation):
    """Gives a backup stream, ``piece`` bytes at most at a time."""

    stream: bytes = b""
    piece: int = 1000
    outcomes: list[tuple[str, RecoveryStatus]] = field(default_factory=list)
    _next: int = 0
    _end: int | None = None

    def expect(self, offset: int, length: int) -> None:
        """See RecoverChannel; AssertionError where a host could not do it."""
        self.check()
        assert self._end is None or self._next == self._end, "the stretch before was not read to its end"
        assert length > 0, "a stretch of no bytes"
        assert length == ALL_ONES_64 or offset + length <= ALL_ONES_64, "a stretch that ends nowhere"
        self._next = min(offset, len(self.stream))
        self._end = len(self.stream) if length == ALL_ONES_64 else min(offset + length, len(self.stream))

    def read(self, count: int) -> bytes:
        """See RecoverChannel."""
        self.check()
        assert self._end is not None, "nothing was asked for by expect()"
        assert count > 0, "a read of no bytes"
        read = self.stream[self._next : min(self._next + min(count, self.piece), self._end)]
        self._next += len(read)
        return bytes(read)

    def recovered(self, original_path: str, status: RecoveryStatus) -> None:
        """See RecoverChannel."""
        self.check()
        self.outcomes.append((original_path, status))
