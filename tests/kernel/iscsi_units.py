"""Logical units behind an iSCSI target: commands in, what they came to and the residual out (RFC 7143 11.4.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from scsi.cdb import Direction, cdb_bytes_of, decode
from scsi.completion import Completion, Status
from scsi.errors import CommandTimeout, ScsiError
from scsi.inquiry import DeviceType, InquiryData
from scsi.parameters import build_units
from scsi.sense import Sense, SenseKey
from scsi.spc import Inquiry, ReportLuns, RequestSense
from scsi.ssc import BlockCommand
from scsi.tape import MAX_BLOCK_BYTES
from scsi.transports.virtual import TargetSession
from scsi.virtual.changer import Changer
from scsi.virtual.target import DriveTarget

__all__ = ["LARGEST_TRANSFER", "Nexus", "Outcome", "Unit", "number_of"]

LARGEST_TRANSFER: Final = MAX_BLOCK_BYTES
_BUSY_AFTER: Final = 60.0
_ABSENT: Final = 0b011
_NO_UNIT: Final = Sense(SenseKey.ILLEGAL_REQUEST, 0x25, 0x00)
_WRONG_FIELD: Final = Sense(SenseKey.ILLEGAL_REQUEST, 0x24, 0x00)
_NO_UNIT_NUMBER: Final = -1
_PERIPHERAL, _FLAT = 0, 1
_WELL_KNOWN_ONLY: Final = 1

Collect = Callable[[int], bytes]
"""Gets this many bytes from the initiator, or all that it has if that is less."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a command; ``residual`` bytes were not moved of those expected, or, negative, were lacking."""

    completion: Completion
    residual: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """A logical unit; ``announced`` tells how many bytes a CDB wants from the initiator."""

    session: Callable[[], TargetSession]
    reset: Callable[[], None]
    announced: Callable[[bytes], int]

    @classmethod
    def of_drive(cls, target: DriveTarget) -> Self:
        """A tape drive."""
        return cls(partial(target.session, after_power_on=True), target.reset, partial(_announced, target))

    @classmethod
    def of_changer(cls, target: Changer) -> Self:
        """A changer; no command of it takes data."""
        return cls(target.session, target.reset, lambda _: 0)


class Nexus:
    """One initiator's sessions with all units."""

    def __init__(self, units: Mapping[int, Unit]) -> None:
        self.units = units
        self._sessions = {number: unit.session() for number, unit in units.items()}

    def close(self) -> None:
        """The initiator goes."""
        for session in self._sessions.values():
            session.close()

    def execute(self, lun: bytes, cdb: bytes, *, room: int, offered: int, collect: Collect) -> Outcome:
        """Carry out a command of an initiator that has ``room`` bytes for an answer, or offers some."""
        number, cdb = number_of(lun), _trimmed(cdb)
        if max(room, offered) > LARGEST_TRANSFER:
            return Outcome(_checked(_WRONG_FIELD), max(room, offered))
        if cdb[0] == ReportLuns.operation_code:
            return _answered(self._list(cdb), room)
        if number not in self.units:
            return _answered(_without_unit(cdb), room)
        wanted = self.units[number].announced(cdb) if offered else 0
        sent = collect(min(wanted, offered)) if wanted else b""
        try:
            done = self._sessions[number].execute(
                cdb, data_in_bytes=LARGEST_TRANSFER, data_out=sent, timeout=_BUSY_AFTER
            )
        except CommandTimeout:
            done = Completion(Status.BUSY)
        if offered:
            return Outcome(done, offered - (wanted if wanted > offered else done.bytes_out))
        return _answered(done, room)

    def _list(self, cdb: bytes) -> Completion:
        """The answer of any unit, there or not, to REPORT LUNS."""
        command = decode(cdb)
        assert isinstance(command, ReportLuns)
        known = [] if command.select == _WELL_KNOWN_ONLY else sorted(self.units)
        return Completion(Status.GOOD, build_units(known)[: command.allocation_bytes])


def number_of(lun: bytes) -> int:
    """The unit's number; -1 for one that is written as this target writes none (SAM-5 4.7)."""
    method, first = lun[0] >> 6, int.from_bytes(lun[:2], "big") & 0x3FFF
    plain = method == _FLAT or (method == _PERIPHERAL and first <= 0xFF)
    return first if plain and not any(lun[2:]) else _NO_UNIT_NUMBER


def _trimmed(cdb: bytes) -> bytes:
    """Without what is behind the end of a CDB that is shorter than its field."""
    try:
        return cdb[: cdb_bytes_of(cdb[0])]
    except ScsiError:
        return cdb


def _announced(target: DriveTarget, cdb: bytes) -> int:
    try:
        command = decode(cdb, tape=True)
    except ScsiError:
        return 0
    if command.direction is not Direction.OUT:
        return 0
    if isinstance(command, BlockCommand):
        return command.bytes_of(target.settings.block_bytes)
    return command.transfer_bytes


def _answered(done: Completion, room: int) -> Outcome:
    """With no more than there is room for; what had none is the residual."""
    kept = Completion(done.status, done.data_in[:room], done.bytes_out, done.sense)
    return Outcome(kept, room - len(done.data_in))


def _without_unit(cdb: bytes) -> Completion:
    """What a target says for a unit that it does not have (SPC-4 6.6.1, 6.39)."""
    command = decode(cdb) if cdb[0] in (Inquiry.operation_code, RequestSense.operation_code) else None
    if isinstance(command, Inquiry) and not command.vital:
        raw = InquiryData(DeviceType.UNKNOWN, "", "", "", qualifier=_ABSENT).encode()
        return Completion(Status.GOOD, raw[: command.allocation_bytes])
    if isinstance(command, RequestSense):
        return Completion(Status.GOOD, _NO_UNIT.encode()[: command.allocation_bytes])
    return _checked(_NO_UNIT)


def _checked(sense: Sense) -> Completion:
    return Completion(Status.CHECK_CONDITION, sense=sense.encode())
