"""Tape drives of :mod:`scsi` as tape backends of :mod:`ndmp`: the only file that knows both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ndmp.backends import CdbOutcome, ReadEnd, RecordsRead, RecordsWritten, TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.errors import AccessDenied, DeviceBusy, NoMedium, ScsiError, WriteProtected
from scsi.tape import Stop, TapeDrive
from scsi.virtual.url import VirtualUrl, ensure_cartridge, open_url

__all__ = ["DriveTape", "VirtualTapeBackend"]

_ERRORS: Final[Sequence[tuple[type[ScsiError], Error]]] = (
    (DeviceBusy, Error.DEVICE_BUSY),
    (NoMedium, Error.NO_TAPE_LOADED),
    (WriteProtected, Error.WRITE_PROTECT),
    (AccessDenied, Error.PERMISSION),
    (ScsiError, Error.IO),
)
_ENDS: Final = {Stop.FILEMARK: ReadEnd.FILEMARK, Stop.END_OF_DATA: ReadEnd.BLANK}


@contextmanager
def _as_replies() -> Iterator[None]:
    """Turn a drive's failures into NDMP errors."""
    try:
        yield
    except ScsiError as failure:
        error = next(error for kind, error in _ERRORS if isinstance(failure, kind))
        raise ReplyError(error, str(failure)) from failure


class DriveTape:
    """Implements :class:`ndmp.backends.TapeHandle` on an open drive.

    A drive crosses a filemark that stops it; NDMP wants to stay on the near side, so the adapter steps back.
    """

    def __init__(self, drive: TapeDrive) -> None:
        self._drive = drive

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        """See RecordDevice."""
        with _as_replies():
            outcome = self._drive.write_blocks(records, record_bytes)
        return RecordsWritten(outcome.blocks, outcome.early_warning)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        """See RecordDevice."""
        with _as_replies():
            outcome = self._drive.read_blocks(into, record_bytes)
            if outcome.stop is Stop.FILEMARK:
                self._drive.space_filemarks(-1)
        end = _ENDS[outcome.stop] if outcome.stop else None
        return RecordsRead(outcome.blocks, outcome.bytes_read, end, outcome.truncated)

    def space_records(self, count: int) -> int:
        """See RecordDevice."""
        with _as_replies():
            outcome = self._drive.space_blocks(count)
            if outcome.stop is Stop.FILEMARK:
                self._drive.space_filemarks(-1 if count > 0 else 1)
        return abs(count) - outcome.moved

    def space_filemarks(self, count: int) -> int:
        """See TapeHandle."""
        with _as_replies():
            return abs(count) - self._drive.space_filemarks(count).moved

    def write_filemarks(self, count: int) -> None:
        """See TapeHandle."""
        with _as_replies():
            self._drive.write_filemarks(count)

    def rewind(self) -> None:
        """See TapeHandle."""
        with _as_replies():
            self._drive.rewind()

    def unload(self) -> None:
        """See TapeHandle."""
        with _as_replies():
            self._drive.unload()

    def test_ready(self) -> None:
        """See TapeHandle."""
        if not self._drive.loaded:
            raise ReplyError(Error.NO_TAPE_LOADED, "no tape in the drive")

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        raise ReplyError(Error.NOT_SUPPORTED, "this drive takes no SCSI commands")

    def status(self) -> TapeStatus:
        """See TapeHandle."""
        with _as_replies():
            position, capacity = self._drive.position(), self._drive.capacity()
            return TapeStatus(
                file_num=position.file_number,
                block_num=position.block_in_file,
                total_bytes=capacity.total_bytes,
                remaining_bytes=capacity.remaining_bytes,
                soft_errors=0,
                write_protected=self._drive.write_protected,
            )

    def close(self) -> None:
        """See TapeHandle."""
        with _as_replies():
            self._drive.close()


class VirtualTapeBackend:
    """Implements :class:`ndmp.backends.TapeBackend`: a drive with one virtual cartridge in it."""

    model = "ndmpdup virtual tape"

    def __init__(self, url: VirtualUrl) -> None:
        """Make the cartridge if it is not there; ScsiError when that fails."""
        ensure_cartridge(url)
        self._url = url
        self.capabilities = (("BARCODE", url.path.name),)

    def open(self, mode: TapeOpenMode) -> DriveTape:
        """See TapeBackend."""
        with _as_replies():
            drive = open_url(self._url, read_only=mode == TapeOpenMode.READ)
        if mode == TapeOpenMode.RDWR and drive.write_protected:
            drive.close()
            raise ReplyError(Error.WRITE_PROTECT, f"{self._url.path.name} is write protected")
        return DriveTape(drive)
