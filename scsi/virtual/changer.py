"""The changer of a virtual library as a SCSI target: commands in, answers or sense out (SPC-4, SMC-3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scsi.cdb import Command, decode
from scsi.completion import Completion, Status, sense_of
from scsi.elements import ElementType
from scsi.errors import CommandTimeout, NoSuchElement, ScsiError, UnitAttention, UnknownCommand
from scsi.parameters import build_units
from scsi.sense import Sense, SenseFormat, SenseKey
from scsi.smc import (
    ExchangeMedium,
    InitializeElementStatus,
    InitializeElementStatusWithRange,
    MoveMedium,
    PositionToElement,
    ReadElementStatus,
)
from scsi.spc import (
    Inquiry,
    LogSense,
    ModeSense6,
    ModeSense10,
    PreventAllowMediumRemoval,
    ReportLuns,
    RequestSense,
    TestUnitReady,
)
from scsi.virtual.answers import element_status, inquiry, log_page, mode_parameters, wrong_field
from scsi.virtual.library import Library

__all__ = ["Changer", "ChangerSession"]

_RESET: Final = Sense(SenseKey.UNIT_ATTENTION, 0x29, 0x00)
_ACCESSED: Final = Sense(SenseKey.UNIT_ATTENTION, 0x28, 0x01)


class Changer:
    """The target of one library; hosts talk to it in sessions."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.resets = 0
        """How often it was reset."""

    def session(self) -> ChangerSession:
        """A new host. It hears only of what happens from now on."""
        return ChangerSession(self)

    def reset(self) -> None:
        """Forget what hosts have set, and tell all of them."""
        with self.library.exclusive():
            self.library.allow_access()
            self.resets += 1


class ChangerSession:
    """One host's view of the changer. Several threads may run commands; each is carried out alone."""

    def __init__(self, changer: Changer) -> None:
        self._changer = changer
        self._library = changer.library
        self._seen_resets = changer.resets
        self._seen_accesses = changer.library.accesses

    def execute(
        self, cdb: bytes, *, data_in_bytes: int, data_out: bytes = b"", timeout: float | None = None
    ) -> Completion:
        """Carry out one command; at most ``data_in_bytes`` come back. No command of a changer takes ``data_out``.

        CommandTimeout if others keep the changer busy for ``timeout`` seconds; every other trouble is sense.
        """
        try:
            with self._library.exclusive(timeout):
                command, answer = self._answer(cdb)
        except CommandTimeout:
            raise
        except ScsiError as condition:
            return Completion(Status.CHECK_CONDITION, sense=sense_of(condition).encode())
        return Completion(Status.GOOD, answer[: min(command.transfer_bytes, data_in_bytes)])

    def close(self) -> None:
        """The host goes; what it had locked is unlocked."""
        self._library.prevent_access(self, False)

    def _answer(self, cdb: bytes) -> tuple[Command, bytes]:
        command = decode(cdb)
        answer = _ANSWERS.get(type(command))
        if answer is None:
            raise UnknownCommand(f"a changer has no {type(command).__name__}")
        if not isinstance(command, _NEVER_INTERRUPTED) and (attention := self._take_attention()):
            condition = UnitAttention(str(attention))
            condition.sense = attention.encode()
            raise condition
        return command, answer(self, command)

    def _take_attention(self) -> Sense | None:
        if self._seen_resets != self._changer.resets:
            self._seen_resets = self._changer.resets
            return _RESET
        if self._seen_accesses != self._library.accesses:
            self._seen_accesses = self._library.accesses
            return _ACCESSED
        return None

    def _request_sense(self, command: RequestSense) -> bytes:
        sense = self._take_attention() or Sense(SenseKey.NO_SENSE)
        form = SenseFormat.DESCRIPTORS if command.descriptors else SenseFormat.FIXED
        return Sense(sense.key, sense.asc, sense.ascq, format=form).encode()

    def _prevent(self, command: PreventAllowMediumRemoval) -> bytes:
        self._library.prevent_access(self, command.prevent)
        return b""

    def _initialize(self, command: InitializeElementStatusWithRange) -> bytes:
        if command.ranged:
            self._library.configuration.type_of(command.first)
        return b""

    def _move(self, command: MoveMedium) -> bytes:
        self._audit_arm(command, "invert")
        self._library.move(command.source, command.destination)
        return b""

    def _exchange(self, command: ExchangeMedium) -> bytes:
        self._audit_arm(command, "invert_first", "invert_second")
        self._library.exchange(command.source, command.first, command.second)
        return b""

    def _position(self, command: PositionToElement) -> bytes:
        self._audit_arm(command, "invert")
        if self._library.configuration.type_of(command.destination) == ElementType.ARM:
            message = "the arm cannot go to itself"
            raise NoSuchElement(message)
        return b""

    def _audit_arm(self, command: MoveMedium | ExchangeMedium | PositionToElement, *turns: str) -> None:
        if command.arm not in (0, self._library.configuration.first_arm):
            raise NoSuchElement(f"there is no arm {command.arm}")
        for field in turns:
            if getattr(command, field):
                raise wrong_field(command, field, "the arm cannot turn cartridges over")


_NEVER_INTERRUPTED: Final = (Inquiry, ReportLuns, RequestSense)
"""Carried out in spite of a unit attention."""
_ANSWERS: Final[Mapping[type[Command], Callable[[ChangerSession, Any], bytes]]] = {
    TestUnitReady: lambda session, command: b"",
    RequestSense: ChangerSession._request_sense,
    # Nothing to look for: the inventory is always right.
    InitializeElementStatus: lambda session, command: b"",
    InitializeElementStatusWithRange: ChangerSession._initialize,
    Inquiry: lambda session, command: inquiry(session._library.configuration, command),
    ModeSense6: lambda session, command: mode_parameters(session._library.configuration, command),
    ModeSense10: lambda session, command: mode_parameters(session._library.configuration, command),
    LogSense: lambda session, command: log_page(command),
    ReportLuns: lambda session, command: build_units([0]),
    PreventAllowMediumRemoval: ChangerSession._prevent,
    PositionToElement: ChangerSession._position,
    MoveMedium: ChangerSession._move,
    ExchangeMedium: ChangerSession._exchange,
    ReadElementStatus: lambda session, command: element_status(session._library, command),
}
