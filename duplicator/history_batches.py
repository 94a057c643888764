"""File history on its way to the application: in batches, and no more of them than it keeps up with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from duplicator.backlog import Backlog
from ndmp.backends import (
    FileAttributes,
    HistoryAdded,
    HistoryEntry,
    HistoryFile,
    HistoryNode,
    OperationEnded,
)

__all__ = ["HistoryBatches"]

_MAX_ENTRIES: Final = 256
_MAX_BYTES: Final = 64 * 1024
_MAX_UNTAKEN: Final = 8
_ENTRY_BYTES: Final = 128
"""Of an entry on the wire, about, besides its name."""

_Entry: TypeAlias = HistoryFile | HistoryEntry | HistoryNode


class HistoryBatches:
    """Implements :class:`ndmp.backends.FileHistory`, for one thread; a batch holds entries of one kind."""

    def __init__(self, report: Callable[[HistoryAdded], None]) -> None:
        self._report = report
        self._batch: list[_Entry] = []
        self._batch_bytes = 0
        self._backlog = Backlog(_MAX_UNTAKEN)

    def add_file(self, path: str, attributes: FileAttributes, *, node: int, position: int | None) -> None:
        """See FileHistory."""
        self._add(HistoryFile(path, attributes, node, position), path)

    def add_entry(self, name: str, *, node: int, parent: int) -> None:
        """See FileHistory."""
        self._add(HistoryEntry(name, node, parent), name)

    def add_node(self, node: int, attributes: FileAttributes, *, position: int | None) -> None:
        """See FileHistory."""
        self._add(HistoryNode(node, attributes, position), "")

    def _add(self, entry: _Entry, name: str) -> None:
        if self._backlog.is_over:
            raise OperationEnded("the operation is over")
        size = _ENTRY_BYTES + len(name.encode(errors="surrogatepass"))
        if self._batch and (type(entry) is not type(self._batch[0]) or self._batch_bytes + size > _MAX_BYTES):
            self.flush()
        self._batch.append(entry)
        self._batch_bytes += size
        if len(self._batch) == _MAX_ENTRIES:
            self.flush()

    def flush(self) -> None:
        """Report what is there, once the application has taken enough of the batches before; or OperationEnded."""
        if not self._batch:
            return
        taken = self._backlog.enter()
        batch, self._batch, self._batch_bytes = tuple(self._batch), [], 0
        self._report(HistoryAdded(_of_one_kind(batch), taken))

    def stop(self) -> None:
        """End the wait for the application, now and later. From any thread."""
        self._backlog.stop()


def _of_one_kind(
    batch: tuple[_Entry, ...],
) -> Sequence[HistoryFile] | Sequence[HistoryEntry] | Sequence[HistoryNode]:
    return batch  # type: ignore[return-value]  # as _add sees to
