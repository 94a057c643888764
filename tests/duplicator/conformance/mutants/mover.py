"""Movers that are broken in one way each."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

from typing import Any

from duplicator import mover as data_path
from ndmp.enums import (
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
)
from ndmp.messages.mover import MoverContinueReply, MoverReadReply, MoverSetWindowReply
from ndmp.messages.notify import (
    NotifyMoverHalted,
    NotifyMoverPaused,
)
from ndmp.services import mover as mover_service
from ndmp.services.mover import MoverService
from ndmp.services.slot import Slot
from ndmp.states import MoverTrigger
from ndmp.types import LocalAddress
from tests.duplicator.conformance.mutation import (
    Method,
    Mutant,
    allows,
    around,
    changes,
    forgets,
    instead,
    replaced,
    silent,
    told,
    twice,
    yes,
)

__all__ = ["MOVER"]

OK = Error.NO_ERR


def _one_record_more(true: Method) -> Method:
    def set_window(mover: Any, offset: int, length: int) -> None:
        more = mover._record if offset + length < (1 << 64) - 1 else 0
        true(mover, offset, length + more)

    return set_window


def _sized_from_the_start(true: Method) -> Method:
    def make(service: MoverService, *args: Any, **named: Any) -> None:
        true(service, *args, **named)
        service._record_bytes = 10240

    return make


def _counts_padding(true: Method) -> Method:
    def account(mover: Any, buffer: memoryview, filled: int, records: int) -> int:
        rest: int = true(mover, buffer, filled, records)
        mover._moved += max(records * mover._record - filled, 0)
        return rest

    return account


def _stops_everything(true: Method) -> Method:
    def stop(service: Any, request: Any) -> Any:
        reply = true(service, request)
        service._record_bytes = 0
        return reply

    return stop


def _keeps_window(true: Method) -> Method:
    def act(service: Any, request: Any) -> Any:
        window = service._window
        reply = true(service, request)
        service._window = window
        return reply

    return act


def _queues_reads(true: Method) -> Method:
    def read(mover: Any, offset: int, length: int) -> None:
        if mover._read is None:
            true(mover, offset, length)

    return read


_M, _MT = MoverState, MoverTrigger
MOVER = (
    Mutant("does not tell of a halt", silent(NotifyMoverHalted), ("mover.abort", "mover.close")),
    Mutant("does not tell of a pause", silent(NotifyMoverPaused), ("mover.paused",)),
    Mutant("tells of a halt twice", twice(NotifyMoverHalted), ("mover.abort.once",)),
    Mutant(
        "halts for another reason",
        told(NotifyMoverHalted, reason=MoverHaltReason.INTERNAL_ERROR),
        ("mover.abort", "to-tape.closed"),
    ),
    Mutant(
        "pauses for another reason",
        told(NotifyMoverPaused, reason=MoverPauseReason.SEEK),
        ("to-tape.window", "from-tape.mark"),
    ),
    Mutant("forgets what it seeks", told(NotifyMoverPaused, seek_position=0), ("mover.paused", "from-tape.window")),
    Mutant(
        "has windows that are a record too long",
        around(data_path.SocketMover, "set_window", _one_record_more),
        ("to-tape.window", "from-tape.window"),
    ),
    Mutant("counts the padding", around(data_path.SocketMover, "_account", _counts_padding), ("to-tape.padded",)),
    Mutant("forgets the record size at a stop", around(MoverService, "_stop", _stops_everything), ("mover.stop",)),
    Mutant("keeps the window at a stop", around(MoverService, "_stop", _keeps_window), ("mover.stop",)),
    Mutant(
        "keeps the window for a new record size", around(MoverService, "_set_record_size", _keeps_window), ("window",)
    ),
    Mutant(
        "accepts windows of no bytes",
        yes(MoverService, "_set_window", MoverSetWindowReply(OK), Error.ILLEGAL_ARGS),
        ("window.zero",),
    ),
    Mutant(
        "lets windows overflow", replaced(mover_service, "audit_range", lambda offset, length: None), ("window.over",)
    ),
    Mutant(
        "needs no record size for a window",
        yes(MoverService, "_set_window", MoverSetWindowReply(OK), Error.PRECONDITION),
        ("window.unsized",),
    ),
    Mutant(
        "has a record size from the start",
        around(MoverService, "__init__", _sized_from_the_start),
        ("window", "mover.listen.unsized"),
    ),
    Mutant(
        "takes windows off the records",
        replaced(mover_service, "audit_alignment", lambda *args, **named: None),
        ("window.odd",),
    ),
    Mutant(
        "goes on without a new window",
        yes(MoverService, "_continue", MoverContinueReply(OK), Error.PRECONDITION),
        ("mover.paused", "state.MOVER_CONTINUE"),
    ),
    Mutant(
        "stops while it is paused", allows(mover_service, "MOVER", _M.PAUSED, _MT.STOP, _M.IDLE), ("state.MOVER_STOP",)
    ),
    Mutant(
        "can be aborted while it is idle",
        allows(mover_service, "MOVER", _M.IDLE, _MT.ABORT, _M.HALTED),
        ("state.MOVER_ABORT",),
    ),
    Mutant(
        "can be sized while it listens",
        allows(mover_service, "MOVER", _M.LISTEN, _MT.SET_RECORD_SIZE, _M.LISTEN),
        ("state.MOVER_SET",),
    ),
    Mutant("writes to tapes that are open for reading", forgets(Slot, "audit_mode"), ("mover.listen", "mover.connect")),
    Mutant(
        "takes any mode", instead(MoverService, "_listen", {Error.ILLEGAL_ARGS: Error.ILLEGAL_STATE}), ("mover.listen",)
    ),
    Mutant(
        "says that it is in mode READ",
        changes(MoverService, "_get_state", mode=MoverMode.READ),
        ("mover.state", "mover.listen"),
    ),
    Mutant(
        "says that its peer is LOCAL", changes(MoverService, "_get_state", address=LocalAddress()), ("mover.address",)
    ),
    Mutant(
        "takes a read while another runs", around(data_path.SocketMover, "read", _queues_reads), ("from-tape.busy",)
    ),
    Mutant(
        "reads nothing at all",
        yes(MoverService, "_read", MoverReadReply(OK), Error.ILLEGAL_ARGS),
        ("mover.read", "overflow"),
    ),
    Mutant(
        "counts too little",
        changes(MoverService, "_get_state", bytes_moved=lambda n: max(n - 1, 0)),
        ("to-tape.moved", "from-tape.moved"),
    ),
    Mutant(
        "numbers records wrongly",
        changes(MoverService, "_get_state", record_num=lambda n: n + 1),
        ("window.record-number",),
    ),
    Mutant(
        "does not tell what is left",
        changes(MoverService, "_get_state", bytes_left_to_read=0),
        ("mover.paused", "from-tape.window"),
    ),
    Mutant(
        "calls a refused connection an error",
        instead(MoverService, "_connect", {Error.CONNECT: Error.IO}),
        ("mover.connect.nobody",),
    ),
)
