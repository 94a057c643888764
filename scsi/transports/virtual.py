"""Targets that live in this process, such as virtual drives and changers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from scsi.cdb import Command
from scsi.completion import Completion
from scsi.errors import TransportLost
from scsi.transports.transport import Room, cdb_and_timeout, room_of

__all__ = ["TargetSession", "TargetTransport"]


class TargetSession(Protocol):
    """One host's session with a target."""

    def execute(
        self, cdb: bytes, *, data_in_bytes: int, data_out: bytes = b"", timeout: float | None = None
    ) -> Completion:
        """Carry out one command; at most ``data_in_bytes`` come back."""
        ...

    def close(self) -> None:
        """The host goes."""
        ...


class TargetTransport:
    """The way to a target's session; ``on_close`` puts away what only this session used."""

    def __init__(self, session: TargetSession, *, on_close: Callable[[], None] = lambda: None) -> None:
        self._session: TargetSession | None = session
        self._on_close = on_close

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        """See Transport."""
        if self._session is None:
            message = "the session is closed"
            raise TransportLost(message)
        cdb, seconds = cdb_and_timeout(command, timeout)
        room = room_of(data_in)
        done = self._session.execute(cdb, data_in_bytes=len(room), data_out=bytes(data_out), timeout=seconds)
        arrived = min(len(done.data_in), len(room))
        room[:arrived] = done.data_in[:arrived]
        kept = b"" if isinstance(data_in, memoryview) else done.data_in
        return Completion(done.status, kept, done.bytes_out, done.sense, arrived)

    def close(self) -> None:
        """See Transport."""
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            finally:
                self._on_close()
