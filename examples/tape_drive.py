"""A tape drive whose cartridge is a list: TapeBackend and TapeHandle of ndmp.backends, tried by ndmp.contracts."""

from __future__ import annotations

from threading import Lock

from ndmp.backends import CdbOutcome, ReadEnd, RecordsRead, RecordsWritten, TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError


class Drive:
    """TapeBackend: a drive with a cartridge in it. Sessions compete for it."""

    model = "Example drive"
    capabilities = (("EXECUTE_CDB", "n"),)

    def __init__(self) -> None:
        self._cartridge: list[bytes | None] = []  # its records and, as None, its filemarks
        self._in_use = Lock()

    def open(self, mode: TapeOpenMode) -> OpenDrive:
        if not self._in_use.acquire(blocking=False):
            raise ReplyError(Error.DEVICE_BUSY, "another session has the drive")
        return OpenDrive(self._cartridge, self._in_use)


class OpenDrive:
    """TapeHandle: the methods that move the tape. ``_at`` is the number of the record or mark that comes next."""

    def __init__(self, cartridge: list[bytes | None], in_use: Lock) -> None:
        self._tape, self._in_use, self._at = cartridge, in_use, 0
        self._is_loaded = self._is_open = True

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        written = [bytes(records[at : at + record_bytes]) for at in range(0, len(records), record_bytes)]
        self._append(*written)
        return RecordsWritten(len(written))

    def write_filemarks(self, count: int) -> None:
        if count > 1000:
            raise ReplyError(Error.IO, "the tape is full")  # whatever a request can name must not fill the memory
        self._append(*[None] * count)

    def _append(self, *written: bytes | None) -> None:
        self._tape[self._at :] = written  # what was behind is gone
        self._at = len(self._tape)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        records = used = 0
        while len(into) - used >= record_bytes:
            if self._at == len(self._tape):
                return RecordsRead(records, used, ReadEnd.BLANK)
            record = self._tape[self._at]
            if record is None:
                return RecordsRead(records, used, ReadEnd.FILEMARK)  # and the tape stays before it
            part = record[:record_bytes]
            into[used : used + len(part)] = part
            self._at, records, used = self._at + 1, records + 1, used + len(part)
            if len(part) < len(record):
                return RecordsRead(records, used, truncated=True)  # the rest of the record is gone
        return RecordsRead(records, used)

    def space_records(self, count: int) -> int:
        return self._space(count, over_marks=False)

    def space_filemarks(self, count: int) -> int:
        return self._space(count, over_marks=True)

    def _space(self, count: int, *, over_marks: bool) -> int:
        left, step = abs(count), 1 if count > 0 else -1
        while left and 0 <= (ahead := min(self._at, self._at + step)) < len(self._tape):
            if self._tape[ahead] is None and not over_marks:
                break
            self._at, left = self._at + step, left - ((self._tape[ahead] is None) == over_marks)
        return left

    def rewind(self) -> None:
        self._at = 0

    def unload(self) -> None:
        self._at, self._is_loaded = 0, False

    def test_ready(self) -> None:
        if not self._is_loaded:
            raise ReplyError(Error.NO_TAPE_LOADED, "the tape was unloaded")

    def status(self) -> TapeStatus:
        passed = self._tape[: self._at]
        marks = passed.count(None)
        return TapeStatus(file_num=marks, block_num=passed[::-1].index(None) if marks else len(passed))

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        raise ReplyError(Error.NOT_SUPPORTED, "a list takes no SCSI commands")

    def close(self) -> None:
        if self._is_open:
            self._in_use.release()
        self._is_open = False
