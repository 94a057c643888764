"""Logical block protection between a host and the virtual drive, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.virtual.target import DriveSession
from tests.scsi.hexes import b
from tests.scsi.target_bench import check, drive_target, good, run, told, where

# The vector of CASTOR's CRC test: a block of 37 bytes; with protection it has 41.
BLOCK = bytes(n for n in range(2, 158) if all(n % divisor for divisor in range(2, n)))
METHODS = (("01", b("733d4dca")), ("02", b("484f17e8")))
WRITE, READ = "0a 00 000029 00", "08 00 000029 00"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DriveSession]:
    with drive_target(tmp_path) as target:
        yield target.session()


def protection(host: DriveSession, method: str, directions: str, *, fixed: int = 0) -> None:
    """Switch it on: 80 for writes, 40 for reads."""
    parameters = b(f"00 00 10 08 00*5 {fixed:06x} 4a f0 001c {method} 04 {directions} 00*25")
    good(host, f"15 10 00 00 {len(parameters):02x} 00", parameters)


def test_both_directions(host: DriveSession) -> None:
    for method, crc in METHODS:
        protection(host, method, "c0")
        good(host, "01 00*5")
        good(host, WRITE, BLOCK + crc)
        good(host, "01 00*5")
        assert good(host, READ) == BLOCK + crc
        assert check(host, READ) == "f0 08 00000029 0005"


def test_one_direction(host: DriveSession) -> None:
    for method, crc in METHODS:
        good(host, "01 00*5")
        protection(host, method, "80")
        good(host, WRITE, BLOCK + crc)
        good(host, "01 00*5")
        assert good(host, "08 00 000025 00") == BLOCK
        protection(host, method, "40")
        good(host, "0a 00 000025 00", BLOCK)
        good(host, "2b 00 00 00000001 00 00 00")
        assert good(host, READ) == BLOCK + crc


def test_a_block_that_was_damaged_on_the_way(host: DriveSession) -> None:
    for method, crc in METHODS:
        protection(host, method, "80")
        good(host, WRITE, BLOCK + crc)
        before = where(host)
        assert check(host, WRITE, b"\0" + BLOCK[1:] + crc) == "f0 04 00000029 1001"
        assert check(host, WRITE, BLOCK + bytes(4)) == "f0 04 00000029 1001"
        assert check(host, "0a 00 000004 00", bytes(4)) == "70 05 00000000 2400 c00002"
        assert where(host) == before


def test_lengths_count_the_protection(host: DriveSession) -> None:
    method, crc = METHODS[0]
    protection(host, method, "c0")
    good(host, WRITE, BLOCK + crc)
    for words, data, sense in (
        ("08 00 000025 00", BLOCK, "f0 20 fffffffc 0000"),
        ("08 00 000002 00", BLOCK[:2], "f0 20 ffffffd9 0000"),
        ("08 00 000030 00", BLOCK + crc, "f0 20 00000007 0000"),
    ):
        good(host, "01 00*5")
        done = run(host, words)
        assert (done.data_in, told(done)) == (data, sense), words
        assert where(host) == (1, 0)


def test_blocks_of_one_size(host: DriveSession) -> None:
    method, crc = METHODS[1]
    protection(host, method, "c0", fixed=41)
    good(host, "0a 01 000002 00", (BLOCK + crc) * 2)
    bad = BLOCK + crc[:3] + b"\0"
    assert check(host, "0a 01 000003 00", BLOCK + crc + bad + BLOCK + crc) == "f0 04 00000002 1001"
    assert where(host) == (3, 0)
    good(host, "01 00*5")
    done = run(host, "08 01 000004 00")
    assert (done.data_in, told(done)) == ((BLOCK + crc) * 3, "f0 08 00000001 0005")
    good(host, "01 00*5")
    # What is verified stays in the drive, so it is as long as on the tape.
    good(host, "13 00 000025 00")
