"""Commands that every device may have (SPC-4)."""

from __future__ import annotations

from typing import Annotated

from scsi.cdb import Command, Direction, command
from scsi.fields import OpenEnum, at

__all__ = [
    "AttributeAction",
    "Inquiry",
    "LogControl",
    "LogSense",
    "ModeSelect6",
    "ModeSelect10",
    "ModeSense6",
    "ModeSense10",
    "PageControl",
    "PersistentReserveIn",
    "PersistentReserveOut",
    "PreventAllowMediumRemoval",
    "ReadAttribute",
    "ReportLuns",
    "ReportSupportedOperationCodes",
    "RequestSense",
    "ReserveAction",
    "ReserveReport",
    "ReserveType",
    "TestUnitReady",
    "WriteAttribute",
]


class PageControl(OpenEnum):
    """Which values of a mode page are meant."""

    CURRENT = 0
    CHANGEABLE = 1
    DEFAULT = 2
    SAVED = 3


class LogControl(OpenEnum):
    """Which values of a log page are meant."""

    THRESHOLD = 0
    CUMULATIVE = 1
    DEFAULT_THRESHOLD = 2
    DEFAULT_CUMULATIVE = 3


class ReserveReport(OpenEnum):
    """What PERSISTENT RESERVE IN tells."""

    KEYS = 0
    RESERVATION = 1
    CAPABILITIES = 2
    FULL_STATUS = 3


class ReserveAction(OpenEnum):
    """What PERSISTENT RESERVE OUT does."""

    REGISTER = 0
    RESERVE = 1
    RELEASE = 2
    CLEAR = 3
    PREEMPT = 4
    PREEMPT_AND_ABORT = 5
    REGISTER_AND_IGNORE = 6
    REGISTER_AND_MOVE = 7


class ReserveType(OpenEnum):
    """Who may still do what."""

    WRITE_EXCLUSIVE = 1
    EXCLUSIVE_ACCESS = 3
    WRITE_EXCLUSIVE_REGISTRANTS = 5
    EXCLUSIVE_ACCESS_REGISTRANTS = 6
    WRITE_EXCLUSIVE_ALL_REGISTRANTS = 7
    EXCLUSIVE_ACCESS_ALL_REGISTRANTS = 8


class AttributeAction(OpenEnum):
    """What READ ATTRIBUTE tells of the cartridge's memory."""

    VALUES = 0
    LIST = 1
    VOLUMES = 2
    PARTITIONS = 3
    SUPPORTED = 5


@command(0x00)
class TestUnitReady(Command):
    """Ask whether medium commands would work."""


@command(0x03, direction=Direction.IN)
class RequestSense(Command):
    """Ask for sense without a failed command."""

    allocation_bytes: Annotated[int, at(4, bytes=1)]
    descriptors: Annotated[bool, at(1, bit=0)] = False


@command(0x12, direction=Direction.IN)
class Inquiry(Command):
    """Ask what the device is, or for a page of vital product data."""

    allocation_bytes: Annotated[int, at(3, bytes=2)]
    page: Annotated[int, at(2, bytes=1)] = 0
    vital: Annotated[bool, at(1, bit=0)] = False


@command(0x15, direction=Direction.OUT)
class ModeSelect6(Command):
    """Set mode parameters."""

    parameter_bytes: Annotated[int, at(4, bytes=1)]
    page_format: Annotated[bool, at(1, bit=4)] = True
    save: Annotated[bool, at(1, bit=0)] = False


@command(0x55, direction=Direction.OUT)
class ModeSelect10(Command):
    """Set mode parameters, more of them."""

    parameter_bytes: Annotated[int, at(7, bytes=2)]
    page_format: Annotated[bool, at(1, bit=4)] = True
    save: Annotated[bool, at(1, bit=0)] = False


@command(0x1A, direction=Direction.IN)
class ModeSense6(Command):
    """Read mode parameters. ``without_blocks`` leaves out block descriptors."""

    page: Annotated[int, at(2, bit=0, width=6)]
    allocation_bytes: Annotated[int, at(4, bytes=1)]
    subpage: Annotated[int, at(3, bytes=1)] = 0
    page_control: Annotated[PageControl, at(2, bit=6, width=2)] = PageControl.CURRENT
    without_blocks: Annotated[bool, at(1, bit=3)] = False


@command(0x5A, direction=Direction.IN)
class ModeSense10(Command):
    """Read mode parameters, more of them."""

    page: Annotated[int, at(2, bit=0, width=6)]
    allocation_bytes: Annotated[int, at(7, bytes=2)]
    subpage: Annotated[int, at(3, bytes=1)] = 0
    page_control: Annotated[PageControl, at(2, bit=6, width=2)] = PageControl.CURRENT
    without_blocks: Annotated[bool, at(1, bit=3)] = False
    long_lba: Annotated[bool, at(1, bit=4)] = False


@command(0x4D, direction=Direction.IN)
class LogSense(Command):
    """Read a log page, from parameter ``first_parameter`` on."""

    page: Annotated[int, at(2, bit=0, width=6)]
    allocation_bytes: Annotated[int, at(7, bytes=2)]
    subpage: Annotated[int, at(3, bytes=1)] = 0
    page_control: Annotated[LogControl, at(2, bit=6, width=2)] = LogControl.CUMULATIVE
    first_parameter: Annotated[int, at(5, bytes=2)] = 0
    save: Annotated[bool, at(1, bit=0)] = False


@command(0xA0, direction=Direction.IN)
class ReportLuns(Command):
    """Ask which logical units the target has."""

    allocation_bytes: Annotated[int, at(6, bytes=4)]
    select: Annotated[int, at(2, bytes=1)] = 0


@command(0xA3, service_action=0x0C, direction=Direction.IN)
class ReportSupportedOperationCodes(Command):
    """Ask which commands the device has."""

    allocation_bytes: Annotated[int, at(6, bytes=4)]
    reporting: Annotated[int, at(2, bit=0, width=3)] = 0
    asked_code: Annotated[int, at(3, bytes=1)] = 0
    asked_action: Annotated[int, at(4, bytes=2)] = 0
    with_timeouts: Annotated[bool, at(2, bit=7)] = False


@command(0x1E)
class PreventAllowMediumRemoval(Command):
    """Forbid that an operator takes media out, or allow it again."""

    prevent: Annotated[bool, at(4, bit=0)]


@command(0x5E, direction=Direction.IN)
class PersistentReserveIn(Command):
    """Ask who has registered and reserved."""

    report: Annotated[ReserveReport, at(1, bit=0, width=5)]
    allocation_bytes: Annotated[int, at(7, bytes=2)]


@command(0x5F, direction=Direction.OUT)
class PersistentReserveOut(Command):
    """Register, reserve, release, preempt."""

    action: Annotated[ReserveAction, at(1, bit=0, width=5)]
    type: Annotated[ReserveType, at(2, bit=0, width=4)]
    parameter_bytes: Annotated[int, at(5, bytes=4)]
    scope: Annotated[int, at(2, bit=4, width=4)] = 0


@command(0x8C, direction=Direction.IN)
class ReadAttribute(Command):
    """Read attributes of a cartridge's memory; ``element`` is that of the cartridge, 0 for the one in the drive."""

    action: Annotated[AttributeAction, at(1, bit=0, width=5)]
    allocation_bytes: Annotated[int, at(10, bytes=4)]
    first_attribute: Annotated[int, at(8, bytes=2)] = 0
    element: Annotated[int, at(2, bytes=2)] = 0
    volume: Annotated[int, at(5, bytes=1)] = 0
    partition: Annotated[int, at(7, bytes=1)] = 0
    cache: Annotated[bool, at(14, bit=0)] = False


@command(0x8D, direction=Direction.OUT)
class WriteAttribute(Command):
    """Write attributes of a cartridge's memory."""

    parameter_bytes: Annotated[int, at(10, bytes=4)]
    element: Annotated[int, at(2, bytes=2)] = 0
    volume: Annotated[int, at(5, bytes=1)] = 0
    partition: Annotated[int, at(7, bytes=1)] = 0
    write_through: Annotated[bool, at(1, bit=0)] = False
