"""Tape files that another product wrote go to our tape, mover to mover, and come back byte by byte."""

from __future__ import annotations

import pytest

from duplicator.catalog import CopyState
from duplicator.sources import TapeFileSource
from duplicator.status import Status
from tests.duplicator.processes import Host
from tests.duplicator.robots import DEADLINES, place
from tests.duplicator.sources.bench import Bench
from tests.duplicator.test_end_to_end import MARK, tap_record
from tests.duplicator.test_spanning import noise

VOL1 = b"VOL1PAY001" + b" " * 69 + b"3"
"""ANSI X3.27 by hand: 80 columns each, the record format and its lengths in HDR2."""


def label(kind: bytes, sequence: int, blocks: int = 0) -> bytes:
    """The first label of a file, created on day 60 of 2001."""
    return kind + b"PAYROLL.MARCH    PAY0010001%04d000100001060 00000 %06dOTHERSYSTEM         " % (sequence, blocks)


def lengths(kind: bytes) -> bytes:
    """The second one: fixed records of 2000 bytes in blocks of 8000."""
    return (kind + b"F0800002000").ljust(80)


def group(*labels: bytes) -> bytes:
    """Labels and a filemark."""
    assert {len(each) for each in labels} == {80}
    return b"".join(map(tap_record, labels)) + MARK


def records(content: bytes, size: int) -> bytes:
    """Records, the last one as long as what is left."""
    return b"".join(tap_record(content[at : at + size]) for at in range(0, len(content), size)) + MARK


FIRST, SECOND = noise(24_000, "first"), noise(21_000, "second")
LABELLED = (
    group(VOL1, label(b"HDR1", 1), lengths(b"HDR2"))
    + records(FIRST, 8000)
    + group(label(b"EOF1", 1, 3), lengths(b"EOF2"))
    + group(label(b"HDR1", 2), lengths(b"HDR2"))
    + records(SECOND, 8000)
    + group(label(b"EOF1", 2, 3), lengths(b"EOF2"))
    + MARK
)
PLAIN = records(FIRST, 10_240) + records(SECOND, 7000) + MARK


def served(bench: Bench, content: bytes) -> Host:
    """A host with this tape as ``d1``, and a blank one as ``d2``."""
    folder = bench.site.folder
    (folder / "source.tap").write_bytes(content)
    made = bench.site.run("tape", f"virtual:{folder / 'S1'}", "import", folder / "source.tap")
    assert made.code == 0, made.err
    return bench.site.serve(
        *("--tape", f"d1=virtual:{folder / 'S1'}"), *("--tape", f"d2=virtual:{folder / 'T1'}?capacity=64M")
    )


CASES = [
    (LABELLED, 1, FIRST, 8000, "PAY001.1.PAYROLL.MARCH"),
    (LABELLED, 2, SECOND, 8000, "PAY001.2.PAYROLL.MARCH"),
    (PLAIN, 1, FIRST, 10_240, "127.0.0.1.file1"),
    (PLAIN, 2, SECOND, 7000, "127.0.0.1.file2"),
]


@pytest.mark.parametrize(("content", "number", "expected", "record", "name"), CASES)
def test_a_tape_file(bench: Bench, content: bytes, number: int, expected: bytes, record: int, name: str) -> None:
    host = served(bench, content)
    source = TapeFileSource(place(bench.site, host.url("d1")), number, DEADLINES)
    copy = bench.copy(bench.run(host.url("d2"), source, record=65_536))
    assert (copy.state, copy.route, copy.record_bytes) == (CopyState.WRITTEN, "directcopy", record)
    assert (copy.image.name, copy.image.size, copy.fragments[0].size) == (name, len(expected), len(expected))
    if content is LABELLED:
        assert (copy.image.unit, copy.image.modified) == ("PAY001", 983_404_800)  # 1 March 2001
    assert bench.said("so the copy will not be compared")
    back = bench.site.folder / "back"
    restored = bench.restore(copy, host.url("d2"), back)
    assert restored.status == Status.SUCCESS, restored
    assert (back / name).read_bytes() == expected
    host.wait_until_idle()


REFUSED = {
    "no such file": (PLAIN, 4, Status.NOTHING_MATCHES, "holds no data"),
    "behind the end": (PLAIN, 9, Status.MEDIA_POSITION_ERROR, "filemarks early"),
    "blank": (b"", 1, Status.NOTHING_MATCHES, "is blank"),
    "a wrong count": (
        group(VOL1, label(b"HDR1", 1), lengths(b"HDR2")) + records(FIRST, 8000) + group(label(b"EOF1", 1, 4)) + MARK,
        1,
        Status.HEADER_UNREADABLE,
        "EOF1 counts 4 blocks, and there are 3",
    ),
    "it goes on elsewhere": (
        group(VOL1, label(b"HDR1", 1), lengths(b"HDR2")) + records(FIRST, 8000) + group(label(b"EOV1", 1, 3)) + MARK,
        1,
        Status.HEADER_UNREADABLE,
        "goes on on another volume",
    ),
    "shorter records": (
        records(FIRST, 8000).removesuffix(MARK) + tap_record(SECOND[:10]) + tap_record(SECOND[:10]) + MARK + MARK,
        1,
        Status.MEDIA_READ_ERROR,
        "their lengths differ",
    ),
    "longer records": (
        tap_record(FIRST[:8000]) + tap_record(FIRST[8000:]) + MARK + MARK,
        1,
        Status.MEDIA_READ_ERROR,
        "",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_copied(bench: Bench, what: str) -> None:
    content, number, status, words = REFUSED[what]
    host = served(bench, content)
    made = bench.run(host.url("d2"), TapeFileSource(place(bench.site, host.url("d1")), number, DEADLINES))
    assert made.status == status, made
    assert words in made.reason
    host.wait_until_idle()
