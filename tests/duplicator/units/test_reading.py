"""Fragments read by records, while others change the file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import xxhash
from blake3 import blake3

from ndmp.backends import FileServiceBackend, ReadEnd
from ndmp.enums import DigestAlgorithm, Error
from tests.duplicator.units.asking import read_all, refused

NONE, SHA256 = DigestAlgorithm.NONE, DigestAlgorithm.SHA256
XXH3, BLAKE3 = DigestAlgorithm.XXH3_128, DigestAlgorithm.BLAKE3

CONTENT = bytes(number * 7 % 251 for number in range(10 * 512 + 100))


@pytest.fixture
def plain(root: Path) -> Path:
    (root / "plain").write_bytes(CONTENT)
    return root / "plain"


def test_records_and_filemark(plain: Path, units: FileServiceBackend) -> None:
    handle = units.open_read("lsu", "plain", 0, SHA256)
    buffer = memoryview(bytearray(4 * 512 + 511))  # no room for a fifth record
    expected = [(4, 2048, None), (4, 2048, None), (3, 1124, ReadEnd.FILEMARK), (0, 0, ReadEnd.FILEMARK)]
    for at, (records, byte_count, end) in enumerate([*expected, expected[-1]]):
        outcome = handle.read_records(buffer, 512)
        assert (outcome.records, outcome.bytes_read, outcome.end, outcome.truncated) == (
            records,
            byte_count,
            end,
            False,
        ), at
    status = handle.status()
    assert (status.size, status.bytes_moved, status.changed) == (5220, 5220, False)
    assert status.digest == hashlib.sha256(plain.read_bytes()).digest()
    handle.close(keep=True)
    handle.close(keep=True)


def test_digests_while_it_runs(plain: Path, units: FileServiceBackend) -> None:
    references: dict[DigestAlgorithm, Callable[[bytes], bytes]] = {
        SHA256: lambda content: hashlib.sha256(content).digest(),
        XXH3: lambda content: xxhash.xxh3_128(content).digest(),
        BLAKE3: lambda content: blake3(content).digest(),
        NONE: lambda content: b"",
    }
    for algorithm, reference in references.items():
        handle = units.open_read("lsu", "plain", 0, algorithm)
        buffer = memoryview(bytearray(1024))
        for passed in (0, 1024, 2048):
            status = handle.status()
            assert (status.bytes_moved, status.digest) == (passed, reference(plain.read_bytes()[:passed]))
            assert handle.read_records(buffer, 512).records == 2
        handle.close(keep=True)
    refused(Error.FSE_ALGORITHM, units.open_read, "lsu", "plain", 0, DigestAlgorithm(9))
    assert set(units.algorithms) == {SHA256, XXH3, BLAKE3}


def test_an_empty_fragment(root: Path, units: FileServiceBackend) -> None:
    (root / "empty").write_bytes(b"")
    handle = units.open_read("lsu", "empty", 0, SHA256)
    outcome = handle.read_records(memoryview(bytearray(512)), 512)
    assert (outcome.records, outcome.bytes_read, outcome.end) == (0, 0, ReadEnd.FILEMARK)
    assert handle.status().digest == hashlib.sha256(b"").digest()
    handle.close(keep=True)


def test_it_becomes_shorter(plain: Path, units: FileServiceBackend) -> None:
    handle = units.open_read("lsu", "plain", 0, SHA256)
    buffer = memoryview(bytearray(2048))
    assert handle.read_records(buffer, 512).records == 4
    os.truncate(plain, 3000)
    refused(Error.IO, handle.read_records, buffer, 512)
    status = handle.status()
    assert (status.size, status.bytes_moved, status.changed) == (5220, 2048, True)
    handle.close(keep=True)


def test_it_becomes_longer(plain: Path, units: FileServiceBackend) -> None:
    handle = units.open_read("lsu", "plain", 0, SHA256)
    with plain.open("ab") as more:
        more.write(b"later")
    assert read_all(handle, 512) == CONTENT
    status = handle.status()
    assert (status.size, status.bytes_moved, status.changed) == (5220, 5220, True)
    assert status.digest == hashlib.sha256(CONTENT).digest()
    handle.close(keep=True)


def test_it_is_changed_in_place_or_replaced(plain: Path, units: FileServiceBackend) -> None:
    def overwrite() -> None:
        with plain.open("r+b") as file:
            file.write(b"other")

    def overwrite_and_hide() -> None:
        times = plain.stat()
        overwrite()
        os.utime(plain, ns=(times.st_atime_ns, times.st_mtime_ns))

    def replace() -> None:
        (plain.parent / "new").write_bytes(CONTENT)
        os.rename(plain.parent / "new", plain)
        plain.touch()

    for change in (overwrite, overwrite_and_hide, replace):
        handle = units.open_read("lsu", "plain", 0, SHA256)
        assert not handle.status().changed
        # Times of a file may be as coarse as a clock tick: change it until a tick has passed.
        deadline = time.monotonic() + 10
        while not handle.status().changed and time.monotonic() < deadline:
            change()
        assert handle.status().changed, change.__name__
        handle.close(keep=True)


def test_spacing(plain: Path, units: FileServiceBackend) -> None:
    # After 2 of 11 records, the last of 100 bytes: moves as (records, residual), then where the next read starts.
    table: list[tuple[list[tuple[int, int]], int]] = [
        ([(3, 0)], 2560),
        ([(-1, 0)], 512),
        ([(-9, 7)], 0),
        ([(8, 0)], 5120),
        ([(9, 0)], 5220),
        ([(50, 41), (5, 5)], 5220),
        ([(50, 41), (-1, 0)], 5120),
        ([(50, 41), (-11, 0), (-1, 1)], 0),
        ([(0, 0), (1, 0)], 1536),
    ]
    for moves, start in table:
        handle = units.open_read("lsu", "plain", 0, SHA256)
        assert handle.read_records(memoryview(bytearray(1024)), 512).records == 2
        for count, residual in moves:
            assert handle.space_records(count) == residual, moves
        assert handle.status().digest == hashlib.sha256(CONTENT[:1024]).digest()
        assert read_all(handle, 512) == CONTENT[start:], moves
        status = handle.status()
        assert status.bytes_moved == 1024 + 5220 - start
        assert status.digest == b"" or start == 5220, moves
        handle.close(keep=True)


def test_spacing_there_and_back_harms_nothing(plain: Path, units: FileServiceBackend) -> None:
    handle = units.open_read("lsu", "plain", 0, SHA256)
    handle.read_records(memoryview(bytearray(512)), 512)
    assert (handle.space_records(4), handle.space_records(-4)) == (0, 0)
    assert read_all(handle, 512) == CONTENT[512:]
    assert handle.status().digest == hashlib.sha256(CONTENT).digest()
    handle.close(keep=True)


def test_spacing_before_the_first_read(plain: Path, units: FileServiceBackend) -> None:
    for count, start in ((3, 1536), (10, 5120), (11, 5220), (1000, 5220)):
        handle = units.open_read("lsu", "plain", 0, SHA256)
        assert (handle.space_records(count), handle.space_records(-count - 2)) == (0, 2)
        assert handle.space_records(count) == 0
        assert read_all(handle, 512) == CONTENT[start:], count
        handle.close(keep=True)


def test_a_reader_does_not_write(plain: Path, units: FileServiceBackend) -> None:
    handle = units.open_read("lsu", "plain", 0, NONE)
    refused(Error.PERMISSION, handle.write_records, memoryview(b"x" * 512), 512)
    handle.close(keep=False)
    assert plain.read_bytes() == CONTENT
