"""Mode parameters (SPC-4) and the pages of media changers (SMC-3), read and built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias

from scsi.errors import FieldError
from scsi.fields import at, pack, size_of, structure, unpack

__all__ = [
    "ALL_PAGES",
    "ALL_SUBPAGES",
    "DeviceCapabilities",
    "ElementAddresses",
    "ModePage",
    "ModeParameters",
    "OtherPage",
    "TransportGeometry",
]

ALL_PAGES: Final = 0x3F
ALL_SUBPAGES: Final = 0xFF


@structure(20)
class ElementAddresses:
    """Page 1D: first address and number of the elements of each type."""

    first_arm: Annotated[int, at(2, bytes=2)]
    arms: Annotated[int, at(4, bytes=2)]
    first_slot: Annotated[int, at(6, bytes=2)]
    slots: Annotated[int, at(8, bytes=2)]
    first_import_export: Annotated[int, at(10, bytes=2)]
    import_exports: Annotated[int, at(12, bytes=2)]
    first_drive: Annotated[int, at(14, bytes=2)]
    drives: Annotated[int, at(16, bytes=2)]
    page: Annotated[int, at(0, bit=0, width=6)] = 0x1D
    savable: Annotated[bool, at(0, bit=7)] = False
    bytes_behind: Annotated[int, at(1, bytes=1)] = 18

    PAGE: ClassVar[int] = 0x1D

    def encode(self) -> bytes:
        """Head and all."""
        return pack(self)


@structure(4)
class TransportGeometry:
    """Page 1E for one arm: whether it can turn a cartridge, and its number in a set of arms."""

    rotates: Annotated[bool, at(2, bit=0)] = False
    member: Annotated[int, at(3, bytes=1)] = 0
    page: Annotated[int, at(0, bit=0, width=6)] = 0x1E
    savable: Annotated[bool, at(0, bit=7)] = False
    bytes_behind: Annotated[int, at(1, bytes=1)] = 2

    PAGE: ClassVar[int] = 0x1E

    def encode(self) -> bytes:
        """Head and all."""
        return pack(self)


@structure(20)
class DeviceCapabilities:
    """Page 1F: where cartridges can stay, and from where to where they can be moved or exchanged.

    Each is a set of bits: 1 arms, 2 slots, 4 import/export elements, 8 drives.
    """

    holds: Annotated[int, at(2, bit=0, width=4)]
    moves_from_arm: Annotated[int, at(4, bit=0, width=4)]
    moves_from_slot: Annotated[int, at(5, bit=0, width=4)]
    moves_from_import_export: Annotated[int, at(6, bit=0, width=4)]
    moves_from_drive: Annotated[int, at(7, bit=0, width=4)]
    exchanges_arm: Annotated[int, at(12, bit=0, width=4)]
    exchanges_slot: Annotated[int, at(13, bit=0, width=4)]
    exchanges_import_export: Annotated[int, at(14, bit=0, width=4)]
    exchanges_drive: Annotated[int, at(15, bit=0, width=4)]
    page: Annotated[int, at(0, bit=0, width=6)] = 0x1F
    savable: Annotated[bool, at(0, bit=7)] = False
    bytes_behind: Annotated[int, at(1, bytes=1)] = 18

    PAGE: ClassVar[int] = 0x1F

    def encode(self) -> bytes:
        """Head and all."""
        return pack(self)


@dataclass(frozen=True, slots=True)
class OtherPage:
    """A page that is not declared here, as it came, head included; ``subpage`` is 0 for most."""

    page: int
    subpage: int
    raw: bytes

    def encode(self) -> bytes:
        """As it came."""
        return self.raw


ModePage: TypeAlias = ElementAddresses | TransportGeometry | DeviceCapabilities | OtherPage

_KNOWN: Final[Mapping[int, type[ElementAddresses | TransportGeometry | DeviceCapabilities]]] = {
    declared.PAGE: declared for declared in (ElementAddresses, TransportGeometry, DeviceCapabilities)
}


@structure(4)
class _Head6:
    bytes_behind: Annotated[int, at(0, bytes=1)]
    medium_type: Annotated[int, at(1, bytes=1)]
    device_specific: Annotated[int, at(2, bytes=1)]
    block_descriptor_bytes: Annotated[int, at(3, bytes=1)]

    OWN_BYTES: ClassVar[int] = 1


@structure(8)
class _Head10:
    bytes_behind: Annotated[int, at(0, bytes=2)]
    medium_type: Annotated[int, at(2, bytes=1)]
    device_specific: Annotated[int, at(3, bytes=1)]
    block_descriptor_bytes: Annotated[int, at(6, bytes=2)]

    OWN_BYTES: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class ModeParameters:
    """Mode parameters without the head that MODE SENSE(6) and (10) write differently."""

    pages: Sequence[ModePage] = ()
    medium_type: int = 0
    device_specific: int = 0
    block_descriptors: bytes = b""

    @classmethod
    def parse(cls, raw: bytes, *, long: bool) -> ModeParameters:
        """Read the answer of MODE SENSE(6), or (10) if ``long``; a page that is cut off is left out."""
        declared: type[_Head6] | type[_Head10] = _Head10 if long else _Head6
        head = unpack(declared, raw)
        end = min(len(raw), declared.OWN_BYTES + head.bytes_behind)
        pages_at = size_of(declared) + head.block_descriptor_bytes
        if pages_at > end:
            raise FieldError(f"block descriptors of {head.block_descriptor_bytes} bytes go on behind the end")
        pages = tuple(_split(bytes(raw[pages_at:end])))
        return cls(pages, head.medium_type, head.device_specific, bytes(raw[size_of(declared) : pages_at]))

    def encode(self, *, long: bool, select: bool = False) -> bytes:
        """The answer to MODE SENSE(6), or (10) if ``long``, or what MODE SELECT sends; FieldError if too long."""
        tail = self.block_descriptors + b"".join(page.encode() for page in self.pages)
        declared: type[_Head6] | type[_Head10] = _Head10 if long else _Head6
        behind = 0 if select else size_of(declared) - declared.OWN_BYTES + len(tail)
        head = declared(behind, self.medium_type, self.device_specific, len(self.block_descriptors))
        return pack(head) + tail


def _split(raw: bytes) -> Iterator[ModePage]:
    while len(raw) >= 2:
        with_subpage = bool(raw[0] & 0x40)
        size = 4 + int.from_bytes(raw[2:4], "big") if with_subpage else 2 + raw[1]
        if size > len(raw):
            return
        yield _page(raw[:size], raw[1] if with_subpage else 0)
        raw = raw[size:]


def _page(raw: bytes, subpage: int) -> ModePage:
    declared = None if subpage else _KNOWN.get(raw[0] & 0x3F)
    if declared is None or len(raw) != size_of(declared):
        return OtherPage(raw[0] & 0x3F, subpage, raw)
    return unpack(declared, raw)
