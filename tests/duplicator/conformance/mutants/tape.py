"""Tape services that are broken in one way each."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

import dataclasses
from typing import Any

from duplicator.adapters import DriveTape
from ndmp.enums import (
    Error,
    TapeOperation,
    TapeUnsupported,
)
from ndmp.errors import ReplyError
from ndmp.messages.tape import TapeOpenReply
from ndmp.services import tape as tape_service
from ndmp.services.interfaces import Interfaces
from ndmp.services.slot import Slot
from ndmp.services.tape import TapeService
from tests.duplicator.conformance.mutation import (
    Method,
    Mutant,
    around,
    changes,
    forgets,
    instead,
    replaced,
    yes,
)

__all__ = ["TAPE"]

OK = Error.NO_ERR


def _closes_without_mark(true: Method) -> Method:
    def close(service: TapeService, request: Any) -> Any:
        if service._slot.tape:
            service._slot.tape.unmarked = False
        return true(service, request)

    return close


def _marks_before_everything(true: Method) -> Method:
    def mtio(service: TapeService, request: Any) -> Any:
        if service._slot.tape and request.operation == TapeOperation.TUR:
            tape_service.write_implicit_filemark(service._slot.tape)
        return true(service, request)

    return mtio


def _passes_marks(true: Method) -> Method:
    """A read that meets a mark goes over it."""

    def read(service: TapeService, request: Any) -> Any:
        try:
            return true(service, request)
        except ReplyError as error:
            if error.error == Error.EOF:
                service._slot.require_tape().handle.space_filemarks(1)
            raise

    return read


def _keeps_excess(true: Method) -> Method:
    """What a read has no room for comes with the next."""

    def read(tape: DriveTape, into: memoryview, record_bytes: int) -> Any:
        done = true(tape, into, record_bytes)
        if done.records and done.bytes_read == len(into):
            tape.space_records(-1)
        return done

    return read


def _less_left(true: Method) -> Method:
    def space(tape: DriveTape, count: int) -> int:
        left: int = true(tape, count)
        return left - 1 if left else 0

    return space


def _beyond_the_mark(true: Method) -> Method:
    def space(tape: DriveTape, count: int) -> int:
        left: int = true(tape, count)
        if count < 0 and not left:
            true(tape, 1)
        return left

    return space


def _marks_by_zero(true: Method) -> Method:
    def mtio(service: TapeService, request: Any) -> Any:
        if request.operation == TapeOperation.EOF and not request.count:
            request = dataclasses.replace(request, count=1)
        return true(service, request)

    return mtio


def _warns_always(true: Method) -> Method:
    def write(service: TapeService, request: Any) -> Any:
        reply = true(service, request)
        tape = service._slot.require_tape()
        tape.end_due = tape.end_announced
        return reply

    return write


def _warns_never(true: Method) -> Method:
    def write(service: TapeService, request: Any) -> Any:
        reply = true(service, request)
        service._slot.require_tape().end_due = False
        return reply

    return write


TAPE = (
    Mutant("writes no mark at a close", around(TapeService, "_close", _closes_without_mark), ("implicit",)),
    Mutant("writes no mark before motions", forgets(tape_service, "write_implicit_filemark"), ("implicit",)),
    Mutant("writes a mark before TUR", around(TapeService, "_mtio", _marks_before_everything), ("implicit",)),
    Mutant("writes no mark for a lost session", forgets(Interfaces, "_mark_tape"), ("loss.mark",)),
    Mutant("passes marks in reading", around(TapeService, "_read", _passes_marks), ("blocks.mark",)),
    Mutant("calls blank tape a mark", instead(TapeService, "_read", {Error.EOM: Error.EOF}), ("blocks.blank",)),
    Mutant("reads the rest of a block again", around(DriveTape, "read_records", _keeps_excess), ("blocks",)),
    Mutant("counts what is left one short", around(DriveTape, "space_records", _less_left), ("motion",)),
    Mutant("stops behind the mark in BSF", around(DriveTape, "space_filemarks", _beyond_the_mark), ("motion",)),
    Mutant(
        "counts files from 1", changes(TapeService, "_get_state", file_num=lambda n: n + 1), ("motion", "tape.state")
    ),
    Mutant(
        "counts blocks from 1", changes(TapeService, "_get_state", blockno=lambda n: n + 1), ("motion", "tape.state")
    ),
    Mutant(
        "tells 0 for what it does not support",
        changes(TapeService, "_get_state", unsupported=TapeUnsupported.SOFT_ERRORS, soft_errors=0),
        ("tape.state",),
    ),
    Mutant(
        "names another error for a read-only tape",
        instead(TapeService, "_write", {Error.PERMISSION: Error.WRITE_PROTECT}),
        ("tape.write",),
    ),
    Mutant("marks a read-only tape", forgets(tape_service, "_audit_writable"), ("tape.mtio.mark", "tape.write")),
    Mutant(
        "calls a drive that is not there broken",
        instead(TapeService, "_open", {Error.NO_DEVICE: Error.IO}),
        ("tape.open",),
    ),
    Mutant("opens in any mode", yes(TapeService, "_open", TapeOpenReply(OK), Error.ILLEGAL_ARGS), ("tape.open",)),
    Mutant("opens a second device", forgets(Slot, "audit_empty"), ("tape.open", "scsi.open")),
    Mutant(
        "lets others in", instead(TapeService, "_open", {Error.DEVICE_BUSY: Error.DEVICE_OPENED}), ("tape.open.other",)
    ),
    Mutant("moves a tape that is moved", replaced(Interfaces, "_is_moving", lambda self: False), ("state.TAPE",)),
    Mutant("closes a tape that is awaited", replaced(Interfaces, "_is_listening", lambda self: False), ("state.TAPE",)),
    Mutant(
        "refuses a block of no bytes",
        around(
            TapeService,
            "_write",
            lambda true: lambda s, r: true(s, r) if r.block else (_ for _ in ()).throw(ReplyError(Error.ILLEGAL_ARGS)),
        ),
        ("blocks.empty",),
    ),
    Mutant(
        "counts written bytes as blocks", changes(TapeService, "_write", count=lambda n: min(n, 1)), ("blocks.size",)
    ),
    Mutant("writes a mark for count 0", around(TapeService, "_mtio", _marks_by_zero), ("marks",)),
    Mutant(
        "tells of the tape's end with each write",
        around(TapeService, "_write", _warns_always),
        ("end.after", "end.trailer"),
    ),
    Mutant("never tells of the tape's end", around(TapeService, "_write", _warns_never), ("end.warning",)),
    Mutant("refuses reads of no bytes", changes(TapeService, "_read", block=lambda b: b or b"x"), ("tape.read.0",)),
    Mutant(
        "leaves out the end of blocks",
        changes(TapeService, "_read", block=lambda block: block[:-1]),
        ("blocks.size.512",),
    ),
)
