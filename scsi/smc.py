"""Commands of media changers (SMC-3). Elements are named by their addresses; 0 as ``arm`` is the usual one."""

from __future__ import annotations

from typing import Annotated, Final

from scsi.cdb import Command, Direction, command
from scsi.elements import ElementType
from scsi.fields import at

__all__ = [
    "ExchangeMedium",
    "InitializeElementStatus",
    "InitializeElementStatusWithRange",
    "MoveMedium",
    "PositionToElement",
    "ReadElementStatus",
]

_MOVE_TIMEOUT: Final = 600.0
_INVENTORY_TIMEOUT: Final = 3600.0


@command(0x07, timeout=_INVENTORY_TIMEOUT)
class InitializeElementStatus(Command):
    """Look into every element."""


@command(0x37, timeout=_INVENTORY_TIMEOUT)
class InitializeElementStatusWithRange(Command):
    """Look into some elements, or with ``ranged`` off into all; ``fast`` leaves out reading labels."""

    first: Annotated[int, at(2, bytes=2)]
    count: Annotated[int, at(6, bytes=2)]
    ranged: Annotated[bool, at(1, bit=0)] = True
    fast: Annotated[bool, at(1, bit=1)] = False


@command(0x2B, timeout=_MOVE_TIMEOUT)
class PositionToElement(Command):
    """Bring the arm before an element."""

    arm: Annotated[int, at(2, bytes=2)]
    destination: Annotated[int, at(4, bytes=2)]
    invert: Annotated[bool, at(8, bit=0)] = False


@command(0xA5, timeout=_MOVE_TIMEOUT)
class MoveMedium(Command):
    """Carry a cartridge from one element to another."""

    arm: Annotated[int, at(2, bytes=2)]
    source: Annotated[int, at(4, bytes=2)]
    destination: Annotated[int, at(6, bytes=2)]
    invert: Annotated[bool, at(10, bit=0)] = False


@command(0xA6, timeout=_MOVE_TIMEOUT)
class ExchangeMedium(Command):
    """Carry a cartridge to ``first``, and what was there to ``second``, which may be the source."""

    arm: Annotated[int, at(2, bytes=2)]
    source: Annotated[int, at(4, bytes=2)]
    first: Annotated[int, at(6, bytes=2)]
    second: Annotated[int, at(8, bytes=2)]
    invert_first: Annotated[bool, at(10, bit=1)] = False
    invert_second: Annotated[bool, at(10, bit=0)] = False


@command(0xB8, direction=Direction.IN, timeout=_MOVE_TIMEOUT)
class ReadElementStatus(Command):
    """Ask what is where: at most ``count`` elements of a type from address ``first`` on.

    ``current`` forbids that the device moves to find out, ``identifiers`` asks for those of drives.
    """

    first: Annotated[int, at(2, bytes=2)]
    count: Annotated[int, at(4, bytes=2)]
    allocation_bytes: Annotated[int, at(7, bytes=3)]
    type: Annotated[ElementType, at(1, bit=0, width=4)] = ElementType.ALL
    volume_tags: Annotated[bool, at(1, bit=4)] = True
    identifiers: Annotated[bool, at(6, bit=0)] = False
    current: Annotated[bool, at(6, bit=1)] = False
