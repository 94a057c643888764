"""Objects as files: one that is written, and one that is read. `shutil` and `tarfile` are content with them."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.types import BSA_DataBlock32

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["BUFFER_BYTES", "ObjectFile", "ObjectReader", "ObjectWriter"]

BUFFER_BYTES: Final = 1 << 20
"""What small reads and writes are gathered to."""
_ALL_AT_ONCE_BYTES: Final = 8 << 20

Call = Callable[..., ReturnCode]
"""A call of XBSA for one handle, which raises unless it gives success or the end of data."""


class ObjectWriter(io.BufferedIOBase):
    """A new object of a backup; leaving its `with` block by an exception gives up the whole transaction."""

    def __init__(self, call: Call, copy_id: int) -> None:
        self.copy_id: Final = copy_id
        self._call = call
        self._gathered = bytearray()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, chunk: ReadableBuffer, /) -> int:
        """Send it, at once if it is large; XbsaError."""
        self._audit_open()
        view = memoryview(chunk).cast("B")
        if len(self._gathered) + len(view) < BUFFER_BYTES:
            self._gathered += view
        else:
            self.flush()
            self._send(view)
        return len(view)

    def flush(self) -> None:
        """Send what was gathered."""
        if not self.closed and self._gathered:
            gathered, self._gathered = self._gathered, bytearray()
            self._send(gathered)

    def close(self) -> None:
        """End the object: all of it is at the service then. XbsaError."""
        if self.closed:
            return
        try:
            self.flush()
            self._call("BSAEndData")
        finally:
            self._shut()

    def abandon(self) -> None:
        """Close it without an end."""
        self._gathered.clear()
        self._shut()

    def _shut(self) -> None:
        self._gathered = bytearray()
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, or leave it without an end when something went wrong."""
        self.abandon() if kind else self.close()

    def __del__(self) -> None:
        # The usual one would close it, and make an object of what may be half of one.
        pass

    def _send(self, chunk: bytearray | memoryview) -> None:
        if len(chunk):
            self._call("BSASendData", BSA_DataBlock32(bufferLen=len(chunk), numBytes=len(chunk), bufferPtr=chunk))

    def _audit_open(self) -> None:
        if self.closed:
            text = "the object is closed"
            raise ValueError(text)


class ObjectReader(io.RawIOBase):
    """A stored object. ``end`` is called once when it is closed: with False when nobody cares for what came."""

    def __init__(self, call: Call, end: Callable[[bool], None]) -> None:
        self.abandoned = False
        self._call = call
        self._end = end
        self._complete = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The next bytes, right into the buffer; 0 at the end of the object. XbsaError if there is more to come."""
        view = memoryview(buffer).cast("B")
        if self._complete or not view:
            return 0
        block = BSA_DataBlock32(bufferLen=len(view), bufferPtr=view)
        self._complete = self._call("BSAGetData", block) is ReturnCode.NO_MORE_DATA
        return block.numBytes

    def readall(self) -> bytes:
        """All that is left."""
        pieces: list[Any] = []
        while not self._complete:
            piece = bytearray(_ALL_AT_ONCE_BYTES)
            pieces.append(memoryview(piece)[: self.readinto(piece)])
        return b"".join(pieces)

    def close(self) -> None:
        """End it; before its end, the rest is not wanted. XbsaError when what was read is not all right."""
        if self.closed:
            return
        try:
            super().close()
        finally:
            self._end(not self.abandoned)


class ObjectFile(io.BufferedReader):
    """A stored object, buffered."""

    def __init__(self, reader: ObjectReader) -> None:
        super().__init__(reader, BUFFER_BYTES)
        self._reader = reader

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; with an exception on its way out at once, and how that goes does not count."""
        self._reader.abandoned = kind is not None
        with suppress(Exception) if kind else nullcontext():
            self.close()
