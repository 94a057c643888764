"""The data path of a mover: one thread, large batches, no copy and no object per record (draft 3.6)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from duplicator.data_end import SocketEnd
from duplicator.data_path import SocketDataPath
from duplicator.data_tls import TlsPolicy
from duplicator.digests import ALGORITHMS, new_digest
from duplicator.network import NetworkSettings
from duplicator.read_ahead import ReadAhead
from duplicator.stop_signal import Stopped
from duplicator.tape_digest import ThreadTapeDigest
from ndmp.backends import (
    DataEvent,
    MoverCounters,
    MoverEvent,
    MoverHalted,
    MoverPaused,
    MoverStarted,
    ReadEnd,
    RecordDevice,
    TapeDigestDone,
)
from ndmp.enums import DigestAlgorithm, Error, MoverHaltReason, MoverMode, MoverPauseReason
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64
from ndmp.window import Window

__all__ = ["SocketMover", "SocketMovers"]

_log: Final = logging.getLogger(__name__)
_BATCH: Final = 2 * 1024 * 1024
"""Bytes moved by one system call, or one record if that is larger."""
_PEEK_INTERVAL: Final = 0.25
"""Seconds between looks at an idle data connection."""
_SETTLING: Final = 0.1
"""Seconds that a READ waits for the one before it, once that one's last bytes are on their way."""


@dataclass(slots=True)
class _Read:
    """A MOVER_READ in progress; both in bytes of the stream."""

    offset: int
    left: int
    is_settling: bool = False
    """The last bytes are with the kernel; the peer may have them before this process knows."""


class _PeerClosed(Exception):  # noqa: N818  (how most transfers end)
    """The peer closed the data connection."""


class _ConnectionBroke(Exception):  # noqa: N818  (what happened)
    """The data connection failed under a transfer."""


class SocketMover(SocketEnd):
    """Implements :class:`ndmp.backends.DataMover` on a data connection."""

    def __init__(
        self,
        mode: MoverMode,
        record_bytes: int,
        device: Callable[[], RecordDevice],
        report: Callable[[MoverEvent], None],
        *,
        local_host: str,
        settings: NetworkSettings,
    ) -> None:
        super().__init__(f"mover-{mode.name}", local_host, settings)
        self._mode = mode
        self._record = record_bytes
        self._device = device
        self._report = report
        self._turn = threading.Condition()
        self._go = True
        self._read: _Read | None = None
        self._window = Window()
        self._window_is_new = False
        self._window_left = 0
        self._moved = 0
        self._record_num = 0
        self._seek_offset = 0

    # -- called by the host --------------------------------------------------------------------------------------

    def set_window(self, offset: int, length: int) -> None:
        """See DataMover."""
        self._window, self._window_is_new = Window(offset, length), True
        self._window_left = ALL_ONES_64 if self._window.is_endless else length
        self._record_num = offset // self._record

    def read(self, offset: int, length: int) -> None:
        """See DataMover."""
        with self._turn:
            patience = _SETTLING if self._read is not None and self._read.is_settling else 0
            if not self._turn.wait_for(lambda: self._read is None, timeout=patience):
                raise ReplyError(Error.READ_IN_PROGRESS, "the last MOVER_READ is not done")
            self._read = _Read(offset, length)
            self._seek_offset = offset
            self._turn.notify()

    def resume(self) -> None:
        """See DataMover."""
        with self._turn:
            self._go = True
            self._turn.notify()

    def counters(self) -> MoverCounters:
        """See DataMover."""
        read = self._read
        return MoverCounters(self._moved, self._record_num, self._seek_offset, read.left if read else 0)

    def _on_stop(self) -> None:
        with self._turn:
            self._turn.notify()

    # -- the mover's thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        halted: MoverHalted | None = MoverHalted(MoverHaltReason.INTERNAL_ERROR, "mover ended without a word")
        try:
            halted = self._transfer()
        except Stopped:
            halted = None
        except Exception as error:  # noqa: BLE001  (a backend's bug ends this transfer, not the host)
            _log.exception("mover failed")
            halted = MoverHalted(MoverHaltReason.INTERNAL_ERROR, f"mover failed: {error}")
        finally:
            self._peer.close(complete=halted is None)  # what a mover ends by itself, it has not sent to its end
        if halted is not None:
            self._report(halted)

    def _transfer(self) -> MoverHalted:
        if self._listens:
            try:
                self._report(MoverStarted(self._peer.accept()))
            except OSError as error:
                return MoverHalted(MoverHaltReason.CONNECT_ERROR, f"data connection: {error}")
        try:
            if self._mode == MoverMode.READ:
                self._peer_to_device()
            else:
                self._device_to_peer()
        except _PeerClosed:
            return MoverHalted(MoverHaltReason.CONNECT_CLOSED)
        except _ConnectionBroke as error:
            return MoverHalted(MoverHaltReason.CONNECT_ERROR, f"data connection: {error}")
        except ReplyError as error:
            return MoverHalted(MoverHaltReason.MEDIA_ERROR, str(error))
        return MoverHalted(MoverHaltReason.CONNECT_CLOSED)

    def _pause(self, reason: MoverPauseReason, seek_offset: int = 0) -> RecordDevice:
        """Report, wait for CONTINUE, and give the device that is open then."""
        self._go = False
        self._report(MoverPaused(reason, seek_offset))
        self._wait(lambda: self._go)
        return self._device()

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait for the host. A receiver that leaves meanwhile ends the transfer; a sender may, its bytes are safe."""
        with self._turn:
            while not self._turn.wait_for(lambda: ready() or self._peer.is_stopping, timeout=_PEEK_INTERVAL):
                if self._mode == MoverMode.WRITE and self._peer.peer_is_gone:
                    raise _PeerClosed
        self._peer.check()

    def _buffer(self) -> memoryview:
        """Room for whole records."""
        return memoryview(bytearray(max(_BATCH // self._record, 1) * self._record))

    # -- READ: data connection to device -------------------------------------------------------------------------

    def _peer_to_device(self) -> None:
        """Receive until the peer closes; the last record is filled up with zeros (draft 3.6.2.1)."""
        device, buffer, filled, ended = self._device(), self._buffer(), 0, False
        warned = False  # early warning was met: the next record must wait for the application
        announced: RecordDevice | None = None  # where the application knows; it may mount another tape
        while not (ended and not filled):
            if not ended:
                filled, ended = self._fill(buffer, filled)
            padded = filled + (-filled % self._record if ended else -(filled % self._record))
            if padded <= 0:
                continue
            if warned:
                announced, device, warned = device, self._pause(MoverPauseReason.EOM), False
            while not self._window_left:
                device = self._pause(MoverPauseReason.EOW)
            if padded > filled:
                buffer[filled:padded] = bytes(padded - filled)
            outcome = device.write_records(buffer[: min(padded, self._window_left)], self._record)
            filled = self._account(buffer, filled, outcome.records)
            warned = outcome.early_warning and device is not announced
            announced = announced if outcome.early_warning else None

    def _fill(self, buffer: memoryview, filled: int) -> tuple[int, bool]:
        """Receive more, but not much past the window: (bytes in the buffer, whether the stream has ended)."""
        limit = min(len(buffer), self._window_left + self._record)
        if filled >= limit:
            return filled, False
        try:
            count = self._peer.receive(buffer[filled:limit])
        except OSError as error:
            raise _ConnectionBroke(error) from error
        return filled + (count or 0), count == 0

    def _account(self, buffer: memoryview, filled: int, records: int) -> int:
        """Note what was written and move the rest to the front; returns how much that is."""
        written = records * self._record
        if not written:
            raise ReplyError(Error.IO, "the device took no record and gave no reason")
        stream_bytes = min(written, filled)
        self._moved += stream_bytes
        self._record_num += records
        if not self._window.is_endless:
            self._window_left -= written
        rest = filled - stream_bytes
        if rest:
            buffer[:rest] = bytes(buffer[stream_bytes:filled])
        return rest

    # -- WRITE: device to data connection ------------------------------------------------------------------------

    def _device_to_peer(self) -> None:
        """Serve one MOVER_READ after the other."""
        tape = ReadAhead(self._buffer(), self._record)
        self._place(tape, self._device())
        while True:
            self._wait(lambda: self._read is not None)
            assert self._read is not None
            while self._read.left:
                self._send_some(tape, self._read)
            with self._turn:
                self._read = None
                self._turn.notify_all()

    def _place(self, tape: ReadAhead, device: RecordDevice) -> None:
        """The device stands at the start of a new window; without one, right behind what was read last."""
        tape.restart(device, self._window.offset if self._window_is_new else None)
        self._window_is_new = False

    def _send_some(self, tape: ReadAhead, read: _Read) -> None:
        """Send the next bytes of ``read``, or pause because they are not within reach."""
        if not self._window.offset <= read.offset < self._window.end:
            self._place(tape, self._pause(MoverPauseReason.SEEK, read.offset))
            return
        chunk = tape.at(read.offset, min(read.left, self._window.end - read.offset))
        self._record_num = tape.record_num
        if isinstance(chunk, ReadEnd):
            reason = MoverPauseReason.EOF if chunk is ReadEnd.FILEMARK else MoverPauseReason.EOM
            self._place(tape, self._pause(reason))
            return
        read.is_settling = len(chunk) == read.left
        self._send(chunk)
        self._moved += len(chunk)
        read.offset += len(chunk)
        read.left -= len(chunk)

    def _send(self, chunk: memoryview) -> None:
        try:
            self._peer.send(chunk)
        except ConnectionError as error:
            # A receiver that has what it wants closes with bytes unread, and that is a reset: draft D.2, not a failure.
            raise _PeerClosed from error
        except OSError as error:
            raise _ConnectionBroke(error) from error


class SocketMovers:
    """Implements :class:`ndmp.backends.MoverFactory` with threads and sockets.

    CertificateError if the settings name a certificate that cannot be used.
    """

    algorithms: Sequence[DigestAlgorithm] = ALGORITHMS

    def __init__(self, settings: NetworkSettings | None = None) -> None:
        self._settings = settings or NetworkSettings()
        if self._settings.tls and self._settings.tls_policy is not TlsPolicy.OFF:
            _ = self._settings.tls.identity  # to be refused now rather than at the first LISTEN

    def mover(
        self,
        mode: MoverMode,
        record_bytes: int,
        device: Callable[[], RecordDevice],
        report: Callable[[MoverEvent], None],
        local_host: str,
    ) -> SocketMover:
        """See MoverFactory."""
        return SocketMover(mode, record_bytes, device, report, local_host=local_host, settings=self._settings)

    def data_path(self, report: Callable[[DataEvent], None], local_host: str) -> SocketDataPath:
        """See MoverFactory."""
        return SocketDataPath(report, local_host, self._settings)

    def tape_digest(
        self,
        algorithm: DigestAlgorithm,
        size: int,
        record_bytes: int,
        device: RecordDevice,
        report: Callable[[TapeDigestDone], None],
    ) -> ThreadTapeDigest:
        """See MoverFactory."""
        return ThreadTapeDigest(new_digest(algorithm), size, record_bytes, device, report)
