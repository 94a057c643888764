"""What became of a command, and the exception that says so: one table between sense and conditions, read both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scsi import errors
from scsi.errors import InvalidField, ScsiError
from scsi.fields import OpenEnum
from scsi.sense import FieldPointer, Sense, SenseKey

__all__ = ["Completion", "Status", "condition_of", "is_deferred", "raise_for_status", "sense_of"]


class Status(OpenEnum):
    """The status byte of a command (SAM-5 5.3.1)."""

    GOOD = 0x00
    CHECK_CONDITION = 0x02
    CONDITION_MET = 0x04
    BUSY = 0x08
    RESERVATION_CONFLICT = 0x18
    TASK_SET_FULL = 0x28
    ACA_ACTIVE = 0x30
    TASK_ABORTED = 0x40


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a command: what it read, how many bytes the device took, and its sense, empty but for a check.

    ``bytes_in`` is how many came; ``data_in`` is empty where they went into the caller's memory.
    """

    status: Status
    data_in: bytes = b""
    bytes_out: int = 0
    sense: bytes = b""
    bytes_in: int = 0


_PASSING: Final = (0x01, 0x07, 0x08, 0x09, 0x0A, 0x13, 0x1A, 0x1D)
"""Qualifiers of 04, not ready, that pass without anybody's doing: becoming ready, something in progress."""
_Row = tuple[SenseKey, int | None, int | None, type[ScsiError]]
_CONDITIONS: Final[Sequence[_Row]] = (
    (SenseKey.RECOVERED_ERROR, None, None, errors.RecoveredError),
    (SenseKey.NOT_READY, 0x3A, 0x00, errors.NoMedium),
    (SenseKey.NOT_READY, 0x3A, None, errors.NoMedium),
    *((SenseKey.NOT_READY, 0x04, ascq, errors.BecomingReady) for ascq in _PASSING),
    (SenseKey.NOT_READY, None, None, errors.NotReady),
    (SenseKey.MEDIUM_ERROR, 0x74, None, errors.EncryptionError),
    (SenseKey.MEDIUM_ERROR, None, None, errors.MediumError),
    (SenseKey.HARDWARE_ERROR, 0x44, 0x00, errors.HardwareError),
    (SenseKey.HARDWARE_ERROR, None, None, errors.HardwareError),
    (SenseKey.ILLEGAL_REQUEST, 0x20, 0x00, errors.UnknownCommand),
    (SenseKey.ILLEGAL_REQUEST, 0x21, 0x01, errors.NoSuchElement),
    (SenseKey.ILLEGAL_REQUEST, 0x24, 0x00, errors.InvalidField),
    (SenseKey.ILLEGAL_REQUEST, 0x24, 0x00, errors.CdbLengthError),
    (SenseKey.ILLEGAL_REQUEST, 0x39, 0x00, errors.SavingNotSupported),
    (SenseKey.ILLEGAL_REQUEST, 0x3B, 0x0D, errors.DestinationFull),
    (SenseKey.ILLEGAL_REQUEST, 0x3B, 0x0E, errors.SourceEmpty),
    (SenseKey.ILLEGAL_REQUEST, 0x53, 0x02, errors.RemovalPrevented),
    (SenseKey.ILLEGAL_REQUEST, 0x53, 0x03, errors.RemovalPrevented),
    (SenseKey.ILLEGAL_REQUEST, 0x74, None, errors.EncryptionError),
    (SenseKey.ILLEGAL_REQUEST, None, None, errors.IllegalRequest),
    (SenseKey.UNIT_ATTENTION, None, None, errors.UnitAttention),
    (SenseKey.DATA_PROTECT, 0x27, 0x00, errors.WriteProtected),
    (SenseKey.DATA_PROTECT, 0x30, 0x0C, errors.WriteOnce),
    (SenseKey.DATA_PROTECT, 0x74, None, errors.EncryptionError),
    (SenseKey.DATA_PROTECT, 0x26, None, errors.EncryptionError),
    (SenseKey.DATA_PROTECT, 0x2A, None, errors.EncryptionError),
    (SenseKey.DATA_PROTECT, None, None, errors.WriteProtected),
    # Where the mark of the end is missing, more may have been written: that is no end of data.
    (SenseKey.BLANK_CHECK, 0x14, None, errors.MediumError),
    (SenseKey.BLANK_CHECK, None, None, errors.BlankCheck),
    (SenseKey.ABORTED_COMMAND, 0x74, None, errors.EncryptionError),
    (SenseKey.ABORTED_COMMAND, None, None, errors.CommandAborted),
    (SenseKey.VOLUME_OVERFLOW, None, None, errors.EndOfMedium),
)
"""Sense key, ASC, ASCQ (None: any) and their condition. The first row that fits counts, from either side."""

_STATUSES: Final = {
    Status.BUSY: errors.Busy,
    Status.TASK_SET_FULL: errors.Busy,
    Status.RESERVATION_CONFLICT: errors.ReservationConflict,
    Status.TASK_ABORTED: errors.CommandAborted,
}
_OF_ITS_OWN: Final = (errors.BlankCheck, errors.EndOfMedium, errors.IllegalRequest, errors.WriteProtected)
"""What a device says of the command at hand. Of an earlier one, it means that what was taken is not on the medium."""
_ADVICE: Final[Mapping[type[ScsiError], str]] = {
    errors.EncryptionError: "set the key and mode of this tape in the drive, or where its key manager keeps them",
}
"""What to do about a condition, where its sense does not say it."""
_DONE: Final = (Status.GOOD, Status.CONDITION_MET)


def condition_of(sense: Sense) -> ScsiError:
    """The exception for a sense, with its bytes; CheckCondition where no row fits."""
    asked = (sense.key, sense.asc, sense.ascq)
    kind: type[ScsiError] = next(
        (kind for *row, kind in _CONDITIONS if all(want in (None, is_) for want, is_ in zip(row, asked, strict=True))),
        errors.CheckCondition,
    )
    if sense.deferred and issubclass(kind, _OF_ITS_OWN):
        kind = errors.MediumError
    condition = kind(str(sense))
    if kind in _ADVICE:
        condition.add(_ADVICE[kind])
    if isinstance(condition, InvalidField) and isinstance(sense.specific, FieldPointer):
        condition.byte, condition.bit = sense.specific.byte, sense.specific.bit
    condition.sense = sense.raw or sense.encode()
    return condition


def sense_of(condition: ScsiError) -> Sense:
    """The sense that a device gives for a condition: its own if it has one, else that of its class."""
    if condition.sense:
        return Sense.parse(condition.sense)
    for declared in type(condition).__mro__:
        for key, asc, ascq, kind in _CONDITIONS:
            if kind is declared:
                return Sense(key, asc or 0, ascq or 0, specific=_pointer(condition))
    return Sense(SenseKey.HARDWARE_ERROR, 0x44, 0x00)


def raise_for_status(completion: Completion) -> Completion:
    """The same completion if the command was carried out, else its condition as an exception."""
    if completion.status in _DONE:
        return completion
    if completion.status == Status.CHECK_CONDITION:
        raise condition_of(Sense.parse(completion.sense))
    words = completion.status.name.lower().replace("_", " ")
    raise _STATUSES.get(completion.status, errors.CheckCondition)(f"{words} (status {completion.status:#04x})")


def is_deferred(failure: ScsiError) -> bool:
    """Whether a device tells of an earlier command; the one that got it was not carried out."""
    return Sense.parse(failure.sense).deferred


def _pointer(condition: ScsiError) -> FieldPointer | None:
    if not isinstance(condition, InvalidField) or condition.byte is None:
        return None
    return FieldPointer(True, condition.byte, condition.bit is not None, condition.bit or 0)
