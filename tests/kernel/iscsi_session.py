"""One iSCSI session on one connection (RFC 7143): a thread reads PDUs, another carries out commands one by one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from scsi.completion import Status
from tests.kernel.iscsi_login import SEGMENT_BYTES, Parameters
from tests.kernel.iscsi_pdus import (
    NO_TAG,
    Command,
    DataIn,
    DataOut,
    Header,
    LogoutRequest,
    LogoutResponse,
    NopIn,
    NopOut,
    Pdu,
    PeerError,
    ReadyToTransfer,
    Reject,
    Reply,
    Request,
    Response,
    TaskRequest,
    TaskResponse,
    frame,
    receive,
)
from tests.kernel.iscsi_units import Nexus, Outcome, number_of

__all__ = ["Session"]

IDLE: Final = 600.0
WITHIN: Final = 30.0
_WINDOW: Final = 16
_NUMBERS: Final = 1 << 32
_NOT_SUPPORTED, _TOO_MANY, _WRONG_FIELD = 0x05, 0x06, 0x09
_DONE, _NO_TASK, _NO_UNIT, _NO_SUCH_FUNCTION = 0, 1, 2, 5
_ABORT_TASK, _ABORT_TASK_SET, _CLEAR_TASK_SET, _RESET_UNIT, _WARM_RESET, _COLD_RESET = 1, 2, 4, 5, 6, 7


@dataclass(slots=True)
class _Task:
    """A command that has not ended; the initiator may send up to byte ``solicited`` now."""

    command: Command
    came: bytearray
    solicited: int
    unsolicited: bool
    aborted: bool = False
    transfer_tag: int = NO_TAG
    next_number: int = 0
    sent: int = 0


class _AbortedError(Exception):
    """The initiator does not want the command any more."""


class Session:
    """What follows a login; ``run`` serves it until it ends."""

    def __init__(
        self, stream: socket.socket, nexus: Nexus, agreed: Parameters, *, numbers: tuple[int, int], every: list[Session]
    ) -> None:
        """``numbers``: StatSN of the next response, CmdSN of the next command. ``every`` session is in that list."""
        self._stream, self._nexus, self._agreed, self._every = stream, nexus, agreed, every
        self._status_number, self._expected_command = numbers
        self._tasks = dict[int, _Task]()
        self._jobs = deque[Callable[[], None]]()
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._over = False

    def run(self) -> None:
        """Serve the initiator until it logs out or breaks the protocol: PeerError."""
        worker = threading.Thread(target=self._work)
        worker.start()
        self._every.append(self)
        try:
            while not self._over:
                pdu = receive(self._stream, longest_segment=SEGMENT_BYTES, idle=IDLE, within=WITHIN)
                self._count(pdu.header)
                _TAKERS.get(type(pdu.header), Session._refuse)(self, pdu)
        finally:
            self._every.remove(self)
            with self._changed:
                self._over = True
                self._changed.notify_all()
            worker.join()
            self._nexus.close()

    def abort(self, wanted: Callable[[Command], bool]) -> int:
        """Forget the commands that are ``wanted``, without a response; how many there were."""
        with self._changed:
            chosen = [task for task in self._tasks.values() if not task.aborted and wanted(task.command)]
            for task in chosen:
                task.aborted = True
            self._changed.notify_all()
        return len(chosen)

    def _work(self) -> None:
        try:
            while job := self._next():
                job()
        except PeerError:
            return
        finally:
            # The thread that reads ends with this one.
            with contextlib.suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._over)
            return None if self._over else self._jobs.popleft()

    def _enqueue(self, job: Callable[[], None], *, first: bool = False) -> None:
        with self._changed:
            (self._jobs.appendleft if first else self._jobs.append)(job)
            self._changed.notify_all()

    def _count(self, header: Header) -> None:
        """Commands come in order: the one connection loses nothing."""
        if not isinstance(header, Request) or header.immediate:
            return
        if header.command_number != self._expected_command:
            raise PeerError(f"command {header.command_number} where {self._expected_command} comes next")
        self._expected_command = (self._expected_command + 1) % _NUMBERS

    def _take_command(self, pdu: Pdu) -> None:
        command: Command = _header(pdu)
        if command.tag in self._tasks or (command.reads and command.writes):
            self._reject(pdu, _WRONG_FIELD)
        elif len(self._tasks) >= _WINDOW:
            self._reject(pdu, _TOO_MANY)
        else:
            task = self._task(command, pdu.segment)
            with self._changed:
                self._tasks[command.tag] = task
            self._enqueue(partial(self._carry_out, task))

    def _task(self, command: Command, segment: bytes) -> _Task:
        first_burst = min(self._agreed.first_burst, self._agreed.largest_burst, command.expected)
        unsolicited = command.writes and not command.final
        immediate = first_burst if self._agreed.immediate_data and command.writes else 0
        if len(segment) > immediate or (unsolicited and self._agreed.initial_r2t):
            message = "data that nobody has asked for"
            raise PeerError(message)
        return _Task(command, bytearray(segment), first_burst, unsolicited)

    def _take_data(self, pdu: Pdu) -> None:
        header: DataOut = _header(pdu)
        with self._changed:
            task = self._tasks.get(header.tag)
            if task is None or task.aborted:
                return
            expected = (task.transfer_tag, task.next_number, len(task.came))
            if (header.transfer_tag, header.number, header.offset) != expected:
                raise PeerError(f"{header} where {expected} come next")
            task.came += pdu.segment
            task.next_number += 1
            missing = task.solicited - len(task.came)
            if missing < 0 or (not task.unsolicited and header.final != (missing == 0)):
                raise PeerError(f"{missing} bytes of a burst are missing at {header}")
            task.unsolicited = task.unsolicited and not header.final
            self._changed.notify_all()

    def _take_nop(self, pdu: Pdu) -> None:
        if pdu.header.tag != NO_TAG:
            self._send(NopIn(tag=pdu.header.tag), pdu.segment[: self._agreed.initiator_segment])

    def _take_logout(self, pdu: Pdu) -> None:
        self._send(LogoutResponse(tag=pdu.header.tag, response=_DONE))
        self._over = True

    def _take_task_request(self, pdu: Pdu) -> None:
        request: TaskRequest = _header(pdu)
        response, resets = self._manage(request)
        # Behind the command that is being carried out, which nobody can stop, and before all others.
        self._enqueue(partial(self._end_of_management, request.tag, response, resets), first=True)

    def _manage(self, request: TaskRequest) -> tuple[int, Collection[int]]:
        """Abort what the request means; the response to it, and the units to reset."""
        number, units = number_of(request.lun), self._nexus.units
        match request.function:
            case function if function == _ABORT_TASK:
                return _DONE if self.abort(lambda command: command.tag == request.task) else _NO_TASK, ()
            case function if function in (_WARM_RESET, _COLD_RESET):
                return self._reset(units.keys())
            case function if function not in (_ABORT_TASK_SET, _CLEAR_TASK_SET, _RESET_UNIT):
                return _NO_SUCH_FUNCTION, ()
            case _ if number not in units:
                return _NO_UNIT, ()
            case function if function == _RESET_UNIT:
                return self._reset((number,))
        self.abort(lambda command: number_of(command.lun) == number)
        return _DONE, ()

    def _reset(self, units: Collection[int]) -> tuple[int, Collection[int]]:
        for session in list(self._every):
            session.abort(lambda command: number_of(command.lun) in units)
        return _DONE, units

    def _end_of_management(self, tag: int, response: int, resets: Collection[int]) -> None:
        for unit in resets:
            self._nexus.units[unit].reset()
        self._send(TaskResponse(tag=tag, response=response))

    def _refuse(self, pdu: Pdu) -> None:
        self._reject(pdu, _NOT_SUPPORTED)

    def _reject(self, pdu: Pdu, reason: int) -> None:
        self._send(Reject(tag=NO_TAG, reason=reason), pdu.raw)

    def _carry_out(self, task: _Task) -> None:
        command, outcome = task.command, None
        with contextlib.suppress(_AbortedError):
            self._audit(task)
            outcome = self._nexus.execute(
                command.lun,
                command.cdb,
                room=command.expected if command.reads else 0,
                offered=command.expected if command.writes else 0,
                collect=partial(self._collect, task),
            )
        with self._changed:
            del self._tasks[command.tag]
            aborted = task.aborted
        if outcome is not None and not aborted:
            self._tell(task, outcome)

    def _audit(self, task: _Task) -> None:
        if task.aborted:
            raise _AbortedError
        if self._over:
            message = "the session is over"
            raise PeerError(message)

    def _collect(self, task: _Task, wanted: int) -> bytes:
        """What the initiator has to send, up to ``wanted`` bytes: asked for where it does not come by itself."""
        self._await(task, lambda: not task.unsolicited)
        while len(task.came) < wanted:
            start, task.transfer_tag, task.next_number = len(task.came), task.sent, 0
            task.solicited = min(wanted, start + self._agreed.largest_burst)
            asked = ReadyToTransfer(
                transfer_tag=task.sent, number=task.sent, offset=start, wanted=task.solicited - start
            )
            self._send(replace(asked, tag=task.command.tag, lun=task.command.lun))
            task.sent += 1
            self._await(task, lambda: len(task.came) == task.solicited)
        return bytes(task.came[:wanted])

    def _await(self, task: _Task, true: Callable[[], bool]) -> None:
        with self._changed:
            arrived = self._changed.wait_for(lambda: true() or task.aborted or self._over, timeout=WITHIN)
        self._audit(task)
        if not arrived:
            raise PeerError(f"data of task {task.command.tag:#x} do not come")

    def _tell(self, task: _Task, outcome: Outcome) -> None:
        done, tag = outcome.completion, task.command.tag
        ends: dict[str, Any] = {
            "status": int(done.status),
            "overflow": outcome.residual < 0,
            "underflow": outcome.residual > 0,
            "residual": abs(outcome.residual),
        }
        told = False
        for piece, segment in self._pieces(done.data_in):
            told = done.status == Status.GOOD and piece.offset + len(segment) == len(done.data_in)
            piece = replace(piece, has_status=True, **ends) if told else piece
            self._send(replace(piece, tag=tag, number=task.sent), segment)
            task.sent += 1
        if not told:
            sense = len(done.sense).to_bytes(2, "big") + done.sense if done.sense else b""
            self._send(Response(tag=tag, data_pdus=task.sent, **ends), sense)

    def _pieces(self, answer: bytes) -> Iterator[tuple[DataIn, memoryview]]:
        """The segments of an answer; the last of each burst says so."""
        view, at = memoryview(answer), 0
        while at < len(answer):
            burst_end = min(len(answer), (at // self._agreed.largest_burst + 1) * self._agreed.largest_burst)
            end = min(burst_end, at + self._agreed.initiator_segment)
            yield DataIn(final=end == burst_end, offset=at), view[at:end]
            at = end

    def _send(self, reply: Reply, segment: bytes | memoryview = b"") -> None:
        counts = not (isinstance(reply, ReadyToTransfer) or (isinstance(reply, DataIn) and not reply.has_status))
        silent = isinstance(reply, DataIn) and not reply.has_status
        with self._sending:
            expected = self._expected_command
            numbered = replace(
                reply,
                status_number=0 if silent else self._status_number,
                expected_command=expected,
                last_command=(expected + _WINDOW - 1 - len(self._tasks)) % _NUMBERS,
            )
            self._status_number = (self._status_number + counts) % _NUMBERS
            try:
                self._stream.sendall(frame(numbered, segment))
            except OSError as failure:
                raise PeerError(f"the initiator takes nothing: {failure}") from failure


def _header(pdu: Pdu) -> Any:  # noqa: ANN401 (of the kind that _TAKERS has chosen)
    return pdu.header


_TAKERS: Final[Mapping[type[Header], Callable[[Session, Pdu], None]]] = {
    Command: Session._take_command,
    DataOut: Session._take_data,
    LogoutRequest: Session._take_logout,
    NopOut: Session._take_nop,
    TaskRequest: Session._take_task_request,
}
