"""Record marking, RFC 5531 section 11: bit 31 marks the last fragment, the rest is its length."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndmp.errors import RemoteProtocolError
from ndmp.records import MAX_RECORD, RecordReader, frame

STREAM = bytes.fromhex(
    "80000003 616263"  # a record in one fragment
    "00000002 6465 80000001 66"  # one in two
    "80000000"  # an empty one
    "00000000 00000000 00000001 67 00000000 80000000"  # one of five fragments, four of them empty
    "80000004 00000000"
)
RECORDS = [b"abc", b"def", b"", b"g", bytes(4)]


def test_a_record_is_one_last_fragment() -> None:
    assert frame(b"") == bytes.fromhex("80000000")
    assert frame(b"abc") == bytes.fromhex("80000003 616263")
    assert frame(bytes(0x12345))[:4] == bytes.fromhex("80012345")


def test_a_stream_cut_at_every_byte() -> None:
    assert list(RecordReader().feed(STREAM)) == RECORDS
    for cut in range(len(STREAM) + 1):
        reader = RecordReader()
        assert [*reader.feed(STREAM[:cut]), *reader.feed(STREAM[cut:])] == RECORDS, cut
        assert reader.is_empty


def test_a_stream_byte_by_byte() -> None:
    reader = RecordReader()
    assert [record for at in range(len(STREAM)) for record in reader.feed(STREAM[at : at + 1])] == RECORDS


@pytest.mark.parametrize("begun", ["80", "800000", "80000001", "00000000", "00000001 61", "80000002 61"])
def test_a_record_that_is_begun_is_not_nothing(begun: str) -> None:
    reader = RecordReader()
    assert reader.is_empty
    assert list(reader.feed(bytes.fromhex(begun))) == []
    assert reader.is_empty is (begun == "00000000"), "an empty fragment that is not the last leaves nothing behind"


OVER = [
    ("80000009", "one fragment"),
    ("ffffffff", "all a fragment can say"),
    ("7fffffff", "the same, not the last"),
    ("00000008 6161616161616161 80000001", "a fragment too many"),
    ("00000004 61616161 00000000 00000005", "after an empty one"),
]


@pytest.mark.parametrize(("words", "why"), OVER)
def test_a_record_that_is_too_long_is_refused_as_soon_as_it_is_announced(words: str, why: str) -> None:
    stream = bytes.fromhex("80000001 61") + bytes.fromhex(words)
    for cut in range(len(stream)):
        reader = RecordReader(max_record=8)
        list(reader.feed(stream[:cut]))
        with pytest.raises(RemoteProtocolError):
            list(reader.feed(stream[cut:]))


def test_what_came_before_a_record_too_long_is_given_first() -> None:
    reader = RecordReader(max_record=8)
    records = reader.feed(bytes.fromhex("80000001 61 80000008 6262626262626262 80000009"))
    assert next(records) == b"a"
    assert next(records) == b"bbbbbbbb"
    with pytest.raises(RemoteProtocolError):
        next(records)


def test_an_announcement_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        reader = RecordReader()
        list(reader.feed((0x80000000 + MAX_RECORD).to_bytes(4, "big") + b"a"))
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream and the records in it, each record in as many fragments as it likes."""
    stream, records = b"", []
    for fragments in draw(st.lists(st.lists(st.binary(max_size=9), min_size=1, max_size=4), max_size=6)):
        for index, fragment in enumerate(fragments):
            mark = len(fragment) + (0x80000000 if index == len(fragments) - 1 else 0)
            stream += mark.to_bytes(4, "big") + fragment
        records.append(b"".join(fragments))
    return stream, records


@given(streams(), st.lists(st.integers(0, 200)))
def test_any_stream_in_any_pieces(made: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    stream, records = made
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = RecordReader()
    found = [record for start, end in itertools.pairwise(edges) for record in reader.feed(stream[start:end])]
    assert found == records
    assert reader.is_empty


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_any_bytes_give_records_within_the_limit_or_our_error(chunks: list[bytes]) -> None:
    reader = RecordReader(max_record=64)
    try:
        for chunk in chunks:
            assert all(len(record) <= 64 for record in reader.feed(chunk))
    except RemoteProtocolError:
        pass
