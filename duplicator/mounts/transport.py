"""The way to a changer that an NDMP host has: SCSI commands from a thread, requests on the event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import Final

from duplicator.hostlink import HostSession
from ndmp.aio.methods import ScsiMethods
from ndmp.enums import Error
from ndmp.errors import NdmpError, ReplyError
from ndmp.messages.scsi import ScsiExecuteCdbReply
from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.errors import (
    AccessDenied,
    Busy,
    CommandAborted,
    CommandTimeout,
    ScsiError,
    TransportLost,
    UnknownCommand,
)
from scsi.transports.transport import Room, cdb_and_timeout, room_of

__all__ = ["NdmpTransport"]

_REFUSALS: Final = {
    Error.DEVICE_BUSY: Busy,
    Error.TIMEOUT: CommandTimeout,
    Error.PERMISSION: AccessDenied,
    # ndmjob's robot says so of every command that it does not have, where a changer would say it in sense.
    Error.ILLEGAL_ARGS: UnknownCommand,
    Error.NOT_SUPPORTED: UnknownCommand,
}
"""What a host means by an error of EXECUTE_CDB (draft 3.3.5); by any other, that the changer is out of its reach."""


class NdmpTransport:
    """Implements :class:`scsi.transports.transport.Transport` on a session that has a changer open.

    Made on the event loop, used from another thread, which waits: the loop's own thread would wait for itself.
    """

    def __init__(self, session: HostSession) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        """See Transport; CommandAborted once it was stopped."""
        if self._stopped.is_set():
            message = "no more is wanted of the library"
            raise CommandAborted(message)
        cdb, seconds = cdb_and_timeout(command, timeout)
        room = room_of(data_in)
        answer = asyncio.run_coroutine_threadsafe(
            self._ask(cdb, seconds, read=len(room), written=bytes(data_out)), self._loop
        )
        try:
            reply = answer.result()
        except CancelledError as error:
            raise TransportLost(f"the session with {self._session.name} has ended") from error
        except (NdmpError, TimeoutError) as error:
            raise _condition(error) from error
        return _completion(reply, None if isinstance(data_in, int) else data_in)

    def stop(self) -> None:
        """Let the command that runs come to its end, and begin no other."""
        self._stopped.set()

    def close(self) -> None:
        """See Transport; the session belongs to who opened it."""
        self.stop()

    async def _ask(self, cdb: bytes, seconds: float, *, read: int, written: bytes) -> ScsiExecuteCdbReply:
        # The host waits for the device, and we for the host a little longer.
        methods = ScsiMethods(self._session, deadline=seconds + self._session.deadlines.request)
        return await methods.execute(cdb, timeout_ms=round(seconds * 1000), read=read, written=written)


def _condition(error: NdmpError | TimeoutError) -> ScsiError:
    if isinstance(error, ReplyError):
        kind = _REFUSALS.get(error.error, TransportLost)
        return kind(f"the host answers {error.error.name} to {error.text}")
    return (CommandTimeout if isinstance(error, TimeoutError) else TransportLost)(str(error))


def _completion(reply: ScsiExecuteCdbReply, into: memoryview | None) -> Completion:
    came = reply.datain
    if into is not None:
        came = came[: len(into)]
        into[: len(came)] = came
    kept = came if into is None else b""
    return Completion(Status(reply.status), kept, reply.dataout_len, reply.sense, bytes_in=len(came))
