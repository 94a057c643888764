"""Commands of tape drives (SSC-4). Timeouts in seconds are what LTO drives of several generations ask for, rounded up.

Lengths count blocks where ``fixed`` is set, else bytes of the one block. ``immediate``: answered before it is done.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from scsi.cdb import Command, Direction, command
from scsi.fields import OpenEnum, at

__all__ = [
    "AllowOverwrite",
    "BlockCommand",
    "DestinationType",
    "Erase6",
    "Erase16",
    "FormatMedium",
    "LoadUnload",
    "Locate10",
    "Locate16",
    "PositionForm",
    "Read6",
    "Read16",
    "ReadBlockLimits",
    "ReadPosition",
    "RecoverBufferedData",
    "ReportDensitySupport",
    "Rewind",
    "SetCapacity",
    "Space6",
    "Space16",
    "SpaceCode",
    "Verify6",
    "Verify16",
    "Write6",
    "Write16",
    "WriteFilemarks6",
    "WriteFilemarks16",
]

_TRANSFER_TIMEOUT: Final = 2400.0
_FILEMARK_TIMEOUT: Final = 1800.0
_MOVE_TIMEOUT: Final = 3000.0
_REWIND_TIMEOUT: Final = 800.0
_LOAD_TIMEOUT: Final = 1100.0
_FORMAT_TIMEOUT: Final = 3900.0
_ERASE_TIMEOUT: Final = 75000.0
_VERIFY_TIMEOUT: Final = 105000.0


class SpaceCode(OpenEnum):
    """What SPACE moves over."""

    BLOCKS = 0
    FILEMARKS = 1
    SEQUENTIAL_FILEMARKS = 2
    END_OF_DATA = 3


class DestinationType(OpenEnum):
    """What LOCATE(16) goes to: an object, the beginning of a file, or where data end."""

    OBJECT = 0
    FILE = 1
    END_OF_DATA = 3


class PositionForm(OpenEnum):
    """Which data READ POSITION gives."""

    SHORT = 0
    SHORT_VENDOR = 1
    LONG = 6
    EXTENDED = 8


class BlockCommand(Command):
    """A command that transfers blocks. In bytes it depends on the drive's block size, see :meth:`bytes_of`."""

    fixed: bool
    length: int

    @property
    def transfer_bytes(self) -> int:
        """Bytes of the one block; ValueError where blocks are counted, since only the drive knows their size."""
        return self.bytes_of(None)

    def bytes_of(self, block_bytes: int | None) -> int:
        """Bytes with blocks of ``block_bytes`` each; ValueError if that counts and is None."""
        if not self.fixed:
            return self.length
        if block_bytes is None:
            raise ValueError(f"{self.length} blocks are of no known size")
        return self.length * block_bytes


@command(0x08, direction=Direction.IN, timeout=_TRANSFER_TIMEOUT)
class Read6(BlockCommand):
    """Read blocks; ``silent``: a block of another length is no reason to stop (SILI)."""

    length: Annotated[int, at(2, bytes=3)]
    fixed: Annotated[bool, at(1, bit=0)] = False
    silent: Annotated[bool, at(1, bit=1)] = False


@command(0x88, direction=Direction.IN, timeout=_TRANSFER_TIMEOUT)
class Read16(BlockCommand):
    """Go to an object and read."""

    length: Annotated[int, at(12, bytes=3)]
    object_number: Annotated[int, at(4, bytes=8)]
    partition: Annotated[int, at(3, bytes=1)] = 0
    fixed: Annotated[bool, at(1, bit=0)] = False
    silent: Annotated[bool, at(1, bit=1)] = False


@command(0x0A, direction=Direction.OUT, timeout=_TRANSFER_TIMEOUT)
class Write6(BlockCommand):
    """Write blocks; everything after them is gone."""

    length: Annotated[int, at(2, bytes=3)]
    fixed: Annotated[bool, at(1, bit=0)] = False


@command(0x8A, direction=Direction.OUT, timeout=_TRANSFER_TIMEOUT)
class Write16(BlockCommand):
    """Go to an object and write: the first of a sequence of commands, its last, neither or both."""

    length: Annotated[int, at(12, bytes=3)]
    object_number: Annotated[int, at(4, bytes=8)]
    partition: Annotated[int, at(3, bytes=1)] = 0
    fixed: Annotated[bool, at(1, bit=0)] = False
    first: Annotated[bool, at(1, bit=3)] = False
    last: Annotated[bool, at(1, bit=2)] = False


@command(0x13, timeout=_VERIFY_TIMEOUT)
class Verify6(Command):
    """Read without sending; ``to_end``: up to the end of data, ``filemarks``: the length counts those.

    ``protection`` asks for the check of stored protection bytes, ``compare`` for data to compare with.
    """

    length: Annotated[int, at(2, bytes=3)]
    fixed: Annotated[bool, at(1, bit=0)] = False
    compare: Annotated[bool, at(1, bit=1)] = False
    immediate: Annotated[bool, at(1, bit=2)] = False
    filemarks: Annotated[bool, at(1, bit=3)] = False
    protection: Annotated[bool, at(1, bit=4)] = False
    to_end: Annotated[bool, at(1, bit=5)] = False


@command(0x8F, timeout=_VERIFY_TIMEOUT)
class Verify16(Command):
    """Go to an object and verify."""

    length: Annotated[int, at(12, bytes=3)]
    object_number: Annotated[int, at(4, bytes=8)]
    partition: Annotated[int, at(3, bytes=1)] = 0
    fixed: Annotated[bool, at(1, bit=0)] = False
    compare: Annotated[bool, at(1, bit=1)] = False
    immediate: Annotated[bool, at(1, bit=2)] = False
    filemarks: Annotated[bool, at(1, bit=3)] = False
    protection: Annotated[bool, at(1, bit=4)] = False
    to_end: Annotated[bool, at(1, bit=5)] = False


@command(0x14, direction=Direction.IN, timeout=_TRANSFER_TIMEOUT)
class RecoverBufferedData(BlockCommand):
    """Take back what was written but is not on the medium."""

    length: Annotated[int, at(2, bytes=3)]
    fixed: Annotated[bool, at(1, bit=0)] = False
    silent: Annotated[bool, at(1, bit=1)] = False


@command(0x10, timeout=_FILEMARK_TIMEOUT)
class WriteFilemarks6(Command):
    """Write filemarks; 0 only brings to the medium what is buffered. ``setmarks`` is of old standards."""

    count: Annotated[int, at(2, bytes=3)]
    immediate: Annotated[bool, at(1, bit=0)] = False
    setmarks: Annotated[bool, at(1, bit=1)] = False


@command(0x80, timeout=_FILEMARK_TIMEOUT)
class WriteFilemarks16(Command):
    """Go to an object and write filemarks."""

    count: Annotated[int, at(12, bytes=3)]
    object_number: Annotated[int, at(4, bytes=8)]
    partition: Annotated[int, at(3, bytes=1)] = 0
    immediate: Annotated[bool, at(1, bit=0)] = False
    first: Annotated[bool, at(1, bit=3)] = False
    last: Annotated[bool, at(1, bit=2)] = False


@command(0x11, timeout=_MOVE_TIMEOUT)
class Space6(Command):
    """Move over blocks or filemarks; ``raw_count`` is a two's complement, see :meth:`over`."""

    code: Annotated[SpaceCode, at(1, bit=0, width=4)]
    raw_count: Annotated[int, at(2, bytes=3)]

    @classmethod
    def over(cls, code: SpaceCode, count: int) -> Self:
        """Backwards if ``count`` is negative; FieldError at encoding if it has more than 24 bits."""
        return cls(code, _to_unsigned(count, 24))

    @property
    def count(self) -> int:
        """The signed count."""
        return _to_signed(self.raw_count, 24)


@command(0x91, timeout=_MOVE_TIMEOUT)
class Space16(Command):
    """Move over blocks or filemarks; ``raw_count`` is a two's complement, see :meth:`over`."""

    code: Annotated[SpaceCode, at(1, bit=0, width=4)]
    raw_count: Annotated[int, at(4, bytes=8)]

    @classmethod
    def over(cls, code: SpaceCode, count: int) -> Self:
        """Backwards if ``count`` is negative; FieldError at encoding if it has more than 64 bits."""
        return cls(code, _to_unsigned(count, 64))

    @property
    def count(self) -> int:
        """The signed count."""
        return _to_signed(self.raw_count, 64)


@command(0x2B, timeout=_MOVE_TIMEOUT, tape_only=True)
class Locate10(Command):
    """Go to an object; ``change`` goes to ``partition`` first."""

    object_number: Annotated[int, at(3, bytes=4)]
    partition: Annotated[int, at(8, bytes=1)] = 0
    change: Annotated[bool, at(1, bit=1)] = False
    immediate: Annotated[bool, at(1, bit=0)] = False
    vendor_numbers: Annotated[bool, at(1, bit=2)] = False


@command(0x92, timeout=_MOVE_TIMEOUT)
class Locate16(Command):
    """Go to an object, a file or the end of data; ``change`` goes to ``partition`` first."""

    number: Annotated[int, at(4, bytes=8)]
    type: Annotated[DestinationType, at(1, bit=3, width=2)] = DestinationType.OBJECT
    partition: Annotated[int, at(3, bytes=1)] = 0
    change: Annotated[bool, at(1, bit=1)] = False
    immediate: Annotated[bool, at(1, bit=0)] = False
    explicit: Annotated[bool, at(2, bit=0)] = False


@command(0x34, direction=Direction.IN)
class ReadPosition(Command):
    """Ask where the drive stands. Only the extended form has an allocation length; the others have one length."""

    form: Annotated[PositionForm, at(1, bit=0, width=5)] = PositionForm.SHORT
    allocation_bytes: Annotated[int, at(7, bytes=2)] = 0

    @property
    def transfer_bytes(self) -> int:
        """Bytes of the form that is asked for."""
        return {PositionForm.EXTENDED: self.allocation_bytes, PositionForm.LONG: 32}.get(self.form, 20)


@command(0x05, direction=Direction.IN)
class ReadBlockLimits(Command):
    """Ask for the smallest and largest block, or for the highest number of an object."""

    object_limit: Annotated[bool, at(1, bit=0)] = False

    @property
    def transfer_bytes(self) -> int:
        """The length of the answer, which the CDB does not tell."""
        return 20 if self.object_limit else 6


@command(0x44, direction=Direction.IN)
class ReportDensitySupport(Command):
    """Ask for the formats of the drive, or of the ``loaded`` cartridge; or for kinds of media instead."""

    allocation_bytes: Annotated[int, at(7, bytes=2)]
    loaded: Annotated[bool, at(1, bit=0)] = False
    medium_types: Annotated[bool, at(1, bit=1)] = False


@command(0x01, timeout=_REWIND_TIMEOUT)
class Rewind(Command):
    """Go to the beginning."""

    immediate: Annotated[bool, at(1, bit=0)] = False


@command(0x19, timeout=_ERASE_TIMEOUT)
class Erase6(Command):
    """Erase from here on; ``long``: all of it, not only what says that there is something."""

    long: Annotated[bool, at(1, bit=0)] = True
    immediate: Annotated[bool, at(1, bit=1)] = False


@command(0x93, timeout=_ERASE_TIMEOUT)
class Erase16(Command):
    """Go to an object and erase from there on."""

    object_number: Annotated[int, at(4, bytes=8)]
    partition: Annotated[int, at(3, bytes=1)] = 0
    long: Annotated[bool, at(1, bit=0)] = True
    immediate: Annotated[bool, at(1, bit=1)] = False
    first: Annotated[bool, at(1, bit=3)] = False
    last: Annotated[bool, at(1, bit=2)] = False


@command(0x1B, timeout=_LOAD_TIMEOUT)
class LoadUnload(Command):
    """Draw the tape in or give it out; ``hold`` leaves it halfway, ``end`` and ``tension`` are of old drives."""

    load: Annotated[bool, at(4, bit=0)]
    immediate: Annotated[bool, at(1, bit=0)] = False
    tension: Annotated[bool, at(4, bit=1)] = False
    end: Annotated[bool, at(4, bit=2)] = False
    hold: Annotated[bool, at(4, bit=3)] = False


@command(0x0B, timeout=_LOAD_TIMEOUT)
class SetCapacity(Command):
    """Use only ``proportion`` 65535ths of the tape; all that is on it is lost."""

    proportion: Annotated[int, at(3, bytes=2)]
    immediate: Annotated[bool, at(1, bit=0)] = False


@command(0x04, direction=Direction.OUT, timeout=_FORMAT_TIMEOUT)
class FormatMedium(Command):
    """Make the tape blank; ``format`` 1 with partitions as the mode page says, 2 with those alone."""

    format: Annotated[int, at(2, bit=0, width=4)] = 0
    parameter_bytes: Annotated[int, at(3, bytes=2)] = 0
    verify: Annotated[bool, at(1, bit=1)] = False
    immediate: Annotated[bool, at(1, bit=0)] = False


@command(0x82)
class AllowOverwrite(Command):
    """In append-only mode: let the next write overwrite, at an object (``allow`` 1) or in formatting (2)."""

    allow: Annotated[int, at(2, bit=0, width=4)]
    object_number: Annotated[int, at(4, bytes=8)] = 0
    partition: Annotated[int, at(3, bytes=1)] = 0


def _to_unsigned(count: int, bits: int) -> int:
    return count + (1 << bits) if -(1 << bits - 1) <= count < 0 else count if count < 1 << bits - 1 else 1 << bits


def _to_signed(raw: int, bits: int) -> int:
    return raw - (1 << bits) if raw >> bits - 1 else raw
