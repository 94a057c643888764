"""The generated codec against interpreted construct, which has the same declarations: same values, same refusals."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import tracemalloc
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndmp.connection import Header
from ndmp.enums import AddressType, Error, OpenFlag, TapeFlag
from ndmp.errors import XdrError
from ndmp.messages.mover import MoverGetStateReply
from ndmp.messages.tape import TapeGetStateReply, TapeReadReply, TapeWrite
from ndmp.types import Pval, TcpEndpoint
from ndmp.wire import (
    POSTS,
    REPLIES,
    REQUESTS,
    U16,
    U32,
    U64,
    Bool,
    OtherArm,
    Tagged,
    Text,
    decode,
    encode,
    encode_parts,
    fixed,
    interpreted_decode,
    interpreted_encode,
    source_of,
    struct,
)
from tests.ndmp.declared_values import MAX_U32, built, damaged

FEW = settings().max_examples // 10
"""Examples for each of some two hundred structures."""

# -- structures with what no message has -----------------------------------------------------------------------------


@struct
class Short:
    """Two words, fused into whatever holds them."""

    flag: Bool
    number: U16


@struct
class Named:
    """An arm that is not of a fixed size."""

    name: Text
    short: Short


@struct
class Other:
    """The arm for all other numbers."""

    kind: AddressType
    path: Text


@struct
class Everything:
    """Each wire type, in positions that are fused and that are not."""

    first: Annotated[bytes, fixed(5)]
    short: Short
    shorts: tuple[Short, ...]
    words: tuple[U64, ...]
    texts: tuple[Text, ...]
    closed: Annotated[Short | Named | Other, Tagged({1: Short, 7: Named}, default=Other)]
    chosen: tuple[Annotated[Short | Named | Other, Tagged({0: Named, 1: Short}, default=Other)], ...]
    flags: TapeFlag
    open: Annotated[Short | OtherArm, Tagged({3: Short})]
    last: Annotated[bytes, fixed(8)]


@struct
class Tail:
    """A union whose strangers can be decoded, since nothing follows."""

    flags: tuple[TapeFlag, ...]
    number: U64
    open: Annotated[Named | OtherArm, Tagged({3: Named})]


@struct
class Five:
    """Padded, and of a fixed size."""

    octets: Annotated[bytes, fixed(5)]


@struct
class Nothing:
    """Takes no bytes."""


@struct
class Nothings:
    """Elements that a count can promise for free."""

    elements: tuple[Nothing, ...]
    words: tuple[U32, ...]


def _named_twin(wire: object) -> type:
    return struct(type("Twin", (), {"__annotations__": {"number": wire}, "__module__": __name__}))


Twin32, Twin64 = _named_twin(U32), _named_twin(U64)


@struct
class Twins:
    """Two classes of one name."""

    narrow: Twin32  # type: ignore[valid-type]
    wide: Twin64  # type: ignore[valid-type]


LOCAL = [Short, Named, Everything, Tail, Five, Nothings, Twins, Header, TcpEndpoint]
DECLARED = [*REQUESTS.values(), *REPLIES.values(), *POSTS.values(), *LOCAL]
NAMES = [f"{declared.__name__}-{getattr(declared, 'wire_version', '')}" for declared in DECLARED]


def outcome(run: Callable[..., Any], *arguments: object) -> object:
    """What comes out, with its types as ``repr`` shows them; the refusal instead, if it is one of ours."""
    try:
        value = run(*arguments)
    except XdrError:
        return XdrError
    return type(value), value, repr(value)


# -- the two agree ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
@settings(max_examples=FEW)
@given(draws=st.data())
def test_good_values(declared: type, draws: st.DataObject) -> None:
    message = draws.draw(built(declared))
    body = interpreted_encode(message)
    assert encode(message) == body == b"".join(encode_parts(message))
    assert outcome(decode, declared, body) == outcome(interpreted_decode, declared, body)
    before = draws.draw(st.binary(max_size=5))
    assert outcome(lambda: decode(declared, before + body, start=len(before))) == outcome(decode, declared, body)


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
@settings(max_examples=2 * FEW)
@given(draws=st.data())
def test_damaged_bodies(declared: type, draws: st.DataObject) -> None:
    body = encode(draws.draw(built(declared)))
    for _ in range(draws.draw(st.integers(1, 2))):
        body = draws.draw(damaged(body))
    assert outcome(decode, declared, body) == outcome(interpreted_decode, declared, body)


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
@settings(max_examples=FEW)
@given(draws=st.data())
def test_values_that_do_not_fit(declared: type, draws: st.DataObject) -> None:
    message = draws.draw(built(declared, 0.2))
    assert outcome(encode, message) == outcome(interpreted_encode, message)


@pytest.mark.parametrize("declared", DECLARED, ids=NAMES)
@settings(max_examples=1)
@given(draws=st.data())
def test_every_truncation(declared: type, draws: st.DataObject) -> None:
    body = encode(draws.draw(built(declared)))
    for end in range(len(body)):
        assert outcome(decode, declared, body[:end]) == outcome(interpreted_decode, declared, body[:end]), end


# -- by hand ---------------------------------------------------------------------------------------------------------

HEX: list[tuple[Any, str]] = [
    (Short(True, 0xFFFF), "00000001 0000ffff"),
    (Named("\udcffa", Short(False, 1)), "00000002 ff610000 00000000 00000001"),
    (
        Everything(
            b"abcde",
            Short(True, 2),
            (Short(False, 3),),
            (4, 5),
            ("", "abcd"),
            Other(AddressType(0x99), "p"),
            (Short(True, 6), Named("n", Short(False, 7)), Other(AddressType.IPC, "")),
            TapeFlag(0x108),
            OtherArm(9, b""),
            b"12345678",
        ),
        (
            "61626364 65000000  00000001 00000002  00000001 00000000 00000003"
            " 00000002 00000000 00000004 00000000 00000005  00000002 00000000 00000004 61626364"
            " 00000099 00000001 70000000"
            " 00000003 00000001 00000001 00000006 00000000 00000001 6e000000 00000000 00000007 00000003 00000000"
            " 00000108 00000009 31323334 35363738"
        ),
    ),
    (Twins(Twin32(1), Twin64(2)), "00000001 00000000 00000002"),
    (Five(b"12345"), "31323334 35000000"),
    (Nothings((Nothing(),) * 2, (1, 2)), "00000002 00000002 00000001 00000002"),
    (Tail((TapeFlag(0),), 1, OtherArm(9, b"abc")), "00000001 00000000 00000000 00000001 00000009 616263"),
]
REFUSED: list[tuple[type, str, str]] = [
    (Short, "00000002 00000000", "a flag of 2"),
    (Short, "00000000 00010000", "17 bits in 16"),
    (Short, "00000000 00000000 00", "a byte after its end"),
    (Named, "00000001 61000001 00000000 00000001", "padding that is not zero"),
    (Named, "00000001 610000", "padding cut short"),
    (Named, "ffffffff 61000000", "a length beyond the end"),
    (Named, "00010000" + "61" * 0x10000 + "00000000 00000001", "a string over 65,535 bytes"),
    (Tail, "00000003 00000000 00000000", "three elements announced, two there"),
    (Tail, "ffffffff" + "00" * 64, "four thousand million elements"),
    (Tail, "00010000" + "00000000" * 0x10003, "over 65,535 elements"),
    (Nothings, "00000002 00000000", "two elements announced, four bytes left"),
    (Five, "31323334 35000001", "padding of a fixed size that is not zero"),
    (Five, "31323334 350000", "padding of a fixed size cut short"),
    (TapeWrite, "01000004 00000000", "a block beyond the end"),
]
UNFIT: list[Any] = [
    Short(True, 0x10000),
    Short(True, -1),
    Short(2, 0),  # type: ignore[arg-type]
    Short(0.5, 0),  # type: ignore[arg-type]
    Five(b"1234"),
    Five(b"123456"),
    Five("12345"),  # type: ignore[arg-type]
    Named(b"", Short(True, 0)),  # type: ignore[arg-type]
    Named("\ud800", Short(True, 0)),
    Named("", None),  # type: ignore[arg-type]
    Twins(Twin32(MAX_U32 + 1), Twin64(0)),
    Twins(Twin32(0), Twin64(-1)),
    Twins(Twin32(1.5), Twin64(0)),
    Nothings(None, ()),  # type: ignore[arg-type]
    Tail((TapeFlag.ERROR,), 0, Short(True, 0)),  # type: ignore[arg-type]
    Tail((TapeFlag.ERROR,), 0, OtherArm(-1, b"")),
    Tail((TapeFlag.ERROR,), 0, OtherArm(1, "text")),  # type: ignore[arg-type]
    TapeWrite("text"),  # type: ignore[arg-type]
    TapeWrite([1, 2]),  # type: ignore[arg-type]
    TapeWrite(None),  # type: ignore[arg-type]
]


def test_bytes_by_hand() -> None:
    for value, words in HEX:
        body = bytes.fromhex(words)
        assert encode(value) == body, value
        if not isinstance(value, Everything):  # its stranger takes all that follows
            assert decode(type(value), body) == value
    everything, words = HEX[2]
    known = dataclasses.replace(everything, open=Short(True, 8))
    body = bytes.fromhex(words.replace("00000009 3132", "00000003 00000001 00000008 3132"))
    assert decode(Everything, body) == known
    assert encode(known) == body


@pytest.mark.parametrize(("declared", "words", "why"), REFUSED, ids=[why for *_, why in REFUSED])
def test_refused_by_hand(declared: type, words: str, why: str) -> None:
    for way in decode, interpreted_decode:
        with pytest.raises(XdrError, match=declared.__name__):
            way(declared, bytes.fromhex(words))


@pytest.mark.parametrize("message", UNFIT, ids=repr)
def test_values_that_do_not_fit_by_hand(message: object) -> None:
    for way in encode, encode_parts, interpreted_encode:
        with pytest.raises(XdrError, match=type(message).__name__):
            way(message)


def test_other_buffers_are_sent_as_their_bytes() -> None:
    for block in bytearray(b"abcd"), memoryview(b"abcd"), memoryview(b"abcd").cast("I"):
        for way in encode, interpreted_encode:
            assert way(TapeWrite(block)).hex() == "00000004" + "61626364", block  # type: ignore[arg-type]


def test_limits_of_what_is_sent() -> None:
    short = Short(False, 0)
    for fits, over in [
        (Named("x" * 0xFFFF, short), Named("x" * 0x10000, short)),
        (Tail((TapeFlag(0),) * 0xFFFF, 0, OtherArm(1, b"")), Tail((TapeFlag(0),) * 0x10000, 0, OtherArm(1, b""))),
        (TapeWrite(bytes(1 << 24)), TapeWrite(bytes((1 << 24) + 1))),
    ]:
        assert decode(type(fits), encode(fits)) == fits
        for way in encode, encode_parts, interpreted_encode:
            with pytest.raises(XdrError):
                way(over)
    limit = (1 << 24) + 1
    with pytest.raises(XdrError, match="too long"):
        decode(TapeWrite, limit.to_bytes(4, "big") + bytes(limit + 3))


def test_what_is_no_message_is_refused() -> None:
    for thing in (5, None, "text", object(), Short):
        assert outcome(encode, thing) == outcome(interpreted_encode, thing) == XdrError


# -- blocks, objects, source -----------------------------------------------------------------------------------------


def test_a_block_is_not_copied_into_parts() -> None:
    block = bytes(65537)
    assert any(part is block for part in encode_parts(TapeWrite(block)))
    assert any(part is block for part in encode_parts(TapeReadReply(Error.NO_ERR, block)))


def test_a_block_is_copied_once_each_way() -> None:
    size = 1 << 20
    message = TapeWrite(bytes(size))
    body = encode(message)
    decode(TapeWrite, body)
    for run in (lambda: encode(message), lambda: decode(TapeWrite, body)):
        tracemalloc.start()
        kept = run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size <= peak < size + 4096, kept


def test_decoded_objects_are_as_if_constructed() -> None:
    made = TcpEndpoint(0x7F000001, 10000, (Pval("a", "b"),))
    found = decode(TcpEndpoint, encode(made))
    assert (found, hash(found), repr(found)) == (made, hash(made), repr(made))
    assert type(found) is TcpEndpoint
    assert copy.deepcopy(found) == pickle.loads(pickle.dumps(found)) == made
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.port = 1  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        found.other = 1  # type: ignore[attr-defined]
    assert found.port == 10000


def test_constructed_objects_are_as_of_any_frozen_dataclass() -> None:
    def declared(decorate: Callable[[type], Any]) -> Any:  # noqa: ANN401  (a class with fields that mypy cannot know)
        hints = {"first": U32, "second": U32, "third": Text}
        return decorate(type("Many", (), {"__annotations__": hints, "third": "c", "__module__": __name__}))

    quick, plain = declared(struct), declared(dataclasses.dataclass(frozen=True, slots=True))
    assert inspect.signature(quick) == inspect.signature(plain)
    for given_values, named in (((1, 2), {}), ((1,), {"third": "d", "second": 2}), ((1, 2, "d"), {})):
        made = quick(*given_values, **named)
        assert type(made) is quick
        assert dataclasses.astuple(made) == dataclasses.astuple(plain(*given_values, **named))
        assert dataclasses.astuple(dataclasses.replace(made, first=7))[0] == 7
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.first = 1
    for wrong in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match="argument"):
            quick(*wrong)


def test_flags_without_a_name_are_not_remembered() -> None:
    @struct
    class Wide:
        flags: TapeFlag

    assert [decode(Wide, encode(Wide(TapeFlag(bits)))).flags for bits in range(0x100)] == list(range(0x100))
    tracemalloc.start()
    for bits in range(0x100, 0x4000):
        decode(Wide, bits.to_bytes(4, "big"))
    growth = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert growth < 20_000
    assert issubclass(TapeFlag, OpenFlag)


def test_fixed_fields_are_one_call_of_struct() -> None:
    source = source_of(TapeGetStateReply)
    assert source.count("unpack_from_7I2Q(") == source.count("unpack_from") == 1
    assert source.count("[pack_7I2Q(") == source.count("[pack_") == 1
    assert "unpack_from_7I5QI(" in source_of(MoverGetStateReply)


def test_a_traceback_shows_the_generated_line() -> None:
    with pytest.raises(XdrError) as refused:
        decode(Short, bytes(9))
    cause = refused.value.__cause__
    assert cause is not None
    frames = pytest.ExceptionInfo.from_exception(cause).traceback
    assert "if len(body) != at + 8: raise ValueError" in str(frames[-1].statement)
