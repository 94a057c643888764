"""A virtual tape drive as a SCSI target: commands in, answers or sense out (SPC-4, SSC-4)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from scsi.cdb import Command, Direction, decode
from scsi.completion import Completion, Status, condition_of, sense_of
from scsi.errors import (
    CommandTimeout,
    CorruptImage,
    DeviceBusy,
    EndOfMedium,
    MediumError,
    NotAVirtualTape,
    ReservationConflict,
    ScsiError,
    UnknownCommand,
)
from scsi.parameters import build_units
from scsi.sense import Sense, SenseFormat, SenseKey
from scsi.spc import (
    Inquiry,
    LogSense,
    ModeSelect6,
    ModeSelect10,
    ModeSense6,
    ModeSense10,
    PersistentReserveIn,
    PersistentReserveOut,
    PreventAllowMediumRemoval,
    ReadAttribute,
    ReportLuns,
    ReportSupportedOperationCodes,
    RequestSense,
    TestUnitReady,
    WriteAttribute,
)
from scsi.ssc import (
    BlockCommand,
    Erase6,
    FormatMedium,
    LoadUnload,
    Locate10,
    Locate16,
    Read6,
    ReadBlockLimits,
    ReadPosition,
    ReportDensitySupport,
    Rewind,
    Space6,
    Space16,
    Verify6,
    Verify16,
    Write6,
    WriteFilemarks6,
)
from scsi.virtual import drive_answers, movements, transfers
from scsi.virtual.alerts import Alerts
from scsi.virtual.bay import BayDrive, DriveBay
from scsi.virtual.deck import Answer, Deck
from scsi.virtual.drive_answers import Counters, Identity
from scsi.virtual.drive_modes import Settings, mode_select, mode_sense
from scsi.virtual.memory_commands import read_attributes, write_attributes
from scsi.virtual.reservations import Reservations
from scsi.virtual.transfers import audit_data

__all__ = ["DriveSession", "DriveTarget"]

_RESET: Final = Sense(SenseKey.UNIT_ATTENTION, 0x29, 0x00)
_LOADED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x28, 0x00)
_MODES_CHANGED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x2A, 0x01)
_DAMAGED: Final = Sense(SenseKey.MEDIUM_ERROR, 0x31, 0x00)
_READ_ERROR: Final = Sense(SenseKey.MEDIUM_ERROR, 0x11, 0x00)
_WRITE_ERROR: Final = Sense(SenseKey.MEDIUM_ERROR, 0x0C, 0x00)
_FOREIGN: Final = Sense(SenseKey.MEDIUM_ERROR, 0x30, 0x01)
_WORD: Final = 1 << 32
_LONG_WORD: Final = 1 << 64


class DriveTarget:
    """The target of one drive; hosts talk to it in sessions. Commands of all are carried out one by one."""

    def __init__(self, bay: DriveBay, drive: BayDrive, identity: Identity) -> None:
        """``drive`` is what was opened in ``bay``; whoever opened it closes it."""
        self.deck = Deck(bay, drive)
        self.identity = identity
        self.settings = Settings()
        self.counters = Counters()
        self.alerts = Alerts()
        self.reservations = Reservations(_tell)
        self.preventing = set[object]()
        self._sessions = list[DriveSession]()
        self._lock = threading.RLock()

    def session(self, *, after_power_on: bool = False) -> DriveSession:
        """A new host. It hears only of what happens from now on, and of the power on if that is wanted."""
        with self._lock:
            made = DriveSession(self)
            self._sessions.append(made)
            if after_power_on:
                made.hear(_RESET)
            return made

    def reset(self) -> None:
        """Forget what hosts have set, and tell all of them; registrations and reservations stay."""
        with self._lock:
            self.settings = Settings()
            self.alerts.clear()
            self.preventing.clear()
            self.tell(_RESET)

    def tell(self, sense: Sense, *, but: DriveSession | None = None) -> None:
        """Give every host a unit attention, ``but`` the one who knows."""
        for session in self._sessions:
            if session is not but:
                session.hear(sense)

    @contextmanager
    def exclusive(self, timeout: float | None) -> Iterator[None]:
        """Nobody else does anything meanwhile; CommandTimeout if that takes more than ``timeout`` seconds to get."""
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise CommandTimeout(f"the drive was busy for {timeout} seconds")
        try:
            yield
        finally:
            self._lock.release()

    def leave(self, session: DriveSession) -> None:
        """The host goes: it locks nothing and has reserved nothing any more."""
        with self._lock:
            if session in self._sessions:
                self._sessions.remove(session)
            self.preventing.discard(session)
            self.reservations.forget(session)


class DriveSession:
    """One host's view of the drive."""

    def __init__(self, target: DriveTarget) -> None:
        self.target = target
        self._attentions = deque[Sense]()
        self._seen_changes = target.deck.bay.changes

    def hear(self, sense: Sense) -> None:
        """Keep a unit attention until the host asks for something; the same one is kept once."""
        if sense not in self._attentions:
            self._attentions.append(sense)

    def execute(
        self, cdb: bytes, *, data_in_bytes: int, data_out: bytes = b"", timeout: float | None = None
    ) -> Completion:
        """Carry out one command; at most ``data_in_bytes`` come back.

        CommandTimeout if others keep the drive busy for ``timeout`` seconds; every other trouble is sense.
        """
        with self.target.exclusive(timeout):
            try:
                answer = self._answer(cdb, data_out, data_in_bytes)
            except ReservationConflict:
                return Completion(Status.RESERVATION_CONFLICT)
            except DeviceBusy:
                return Completion(Status.BUSY)
            except ScsiError as condition:
                answer = Answer(sense=_sense_of(condition, cdb))
            data = answer.data[:data_in_bytes]
            if answer.sense is None:
                return Completion(Status.GOOD, data, answer.bytes_out)
            self.target.alerts.note(answer.sense)
            return Completion(Status.CHECK_CONDITION, data, answer.bytes_out, self._encoded(answer.sense))

    def close(self) -> None:
        """The host goes; the drive stays open."""
        self.target.leave(self)

    def _answer(self, cdb: bytes, data_out: bytes, data_in_bytes: int) -> Answer:
        command = decode(cdb, tape=True)
        carry_out = _COMMANDS.get(type(command))
        if carry_out is None:
            raise UnknownCommand(f"the drive has no {type(command).__name__}")
        if not isinstance(command, _NEVER_INTERRUPTED) and (attention := self._take_attention()):
            raise condition_of(attention)
        self.target.reservations.audit(self, command)
        if isinstance(command, Read6):
            return self._read(command, data_in_bytes)
        if command.direction is Direction.OUT and not isinstance(command, BlockCommand):
            audit_data(command.transfer_bytes, data_out)
        try:
            answer: Answer | bytes = carry_out(self, command, data_out)
        except (MediumError, EndOfMedium) as condition:
            if not isinstance(command, _MOVING):
                raise
            # What fails here is an earlier write: reading and moving themselves do not.
            return Answer(sense=replace(_sense_of(condition, cdb), format=SenseFormat.FIXED_DEFERRED))
        return Answer(answer[: command.transfer_bytes]) if isinstance(answer, bytes) else answer

    def _take_attention(self) -> Sense | None:
        bay = self.target.deck.bay
        if self._seen_changes != bay.changes:
            self._seen_changes = bay.changes
            if bay.loaded:
                self.hear(_LOADED)
        return self._attentions.popleft() if self._attentions else None

    def _encoded(self, sense: Sense) -> bytes:
        descriptors = self.target.settings.descriptor_sense
        if descriptors:
            deferred = sense.format in (SenseFormat.FIXED_DEFERRED, SenseFormat.DESCRIPTORS_DEFERRED)
            form = SenseFormat.DESCRIPTORS_DEFERRED if deferred else SenseFormat.DESCRIPTORS
            sense = replace(sense, format=form)
        if sense.information is not None and sense.information < 0:
            sense = replace(sense, information=sense.information + (_LONG_WORD if descriptors else _WORD))
        return sense.encode()

    def _read(self, command: Read6, data_in_bytes: int) -> Answer:
        answer = transfers.read(self.target.deck, self.target.settings, command, limit=data_in_bytes)
        self.target.counters.read += len(answer.data)
        return answer

    def _verify_there(self, command: Verify16, _: bytes) -> Answer:
        deck = self.target.deck
        gone = movements.go_to(deck, command, command.object_number)
        return gone if gone.sense else transfers.verify(deck, self.target.settings, command)

    def _write(self, command: Write6, data_out: bytes) -> Answer:
        answer = transfers.write(self.target.deck, self.target.settings, command, data_out)
        self.target.counters.written += answer.bytes_out
        return answer

    def _request_sense(self, command: RequestSense, _: bytes) -> bytes:
        sense = self._take_attention() or Sense(SenseKey.NO_SENSE)
        return replace(sense, format=SenseFormat.DESCRIPTORS if command.descriptors else SenseFormat.FIXED).encode()

    def _test_ready(self, _: TestUnitReady, __: bytes) -> Answer:
        self.target.deck.drive.position()
        return Answer()

    def _rewind(self, _: Rewind, __: bytes) -> Answer:
        self.target.deck.drive.rewind()
        return Answer()

    def _load_unload(self, command: LoadUnload, _: bytes) -> Answer:
        answer = movements.load_unload(self.target.deck, command, prevented=bool(self.target.preventing))
        # Who has loaded the tape need not be told of it.
        self._seen_changes = self.target.deck.bay.changes
        return answer

    def _prevent(self, command: PreventAllowMediumRemoval, _: bytes) -> Answer:
        preventing = self.target.preventing
        (preventing.add if command.prevent else preventing.discard)(self)
        return Answer()

    def _mode_select(self, command: ModeSelect6 | ModeSelect10, data_out: bytes) -> Answer:
        target = self.target
        changed = mode_select(target.deck, target.settings, command, data_out)
        if changed != target.settings:
            target.settings = changed
            target.tell(_MODES_CHANGED, but=self)
        return Answer(bytes_out=command.parameter_bytes)

    def _reserve(self, command: PersistentReserveOut, data_out: bytes) -> Answer:
        self.target.reservations.change(self, command, data_out)
        return Answer(bytes_out=command.parameter_bytes)


def _tell(session: object, sense: Sense) -> None:
    if isinstance(session, DriveSession):
        session.hear(sense)


def _sense_of(condition: ScsiError, cdb: bytes) -> Sense:
    if isinstance(condition, MediumError) and not condition.sense:
        return _READ_ERROR if cdb[0] in _READING else _WRITE_ERROR
    match condition:
        case CorruptImage():
            return _DAMAGED
        case NotAVirtualTape():
            return _FOREIGN
    return sense_of(condition)


_READING: Final = (Read6.operation_code, Verify6.operation_code, Verify16.operation_code)
_NEVER_INTERRUPTED: Final = (Inquiry, ReportLuns, RequestSense)
"""Carried out in spite of a unit attention."""
_MOVING: Final = (Erase6, FormatMedium, LoadUnload, Locate10, Locate16, Rewind, Space6, Space16)
"""Bring earlier writes to the medium first, and that may fail."""

_Carry = Callable[[DriveSession, Any, bytes], Answer | bytes]
_COMMANDS: Final[Mapping[type[Command], _Carry]] = {
    TestUnitReady: DriveSession._test_ready,
    RequestSense: DriveSession._request_sense,
    Inquiry: lambda session, command, _: drive_answers.inquiry(session.target.identity, command),
    ReportLuns: lambda session, command, _: build_units([0]),
    ReportSupportedOperationCodes: lambda session, command, _: drive_answers.supported_codes(_COMMANDS, command),
    LogSense: lambda session, command, _: drive_answers.log_page(
        session.target.deck, session.target.counters, session.target.alerts, command
    ),
    ModeSense6: lambda session, command, _: mode_sense(session.target.deck, session.target.settings, command),
    ModeSense10: lambda session, command, _: mode_sense(session.target.deck, session.target.settings, command),
    ModeSelect6: DriveSession._mode_select,
    ModeSelect10: DriveSession._mode_select,
    ReadAttribute: lambda session, command, _: read_attributes(session.target.deck, command),
    WriteAttribute: lambda session, command, data_out: write_attributes(
        session.target.deck, session.target.settings, command, data_out
    ),
    PersistentReserveIn: lambda session, command, _: session.target.reservations.report(command),
    PersistentReserveOut: DriveSession._reserve,
    PreventAllowMediumRemoval: DriveSession._prevent,
    ReadBlockLimits: lambda session, command, _: drive_answers.block_limits(command),
    ReportDensitySupport: lambda session, command, _: drive_answers.densities(session.target.deck, command),
    ReadPosition: lambda session, command, _: movements.read_position(session.target.deck, command),
    Read6: lambda session, command, _: session._read(command, 0),
    Write6: DriveSession._write,
    Verify6: lambda session, command, _: transfers.verify(session.target.deck, session.target.settings, command),
    Verify16: DriveSession._verify_there,
    WriteFilemarks6: lambda session, command, _: transfers.write_filemarks(
        session.target.deck, session.target.settings, command
    ),
    Space6: lambda session, command, _: movements.space(session.target.deck, command),
    Space16: lambda session, command, _: movements.space(session.target.deck, command),
    Locate10: lambda session, command, _: movements.locate(session.target.deck, command),
    Locate16: lambda session, command, _: movements.locate(session.target.deck, command),
    Rewind: DriveSession._rewind,
    LoadUnload: DriveSession._load_unload,
    Erase6: lambda session, command, _: movements.erase(session.target.deck, session.target.settings, command),
    FormatMedium: lambda session, command, _: movements.format_medium(
        session.target.deck, session.target.settings, command
    ),
}
