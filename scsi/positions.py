"""Where a drive stands and which blocks it takes: the data of READ POSITION and READ BLOCK LIMITS (SSC-4)."""

from __future__ import annotations

from typing import Annotated, Final

from scsi.fields import at, structure

__all__ = ["BlockLimits", "ExtendedPosition", "LongPosition", "ObjectLimit", "ShortPosition"]

_EXTENDED_BYTES: Final = 32
_BEFORE_ADDITIONAL: Final = 4


@structure(20)
class ShortPosition:
    """Objects by 32 bits. ``overflow``: the numbers do not fit and are not told (PERR)."""

    at_beginning: Annotated[bool, at(0, bit=7)]
    past_early_warning: Annotated[bool, at(0, bit=6)]
    first_object: Annotated[int, at(4, bytes=4)]
    last_object: Annotated[int, at(8, bytes=4)]
    count_unknown: Annotated[bool, at(0, bit=5)] = False
    bytes_unknown: Annotated[bool, at(0, bit=4)] = False
    location_unknown: Annotated[bool, at(0, bit=2)] = False
    overflow: Annotated[bool, at(0, bit=1)] = False
    past_programmable_warning: Annotated[bool, at(0, bit=0)] = False
    partition: Annotated[int, at(1, bytes=1)] = 0
    objects_in_buffer: Annotated[int, at(13, bytes=3)] = 0
    bytes_in_buffer: Annotated[int, at(16, bytes=4)] = 0


@structure(32)
class LongPosition:
    """Object and file by 64 bits."""

    at_beginning: Annotated[bool, at(0, bit=7)]
    past_early_warning: Annotated[bool, at(0, bit=6)]
    object_number: Annotated[int, at(8, bytes=8)]
    file_number: Annotated[int, at(16, bytes=8)]
    file_unknown: Annotated[bool, at(0, bit=3)] = False
    object_unknown: Annotated[bool, at(0, bit=2)] = False
    past_programmable_warning: Annotated[bool, at(0, bit=0)] = False
    partition: Annotated[int, at(4, bytes=4)] = 0


@structure(_EXTENDED_BYTES)
class ExtendedPosition:
    """Objects by 64 bits, and what is in the drive's buffer."""

    at_beginning: Annotated[bool, at(0, bit=7)]
    past_early_warning: Annotated[bool, at(0, bit=6)]
    first_object: Annotated[int, at(8, bytes=8)]
    last_object: Annotated[int, at(16, bytes=8)]
    count_unknown: Annotated[bool, at(0, bit=5)] = False
    bytes_unknown: Annotated[bool, at(0, bit=4)] = False
    location_unknown: Annotated[bool, at(0, bit=2)] = False
    overflow: Annotated[bool, at(0, bit=1)] = False
    past_programmable_warning: Annotated[bool, at(0, bit=0)] = False
    partition: Annotated[int, at(1, bytes=1)] = 0
    additional_bytes: Annotated[int, at(2, bytes=2)] = _EXTENDED_BYTES - _BEFORE_ADDITIONAL
    objects_in_buffer: Annotated[int, at(5, bytes=3)] = 0
    bytes_in_buffer: Annotated[int, at(24, bytes=8)] = 0


@structure(6)
class BlockLimits:
    """Sizes of blocks in bytes: multiples of 2 to the power of ``granularity``."""

    largest: Annotated[int, at(1, bytes=3)]
    smallest: Annotated[int, at(4, bytes=2)]
    granularity: Annotated[int, at(0, bit=0, width=5)] = 0


@structure(20)
class ObjectLimit:
    """The highest number that an object can have."""

    largest: Annotated[int, at(12, bytes=8)]
