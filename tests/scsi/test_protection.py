"""The CRCs of logical block protection against numbers of others."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from scsi.protection import (
    ProtectionCapability,
    ProtectionMethod,
    build_capabilities,
    crc32c,
    parse_capabilities,
    protect,
    rs_crc,
    strip,
)
from tests.scsi.hexes import b

# Blocks and results of CASTOR's CRC test, which mhvtl checks its own with; the primes up to 157, and up to 251.
PRIMES = bytes(n for n in range(2, 256) if all(n % divisor for divisor in range(2, n)))
UP_TO_157 = PRIMES[: PRIMES.index(157) + 1]
# RFC 3720 B.4, in the order in which it has the bytes of the digest.
ISCSI_READ = b(
    "01c00000 00000000 00000000 00000000 14000000 00000400 00000014 00000018 28000000 00000000 02000000 00000000"
)

VECTORS: tuple[tuple[Callable[[bytes], bytes], bytes, str], ...] = (
    (rs_crc, UP_TO_157, "733d4dca"),
    (rs_crc, PRIMES, "754ed37e"),
    # Entries of the table in LTFS's reed_solomon_crc.c: the CRC of one byte.
    (rs_crc, b("01"), "38cf3801"),
    (rs_crc, b("80"), "51475180"),
    (rs_crc, b("ff"), "763f76ff"),
    (rs_crc, b(""), "00000000"),
    (rs_crc, b("00*1000"), "00000000"),
    (crc32c, UP_TO_157, "484f17e8"),
    (crc32c, b("00*32"), "aa36918a"),
    (crc32c, b("ff*32"), "43aba862"),
    (crc32c, bytes(range(32)), "4e79dd46"),
    (crc32c, bytes(reversed(range(32))), "5cdb3f11"),
    (crc32c, ISCSI_READ, "563a96d9"),
)


def _name(value: object) -> str:
    return str(getattr(value, "__name__", value))[:30]


@pytest.mark.parametrize(("calculate", "block", "expected"), VECTORS, ids=_name)
def test_vectors(calculate: Callable[[bytes], bytes], block: bytes, expected: str) -> None:
    assert calculate(block).hex() == expected
    assert calculate(memoryview(block)).hex() == expected  # type: ignore[arg-type]


def test_reed_solomon_of_every_length() -> None:
    """A block with its CRC behind it leaves no remainder, and one CRC goes on where another ended."""
    block = random.Random(1).randbytes(3000)
    for length in (*range(80), 127, 128, 129, 1023, 1024, 1025, 2999, 3000):
        part = block[:length]
        assert rs_crc(part + rs_crc(part)) == bytes(4), length
        assert rs_crc(bytes(5) + part) == rs_crc(part), length


def test_protected_blocks() -> None:
    for method, ending in ((ProtectionMethod.REED_SOLOMON, "733d4dca"), (ProtectionMethod.CRC32C, "484f17e8")):
        protected = protect(UP_TO_157, method)
        assert protected == UP_TO_157 + b(ending)
        assert strip(memoryview(protected), method) == UP_TO_157
        for at in (0, 20, len(UP_TO_157), len(protected) - 1):
            damaged = bytearray(protected)
            damaged[at] ^= 0x10
            assert strip(damaged, method) is None, at
        assert strip(b("00*4"), method) == b""
        assert strip(b("00 01 02"), method) is None


def test_capabilities() -> None:
    known = (
        ProtectionCapability(ProtectionMethod.REED_SOLOMON, recovers=True),
        ProtectionCapability(ProtectionMethod.CRC32C, writes=False),
    )
    raw = b("01 b5 0014 00*4 07 01 04 e0 00*4 07 02 04 40 00*4")
    assert build_capabilities(known) == raw
    assert parse_capabilities(raw) == known
    for cut in range(len(raw)):
        assert parse_capabilities(raw[:cut]) == known[: max(0, (cut - 8) // 8)]
