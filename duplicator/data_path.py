"""The data path of a data service: one thread in which a backup or a recovery runs (draft 3.5)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from duplicator.channels import SocketBackupChannel, SocketRecoverChannel
from duplicator.data_end import SocketEnd
from duplicator.network import NetworkSettings
from ndmp.backends import (
    BackupRun,
    DataEvent,
    DataHalted,
    DataProgress,
    DataStarted,
    RecoverRun,
)
from ndmp.enums import DataHaltReason

__all__ = ["SocketDataPath"]

_log: Final = logging.getLogger(__name__)
_PEEK_INTERVAL: Final = 0.25
"""Seconds between looks at a peer that has nothing to do yet."""

_Channel: TypeAlias = SocketBackupChannel | SocketRecoverChannel
_Operation: TypeAlias = Callable[[], None]


class _ConnectionBroke(Exception):  # noqa: N818  (what happened)
    """The data connection could not be made, or failed before the operation began."""


class SocketDataPath(SocketEnd):
    """Implements :class:`ndmp.backends.DataPath` on a data connection."""

    def __init__(self, report: Callable[[DataEvent], None], local_host: str, settings: NetworkSettings) -> None:
        super().__init__("data", local_host, settings)
        self._report = report
        self._turn = threading.Condition()
        self._channel: _Channel | None = None
        self._operation: _Operation | None = None

    # -- called by the host --------------------------------------------------------------------------------------

    def start_backup(self, run: BackupRun) -> None:
        """See DataPath."""
        channel = SocketBackupChannel(self._peer, self._report)
        self._start(channel, lambda: run(channel))

    def start_recover(self, run: RecoverRun) -> None:
        """See DataPath."""
        channel = SocketRecoverChannel(self._peer, self._report)
        self._start(channel, lambda: run(channel))

    def _start(self, channel: _Channel, operation: _Operation) -> None:
        with self._turn:
            self._channel, self._operation = channel, operation
            self._turn.notify()

    def progress(self) -> DataProgress:
        """See DataPath."""
        return self._channel.progress() if self._channel else DataProgress()

    def _on_stop(self) -> None:
        with self._turn:
            if self._channel:
                self._channel.stop()
            self._turn.notify()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        halted = self._outcome()
        self._peer.close(complete=halted is not None and halted.reason == DataHaltReason.SUCCESSFUL)
        if halted is not None:
            self._report(halted)

    def _outcome(self) -> DataHalted | None:
        """How it all ended; None when the host ended it."""
        try:
            self._await_peer()
            self._perform(self._next_operation())
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a backend's bug ends this operation, not the host)
            return self._outcome_after(error)
        return self._outcome_after(None)

    def _outcome_after(self, failure: BaseException | None) -> DataHalted | None:
        broken = failure if isinstance(failure, _ConnectionBroke) else self._channel and self._channel.broken
        if self._peer.is_stopping:
            return None
        if broken:  # whatever the backend made of it
            return DataHalted(DataHaltReason.CONNECT_ERROR, f"data connection: {broken}")
        if failure:
            _log.error("data operation failed", exc_info=failure)
            text = str(failure) or type(failure).__name__
            return DataHalted(DataHaltReason.INTERNAL_ERROR, f"data operation failed: {text}")
        return DataHalted(DataHaltReason.SUCCESSFUL)

    def _await_peer(self) -> None:
        if not self._listens:
            return
        try:
            address = self._peer.accept()
        except OSError as error:
            raise _ConnectionBroke(error) from error
        self._report(DataStarted(address))

    def _next_operation(self) -> _Operation:
        """Wait for the host, and watch the peer meanwhile."""
        with self._turn:
            while not self._turn.wait_for(lambda: self._operation or self._peer.is_stopping, timeout=_PEEK_INTERVAL):
                if self._peer.peer_is_gone:
                    raise _ConnectionBroke("the peer closed it before anything was asked for")
            self._peer.check()
            assert self._operation is not None
            return self._operation

    def _perform(self, operation: _Operation) -> None:
        assert self._channel is not None
        operation()
        self._channel.finish()
