"""TAPE service: one drive by hand (draft 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ndmp.backends import ReadEnd, TapeBackend, TapeHandle
from ndmp.enums import Error, TapeFlag, TapeOpenMode, TapeOperation, TapeUnsupported
from ndmp.errors import ReplyError
from ndmp.messages.tape import (
    TapeClose,
    TapeCloseReply,
    TapeExecuteCdb,
    TapeExecuteCdbReply,
    TapeGetState,
    TapeGetStateReply,
    TapeMtio,
    TapeMtioReply,
    TapeOpen,
    TapeOpenReply,
    TapeRead,
    TapeReadReply,
    TapeWrite,
    TapeWriteReply,
)
from ndmp.services.commands import execute_cdb
from ndmp.services.routes import Route, Routes
from ndmp.services.slot import OpenTape, Slot
from ndmp.types import ALL_ONES_32, ALL_ONES_64
from ndmp.wire import Reply, Request

__all__ = ["MAX_TAPE_BLOCK", "TapeService", "write_implicit_filemark"]

MAX_TAPE_BLOCK: Final = 1024 * 1024
"""Bytes of a block that travels in a TAPE_READ or TAPE_WRITE at most."""
_MAX_COUNT: Final = 0xFFFFFF
"""Filemarks written by one request at most: what a drive's command can say."""


def write_implicit_filemark(tape: OpenTape) -> None:
    """End what was written with a filemark, unless there is one (draft 3.4.1); one that fails stays due."""
    if tape.unmarked:
        tape.handle.write_filemarks(1)
        tape.unmarked = False


class TapeService:
    """Audits and acts for one session.

    ``moving`` says whether a transfer uses the drive now, ``awaited`` whether one will as soon as a peer connects.
    """

    def __init__(
        self,
        tapes: Mapping[str, TapeBackend],
        slot: Slot,
        *,
        moving: Callable[[], bool],
        awaited: Callable[[], bool],
    ) -> None:
        self._tapes = tapes
        self._slot = slot
        self._moving = moving
        self._awaited = awaited
        self.routes: Routes = {
            TapeOpen: Route(self._in_between(self._open), blocking=True),
            TapeClose: Route(self._close, blocking=True),
            TapeGetState: Route(self._in_between(self._get_state)),
            TapeMtio: Route(self._in_between(self._mtio), blocking=True),
            TapeWrite: Route(self._in_between(self._write), blocking=True),
            TapeRead: Route(self._in_between(self._read), blocking=True),
            TapeExecuteCdb: Route(self._in_between(self._execute_cdb), blocking=True),
        }

    def _in_between(self, handler: Callable[[Any], Reply]) -> Callable[[Request[Any]], Reply]:
        """Any request but TAPE_CLOSE: the filemark that a close failed to write is due again (draft 3.4.3)."""

        def answer(request: Request[Any]) -> Reply:
            tape = self._slot.tape
            if tape and tape.mark_failed:
                tape.unmarked, tape.mark_failed = True, False
            return handler(request)

        return answer

    def _audit_still(self) -> OpenTape:
        """The open tape, unless a transfer moves it."""
        tape = self._slot.require_tape()
        if self._moving():
            raise ReplyError(Error.DEVICE_BUSY, "a transfer uses the drive")
        return tape

    def _audit(self) -> OpenTape:
        """The open tape, unless a transfer moves it or is about to (draft 3.4.3, 3.4.6, 3.4.7)."""
        tape = self._audit_still()
        if self._awaited():
            raise ReplyError(Error.DEVICE_BUSY, "the mover listens")
        return tape

    def _open(self, request: TapeOpen) -> TapeOpenReply:
        self._slot.audit_empty()
        if request.mode not in (TapeOpenMode.READ, TapeOpenMode.RDWR, TapeOpenMode.RAW):
            raise ReplyError(Error.ILLEGAL_ARGS, f"mode {request.mode}")
        if request.device not in self._tapes:
            raise ReplyError(Error.NO_DEVICE, request.device)
        handle = self._tapes[request.device].open(request.mode)
        self._slot.tape = OpenTape(request.device, handle, request.mode)
        return TapeOpenReply(Error.NO_ERR)

    def _close(self, request: TapeClose) -> TapeCloseReply:
        tape = self._audit()
        # Noted before it is tried: if it fails the drive stays open, and a close right after this one does no I/O.
        tape.mark_failed, tape.unmarked = tape.unmarked, False
        if tape.mark_failed:
            tape.handle.write_filemarks(1)
            tape.mark_failed = False
        tape.handle.close()
        self._slot.tape = None
        return TapeCloseReply(Error.NO_ERR)

    def _get_state(self, request: TapeGetState) -> TapeGetStateReply:
        status = self._slot.require_tape().handle.status()
        unsupported = TapeUnsupported.RESERVED1
        for field, bit in (
            (status.file_num, TapeUnsupported.FILE_NUM),
            (status.soft_errors, TapeUnsupported.SOFT_ERRORS),
            (status.block_num, TapeUnsupported.BLOCKNO),
            (status.total_bytes, TapeUnsupported.TOTAL_SPACE),
            (status.remaining_bytes, TapeUnsupported.SPACE_REMAIN),
        ):
            unsupported |= bit if field is None else TapeUnsupported(0)
        return TapeGetStateReply(
            unsupported=unsupported,
            error=Error.NO_ERR,
            flags=TapeFlag.NOREWIND | (TapeFlag.WR_PROT if status.write_protected else TapeFlag(0)),
            file_num=_known(status.file_num, ALL_ONES_32),
            soft_errors=_known(status.soft_errors, ALL_ONES_32),
            block_size=status.block_bytes,
            blockno=_known(status.block_num, ALL_ONES_32),
            total_space=_known(status.total_bytes, ALL_ONES_64),
            space_remain=_known(status.remaining_bytes, ALL_ONES_64),
        )

    def _mtio(self, request: TapeMtio) -> TapeMtioReply:
        tape = self._audit_still()
        if request.operation not in _MOTIONS:
            raise ReplyError(Error.ILLEGAL_ARGS, f"operation {request.operation}")
        if not request.count and request.operation in _COUNTED:
            return TapeMtioReply(Error.NO_ERR, 0)
        if request.operation == TapeOperation.EOF:
            return self._write_filemarks(tape, request.count)
        if request.operation != TapeOperation.TUR:
            write_implicit_filemark(tape)
            tape.end_announced, tape.end_due = tape.end_announced and not tape.end_due, False
        return TapeMtioReply(Error.NO_ERR, _MOTIONS[request.operation](tape.handle, request.count))

    def _write_filemarks(self, tape: OpenTape, count: int) -> TapeMtioReply:
        _audit_writable(tape)
        if count > _MAX_COUNT:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{count} filemarks at once")
        tape.handle.write_filemarks(count)
        tape.unmarked = False
        return TapeMtioReply(Error.NO_ERR, 0)

    def _write(self, request: TapeWrite) -> TapeWriteReply:
        tape = self._slot.require_tape()
        _audit_writable(tape)
        if not request.block:
            return TapeWriteReply(Error.NO_ERR, 0)
        self._audit()
        block_bytes = _audit_length(tape, len(request.block)) or len(request.block)
        if len(request.block) % block_bytes:
            raise ReplyError(Error.ILLEGAL_ARGS, f"{len(request.block)} bytes are no blocks of {block_bytes}")
        if tape.end_due:
            tape.end_due = False
            raise ReplyError(Error.EOM, "early warning; the next write is tried again")
        early_warning = _write_blocks(tape, memoryview(request.block), block_bytes)
        tape.end_due = early_warning and not tape.end_announced
        tape.end_announced = early_warning
        return TapeWriteReply(Error.NO_ERR, len(request.block))

    def _read(self, request: TapeRead) -> TapeReadReply:
        tape = self._slot.require_tape()
        if not request.count:
            return TapeReadReply(Error.NO_ERR, b"")
        self._audit()
        block_bytes = _audit_length(tape, request.count) or request.count
        blocks = bytearray(-(-request.count // block_bytes) * block_bytes)
        outcome = tape.handle.read_records(memoryview(blocks), block_bytes)
        if not outcome.records:
            raise ReplyError(Error.EOF if outcome.end is ReadEnd.FILEMARK else Error.EOM)
        return TapeReadReply(Error.NO_ERR, bytes(blocks[: min(outcome.bytes_read, request.count)]))

    def _execute_cdb(self, request: TapeExecuteCdb) -> TapeExecuteCdbReply:
        return execute_cdb(self._audit_still().handle, request, TapeExecuteCdbReply)


def _known(number: int | None, unknown: int) -> int:
    return unknown if number is None else min(number, unknown)


def _audit_length(tape: OpenTape, length: int) -> int:
    """Refuse what is too long for a message: ILLEGAL_ARGS. Returns the bytes of a fixed block, 0 if they vary."""
    if length > MAX_TAPE_BLOCK:
        raise ReplyError(Error.ILLEGAL_ARGS, f"a block of {length} bytes")
    return tape.handle.status().block_bytes


def _write_blocks(tape: OpenTape, blocks: memoryview, block_bytes: int) -> bool:
    """Write all of them; whether this ends in early warning. A drive may stop there, but this request goes on."""
    while True:
        written = tape.handle.write_records(blocks, block_bytes)
        if not written.records:
            raise ReplyError(Error.IO, "the drive takes no more")
        tape.unmarked = True
        blocks = blocks[written.records * block_bytes :]
        if not blocks:
            return written.early_warning


def _audit_writable(tape: OpenTape) -> None:
    if tape.mode == TapeOpenMode.READ:
        raise ReplyError(Error.PERMISSION, "the tape is open for reading")


def _rewind(handle: TapeHandle, count: int) -> int:
    handle.rewind()
    return 0


def _unload(handle: TapeHandle, count: int) -> int:
    handle.unload()
    return 0


def _test_ready(handle: TapeHandle, count: int) -> int:
    handle.test_ready()
    return 0


_MOTIONS: Final[Mapping[TapeOperation, Callable[[TapeHandle, int], int]]] = {
    TapeOperation.FSF: lambda handle, count: handle.space_filemarks(count),
    TapeOperation.BSF: lambda handle, count: handle.space_filemarks(-count),
    TapeOperation.FSR: lambda handle, count: handle.space_records(count),
    TapeOperation.BSR: lambda handle, count: handle.space_records(-count),
    TapeOperation.REW: _rewind,
    TapeOperation.EOF: lambda handle, count: 0,
    TapeOperation.OFF: _unload,
    TapeOperation.TUR: _test_ready,
}
"""Each motion; the result is what of the count was not done."""
_COUNTED: Final = (TapeOperation.FSF, TapeOperation.BSF, TapeOperation.FSR, TapeOperation.BSR, TapeOperation.EOF)
"""A count of 0 leaves the tape where it is: also without the implicit filemark, which would move it (draft 3.4.5)."""
