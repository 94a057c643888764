"""Keeping other hosts off a device: persistent reservations, and RESERVE(6) for devices without them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum

from scsi.cdb import Command, command
from scsi.device import Device
from scsi.errors import IllegalRequest, ReservationConflict
from scsi.fields import pack
from scsi.parameters import ReserveParameters
from scsi.spc import PersistentReserveOut, ReserveAction, ReserveType

__all__ = ["Release6", "Reservation", "ReservationKind", "Reserve6", "release", "reserve"]


@command(0x16)
class Reserve6(Command):
    """Reserve the unit for this host (SPC-2)."""


@command(0x17)
class Release6(Command):
    """Give the unit back (SPC-2)."""


class ReservationKind(Enum):
    """How a device is reserved; NONE: it has no way to do it."""

    PERSISTENT = "persistent"
    SIMPLE = "simple"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was reserved; ``key`` is the one that this host has registered."""

    kind: ReservationKind
    key: int = 0


def reserve(device: Device) -> Reservation:
    """Let no other host use the device; ReservationConflict if one has reserved it."""
    key = secrets.randbits(63) + 1
    try:
        _change(device, ReserveAction.REGISTER_AND_IGNORE, ReserveParameters(0, key))
    except IllegalRequest:
        return _reserve_simply(device)
    try:
        _change(device, ReserveAction.RESERVE, ReserveParameters(key, 0))
    except ReservationConflict:
        _change(device, ReserveAction.REGISTER_AND_IGNORE, ReserveParameters(0, 0))
        raise
    return Reservation(ReservationKind.PERSISTENT, key)


def release(device: Device, held: Reservation) -> None:
    """Give it back. A device that was reset has forgotten it: that is no error."""
    try:
        if held.kind is ReservationKind.PERSISTENT:
            # A host that registers key 0 is gone, and what it had reserved is free.
            _change(device, ReserveAction.REGISTER, ReserveParameters(held.key, 0))
        elif held.kind is ReservationKind.SIMPLE:
            device.run(Release6())
    except ReservationConflict:
        return


def _reserve_simply(device: Device) -> Reservation:
    try:
        device.run(Reserve6())
    except IllegalRequest:
        return Reservation(ReservationKind.NONE)
    return Reservation(ReservationKind.SIMPLE)


def _change(device: Device, action: ReserveAction, parameters: ReserveParameters) -> None:
    wanted = pack(parameters)
    device.run(
        PersistentReserveOut(action, ReserveType.EXCLUSIVE_ACCESS, len(wanted)),
        data_out=wanted,
    )
