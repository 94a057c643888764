"""SCSI commands: each declared once, with its fields where the standard's table of the CDB has them.

``@command`` makes a frozen dataclass of a class and registers it by operation code, and by service action where several
commands share a code. The length of a CDB follows from its operation code (SPC-4 4.2.5.1),
its last byte is the control byte.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar, Final, TypeVar, cast, dataclass_transform

from scsi.errors import CdbLengthError, FieldError, UnknownCommand
from scsi.fields import Layout, Place

__all__ = ["Command", "Direction", "cdb_bytes_of", "command", "commands", "decode", "place_of"]

C = TypeVar("C", bound=type)

_LENGTHS: Final = {0: 6, 1: 10, 2: 10, 4: 16, 5: 12}
"""Bytes of a CDB by the group in the operation code's upper three bits; group 3 varies, 6 and 7 are the vendor's."""
_SERVICE_ACTION_MASK: Final = 0x1F
_DEFAULT_TIMEOUT: Final = 60.0


class Direction(Enum):
    """Where a command's parameter data go; IN is from the device."""

    NONE = "none"
    IN = "in"
    OUT = "out"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command's CDB. ``timeout`` in seconds is how long it may take; ``direction`` that of its data."""

    operation_code: ClassVar[int]
    service_action: ClassVar[int | None]
    cdb_bytes: ClassVar[int]
    direction: ClassVar[Direction]
    timeout: ClassVar[float]
    layout: ClassVar[Layout]

    control: int = 0

    @property
    def transfer_bytes(self) -> int:
        """Bytes of data that the CDB asks for or announces: its field ``allocation_bytes`` or ``parameter_bytes``."""
        field = {Direction.IN: "allocation_bytes", Direction.OUT: "parameter_bytes"}.get(self.direction)
        return int(getattr(self, field)) if field else 0

    def encode(self) -> bytes:
        """The CDB; FieldError for a value that does not fit its field."""
        return _encoded(self)


@functools.lru_cache(maxsize=64)
def _encoded(command: Command) -> bytes:
    """The CDB. Kept, as a tape is written and read by the same command again and again."""
    if not 0 <= command.control <= 0xFF:
        raise FieldError(f"{type(command).__name__} does not encode: control {command.control}")
    cdb = bytearray(command.layout.build(command))
    cdb[0], cdb[-1] = command.operation_code, command.control
    cdb[1] |= command.service_action or 0
    return bytes(cdb)


_Key = tuple[int, int | None]
_COMMANDS: Final[dict[_Key, type[Command]]] = {}
_TAPE_COMMANDS: Final[dict[_Key, type[Command]]] = {}
"""Those of tape drives whose codes mean something else to a changer."""


@dataclass_transform(frozen_default=True)
def command(
    operation_code: int,
    *,
    service_action: int | None = None,
    direction: Direction = Direction.NONE,
    timeout: float = _DEFAULT_TIMEOUT,
    tape_only: bool = False,
) -> Callable[[C], C]:
    """Declare the command with this operation code (and service action, in byte 1); see decode for ``tape_only``."""
    declared_so_far = _TAPE_COMMANDS if tape_only else _COMMANDS

    def declare(declared: C) -> C:
        made: Any = dataclasses.dataclass(frozen=True, slots=True)(declared)
        made.operation_code, made.service_action = operation_code, service_action
        made.direction, made.timeout = direction, timeout
        made.cdb_bytes = cdb_bytes_of(operation_code)
        made.layout = Layout(made, made.cdb_bytes)
        if declared_so_far.setdefault((operation_code, service_action), made) is not made:
            raise TypeError(f"operation code {operation_code:#x} is declared twice")
        return cast(C, made)

    return declare


def cdb_bytes_of(operation_code: int) -> int:
    """Length of the CDBs with this operation code; UnknownCommand where the code does not tell."""
    length = _LENGTHS.get(operation_code >> 5)
    if length is None:
        raise UnknownCommand(f"operation code {operation_code:#04x} does not tell the length of its CDB")
    return length


def commands(*, tape: bool = False) -> Mapping[_Key, type[Command]]:
    """Every declared command by operation code and service action, as a changer means them, or a ``tape`` drive."""
    return {**_COMMANDS, **_TAPE_COMMANDS} if tape else dict(_COMMANDS)


def decode(cdb: bytes, *, tape: bool = False) -> Command:
    """The command of a CDB; UnknownCommand, or CdbLengthError for one that is cut short or too long.

    The standards give some operation codes two meanings: which counts depends on whether a ``tape`` drive gets it.
    """
    if not cdb:
        message = "a CDB has at least its operation code"
        raise CdbLengthError(message)
    declared = _declared(cdb, commands(tape=tape))
    if len(cdb) != declared.cdb_bytes:
        raise CdbLengthError(f"a CDB of {declared.__name__} has {declared.cdb_bytes} bytes, not {len(cdb)}")
    return declared(**declared.layout.parse(bytes(cdb)), control=cdb[-1])


def place_of(declared: type[Command], field: str) -> Place:
    """Where a field of a command lies: what sense data point at when it is wrong."""
    return declared.layout.places[field]


def _declared(cdb: bytes, known: Mapping[_Key, type[Command]]) -> type[Command]:
    declared = known.get((cdb[0], None))
    if declared is None and len(cdb) > 1:
        declared = known.get((cdb[0], cdb[1] & _SERVICE_ACTION_MASK))
    if declared is None:
        raise UnknownCommand(f"operation code {cdb[0]:#04x} is not declared")
    return declared
