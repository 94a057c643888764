"""Logical units of iSCSI targets, by libiscsi. A session that is lost, or whose command is late, is over for good."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from scsi.cdb import Command
from scsi.completion import Completion, Status
from scsi.errors import AccessDenied, CommandTimeout, TransportLost
from scsi.transports.iscsi_url import IscsiUrl, chap_password
from scsi.transports.libiscsi import CALLBACK, Task, library
from scsi.transports.memory import address_of
from scsi.transports.transport import Room, cdb_and_timeout, room_of

__all__ = ["IscsiTransport"]

LOGIN_TIMEOUT: Final = 20.0
LOGOUT_TIMEOUT: Final = 2.0
_NORMAL_SESSION: Final = 2
_NONE, _READ, _WRITE = 0, 1, 2
_FIRST_FAILURE: Final = 0x100
"""What libiscsi says of an operation above the numbers of SCSI's status byte: cancelled, failed."""
_UNDERFLOW: Final = 1
_SENSE_LENGTH_BYTES: Final = 2
_POLL_SLICE: Final = 60.0


class _Outcome:
    """What libiscsi calls when an operation has ended."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.callback = CALLBACK(self._ended)

    def _ended(self, _context: int, status: int, _task: int, _private: int) -> None:
        self.status = status


class IscsiTransport:
    """A session with one unit. Nothing is done about unit attentions: the first command gets them."""

    def __init__(self, url: IscsiUrl, *, login_timeout: float = LOGIN_TIMEOUT) -> None:
        """Log in; TransportLost or AccessDenied if that fails, CommandTimeout if it takes too long (seconds)."""
        self._lun = url.lun
        self._c = library()
        self._context: int | None = self._c.iscsi_create_context(url.initiator.encode())
        if not self._context:
            raise TransportLost(f"libiscsi makes no session for {url.initiator}")
        self._outcome = _Outcome()
        self._connection: socket.socket | None = None
        try:
            self._log_in(url, time.monotonic() + login_timeout)
            # A number of our own: libiscsi closes its own when the session fails, and somebody else may get that.
            self._connection = socket.socket(fileno=os.dup(self._c.iscsi_get_fd(self._context)))
        except BaseException:
            self._drop()
            raise

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        """See Transport."""
        cdb, seconds = cdb_and_timeout(command, timeout)
        room = room_of(data_in)
        transfer = data_out if len(data_out) else room
        direction = _WRITE if len(data_out) else _READ if len(room) else _NONE
        with address_of(transfer) as transfer_at:
            self._require_session()
            task = self._c.scsi_create_task(len(cdb), cdb, direction, len(transfer))
            try:
                if direction == _WRITE:
                    self._c.scsi_task_add_data_out_buffer(task, len(transfer), transfer_at)
                elif direction == _READ:
                    self._c.scsi_task_add_data_in_buffer(task, len(transfer), transfer_at)
                status = self._carry_out(task, seconds, self._push if direction == _WRITE else self._serve)
                return _completion(Task.from_address(task), status, room=room, into=not isinstance(data_in, int))
            finally:
                self._c.scsi_free_scsi_task(task)

    def close(self) -> None:
        """Log out, and don't wait long for the answer."""
        if self._context is None:
            return
        try:
            self._start(self._c.iscsi_logout_async)
            self._await(time.monotonic() + LOGOUT_TIMEOUT)
        except (TransportLost, CommandTimeout):
            return  # the other side learns it from the closed connection
        finally:
            self._drop()

    def _log_in(self, url: IscsiUrl, deadline: float) -> None:
        context = self._context
        self._c.iscsi_set_targetname(context, url.target.encode())
        self._c.iscsi_set_session_type(context, _NORMAL_SESSION)
        self._c.iscsi_set_noautoreconnect(context, 1)
        if url.user:
            password = chap_password().encode()
            self._c.iscsi_set_initiator_username_pwd(context, url.user.encode(), password)
        self._start(self._c.iscsi_connect_async, url.portal.encode())
        if self._await(deadline) != Status.GOOD:
            raise TransportLost(f"{url.portal}: {self._reason()}")
        self._start(self._c.iscsi_login_async)
        if self._await(deadline) != Status.GOOD:
            raise AccessDenied(f"{url.portal} refuses {url.initiator} as a user of {url.target}: {self._reason()}")

    def _carry_out(self, task: int, seconds: float, serve: Callable[[int], None]) -> int:
        """Send a task and wait; whatever way it fails, nothing of it is in flight afterwards."""
        try:
            self._start(self._c.iscsi_scsi_command_async, self._lun, task, behind=(None,))
            serve(select.POLLOUT)  # there is room, nearly always; if not, nothing is lost
            status = self._await(time.monotonic() + seconds, serve)
            if status >= _FIRST_FAILURE:
                raise TransportLost(f"the session is lost: {self._reason()}")
        except BaseException:
            self._drop()
            raise
        return status

    def _start(self, call: Any, *arguments: object, behind: tuple[None, ...] = ()) -> None:  # noqa: ANN401
        """Begin an operation of libiscsi: its arguments, the callback, what comes ``behind`` that."""
        self._require_session()
        self._outcome.status = None
        if call(self._context, *arguments, self._outcome.callback, *behind, None):
            raise TransportLost(f"iSCSI: {self._reason()}")

    def _await(self, deadline: float, serve: Callable[[int], None] | None = None) -> int:
        """Serve the connection, in this way if one is given, until the operation has ended; its status."""
        serve = serve or self._serve
        while self._outcome.status is None:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                message = "iSCSI: the time is over"
                raise CommandTimeout(message)
            descriptor = self._c.iscsi_get_fd(self._context)
            if descriptor < 0:
                raise TransportLost(f"iSCSI: {self._reason()}")
            poll = select.poll()
            poll.register(descriptor, self._c.iscsi_which_events(self._context))
            for _, events in poll.poll(min(remaining, _POLL_SLICE) * 1000):
                serve(events)
        return self._outcome.status

    def _serve(self, events: int) -> None:
        if self._c.iscsi_service(self._context, events) and self._outcome.status is None:
            raise TransportLost(f"iSCSI: {self._reason()}")

    def _push(self, events: int) -> None:
        """Serve, and send what that brings up, as far as there is room, in full segments.

        By itself libiscsi sends each header and each piece of data in one of its own, which wakes the target each time.
        """
        assert self._connection is not None
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        try:
            self._serve(events | select.POLLOUT)
        finally:
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def _require_session(self) -> None:
        if self._context is None:
            message = "the iSCSI session is over"
            raise TransportLost(message)

    def _reason(self) -> str:
        reason = self._c.iscsi_get_error(self._context) or b"no reason is told"
        return str(reason.decode(errors="replace")).strip()

    def _drop(self) -> None:
        context, self._context = self._context, None
        if self._connection is not None:
            self._connection.close()
        if context is not None:
            self._c.iscsi_destroy_context(context)


def _completion(task: Task, status: int, *, room: memoryview, into: bool) -> Completion:
    residual = task.residual if task.residual_kind == _UNDERFLOW else 0
    count = max(0, task.expected - residual)
    arrived = min(count, len(room)) if task.direction == _READ else 0
    # Sense comes as it travels: its length first.
    raw = ctypes.string_at(task.received_at, task.received) if task.received_at else b""
    return Completion(
        Status(status),
        b"" if into else bytes(room[:arrived]),
        count if task.direction == _WRITE else 0,
        raw[_SENSE_LENGTH_BYTES:] if status == Status.CHECK_CONDITION else b"",
        arrived,
    )
