"""Persistent reservations of a virtual drive (SPC-4 5.12), for as long as the drive is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from scsi.cdb import Command
from scsi.errors import FieldError, ReservationConflict, ScsiError
from scsi.fields import pack, unpack
from scsi.parameters import Reservation, ReserveParameters
from scsi.sense import Sense, SenseKey
from scsi.spc import (
    Inquiry,
    LogSense,
    ModeSense6,
    ModeSense10,
    PersistentReserveIn,
    PersistentReserveOut,
    PreventAllowMediumRemoval,
    ReadAttribute,
    ReportLuns,
    ReportSupportedOperationCodes,
    RequestSense,
    ReserveAction,
    ReserveReport,
    ReserveType,
    TestUnitReady,
)
from scsi.ssc import ReadBlockLimits, ReadPosition, ReportDensitySupport
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import refusal, wrong_parameter

__all__ = ["Reservations"]

_PREEMPTED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x2A, 0x03)
_RELEASED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x2A, 0x04)
_REGISTRATIONS_PREEMPTED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x2A, 0x05)
_WRONG_RELEASE: Final = (SenseKey.ILLEGAL_REQUEST, 0x26, 0x04)
_PARAMETER_BYTES: Final = 24
_EXCLUSIVE: Final = (
    ReserveType.EXCLUSIVE_ACCESS,
    ReserveType.EXCLUSIVE_ACCESS_REGISTRANTS,
    ReserveType.EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
)
_REGISTRANTS: Final = (ReserveType.WRITE_EXCLUSIVE_REGISTRANTS, ReserveType.EXCLUSIVE_ACCESS_REGISTRANTS)
_ALL_REGISTRANTS: Final = (
    ReserveType.WRITE_EXCLUSIVE_ALL_REGISTRANTS,
    ReserveType.EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
)
_TYPES: Final = (ReserveType.WRITE_EXCLUSIVE, ReserveType.EXCLUSIVE_ACCESS, *_REGISTRANTS, *_ALL_REGISTRANTS)
_ALWAYS: Final = (
    *(Inquiry, LogSense, PersistentReserveIn, PersistentReserveOut, ReportLuns, RequestSense, TestUnitReady),
    *(ReadBlockLimits, ReportDensitySupport, ReportSupportedOperationCodes),
)
"""What anybody may send, whoever has reserved the drive."""
_HARMLESS: Final = (ModeSense6, ModeSense10, ReadAttribute, ReadPosition)
"""What others may send besides unless the access is exclusive: it neither moves the tape nor changes anything."""
_CAPABILITIES: Final = bytes((0, 8, 0x00, 0x80, 0xEA, 0x01, 0, 0))
"""Every type; no reservation outlives the power."""

Tell = Callable[[object, Sense], None]


class Reservations:
    """Who has registered and who has reserved. Hosts are any objects; ``tell`` gives one a unit attention."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._keys = dict[object, int]()
        self._holder: object | None = None
        self._type: ReserveType | None = None
        self._generation = 0

    def audit(self, host: object, command: Command) -> None:
        """ReservationConflict if another host's reservation forbids the command."""
        if self._type is None or host is self._holder or isinstance(command, _ALWAYS):
            return
        if self._type in _REGISTRANTS + _ALL_REGISTRANTS and host in self._keys:
            return
        if isinstance(command, PreventAllowMediumRemoval) and not command.prevent:
            return
        if self._type in _EXCLUSIVE or not isinstance(command, _HARMLESS):
            message = "another host has reserved the drive"
            raise ReservationConflict(message)

    def report(self, command: PersistentReserveIn) -> bytes:
        """Keys, the reservation, or what types there are."""
        if command.report == ReserveReport.CAPABILITIES:
            return _CAPABILITIES
        generation = self._generation.to_bytes(4, "big")
        if command.report == ReserveReport.KEYS:
            keys = b"".join(key.to_bytes(8, "big") for key in self._keys.values())
            return generation + len(keys).to_bytes(4, "big") + keys
        if command.report != ReserveReport.RESERVATION:
            raise wrong_field(command, "report", f"nothing to tell by code {int(command.report)}")
        if self._type is None:
            return generation + bytes(4)
        key = 0 if self._holder is None else self._keys[self._holder]
        return pack(Reservation(self._generation, key, 0, self._type))

    def change(self, host: object, command: PersistentReserveOut, data_out: bytes) -> None:
        """Register, reserve, release, preempt or clear; ReservationConflict for a wrong key."""
        action = _ACTIONS.get(command.action)
        if action is None:
            raise wrong_field(command, "action", f"there is no action {int(command.action)}")
        parameters = _parse(command, data_out)
        registering = command.action in (ReserveAction.REGISTER, ReserveAction.REGISTER_AND_IGNORE)
        known = self._keys.get(host, 0) if command.action == ReserveAction.REGISTER else self._keys.get(host)
        if command.action != ReserveAction.REGISTER_AND_IGNORE and parameters.key != known:
            message = "the key is not that of the host's registration"
            raise ReservationConflict(message)
        if not registering and command.action != ReserveAction.CLEAR:
            _audit_type(command)
        action(self, host, command, parameters)

    def forget(self, host: object) -> None:
        """The host is gone for good."""
        if host in self._keys:
            self._unregister(host)

    def _register(self, host: object, _: PersistentReserveOut, parameters: ReserveParameters) -> None:
        self._generation += 1
        if parameters.new_key:
            self._keys[host] = parameters.new_key
        elif host in self._keys:
            self._unregister(host)

    def _reserve(self, host: object, command: PersistentReserveOut, _: ReserveParameters) -> None:
        if self._type is not None and (self._type != command.type or not self._holds(host)):
            message = "the drive is reserved otherwise"
            raise ReservationConflict(message)
        self._take(host, command.type)

    def _release(self, host: object, command: PersistentReserveOut, _: ReserveParameters) -> None:
        if not self._holds(host):
            return
        if self._type != command.type:
            raise refusal(*_WRONG_RELEASE)
        self._drop(host)

    def _clear(self, host: object, _: PersistentReserveOut, __: ReserveParameters) -> None:
        self._generation += 1
        self._tell_others(host, _PREEMPTED)
        self._keys.clear()
        self._holder = self._type = None

    def _preempt(self, host: object, command: PersistentReserveOut, parameters: ReserveParameters) -> None:
        victims = [other for other, key in self._keys.items() if key == parameters.new_key and other is not host]
        takes = self._type is not None and (
            (self._type in _ALL_REGISTRANTS and not parameters.new_key)
            or (self._holder is not None and self._keys[self._holder] == parameters.new_key)
        )
        if takes and not parameters.new_key:
            victims = [other for other in self._keys if other is not host]
        if not victims and not takes:
            message = "nobody has the key that should be preempted"
            raise ReservationConflict(message)
        self._generation += 1
        for victim in victims:
            del self._keys[victim]
            self._tell(victim, _REGISTRATIONS_PREEMPTED)
        if takes:
            self._take(host, command.type)

    def _holds(self, host: object) -> bool:
        return host is self._holder or (self._type in _ALL_REGISTRANTS and host in self._keys)

    def _take(self, host: object, kind: ReserveType) -> None:
        self._type = kind
        self._holder = None if kind in _ALL_REGISTRANTS else host

    def _unregister(self, host: object) -> None:
        del self._keys[host]
        if self._holder is host or (self._type in _ALL_REGISTRANTS and not self._keys):
            self._drop(host)

    def _drop(self, host: object) -> None:
        if self._type in _REGISTRANTS + _ALL_REGISTRANTS:
            self._tell_others(host, _RELEASED)
        self._holder = self._type = None

    def _tell_others(self, host: object, sense: Sense) -> None:
        for other in self._keys:
            if other is not host:
                self._tell(other, sense)


_Action = Callable[[Reservations, object, PersistentReserveOut, ReserveParameters], None]
_ACTIONS: Final[Mapping[ReserveAction, _Action]] = {
    ReserveAction.REGISTER: Reservations._register,
    ReserveAction.REGISTER_AND_IGNORE: Reservations._register,
    ReserveAction.RESERVE: Reservations._reserve,
    ReserveAction.RELEASE: Reservations._release,
    ReserveAction.CLEAR: Reservations._clear,
    ReserveAction.PREEMPT: Reservations._preempt,
    ReserveAction.PREEMPT_AND_ABORT: Reservations._preempt,
}


def _parse(command: PersistentReserveOut, data_out: bytes) -> ReserveParameters:
    try:
        if command.parameter_bytes != _PARAMETER_BYTES:
            raise FieldError(f"{command.parameter_bytes} bytes of parameters")
        parameters = unpack(ReserveParameters, data_out[:_PARAMETER_BYTES])
    except FieldError as error:
        raise _list_length() from error
    if parameters.persist_power_loss:
        raise wrong_parameter(20, bit=0)
    return parameters


def _list_length() -> ScsiError:
    return refusal(SenseKey.ILLEGAL_REQUEST, 0x1A, 0x00)


def _audit_type(command: PersistentReserveOut) -> None:
    if command.type not in _TYPES:
        raise wrong_field(command, "type", f"there is no type {int(command.type)}")
    if command.scope:
        raise wrong_field(command, "scope", "only the whole drive")
