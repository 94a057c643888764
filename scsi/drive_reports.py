"""What a tape drive tells of itself and of its tape, where it does, and what can be set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from scsi.attributes import AttributeCode
from scsi.cdb import Command
from scsi.device import Device
from scsi.errors import CheckCondition, FieldError, IllegalRequest
from scsi.fields import OpenEnum, pack, size_of, unpack
from scsi.inquiry import VitalPage
from scsi.media import MEDIA
from scsi.modes import ModeParameters
from scsi.parameters import Attribute, LogParameter, parse_attributes, parse_log_page
from scsi.positions import BlockLimits
from scsi.protection import PROTECTION_BYTES, ProtectionMethod, parse_capabilities
from scsi.sense import Sense
from scsi.spc import (
    AttributeAction,
    Inquiry,
    LogSense,
    ModeSelect6,
    ModeSelect10,
    ModeSense6,
    ModeSense10,
    ReadAttribute,
)
from scsi.ssc import ReadBlockLimits
from scsi.tape import MAX_BLOCK_BYTES, Capacity
from scsi.tape_modes import (
    BlockDescriptor,
    DataProtection,
    DeviceSpecific,
    MediumConfiguration,
    as_mode_page,
    as_tape_page,
)

__all__ = [
    "TapeAlert",
    "alerts",
    "attributes",
    "block_descriptor",
    "block_limits",
    "capacity",
    "is_write_once",
    "is_write_protected",
    "offered_protection",
    "set_block_bytes",
    "set_protection",
]

_ANY_BLOCKS: Final = BlockLimits(largest=MAX_BLOCK_BYTES - 1, smallest=1)
_HEAD_AND_DESCRIPTOR_BYTES: Final = 12
_PAGE_BYTES: Final = 255
_LOG_BYTES: Final = 4096
_MEMORY_BYTES: Final = 1 << 15
"""More than there is in a cartridge."""
_ALERT_PAGE, _CAPACITY_PAGE = 0x2E, 0x31
_REMAINING_PARAMETER, _MOST_PARAMETER = 1, 3
_WITHOUT_PROTECT_BIT: Final = 0x7F
_ROUNDED: Final = 0x37
"""The additional sense code of a parameter that the drive has set to a value near that (rounded)."""


class TapeAlert(OpenEnum):
    """Flags by which a drive complains (SSC-4 annex A), those that an operator can do something about."""

    READ_WARNING = 1
    WRITE_WARNING = 2
    HARD_ERROR = 3
    MEDIA = 4
    READ_FAILURE = 5
    WRITE_FAILURE = 6
    MEDIA_LIFE = 7
    NOT_DATA_GRADE = 8
    WRITE_PROTECT = 9
    NO_REMOVAL = 10
    CLEANING_MEDIA = 11
    UNSUPPORTED_FORMAT = 12
    MEMORY_CHIP_FAILURE = 15
    FORCED_EJECT = 16
    DIRECTORY_CORRUPTED = 18
    NEARING_MEDIA_LIFE = 19
    CLEAN_NOW = 20
    CLEAN_PERIODIC = 21
    EXPIRED_CLEANING_MEDIA = 22
    INVALID_CLEANING_TAPE = 23
    HARDWARE_A = 30
    HARDWARE_B = 31
    PREDICTIVE_FAILURE = 38
    DIAGNOSTICS_REQUIRED = 39
    LOADER_HARDWARE = 40
    WORM_INTEGRITY = 59
    WORM_OVERWRITE = 60


def block_limits(device: Device) -> BlockLimits:
    """Which blocks the drive takes; all, if it does not tell."""
    answer = _ask_if_known(device, ReadBlockLimits())
    if len(answer) < size_of(BlockLimits):
        return _ANY_BLOCKS
    limits = unpack(BlockLimits, answer)
    return limits if limits.largest else replace(limits, largest=_ANY_BLOCKS.largest)


def block_descriptor(device: Device) -> BlockDescriptor | None:
    """Density, and which blocks the drive is set for; None if it does not tell."""
    raw = _head(device).block_descriptors
    return unpack(BlockDescriptor, raw[: size_of(BlockDescriptor)]) if len(raw) >= size_of(BlockDescriptor) else None


def is_write_protected(device: Device) -> bool:
    """Whether the cartridge, or the drive, takes no data."""
    return unpack(DeviceSpecific, bytes((_head(device).device_specific,))).write_protected


def is_write_once(device: Device) -> bool:
    """Whether it is a cartridge that cannot be overwritten (WORM)."""
    answer = _ask_if_known(device, ModeSense6(MediumConfiguration.KEY[0], _PAGE_BYTES, without_blocks=True))
    if answer:
        pages = map(as_tape_page, ModeParameters.parse(answer, long=False).pages)
        return any(isinstance(page, MediumConfiguration) and page.write_once for page in pages)
    medium_type = _head(device).medium_type
    return any(medium.medium_type == medium_type and medium.write_once for medium in MEDIA.values())


def set_block_bytes(device: Device, block_bytes: int) -> None:
    """Make all blocks have this size, or any if 0."""
    head = _head(device)
    density = head.block_descriptors[0] if head.block_descriptors else 0
    wanted = ModeParameters(
        device_specific=head.device_specific & _WITHOUT_PROTECT_BIT,
        block_descriptors=pack(BlockDescriptor(density, block_bytes)),
    ).encode(long=False, select=True)
    done = device.run(ModeSelect6(len(wanted)), data_out=wanted)
    if Sense.parse(done.sense).asc == _ROUNDED:
        raise IllegalRequest(f"the drive takes no blocks of {block_bytes} bytes, only of sizes near that")


def offered_protection(device: Device) -> ProtectionMethod:
    """What the drive can check blocks by in both directions: CRC32C, else Reed-Solomon, else NONE."""
    answer = _ask_if_known(device, Inquiry(_PAGE_BYTES, page=VitalPage.PROTECTION, vital=True))
    if answer[1:2] != bytes((VitalPage.PROTECTION,)):
        return ProtectionMethod.NONE
    offered = {each.method for each in parse_capabilities(answer) if each.writes and each.reads}
    known = (ProtectionMethod.CRC32C, ProtectionMethod.REED_SOLOMON)
    return next((method for method in known if method in offered), ProtectionMethod.NONE)


def set_protection(device: Device, method: ProtectionMethod) -> bool:
    """Have blocks protected in both directions; false if the drive cannot do it with this method."""
    on = method != ProtectionMethod.NONE
    page = DataProtection(method, PROTECTION_BYTES if on else 0, writes=on, reads=on)
    # Zero there would have the drive write without its buffer.
    specific = _head(device).device_specific & _WITHOUT_PROTECT_BIT
    wanted = ModeParameters((as_mode_page(page),), device_specific=specific).encode(long=True, select=True)
    try:
        device.run(ModeSelect10(len(wanted)), data_out=wanted)
    except IllegalRequest:
        return False
    answer = _ask_if_known(device, ModeSense10(*_page(DataProtection), without_blocks=True))
    pages = map(as_tape_page, ModeParameters.parse(answer, long=True).pages) if answer else ()
    found = next((each for each in pages if isinstance(each, DataProtection)), None)
    return found is not None and (found.method, found.writes, found.reads) == (method, on, on)


def capacity(device: Device) -> Capacity:
    """Room on the tape, of what a drive would still write behind all data; both 0 if it does not tell."""
    found = {each.code: each.number for each in attributes(device) if each.value}
    if most := found.get(AttributeCode.MAXIMUM_CAPACITY_MIB):
        return Capacity(most << 20, found.get(AttributeCode.REMAINING_CAPACITY_MIB, 0) << 20)
    logged = {each.code: int.from_bytes(each.value, "big") for each in _log(device, _CAPACITY_PAGE)}
    return Capacity(logged.get(_MOST_PARAMETER, 0) << 20, logged.get(_REMAINING_PARAMETER, 0) << 20)


def attributes(device: Device) -> Sequence[Attribute]:
    """What the memory of the cartridge says; empty if the drive reads none."""
    return parse_attributes(_ask_if_known(device, ReadAttribute(AttributeAction.VALUES, _MEMORY_BYTES)))


def alerts(device: Device) -> frozenset[TapeAlert]:
    """The flags that are set; the drive clears them when they are read. Empty if it has none."""
    return frozenset(TapeAlert(each.code) for each in _log(device, _ALERT_PAGE) if any(each.value))


def _log(device: Device, page: int) -> Sequence[LogParameter]:
    answer = _ask_if_known(device, LogSense(page, _LOG_BYTES))
    return parse_log_page(answer).parameters if answer else ()


def _head(device: Device) -> ModeParameters:
    try:
        return ModeParameters.parse(device.ask(ModeSense6(0, _HEAD_AND_DESCRIPTOR_BYTES)), long=False)
    except FieldError as failure:
        raise CheckCondition(f"mode parameters that are none: {failure}") from failure


def _page(declared: type[DataProtection]) -> tuple[int, int, int]:
    page, subpage = declared.KEY
    return page, _PAGE_BYTES, subpage


def _ask_if_known(device: Device, command: Command) -> bytes:
    """The answer; empty if the drive has no such command, page or log."""
    try:
        return device.ask(command)
    except IllegalRequest:
        return b""
