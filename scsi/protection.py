"""Logical block protection (SSC-4): four bytes behind each block, checked by whoever receives it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

import google_crc32c

from scsi.fields import OpenEnum, at, pack, size_of, structure, unpack

__all__ = [
    "PROTECTION_BYTES",
    "ProtectionCapability",
    "ProtectionMethod",
    "build_capabilities",
    "crc32c",
    "parse_capabilities",
    "protect",
    "rs_crc",
    "strip",
]

PROTECTION_BYTES: Final = 4


class ProtectionMethod(OpenEnum):
    """How the four bytes are calculated."""

    NONE = 0
    REED_SOLOMON = 1
    CRC32C = 2


@structure(8)
class ProtectionCapability:
    """A method that a drive knows, and in which directions (page B5 of INQUIRY)."""

    method: Annotated[ProtectionMethod, at(1, bytes=1)]
    bytes_each: Annotated[int, at(2, bit=0, width=6)] = PROTECTION_BYTES
    writes: Annotated[bool, at(3, bit=7)] = True
    reads: Annotated[bool, at(3, bit=6)] = True
    recovers: Annotated[bool, at(3, bit=5)] = False
    bytes_behind: Annotated[int, at(0, bytes=1)] = 7


_TAPE_PAGE: Final = bytes((0x01, 0xB5))
_HEAD_BYTES: Final = 8
_BEFORE_LENGTH: Final = 4


def build_capabilities(capabilities: Sequence[ProtectionCapability]) -> bytes:
    """Page B5 of a tape drive, head included."""
    listed = b"".join(map(pack, capabilities))
    behind = _HEAD_BYTES - _BEFORE_LENGTH + len(listed)
    return _TAPE_PAGE + behind.to_bytes(2, "big") + bytes(4) + listed


def parse_capabilities(raw: bytes) -> Sequence[ProtectionCapability]:
    """The methods of page B5; one that is cut off is left out."""
    size = size_of(ProtectionCapability)
    end = min(len(raw), _BEFORE_LENGTH + int.from_bytes(raw[2:4], "big"))
    return tuple(
        unpack(ProtectionCapability, raw[start : start + size]) for start in range(_HEAD_BYTES, end - size + 1, size)
    )


def crc32c(block: bytes | memoryview) -> bytes:
    """The CRC of RFC 3720 as a drive wants it: lowest byte first."""
    # The library's C part takes nothing but bytes.
    return int(google_crc32c.value(bytes(block))).to_bytes(PROTECTION_BYTES, "little")


def rs_crc(block: bytes | memoryview) -> bytes:
    """The remainder of a block, read as a polynomial over GF(256), as ECMA-319 has it: highest power first.

    Multiplied byte by byte it would take a second for 10 MB. But y^255 counts as much as 1, since every root of the
    generator is an element of the field: so the bytes whose powers differ by 255 are added up first.
    """
    rows = -(-(len(block) + PROTECTION_BYTES) // _ORDER)
    total = int.from_bytes(block, "big") << 8 * PROTECTION_BYTES
    while rows > 1:
        below = rows // 2
        bits = 8 * _ORDER * below
        total, rows = total >> bits ^ total & (1 << bits) - 1, rows - below
    return _remainder(total.to_bytes(_ORDER, "big"))


def protect(block: bytes | memoryview, method: ProtectionMethod) -> bytes:
    """A block with its four bytes behind it."""
    return b"".join((block, _CALCULATIONS[method](block)))


def strip(protected: bytes | memoryview, method: ProtectionMethod) -> bytes | None:
    """The block without its four bytes; None if they are not those of this block."""
    block = bytes(protected[:-PROTECTION_BYTES])
    return block if _CALCULATIONS[method](block) == protected[-PROTECTION_BYTES:] else None


_CALCULATIONS: Final[Mapping[ProtectionMethod, Callable[[bytes | memoryview], bytes]]] = {
    ProtectionMethod.REED_SOLOMON: rs_crc,
    ProtectionMethod.CRC32C: crc32c,
}

_FIELD: Final = 0x11D
"""x^8 + x^4 + x^3 + x^2 + 1, by which bytes are multiplied."""
_ORDER: Final = 255
"""How many powers an element of the field has."""
_GENERATOR: Final = bytes((0x38, 0xCF, 0x38, 0x01))
"""y^4 + 38 y^3 + CF y^2 + 38 y + 1, without its first coefficient."""


@functools.cache
def _multiples(factor: int) -> bytes:
    """Every byte multiplied by ``factor``: a table for bytes.translate."""
    return bytes(_product(factor, byte) for byte in range(256))


def _product(left: int, right: int) -> int:
    result = 0
    while right:
        result ^= left * (right & 1)
        left = left << 1 ^ (_FIELD if left & 0x80 else 0)
        right >>= 1
    return result


def _remainder(polynomial: bytes) -> bytes:
    """Divide step by step; at least four bytes."""
    register = bytes(PROTECTION_BYTES)
    for byte in polynomial:
        factor = _multiples(register[0])
        shifted = (*register[1:], byte)
        register = bytes(kept ^ factor[part] for kept, part in zip(shifted, _GENERATOR, strict=True))
    return register
