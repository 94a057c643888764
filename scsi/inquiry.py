"""What INQUIRY tells: standard data and pages of vital product data (SPC-4, SSC-4), read and built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from scsi.errors import FieldError
from scsi.fields import OpenEnum, at, pack, size_of, structure, unpack

__all__ = [
    "Association",
    "CodeSet",
    "Designator",
    "DesignatorType",
    "DeviceType",
    "InquiryData",
    "SequentialCapabilities",
    "Vital",
    "VitalPage",
    "build_identification",
    "build_page_list",
    "build_serial",
    "parse_identification",
    "parse_page_list",
    "parse_serial",
    "split_vital",
]

STANDARD_BYTES: Final = 96
_LEAST_BYTES: Final = 36
_BEFORE_ADDITIONAL: Final = 5


class DeviceType(OpenEnum):
    """What a device is."""

    DISK = 0x00
    TAPE = 0x01
    PROCESSOR = 0x03
    OPTICAL_DISC = 0x05
    CHANGER = 0x08
    ENCLOSURE = 0x0D
    AUTOMATION = 0x12
    WELL_KNOWN = 0x1E
    UNKNOWN = 0x1F


class VitalPage(OpenEnum):
    """Pages of vital product data by number; from B0 on they depend on the kind of device, here a tape."""

    LIST = 0x00
    SERIAL = 0x80
    IDENTIFICATION = 0x83
    MODE_POLICY = 0x87
    SEQUENTIAL_CAPABILITIES = 0xB0
    MANUFACTURER_SERIAL = 0xB1
    ALERTS = 0xB2
    AUTOMATION_SERIAL = 0xB3
    ELEMENT_ADDRESS = 0xB4
    PROTECTION = 0xB5


@structure(STANDARD_BYTES)
class InquiryData:
    """Standard data. ``additional_bytes`` come after byte 4; ``qualifier`` 0: the device is there."""

    device_type: Annotated[DeviceType, at(0, bit=0, width=5)]
    vendor: Annotated[str, at(8, bytes=8)]
    product: Annotated[str, at(16, bytes=16)]
    revision: Annotated[str, at(32, bytes=4)]
    qualifier: Annotated[int, at(0, bit=5, width=3)] = 0
    removable: Annotated[bool, at(1, bit=7)] = False
    version: Annotated[int, at(2, bytes=1)] = 6
    format: Annotated[int, at(3, bit=0, width=4)] = 2
    additional_bytes: Annotated[int, at(4, bytes=1)] = STANDARD_BYTES - _BEFORE_ADDITIONAL
    changer_attached: Annotated[bool, at(6, bit=3)] = False
    command_queue: Annotated[bool, at(7, bit=1)] = False
    protection: Annotated[bool, at(5, bit=0)] = False

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read 36 bytes or more: what the device did not send is zero. FieldError for less."""
        if len(raw) < _LEAST_BYTES:
            raise FieldError(f"inquiry data of {len(raw)} bytes: at least {_LEAST_BYTES} are there")
        return unpack(cls, raw.ljust(STANDARD_BYTES, b"\0"))

    def encode(self) -> bytes:
        """All 96 bytes."""
        return pack(self)


class CodeSet(OpenEnum):
    """How an identifier is written."""

    BINARY = 1
    ASCII = 2
    UTF8 = 3


class Association(OpenEnum):
    """What an identifier is of."""

    UNIT = 0
    PORT = 1
    TARGET = 2


class DesignatorType(OpenEnum):
    """How an identifier is formed; T10_VENDOR: the vendor's eight letters, then what the vendor likes."""

    VENDOR_SPECIFIC = 0
    T10_VENDOR = 1
    EUI64 = 2
    NAA = 3
    RELATIVE_PORT = 4
    PORT_GROUP = 5
    UNIT_GROUP = 6
    MD5 = 7
    SCSI_NAME = 8


@structure(4)
class Designator:
    """An identifier of a device; also in the element status of drives."""

    code_set: Annotated[CodeSet, at(0, bit=0, width=4)]
    type: Annotated[DesignatorType, at(1, bit=0, width=4)]
    identifier_bytes: Annotated[int, at(3, bytes=1)]
    association: Annotated[Association, at(1, bit=4, width=2)] = Association.UNIT
    protocol_valid: Annotated[bool, at(1, bit=7)] = False
    protocol: Annotated[int, at(0, bit=4, width=4)] = 0
    identifier: bytes = b""

    @classmethod
    def t10(cls, vendor: str, rest: str) -> Self:
        """Vendor, padded to eight, and what tells the device from others."""
        identifier = vendor.ljust(8).encode("ascii") + rest.encode("ascii")
        return cls(CodeSet.ASCII, DesignatorType.T10_VENDOR, len(identifier), identifier=identifier)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read one from where it begins; FieldError if it goes on behind the end."""
        head = unpack(cls, raw)
        end = size_of(cls) + head.identifier_bytes
        if len(raw) < end:
            raise FieldError(f"an identifier of {head.identifier_bytes} bytes ends after {len(raw) - size_of(cls)}")
        return unpack(cls, raw, identifier=bytes(raw[size_of(cls) : end]))

    def encode(self) -> bytes:
        """Head and identifier."""
        return pack(self) + self.identifier

    def __str__(self) -> str:
        return self.identifier.decode("latin-1") if self.code_set == CodeSet.ASCII else self.identifier.hex()


@structure(4)
class _PageHead:
    device_type: Annotated[DeviceType, at(0, bit=0, width=5)]
    page: Annotated[VitalPage, at(1, bytes=1)]
    bytes_behind: Annotated[int, at(2, bytes=2)]
    qualifier: Annotated[int, at(0, bit=5, width=3)] = 0


@dataclass(frozen=True, slots=True)
class Vital:
    """A page of vital product data."""

    device_type: DeviceType
    page: VitalPage
    body: bytes


def split_vital(raw: bytes) -> Vital:
    """Device type, page and body of a page, of the body what there is; FieldError without a head."""
    head = unpack(_PageHead, raw)
    start = size_of(_PageHead)
    return Vital(head.device_type, head.page, bytes(raw[start : start + head.bytes_behind]))


def build_page_list(device_type: DeviceType, pages: Sequence[VitalPage]) -> bytes:
    """Page 00: which pages there are."""
    return _build(device_type, VitalPage.LIST, bytes(sorted(pages)))


def parse_page_list(raw: bytes) -> Sequence[VitalPage]:
    """Which pages there are."""
    return tuple(VitalPage(number) for number in split_vital(raw).body)


def build_serial(device_type: DeviceType, serial: str) -> bytes:
    """Page 80: the serial number."""
    return _build(device_type, VitalPage.SERIAL, serial.encode("ascii"))


def parse_serial(raw: bytes) -> str:
    """The serial number, without the spaces around it."""
    return split_vital(raw).body.decode("latin-1").strip(" \0")


def build_identification(device_type: DeviceType, designators: Sequence[Designator]) -> bytes:
    """Page 83: identifiers."""
    return _build(device_type, VitalPage.IDENTIFICATION, b"".join(each.encode() for each in designators))


def parse_identification(raw: bytes) -> Sequence[Designator]:
    """Identifiers; one that is cut off at the end is left out."""
    return tuple(_designators(split_vital(raw).body))


@structure(6)
class SequentialCapabilities:
    """Page B0 of a tape drive, head included."""

    device_type: Annotated[DeviceType, at(0, bit=0, width=5)] = DeviceType.TAPE
    page: Annotated[VitalPage, at(1, bytes=1)] = VitalPage.SEQUENTIAL_CAPABILITIES
    bytes_behind: Annotated[int, at(2, bytes=2)] = 2
    write_once: Annotated[bool, at(4, bit=0)] = False


def _designators(body: bytes) -> Iterator[Designator]:
    while len(body) >= size_of(Designator) and len(body) >= size_of(Designator) + body[3]:
        found = Designator.parse(body)
        yield found
        body = body[size_of(Designator) + found.identifier_bytes :]


def _build(device_type: DeviceType, page: VitalPage, body: bytes) -> bytes:
    return pack(_PageHead(device_type, page, len(body))) + body
