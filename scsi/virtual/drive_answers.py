"""What a virtual drive tells of itself, its commands and the cartridge in it (SPC-4, SSC-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from scsi.cdb import Command, cdb_bytes_of
from scsi.densities import DensityDescriptor, build_densities
from scsi.errors import NoMedium
from scsi.fields import pack
from scsi.inquiry import (
    Designator,
    DeviceType,
    InquiryData,
    SequentialCapabilities,
    VitalPage,
    build_identification,
    build_page_list,
    build_serial,
)
from scsi.media import DENSITIES
from scsi.parameters import LogParameter, build_log_page
from scsi.positions import BlockLimits, ObjectLimit
from scsi.protection import ProtectionCapability, ProtectionMethod, build_capabilities
from scsi.spc import (
    Inquiry,
    LogSense,
    PersistentReserveIn,
    PersistentReserveOut,
    ReadAttribute,
    ReportSupportedOperationCodes,
)
from scsi.ssc import ReadBlockLimits, ReadPosition, ReportDensitySupport
from scsi.tape import MAX_BLOCK_BYTES
from scsi.virtual.alerts import Alerts
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import Deck

__all__ = ["Counters", "Identity", "block_limits", "densities", "inquiry", "log_page", "supported_codes"]

_MB: Final = 1_000_000
_MIB: Final = 1 << 20
_LARGEST_LENGTH: Final = (1 << 24) - 1
_LARGEST_OBJECT: Final = (1 << 62) - 1
_TEXT_BYTES: Final = 32
_METHODS: Final = (ProtectionMethod.REED_SOLOMON, ProtectionMethod.CRC32C)
_VITAL_PAGES: Final = (
    VitalPage.LIST,
    VitalPage.SERIAL,
    VitalPage.IDENTIFICATION,
    VitalPage.SEQUENTIAL_CAPABILITIES,
    VitalPage.PROTECTION,
)
_SUPPORTED: Final = 3
_ACTION_BITS: Final = 0x1F
_ACTIONS: Final[Mapping[type[Command], Sequence[int]]] = {
    PersistentReserveIn: (0, 1, 2),
    PersistentReserveOut: (0, 1, 2, 3, 4, 5, 6),
    ReadAttribute: (0, 1, 5),
    ReadPosition: (0, 1, 6, 8),
}
"""Service actions that are a field of their command."""
_UNSUPPORTED: Final = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a drive says it is; ASCII, of 8, 16, 4 and up to 32 characters."""

    serial: str
    vendor: str = "VIRTUAL"
    product: str = "TAPE DRIVE"
    revision: str = "1.00"


@dataclass(slots=True)
class Counters:
    """Bytes that commands have moved since the drive was made."""

    written: int = 0
    read: int = 0


def inquiry(identity: Identity, command: Inquiry) -> bytes:
    """Standard data, or a page of vital product data."""
    if not command.vital:
        if command.page:
            raise wrong_field(command, "page", "a page of standard data")
        names = (identity.vendor, identity.product, identity.revision)
        return InquiryData(DeviceType.TAPE, *names, removable=True, protection=True).encode()
    match command.page:
        case VitalPage.LIST:
            return build_page_list(DeviceType.TAPE, _VITAL_PAGES)
        case VitalPage.SERIAL:
            return build_serial(DeviceType.TAPE, identity.serial)
        case VitalPage.IDENTIFICATION:
            name = Designator.t10(identity.vendor, identity.product.ljust(16) + identity.serial)
            return build_identification(DeviceType.TAPE, [name])
        case VitalPage.SEQUENTIAL_CAPABILITIES:
            return pack(SequentialCapabilities(write_once=True))
        case VitalPage.PROTECTION:
            return build_capabilities([ProtectionCapability(method) for method in _METHODS])
    raise wrong_field(command, "page", f"there is no page {command.page:#04x}")


def block_limits(command: ReadBlockLimits) -> bytes:
    """Blocks of one byte up to what a length of 24 bits can say."""
    if command.object_limit:
        return pack(ObjectLimit(_LARGEST_OBJECT))
    return pack(BlockLimits(min(MAX_BLOCK_BYTES, _LARGEST_LENGTH), 1))


def densities(deck: Deck, command: ReportDensitySupport) -> bytes:
    """Every Ultrium format, or that of the cartridge with the capacity it really has; NoMedium."""
    if command.medium_types:
        raise wrong_field(command, "medium_types", "only densities are told")
    if command.loaded:
        megabytes = deck.drive.capacity().total_bytes // _MB
        told = DensityDescriptor.of(deck.density, writable=True, default=True, megabytes=min(megabytes, 0xFFFFFFFF))
        return build_densities([told])
    current = deck.medium.density
    return build_densities(
        [
            DensityDescriptor.of(density, writable=True, default=code == current)
            for code, density in sorted(DENSITIES.items())
        ]
    )


def log_page(deck: Deck, counters: Counters, alerts: Alerts, command: LogSense) -> bytes:
    """A log page from a parameter on. Reading page 2E clears the alerts."""
    if command.subpage:
        raise wrong_field(command, "subpage", "no page has subpages")
    if command.page == 0:
        return build_log_page(0, bytes(sorted(_LOG_PAGES)))
    if command.page not in _LOG_PAGES:
        raise wrong_field(command, "page", f"there is no page {command.page:#04x}")
    parameters = [
        parameter
        for parameter in _log_parameters(deck, counters, alerts, command.page)
        if parameter.code >= command.first_parameter
    ]
    if not parameters and command.first_parameter:
        raise wrong_field(command, "first_parameter", f"there is no parameter {command.first_parameter:#06x}")
    if command.page == _ALERTS:
        alerts.clear()
    return build_log_page(command.page, parameters)


def supported_codes(known: Iterable[type[Command]], command: ReportSupportedOperationCodes) -> bytes:
    """All commands with their service actions, or how one of them is used; on demand with how long it may take."""
    kinds = sorted(known, key=lambda kind: (kind.operation_code, kind.service_action or 0))
    entries = [(kind, action) for kind in kinds for action in _ACTIONS.get(kind, (kind.service_action,))]
    times = command.with_timeouts
    match command.reporting:
        case 0:
            listed = b"".join(_described(kind, action, with_timeout=times) for kind, action in entries)
            return len(listed).to_bytes(4, "big") + listed
        case 1 | 2:
            wanted = (command.asked_code, command.asked_action if command.reporting == 2 else None)
            found = (entry for entry in entries if (entry[0].operation_code, entry[1]) == wanted)
            return next(
                (_usage(kind, action, with_timeout=times) for kind, action in found), bytes((0, _UNSUPPORTED, 0, 0))
            )
    raise wrong_field(command, "reporting", f"there is no report {command.reporting}")


def _described(kind: type[Command], action: int | None, *, with_timeout: bool) -> bytes:
    flags = (action is not None) | with_timeout << 1
    head = bytes((kind.operation_code, 0)) + (action or 0).to_bytes(2, "big") + bytes((0, flags))
    return head + cdb_bytes_of(kind.operation_code).to_bytes(2, "big") + (_timeout(kind) if with_timeout else b"")


def _usage(kind: type[Command], action: int | None, *, with_timeout: bool) -> bytes:
    bits = 0
    for place in kind.layout.places.values():
        bits |= ((1 << place.width) - 1) << kind.cdb_bytes * 8 - place.first - place.width
    usage = bytearray(bits.to_bytes(kind.cdb_bytes, "big"))
    usage[0] = kind.operation_code
    if action is not None:
        usage[1] = usage[1] & ~_ACTION_BITS | action
    head = bytes((with_timeout << 7 | _SUPPORTED,)) + kind.cdb_bytes.to_bytes(2, "big")
    return b"\0" + head + bytes(usage) + (_timeout(kind) if with_timeout else b"")


def _timeout(kind: type[Command]) -> bytes:
    """The descriptor of timeouts: no nominal one, and the recommended one in seconds (SPC-4 6.35.4)."""
    return (10).to_bytes(2, "big") + bytes(6) + ceil(kind.timeout).to_bytes(4, "big")


def _log_parameters(deck: Deck, counters: Counters, alerts: Alerts, page: int) -> Sequence[LogParameter]:
    if page in (_ALERTS, _ALERT_RESPONSE):
        return alerts.page() if page == _ALERTS else alerts.response()
    if page == _STATUS:
        return [LogParameter.of(0, _frequent(deck))]
    try:
        capacity = deck.drive.capacity()
    except NoMedium:
        return [LogParameter.of(0, b"\0")] if page == _VOLUME else []
    total, left, warning = capacity.total_bytes, capacity.remaining_bytes, deck.early_warning_bytes()
    if page == _CAPACITY:
        return [LogParameter.of(1, _number(left // _MIB, 4)), LogParameter.of(3, _number(total // _MIB, 4))]
    if page == _ACCESS:
        moved = (counters.written, counters.written, counters.read, counters.read)
        places = (deck.used_bytes() // _MB, (total - warning) // _MB, warning // _MB, (total - left) // _MB)
        return [LogParameter.of(code, _number(value, 8)) for code, value in enumerate((*moved, *places))]
    return _volume(deck, total_megabytes=total // _MB, used_megabytes=deck.used_bytes() // _MB)


def _volume(deck: Deck, *, total_megabytes: int, used_megabytes: int) -> Sequence[LogParameter]:
    label = deck.barcode.ljust(_TEXT_BYTES).encode("ascii")
    return [
        LogParameter.of(0x00, b"\1"),
        LogParameter.of(0x16, _number(total_megabytes, 4)),
        LogParameter.of(0x17, _number(used_megabytes, 4)),
        LogParameter(0x40, _TEXT_BYTES, format=1, value=label),
        LogParameter(0x42, _TEXT_BYTES, format=1, value=label),
        LogParameter.of(0x80, bytes((deck.drive.write_protected,))),
        LogParameter.of(0x81, bytes((deck.medium.write_once,))),
    ]


def _frequent(deck: Deck) -> bytes:
    """Four bytes of flags: the cartridge's memory is readable, write protected, set up; there, threaded, mounted."""
    if not deck.drive.loaded:
        return bytes(4)
    protected = 0x08 if deck.drive.write_protected else 0
    return bytes((0x20 | protected | 0x01, 0x13, 0, 0))


def _number(value: int, size: int) -> bytes:
    return min(value, (1 << 8 * size) - 1).to_bytes(size, "big")


_ACCESS: Final = 0x0C
_STATUS: Final = 0x11
_ALERT_RESPONSE: Final = 0x12
_VOLUME: Final = 0x17
_ALERTS: Final = 0x2E
_CAPACITY: Final = 0x31
_LOG_PAGES: Final = (0x00, _ACCESS, _STATUS, _ALERT_RESPONSE, _VOLUME, _ALERTS, _CAPACITY)
