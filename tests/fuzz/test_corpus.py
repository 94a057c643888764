"""The corpus on every test run, without a fuzzer: the same targets, on it and on mutations of it, bounded in memory."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndmp.connection import Connection
from ndmp.errors import RemoteProtocolError
from ndmp.messages.config import ConfigGetButypeInfoReply, ConfigGetConnectionTypeReply, ConfigGetTapeInfoReply
from ndmp.messages.data import DataGetEnvReply
from ndmp.messages.filehist import FhAddFile
from ndmp.records import RecordReader
from ndmp.services.tape import MAX_TAPE_BLOCK
from ndmp.wire import Message, decode
from tests.fuzz.seeds import kept, seeds
from tests.fuzz.targets import MAX_RECORD, TARGETS
from tests.ndmp.captures import CAPTURES, conversations

INPUTS = {target: [*kept(target), *seeds(target)] for target in TARGETS}
ELEMENTS = 8192
BYTES_FOR_A_BYTE = 50
"""Memory that a byte of input may take: an array element is an object with objects, and is four bytes at least."""
BYTES_ALWAYS = 100_000
"""Memory whatever the input: two ends with their tables, an exception with its traceback."""
BYTES_OF_A_TAPE = {"session": 2 * MAX_TAPE_BLOCK}
"""Memory besides that one request may ask for: the buffer and the answer of a TAPE_READ."""


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_breaks_nothing(target: str) -> None:
    assert len(INPUTS[target]) > 20
    for sent in INPUTS[target]:
        TARGETS[target](sent)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300)
@given(drawn=st.data())
def test_mutations_of_the_corpus_break_nothing(target: str, drawn: st.DataObject) -> None:
    start = drawn.draw(st.sampled_from(INPUTS[target]))
    at = drawn.draw(st.integers(0, len(start)))
    new, removed = drawn.draw(st.binary(max_size=12)), drawn.draw(st.integers(0, 12))
    TARGETS[target](start[:at] + new + start[at + removed :])


@pytest.mark.parametrize("target", TARGETS)
def test_memory_is_bounded_by_the_input(target: str) -> None:
    for sent in INPUTS[target]:
        TARGETS[target](sent)  # fills caches
        allowed = BYTES_ALWAYS + BYTES_OF_A_TAPE.get(target, 0) + BYTES_FOR_A_BYTE * len(sent)
        with _traced() as peak:
            TARGETS[target](sent)
            assert peak() <= allowed, f"{peak()} bytes for {sent.hex()}"


@contextlib.contextmanager
def _traced() -> Iterator[Callable[[], int]]:
    """Bytes taken at once by the lines within."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("announced", [MAX_RECORD + 1, 0x7FFFFFFF])
def test_an_announced_length_takes_no_memory(announced: int) -> None:
    """By bytes of length alone, as one fragment and as the second."""
    for before in (b"", b"\0\0\0\1x"):
        reader = RecordReader(MAX_RECORD)
        with _traced() as peak:
            with pytest.raises(RemoteProtocolError):
                list(reader.feed(before + (0x80000000 | announced).to_bytes(4, "big")))
            assert peak() <= BYTES_ALWAYS


def test_endless_fragments_take_no_more_than_a_record() -> None:
    """A record that never ends: empty fragments cost nothing, others up to the limit."""
    reader = RecordReader(MAX_RECORD)
    with _traced() as peak:
        for _ in range(2000):
            assert list(reader.feed(bytes(4))) == []
        for _ in range(MAX_RECORD):
            assert list(reader.feed(b"\0\0\0\1x")) == []
        with pytest.raises(RemoteProtocolError):
            list(reader.feed(b"\0\0\0\1x"))
        assert peak() <= BYTES_ALWAYS


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name.partition(".")[0])
def test_a_cut_at_any_byte_changes_nothing(path: Path) -> None:
    """Both roles: a record of each kind, cut in two at every byte."""
    kinds = {(sent.direction, sent.record[8:16]): sent for talk in conversations(path) for sent in talk}
    for sent in kinds.values():
        (expected,) = Connection().receive(sent.wire)
        for at in range(len(sent.wire)):
            pieces = Connection()
            assert list(pieces.receive(sent.wire[:at])) == []
            assert list(pieces.receive(sent.wire[at:])) == [expected]


@pytest.mark.parametrize(
    ("declared", "before", "element"),
    [
        (ConfigGetButypeInfoReply, 4, 12),
        (ConfigGetTapeInfoReply, 4, 8),
        (ConfigGetConnectionTypeReply, 4, 4),
        (DataGetEnvReply, 4, 8),
        (FhAddFile, 0, 24),
    ],
)
def test_the_smallest_elements_take_no_more_memory(declared: type[Message], before: int, element: int) -> None:
    """Elements of zeros: each has strings and arrays that are empty."""
    body = bytes(before) + ELEMENTS.to_bytes(4, "big") + bytes(ELEMENTS * element)
    with _traced() as peak:
        assert decode(declared, body)
        assert peak() <= BYTES_ALWAYS + BYTES_FOR_A_BYTE * len(body)
