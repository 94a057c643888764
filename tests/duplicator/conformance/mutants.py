"""Our host, broken in one way each; beside it, which checks are to find it."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from duplicator import mover as data_path
from duplicator.adapters import DriveTape
from duplicator.data_path import SocketDataPath
from ndmp.backends import DataHalted
from ndmp.connection import Connection, Header
from ndmp.enums import (
    ConnectionReason,
    DataHaltReason,
    DataState,
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOperation,
    TapeUnsupported,
)
from ndmp.errors import RemoteProtocolError, ReplyError
from ndmp.messages.config import ConfigSetExtListReply
from ndmp.messages.connect import AuthMd5, ConnectOpenReply
from ndmp.messages.data import DataGetEnvReply
from ndmp.messages.mover import MoverContinueReply, MoverReadReply, MoverSetWindowReply
from ndmp.messages.notify import (
    NotifyConnectionStatus,
    NotifyDataHalted,
    NotifyDataRead,
    NotifyMoverHalted,
    NotifyMoverPaused,
)
from ndmp.messages.scsi import ScsiCloseReply, ScsiExecuteCdbReply
from ndmp.messages.tape import TapeOpenReply
from ndmp.records import RecordReader
from ndmp.services import connect as connect_service
from ndmp.services import data as data_service
from ndmp.services import interfaces
from ndmp.services import mover as mover_service
from ndmp.services import tape as tape_service
from ndmp.services.commands import execute_cdb
from ndmp.services.config import ConfigService, ExtensionService
from ndmp.services.connect import ConnectService
from ndmp.services.data import DataService
from ndmp.services.environment import Environment
from ndmp.services.interfaces import Interfaces
from ndmp.services.mover import MoverService
from ndmp.services.scsi import ScsiService
from ndmp.services.session import Session
from ndmp.services.slot import Slot
from ndmp.services.tape import TapeService
from ndmp.states import ConnectionEvent, DataTrigger, MoverTrigger
from ndmp.types import LocalAddress
from tests.duplicator.conformance.mutation import (
    Method,
    Patch,
    allows,
    around,
    both,
    changes,
    forgets,
    instead,
    replaced,
    silent,
    told,
    twice,
    yes,
)

__all__ = ["MUTANTS", "Mutant"]

OK = Error.NO_ERR


@dataclass(frozen=True)
class Mutant:
    """A patch, and the checks that are made on a host with it."""

    name: str
    patch: Patch
    checks: tuple[str, ...]


# -- session ---------------------------------------------------------------------------------------------------------


def _greet(version: int, text: str) -> Patch:
    greeting = NotifyConnectionStatus(ConnectionReason.CONNECTED, version, text)
    return replaced(Session, "greet", lambda session: session._outbox.post(greeting))


def _sends_as_post_zero(true: Method) -> Method:
    """Notifications do not count."""

    def send(connection: Connection, message: Any, *, now: int) -> bytes:
        wire = true(connection, message, now=now)
        connection._sequence -= 1
        return wire

    return send


def _with_body(true: Method) -> Method:
    """A header that has an error is followed by zeros."""

    def send(connection: Connection, to: Header, error: Error, *, now: int) -> bytes:
        wire = true(connection, to, error, now=now)
        return (int.from_bytes(wire[:4], "big") + 4).to_bytes(4, "big") + wire[4:] + bytes(4)

    return send


def _unanswered(code: int) -> Patch:
    """Messages with an unknown code, or an undecodable body, are swallowed."""

    def make(true: Method) -> Method:
        def refuse(session: Session, header: Header, error: Error) -> None:
            if error != Error(code):
                true(session, header, error)

        return refuse

    return around(Session, "_refuse_by_header", make)


def _hangs_up_on_short_records(true: Method) -> Method:
    def next_record(reader: RecordReader) -> bytes | None:
        record: bytes | None = true(reader)
        if record is not None and len(record) < 24:
            raise RemoteProtocolError("too short")
        return record

    return next_record


def _a_fragment_is_a_record(true: Method) -> Method:
    def next_record(reader: RecordReader) -> bytes | None:
        fragment = reader._next_fragment() if reader._at != len(reader._input) else None
        reader._record = bytearray()
        return fragment

    return next_record


def _only_the_first(true: Method) -> Method:
    """Of several records in one segment the first is read."""

    def push(session: Session, chunk: bytes) -> None:
        length = 4 + (int.from_bytes(chunk[:4], "big") & 0x7FFFFFFF) if len(chunk) > 4 else len(chunk)
        true(session, chunk[:length])

    return push


_KNOWN: dict[bytes, bytes] = {}


def _any_challenge(true: Method) -> Method:
    """A digest counts for each challenge that was ever given."""

    def proves(service: ConnectService, request: Any, challenge: bytes | None) -> bool:
        if not isinstance(request.proof, AuthMd5):
            return bool(true(service, request, challenge))
        return any(true(service, request, each) for each in _KNOWN.values())

    return proves


def _remembers(true: Method) -> Method:
    def new(service: ConnectService) -> bytes:
        challenge: bytes = true(service)
        return _KNOWN.setdefault(challenge, challenge)

    return new


def _constant_challenge(service: Any) -> bytes:
    service._challenge = bytes(range(64))
    return bytes(range(64))


def _own_challenges(true: Method) -> Method:
    """An older challenge of the same session counts too."""

    def new(service: Any) -> bytes:
        before, challenge = service._challenge, true(service)
        service._challenge = before or challenge
        return bytes(challenge)

    return new


SESSION = (
    Mutant("greets with a text", _greet(4, "Hello"), ("connect.greeting",)),
    Mutant("greets with version 3", _greet(3, ""), ("connect.greeting",)),
    Mutant("accepts any version", yes(ConnectService, "_open", ConnectOpenReply(OK)), ("connect.open",)),
    Mutant(
        "names another error for a version",
        instead(ConnectService, "_open", {Error.ILLEGAL_ARGS: Error.NOT_SUPPORTED}),
        ("connect.open",),
    ),
    Mutant(
        "accepts CONNECT_OPEN late",
        allows(
            connect_service,
            "CONNECTION",
            connect_service.ConnectionState.AUTHORIZED,
            ConnectionEvent.OPEN,
            connect_service.ConnectionState.AUTHORIZED,
        ),
        ("connect.open",),
    ),
    Mutant("lets strangers in", forgets(Session, "_audit_stranger"), ("early",)),
    Mutant(
        "tells strangers its name",
        changes(ConfigService, "_server_info", vendor="V", product="P"),
        ("early.CONFIG_GET_SERVER_INFO",),
    ),
    Mutant(
        "gives the same challenge again",
        replaced(ConnectService, "new_challenge", _constant_challenge),
        ("auth",),
    ),
    Mutant(
        "accepts an outdated challenge", around(ConnectService, "new_challenge", _own_challenges), ("login.outdated",)
    ),
    Mutant(
        "accepts a replayed digest",
        both(
            around(ConnectService, "new_challenge", _remembers),
            around(ConnectService, "_proves", _any_challenge),
        ),
        ("login.replayed",),
    ),
    Mutant("accepts any password", replaced(connect_service, "digests_equal", lambda one, other: True), ("login",)),
    Mutant(
        "does not count notifications", around(Connection, "send_post", _sends_as_post_zero), ("mover.abort", "conduct")
    ),
    Mutant("sends a body after an error", around(Connection, "send_error", _with_body), ("unknown", "conduct")),
    Mutant("swallows unknown messages", _unanswered(Error.NOT_SUPPORTED), ("unknown.0xb00",)),
    Mutant("swallows what does not decode", _unanswered(Error.XDR_DECODE), ("body.short.TAPE_OPEN",)),
    Mutant(
        "hangs up on a short record",
        around(RecordReader, "next_record", _hangs_up_on_short_records),
        ("header.short",),
    ),
    Mutant("takes a fragment for a record", around(RecordReader, "next_record", _a_fragment_is_a_record), ("framing",)),
    Mutant("reads one record of a segment", around(Session, "push", _only_the_first), ("framing.pipelined",)),
)

# -- config and extensions -------------------------------------------------------------------------------------------


def _settles_at_once(true: Method) -> Method:
    def select(service: Any, request: Any) -> Any:
        try:
            return true(service, request)
        finally:
            service._fixed = True

    return select


CONFIG = (
    Mutant(
        "needs no list before a choice",
        yes(ExtensionService, "_set", ConfigSetExtListReply(OK), Error.PRECONDITION),
        ("extensions",),
    ),
    Mutant(
        "lets a class be named twice",
        yes(ExtensionService, "_set", ConfigSetExtListReply(OK), Error.EXT_DUPL_CLASSES),
        ("extensions",),
    ),
    Mutant(
        "mixes up class and version",
        instead(ExtensionService, "_set", {Error.CLASS_NOT_SUPPORTED: Error.VERSION_NOT_SUPPORTED}),
        ("extensions",),
    ),
    Mutant(
        "settles extensions by a refused choice", around(ExtensionService, "_set", _settles_at_once), ("extensions",)
    ),
    Mutant("negotiates after use", forgets(ExtensionService, "fix_default"), ("echo",)),
    Mutant("negotiates again and again", forgets(ExtensionService, "_audit_open"), ("extensions", "echo")),
    Mutant("echoes louder", changes(interfaces, "TestEchoReply", text=str.upper), ("echo",)),
    Mutant(
        "accepts unknown ways to log in",
        around(
            ConfigService,
            "_auth_attr",
            lambda true: lambda s, r: true(s, dataclasses.replace(r, auth_type=min(int(r.auth_type), 2))),
        ),
        ("auth",),
    ),
    Mutant("has no host name", changes(ConfigService, "_host_info", hostname=""), ("config.host",)),
)

# -- tape ------------------------------------------------------------------------------------------------------------


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

# -- mover -----------------------------------------------------------------------------------------------------------


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
    Mutant("reads nothing at all", yes(MoverService, "_read", MoverReadReply(OK), Error.ILLEGAL_ARGS), ("mover.read",)),
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

# -- data ------------------------------------------------------------------------------------------------------------


def _wrong_end(true: Method) -> Method:
    def outcome(path: SocketDataPath) -> DataHalted | None:
        halted: DataHalted | None = true(path)
        if halted and halted.reason == DataHaltReason.SUCCESSFUL:
            return DataHalted(DataHaltReason.INTERNAL_ERROR, "")
        return halted

    return outcome


_D, _DT = DataState, DataTrigger
DATA = (
    Mutant("does not tell that data halted", silent(NotifyDataHalted), ("data.abort",)),
    Mutant("tells twice that data halted", twice(NotifyDataHalted), ("data.abort.once",)),
    Mutant("calls success an error", around(SocketDataPath, "_outcome", _wrong_end), ("backup.whole",)),
    Mutant(
        "forgets variables that it does not know",
        replaced(
            Environment, "variables", lambda self: tuple(v for v in self._variables if v.name != "NDMPDUP_UNHEARD_OF")
        ),
        ("backup.variables",),
    ),
    Mutant(
        "has no variables", changes(DataService, "_get_env", environment=()), ("backup.variables", "backup.separator")
    ),
    Mutant(
        "tells variables while it is idle",
        yes(DataService, "_get_env", DataGetEnvReply(OK, ())),
        ("state.DATA_GET_ENV",),
    ),
    Mutant(
        "counts too much",
        changes(DataService, "_get_state", bytes_processed=lambda n: n + 512),
        ("backup.counted", "data.state"),
    ),
    Mutant(
        "names another error for a type",
        instead(DataService, "_start_backup", {Error.ILLEGAL_ARGS: Error.ILLEGAL_STATE}),
        ("start",),
    ),
    Mutant(
        "recovers nothing at all",
        instead(DataService, "_start_recover", {Error.ILLEGAL_ARGS: Error.UNDEFINED}),
        ("start.recover",),
    ),
    Mutant("does not ask for what it wants to read", silent(NotifyDataRead), ("recover.read",)),
    Mutant(
        "stops while it is connected",
        allows(data_service, "DATA", _D.CONNECTED, _DT.STOP, _D.IDLE),
        ("state.DATA_STOP",),
    ),
    Mutant(
        "listens while it is connected",
        allows(data_service, "DATA", _D.CONNECTED, _DT.LISTEN, _D.LISTEN),
        ("state.DATA_LISTEN",),
    ),
    Mutant(
        "keeps its operation",
        changes(DataService, "_get_state", operation=data_service.DataOperation.BACKUP),
        ("data.state",),
    ),
    Mutant(
        "says that its peer is LOCAL too", changes(DataService, "_get_state", address=LocalAddress()), ("data.connect",)
    ),
)

# -- SCSI ------------------------------------------------------------------------------------------------------------


def _calls_refusals_errors(service: Any, request: Any) -> Any:
    reply = execute_cdb(service._slot.require_scsi(), request, ScsiExecuteCdbReply)
    if reply.status:
        raise ReplyError(Error.IO)
    return reply


SCSI = (
    Mutant(
        "calls a check condition an error", replaced(ScsiService, "_execute_cdb", _calls_refusals_errors), ("scsi.cdb",)
    ),
    Mutant(
        "gives more than was asked for",
        changes(ScsiService, "_execute_cdb", datain=lambda d: d + bytes(64)),
        ("scsi.cdb",),
    ),
    Mutant("keeps sense to itself", changes(ScsiService, "_execute_cdb", sense=b""), ("scsi.cdb.refused",)),
    Mutant("closes what is closed", yes(ScsiService, "_close", ScsiCloseReply(OK)), ("scsi.close",)),
    Mutant("shares its changer", instead(ScsiService, "_open", {Error.DEVICE_BUSY: Error.IO}), ("scsi.open.other",)),
)

MUTANTS: Sequence[Mutant] = (*SESSION, *CONFIG, *TAPE, *MOVER, *DATA, *SCSI)
