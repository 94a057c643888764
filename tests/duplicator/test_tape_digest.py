"""Digests read back from a tape (docs/fse.md rule 8); expected values come from hashlib and xxhash directly."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import xxhash

from duplicator.mover import SocketMovers
from ndmp.backends import RecordDevice, TapeDigest, TapeDigestDone
from ndmp.enums import DigestAlgorithm, Error
from ndmp.errors import ReplyError
from tests.duplicator.datapath import (
    DEADLINE,
    FailingDevice,
    GatedDevice,
    batch_bytes,
    no_leaks,
    open_tape,
    recorded,
    stream,
)

SHA256, XXH3, NONE = DigestAlgorithm.SHA256, DigestAlgorithm.XXH3_128, DigestAlgorithm.NONE


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


def expected(algorithm: DigestAlgorithm, content: bytes) -> bytes:
    """The digest by the libraries themselves."""
    if algorithm == SHA256:
        return hashlib.sha256(content).digest()
    return xxhash.xxh3_128_digest(content) if algorithm == XXH3 else b""


def digested(device: RecordDevice, size: int, record: int, algorithm: DigestAlgorithm = SHA256) -> TapeDigestDone:
    """Run one digest to its end."""
    return ended(partial(SocketMovers().tape_digest, algorithm), device, size, record)[0]


def ended(
    begin: Callable[..., TapeDigest], device: RecordDevice, size: int, record: int
) -> tuple[TapeDigestDone, TapeDigest]:
    """The outcome of a stretch, and what goes on with it."""
    done: queue.Queue[TapeDigestDone] = queue.Queue()
    running = begin(size, record, device, done.put)
    outcome = done.get(timeout=DEADLINE)
    assert running.bytes_done() == outcome.size
    running.stop()  # after its end this changes nothing
    assert done.empty()
    return outcome, running


@pytest.mark.parametrize("record", [1, 80, 10240, 65536, 3 << 20])
def test_every_size_around_records_and_batches(tmp_path: Path, record: int) -> None:
    batch = batch_bytes(record)
    sizes = sorted({0, 1, record - 1, record, record + 1, batch - 1, batch, batch + 1, 2 * batch + record // 2})
    for number, size in enumerate(sizes):
        algorithm = (SHA256, XXH3, NONE)[number % 3]
        content, records = stream(size), -(-size // record)
        laid = content + bytes(-size % record)
        path = recorded(tmp_path / f"VT{number:04}", [laid, None, b"behind"], block_bytes=record)
        with open_tape(path) as tape:
            done = digested(tape, size, record, algorithm)
            assert done == TapeDigestDone(Error.NO_ERR, size, records, expected(algorithm, content), True), size
            assert (tape.status().file_num, tape.status().block_num) == (0, records)


@pytest.mark.parametrize("algorithm", [SHA256, XXH3, NONE])
def test_every_algorithm(tmp_path: Path, algorithm: DigestAlgorithm) -> None:
    content = stream(2_500_000)
    path = recorded(tmp_path / "VT0001", [content], block_bytes=65536)
    with open_tape(path) as tape:
        done = digested(tape, len(content), 65536, algorithm)
    assert done == TapeDigestDone(Error.NO_ERR, len(content), 39, expected(algorithm, content), True)


def test_padding_that_is_not_zero_is_told(tmp_path: Path) -> None:
    for number, padding in enumerate((b"\1" + bytes(29), bytes(29) + b"\1", bytes(14) + b"\xff" + bytes(15))):
        path = recorded(tmp_path / f"VT{number}", [stream(50) + padding])
        with open_tape(path) as tape:
            assert digested(tape, 50, 80) == TapeDigestDone(Error.NO_ERR, 50, 1, expected(SHA256, stream(50)), False)


def test_records_may_be_shorter_than_the_largest(tmp_path: Path) -> None:
    content = stream(100_000)
    path = recorded(tmp_path / "VT0001", [content + bytes(2400), None], block_bytes=10240)
    for size, records in ((100_000, 10), (92_160, 9), (92_161, 10), (1, 1)):
        with open_tape(path) as tape:
            done = digested(tape, size, 65536)
            padding_clean = size in (100_000, 92_160)
            assert done == TapeDigestDone(Error.NO_ERR, size, records, expected(SHA256, content[:size]), padding_clean)
            assert tape.status().block_num == records


def test_a_tape_that_ends_early(tmp_path: Path) -> None:
    table: tuple[tuple[list[bytes | None], int, Error, int, int], ...] = (
        ([None], 1, Error.EOF, 0, 0),
        ([], 1, Error.EOM, 0, 0),
        ([bytes(80), bytes(80), None, bytes(80)], 161, Error.EOF, 160, 2),
        ([bytes(80), bytes(80)], 1000, Error.EOM, 160, 2),
        ([bytes(80), bytes(81)], 160, Error.IO, 0, 0),
        ([bytes(81)], 80, Error.IO, 0, 0),
    )
    for number, (objects, size, error, taken, records) in enumerate(table):
        with open_tape(recorded(tmp_path / f"VT{number}", objects)) as tape:
            done = digested(tape, size, 80)
        assert (done.error, done.size, done.records) == (error, taken, records), objects
        assert done.digest == expected(SHA256, bytes(taken))


def test_a_tape_that_fails(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [stream(800)], block_bytes=80)
    table = ((ReplyError(Error.IO, "torn"), Error.IO), (OSError(5, "torn"), Error.UNDEFINED))
    for failure, error in table:
        with open_tape(path) as tape:
            done = digested(FailingDevice(tape, 3, failure), 800, 80)
        assert (done.error, done.size, done.records) == (error, 240, 3)
        assert done.digest == expected(SHA256, stream(800)[:240])


def test_it_reads_from_where_the_tape_stands(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [b"label", None, stream(160), None], block_bytes=80)
    with open_tape(path) as tape:
        tape.space_filemarks(1)
        assert digested(tape, 160, 80).digest == expected(SHA256, stream(160))


def test_abort_waits_for_the_read_under_way_and_tells_how_far_it_came(tmp_path: Path) -> None:
    path = recorded(tmp_path / "VT0001", [stream(3 << 20)], block_bytes=65536)
    with open_tape(path) as tape:
        device, done = GatedDevice(tape), queue.Queue[TapeDigestDone]()
        running = SocketMovers().tape_digest(SHA256, 3 << 20, 65536, device, done.put)
        device.await_caller()
        assert running.bytes_done() == 0
        aborting = threading.Thread(target=running.stop)
        aborting.start()
        aborting.join(0.05)
        assert aborting.is_alive()
        device.open_gate()
        aborting.join(DEADLINE)
        assert not aborting.is_alive()
        outcome = done.get_nowait()
    assert outcome.error != Error.NO_ERR
    assert (outcome.size, outcome.records) == (1 << 20, 16)
    assert outcome.digest == expected(SHA256, stream(3 << 20)[: 1 << 20])


@pytest.mark.parametrize("algorithm", [SHA256, XXH3, NONE])
def test_one_digest_of_stretches_on_several_tapes(tmp_path: Path, algorithm: DigestAlgorithm) -> None:
    """Of other records, of no bytes, of more than a batch, and of a part of a record; each tells of itself alone."""
    content = stream(3 << 20)
    stretches = [(80, 160), (80, 0), (65536, 2 << 20), (512, 1024), (10240, 12000), (512, 700)]
    begin: Callable[..., TapeDigest] = partial(SocketMovers().tape_digest, algorithm)
    at = 0
    for number, (record, size) in enumerate(stretches):
        laid = content[at : at + size] + bytes(-size % record)
        path = recorded(tmp_path / f"VT{number:04}", [b"label", None, laid, None, b"behind"], block_bytes=record)
        with open_tape(path) as tape:
            tape.space_filemarks(1)
            done, running = ended(begin, tape, size, record)
            records = -(-size // record)
            assert (tape.status().file_num, tape.status().block_num) == (1, records)
        at += size
        assert done == TapeDigestDone(Error.NO_ERR, size, records, expected(algorithm, content[:at]), True), number
        begin = running.read_on


def test_padding_of_an_earlier_stretch_is_told_once(tmp_path: Path) -> None:
    first, last = (
        recorded(tmp_path / "VT1", [b"a" * 50 + b"x" * 30]),
        recorded(tmp_path / "VT2", [b"b" * 50 + bytes(30)]),
    )
    with open_tape(first) as tape:
        done, running = ended(partial(SocketMovers().tape_digest, SHA256), tape, 50, 80)
        assert not done.padding_clean
    with open_tape(last) as tape:
        done, _ = ended(running.read_on, tape, 50, 80)
    assert done == TapeDigestDone(Error.NO_ERR, 50, 1, expected(SHA256, b"a" * 50 + b"b" * 50), True)


def test_a_stretch_that_ends_early_tells_of_all_before_it(tmp_path: Path) -> None:
    with open_tape(recorded(tmp_path / "VT1", [stream(160)], block_bytes=80)) as tape:
        _, running = ended(partial(SocketMovers().tape_digest, SHA256), tape, 160, 80)
    with open_tape(recorded(tmp_path / "VT2", [bytes(80), None])) as tape:
        done, _ = ended(running.read_on, tape, 160, 80)
    assert (done.error, done.size, done.records) == (Error.EOF, 80, 1)
    assert done.digest == expected(SHA256, stream(160) + bytes(80))


def test_an_algorithm_that_is_not_computed_is_refused() -> None:
    with pytest.raises(ReplyError) as refused:
        SocketMovers().tape_digest(DigestAlgorithm(77), 1, 1, None, print)  # type: ignore[arg-type]
    assert refused.value.error == Error.FSE_ALGORITHM
