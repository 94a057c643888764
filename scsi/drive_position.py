"""Where a drive says that it stands, if it says so: not all do, and some contradict themselves."""

from __future__ import annotations

from dataclasses import dataclass

from scsi.device import Device
from scsi.errors import IllegalRequest
from scsi.fields import size_of, unpack
from scsi.positions import LongPosition, ShortPosition
from scsi.ssc import PositionForm, ReadPosition
from scsi.track import UNKNOWN

__all__ = ["Told", "read_position"]


@dataclass(frozen=True, slots=True)
class Told:
    """The object that comes next, filemarks before it or UNKNOWN; ``warning``: the drive stands in the last zone."""

    at: int
    file: int
    warning: bool


def read_position(device: Device) -> Told | None:
    """Ask in both forms, since only the long one tells the file; None if the drive does not know, or has no command.

    Both must agree: tgtd's drive says in the short form that it does not know, and gives only zeros in the long one.
    """
    short = _ask_short(device)
    if short is None or short.location_unknown:
        return None
    long = _ask_long(device)
    if long is not None and not long.object_unknown and (short.overflow or long.object_number == short.first_object):
        return Told(long.object_number, UNKNOWN if long.file_unknown else long.file_number, short.past_early_warning)
    return None if short.overflow else Told(short.first_object, UNKNOWN, short.past_early_warning)


def _ask_short(device: Device) -> ShortPosition | None:
    raw = _ask(device, PositionForm.SHORT)
    return unpack(ShortPosition, raw) if len(raw) >= size_of(ShortPosition) else None


def _ask_long(device: Device) -> LongPosition | None:
    raw = _ask(device, PositionForm.LONG)
    return unpack(LongPosition, raw) if len(raw) >= size_of(LongPosition) else None


def _ask(device: Device, form: PositionForm) -> bytes:
    try:
        return device.ask(ReadPosition(form))
    except IllegalRequest:
        return b""
