"""Mode pages of tape drives (SPC-4, SSC-4), read and built, with the byte of the head and the blocks before them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, TypeAlias

from scsi.fields import at, pack, size_of, structure, unpack
from scsi.modes import ModePage, OtherPage
from scsi.protection import ProtectionMethod

__all__ = [
    "BlockDescriptor",
    "Control",
    "DataCompression",
    "DataProtection",
    "DeviceConfiguration",
    "DeviceSpecific",
    "InformationalExceptions",
    "MediumConfiguration",
    "MediumPartition",
    "TapePage",
    "as_mode_page",
    "as_tape_page",
]


@structure(1)
class DeviceSpecific:
    """The byte of the head that is a tape drive's own. ``buffered`` 0: a write ends when it is on the medium."""

    write_protected: Annotated[bool, at(0, bit=7)] = False
    buffered: Annotated[int, at(0, bit=4, width=3)] = 1
    speed: Annotated[int, at(0, bit=0, width=4)] = 0


@structure(8)
class BlockDescriptor:
    """``block_bytes`` 0: blocks are of any size; ``count`` 0: all of them."""

    density: Annotated[int, at(0, bytes=1)]
    block_bytes: Annotated[int, at(5, bytes=3)]
    count: Annotated[int, at(1, bytes=3)] = 0


@structure(12)
class Control:
    """Page 0A."""

    descriptor_sense: Annotated[bool, at(2, bit=2)] = False
    page: Annotated[int, at(0, bit=0, width=6)] = 0x0A
    bytes_behind: Annotated[int, at(1, bytes=1)] = 10

    KEY: ClassVar[tuple[int, int]] = (0x0A, 0)


@structure(32)
class DataProtection:
    """Subpage F0 of page 0A: in which directions blocks have ``bytes_each`` more."""

    method: Annotated[ProtectionMethod, at(4, bytes=1)] = ProtectionMethod.NONE
    bytes_each: Annotated[int, at(5, bit=0, width=6)] = 0
    writes: Annotated[bool, at(6, bit=7)] = False
    reads: Annotated[bool, at(6, bit=6)] = False
    recovers: Annotated[bool, at(6, bit=5)] = False
    page: Annotated[int, at(0, bit=0, width=6)] = 0x0A
    with_subpage: Annotated[bool, at(0, bit=6)] = True
    subpage: Annotated[int, at(1, bytes=1)] = 0xF0
    bytes_behind: Annotated[int, at(2, bytes=2)] = 28

    KEY: ClassVar[tuple[int, int]] = (0x0A, 0xF0)


@structure(16)
class DataCompression:
    """Page 0F: whether the drive can compress, and does."""

    enabled: Annotated[bool, at(2, bit=7)] = False
    capable: Annotated[bool, at(2, bit=6)] = False
    decompresses: Annotated[bool, at(3, bit=7)] = False
    compression: Annotated[int, at(4, bytes=4)] = 0
    decompression: Annotated[int, at(8, bytes=4)] = 0
    page: Annotated[int, at(0, bit=0, width=6)] = 0x0F
    bytes_behind: Annotated[int, at(1, bytes=1)] = 14

    KEY: ClassVar[tuple[int, int]] = (0x0F, 0)


@structure(16)
class DeviceConfiguration:
    """Page 10. ``object_numbers``: they are on the medium; ``flush_at_warning``: buffered data go there at the warning.

    ``marks_end``: the drive notes where data end; ``write_protected``: by this page, until it is changed.
    """

    active_partition: Annotated[int, at(3, bytes=1)] = 0
    write_delay: Annotated[int, at(6, bytes=2)] = 0
    object_numbers: Annotated[bool, at(8, bit=6)] = True
    warns_reads: Annotated[bool, at(8, bit=0)] = False
    marks_end: Annotated[bool, at(10, bit=4)] = True
    flush_at_warning: Annotated[bool, at(10, bit=3)] = True
    write_protected: Annotated[bool, at(10, bit=2)] = False
    compression: Annotated[int, at(14, bytes=1)] = 0
    page: Annotated[int, at(0, bit=0, width=6)] = 0x10
    bytes_behind: Annotated[int, at(1, bytes=1)] = 14

    KEY: ClassVar[tuple[int, int]] = (0x10, 0)


@structure(8)
class MediumPartition:
    """Page 11 without sizes: how many partitions there may be besides the first, and how many there are."""

    most_additional: Annotated[int, at(2, bytes=1)] = 0
    additional: Annotated[int, at(3, bytes=1)] = 0
    page: Annotated[int, at(0, bit=0, width=6)] = 0x11
    bytes_behind: Annotated[int, at(1, bytes=1)] = 6

    KEY: ClassVar[tuple[int, int]] = (0x11, 0)


@structure(12)
class InformationalExceptions:
    """Page 1C. ``disabled``: no command fails to announce an alert; the log pages have them."""

    disabled: Annotated[bool, at(2, bit=3)] = True
    method: Annotated[int, at(3, bit=0, width=4)] = 0
    page: Annotated[int, at(0, bit=0, width=6)] = 0x1C
    bytes_behind: Annotated[int, at(1, bytes=1)] = 10

    KEY: ClassVar[tuple[int, int]] = (0x1C, 0)


@structure(32)
class MediumConfiguration:
    """Page 1D of a tape drive; a changer's is another."""

    write_once: Annotated[bool, at(2, bit=0)] = False
    page: Annotated[int, at(0, bit=0, width=6)] = 0x1D
    bytes_behind: Annotated[int, at(1, bytes=1)] = 30

    KEY: ClassVar[tuple[int, int]] = (0x1D, 0)


TapePage: TypeAlias = (
    Control
    | DataProtection
    | DataCompression
    | DeviceConfiguration
    | MediumPartition
    | InformationalExceptions
    | MediumConfiguration
)
_KINDS: Final = (
    *(Control, DataProtection, DataCompression, DeviceConfiguration),
    *(MediumPartition, InformationalExceptions, MediumConfiguration),
)
_BY_KEY: Final[Mapping[tuple[int, int], type[TapePage]]] = {kind.KEY: kind for kind in _KINDS}


def as_mode_page(page: TapePage) -> OtherPage:
    """For :class:`scsi.modes.ModeParameters`."""
    return OtherPage(*page.KEY, pack(page))


def as_tape_page(page: ModePage) -> TapePage | None:
    """What a tape drive means by a page; None if it is not known here, or of another length."""
    raw = page.encode()
    kind = _BY_KEY.get((page.page, page.subpage if isinstance(page, OtherPage) else 0))
    return unpack(kind, raw) if kind is not None and len(raw) >= size_of(kind) else None
