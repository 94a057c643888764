"""Reads a tape back and digests it, in a thread of its own (docs/fse.md)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from duplicator.digests import RunningDigest
from ndmp.backends import ReadEnd, RecordDevice, TapeDigestDone
from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["ThreadTapeDigest"]

_log: Final = logging.getLogger(__name__)
_BATCH: Final = 1024 * 1024


class ThreadTapeDigest:
    """Implements :class:`ndmp.backends.TapeDigest`. ``running`` may have taken the stretches before this one."""

    def __init__(
        self,
        running: RunningDigest,
        size: int,
        record_bytes: int,
        device: RecordDevice,
        report: Callable[[TapeDigestDone], None],
    ) -> None:
        self._digest = running
        self._size = size
        self._record = record_bytes
        self._device = device
        self._report = report
        self._done = 0
        self._records = 0
        self._clean = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tape-digest", daemon=True)
        self._thread.start()

    def bytes_done(self) -> int:
        """See TapeDigest."""
        return self._done

    def stop(self) -> None:
        """See TapeDigest."""
        self._stopping.set()
        self._thread.join()

    def read_on(
        self, size: int, record_bytes: int, device: RecordDevice, report: Callable[[TapeDigestDone], None]
    ) -> ThreadTapeDigest:
        """See TapeDigest."""
        return ThreadTapeDigest(self._digest, size, record_bytes, device, report)

    def _run(self) -> None:
        try:
            error = self._read_all()
        except ReplyError as refusal:
            _log.warning("tape digest: %s", refusal)
            error = refusal.error
        except Exception:  # noqa: BLE001  (a backend's bug ends this digest, not the host)
            _log.exception("tape digest failed")
            error = Error.UNDEFINED
        self._report(TapeDigestDone(error, self._done, self._records, self._digest.digest(), self._clean))

    def _read_all(self) -> Error:
        buffer = memoryview(bytearray(max(_BATCH // self._record, 1) * self._record))
        while self._done < self._size:
            if self._stopping.is_set():
                return Error.FSE_ABORTED
            wanted = -(-(self._size - self._done) // self._record) * self._record
            outcome = self._device.read_records(buffer[: min(wanted, len(buffer))], self._record)
            if outcome.truncated:
                return Error.IO
            if not outcome.records:
                return Error.EOF if outcome.end is ReadEnd.FILEMARK else Error.EOM
            self._records += outcome.records
            self._take(buffer[: outcome.bytes_read])
        return Error.NO_ERR

    def _take(self, chunk: memoryview) -> None:
        used = min(len(chunk), self._size - self._done)
        self._digest.update(chunk[:used])
        self._done += used
        padding = chunk[used:].tobytes()
        self._clean = self._clean and padding.count(0) == len(padding)
