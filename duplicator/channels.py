"""What a running backup or recovery holds in its hands: the stream, and a way to tell the application things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from duplicator.backlog import Backlog
from duplicator.dataconn import DataConnection
from duplicator.history_batches import HistoryBatches
from duplicator.stop_signal import Stopped
from ndmp.backends import DataEvent, DataLogged, DataProgress, DataWanted, FileRecovered, OperationEnded, VariableSet
from ndmp.enums import LogType, RecoveryStatus
from ndmp.types import ALL_ONES_64

__all__ = ["SocketBackupChannel", "SocketChannel", "SocketRecoverChannel"]

_GATHERED: Final = 256 * 1024
"""Bytes of small writes that go out as one."""
_FETCHED: Final = 1024 * 1024
"""Bytes that one receive may bring."""
_LINES: Final = 64
"""Lines of the log that may wait for the application: a tree or an archive may be wrong in every file."""


class SocketChannel:
    """Implements :class:`ndmp.backends.OperationChannel`. ``broken`` remembers how the connection failed."""

    def __init__(self, peer: DataConnection, report: Callable[[DataEvent], None]) -> None:
        self._peer = peer
        self._report = report
        self.history: Final = HistoryBatches(report)
        self._lines = Backlog(_LINES)
        self.broken: OSError | None = None
        self._processed = 0
        self._left: tuple[int | None, int | None] = (None, None)

    def log(self, kind: LogType, text: str) -> None:
        """See OperationChannel."""
        self.check()
        self._report(DataLogged(kind, text, self._lines.enter()))

    def estimate(self, *, bytes_left: int | None, seconds_left: int | None = None) -> None:
        """See OperationChannel."""
        self.check()
        self._left = (bytes_left, seconds_left)

    def set_variable(self, name: str, value: str) -> None:
        """See OperationChannel."""
        self.check()
        self._report(VariableSet(name, value))

    def check(self) -> None:
        """See OperationChannel."""
        if self._peer.is_stopping or self.broken:
            raise OperationEnded("the operation is over")

    def progress(self) -> DataProgress:
        """How far it is. From any thread."""
        return DataProgress(self._processed, *self._left)

    def _broke(self, error: OSError) -> OperationEnded:
        self.broken = error
        return OperationEnded(f"data connection: {error}")

    def stop(self) -> None:
        """End the waits that are not the connection's. From any thread."""
        self.history.stop()
        self._lines.stop()


class SocketBackupChannel(SocketChannel):
    """Implements :class:`ndmp.backends.BackupChannel`, for one thread."""

    def __init__(self, peer: DataConnection, report: Callable[[DataEvent], None]) -> None:
        super().__init__(peer, report)
        self._gathered = memoryview(bytearray(_GATHERED))
        self._filled = 0

    @property
    def position(self) -> int:
        """See BackupChannel."""
        return self._processed

    def write(self, chunk: bytes | bytearray | memoryview) -> int:
        """See BackupChannel."""
        SocketChannel.check(self)
        view = memoryview(chunk).cast("B")
        size = len(view)
        if self._filled + size > _GATHERED:
            self._flush()
        if size >= _GATHERED:
            self._send(view)
        else:
            self._gathered[self._filled : self._filled + size] = view
            self._filled += size
        self._processed += size
        return size

    def flush(self) -> None:
        """See BackupChannel."""
        self.finish()
        self.check()

    def finish(self) -> None:
        """Send what is left, and tell what is left of the history."""
        self._flush()
        self.history.flush()

    def check(self) -> None:
        """See OperationChannel; nobody else may notice for long that the receiver is gone."""
        super().check()
        if self._peer.peer_is_gone:
            raise self._broke(ConnectionAbortedError("the peer closed it"))

    def _flush(self) -> None:
        chunk, self._filled = self._gathered[: self._filled], 0
        self._send(chunk)

    def _send(self, chunk: memoryview) -> None:
        try:
            self._peer.send(chunk)
        except Stopped:
            raise OperationEnded("the operation was stopped") from None
        except OSError as error:
            raise self._broke(error) from error


class SocketRecoverChannel(SocketChannel):
    """Implements :class:`ndmp.backends.RecoverChannel`, for one thread."""

    def __init__(self, peer: DataConnection, report: Callable[[DataEvent], None]) -> None:
        super().__init__(peer, report)
        self._buffer = memoryview(bytearray(_FETCHED))
        self._held = self._buffer[:0]
        self._to_come = 0
        """Bytes of the stretch that are not in the buffer yet."""

    def expect(self, offset: int, length: int) -> None:
        """See RecoverChannel; ValueError if the last stretch was not read to its end."""
        self.check()
        if self._held or self._to_come:
            raise ValueError(f"the stretch before offset {offset} is not read to its end")
        self._to_come = length
        if length:
            self._report(DataWanted(offset, length))

    def read(self, count: int) -> bytes:
        """See RecoverChannel."""
        self.check()
        if count < 0:
            raise ValueError(f"{count} bytes")
        if count and not self._held and self._to_come:
            self._fetch()
        taken, self._held = bytes(self._held[:count]), self._held[count:]
        self._processed += len(taken)
        return taken

    def _fetch(self) -> None:
        """Receive more of the stretch, and not beyond: there is nothing there until it is asked for."""
        room = self._buffer[: self._to_come]
        try:
            while (count := self._peer.receive(room)) is None:
                continue
        except Stopped:
            raise OperationEnded("the operation was stopped") from None
        except OSError as error:
            raise self._broke(error) from error
        self._held = room[:count]
        if not count:
            self._to_come = 0
        elif self._to_come != ALL_ONES_64:
            self._to_come -= count

    def finish(self) -> None:
        """Tell what is left of the history."""
        self.history.flush()

    def recovered(self, original_path: str, status: RecoveryStatus) -> None:
        """See RecoverChannel."""
        self.check()
        self._report(FileRecovered(original_path, status))
