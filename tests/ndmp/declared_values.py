"""Hypothesis strategies that follow from the declarations: objects of any class, and damaged bodies."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from ndmp import xdr
from ndmp.types import Pval
from ndmp.wire import OtherArm, Tagged

__all__ = ["MAX_U32", "built", "damaged"]

MAX_U32 = 0xFFFFFFFF
MAX_U64 = 0xFFFFFFFFFFFFFFFF
_TEXTS = st.text(max_size=9) | st.binary(max_size=9).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
_BAD_NUMBERS = st.sampled_from([-1, -0x80000001, 2, 0x10000, MAX_U32 + 1, MAX_U64 + 1, 1.5, "1", None, True])
_BAD_TEXTS = st.sampled_from(["\ud800", b"octets", None, "x" * 0x10000])
_BAD_OCTETS = st.sampled_from([b"", "text", None, [1, 2], bytearray(b"abcd"), memoryview(b"abcde"), bytes(17)])
_BAD_ARRAYS = st.sampled_from([None, 5, [], {}, "text"])


def _values(hint: Any, bad: float = 0) -> st.SearchStrategy[Any]:  # noqa: ANN401
    good, wrong = _strategies(hint, bad)
    if not bad:
        return good
    return st.floats(0, 1).flatmap(lambda chance: wrong if chance < bad else good)


def _strategies(hint: Any, bad: float) -> tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]:  # noqa: ANN401
    if get_origin(hint) is Annotated:
        return _of_wire(get_args(hint)[1], bad)
    if get_origin(hint) is tuple:
        return st.lists(_values(get_args(hint)[0], bad), max_size=3).map(tuple), _BAD_ARRAYS
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint)) | st.integers(0, MAX_U32).map(hint), _BAD_NUMBERS
    return built(hint, bad), st.none() | built(Pval, 0)


def _of_wire(wire: Any, bad: float) -> tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]:  # noqa: ANN401
    match wire:
        case xdr.Boolean():
            return st.booleans(), _BAD_NUMBERS
        case xdr.Ranged():
            return st.integers(0, wire.limit), _BAD_NUMBERS
        case xdr.String():
            return _TEXTS, _BAD_TEXTS
        case xdr.Opaque():
            return st.binary(max_size=9), _BAD_OCTETS
        case xdr.FixedOpaque():
            return st.binary(min_size=wire.length, max_size=wire.length), _BAD_OCTETS
        case Tagged():
            return _of_union(wire, bad), st.none() | built(Pval, 0)
    if wire is xdr.i32:
        return st.integers(-1 << 31, (1 << 31) - 1), _BAD_NUMBERS
    return st.integers(0, MAX_U64 if wire is xdr.u64 else MAX_U32), _BAD_NUMBERS


def _of_union(tagged: Tagged, bad: float) -> st.SearchStrategy[Any]:
    arms = [*tagged.arms.values(), *([tagged.default] if tagged.default else [])]
    known = st.one_of([built(arm, bad) for arm in arms])
    if tagged.default:
        return known
    kinds = st.integers(-1 if bad else 0, MAX_U32).filter(lambda kind: kind not in tagged.arms)
    rest = _BAD_OCTETS if bad else st.binary(max_size=8)
    return known | st.builds(OtherArm, kinds, rest)


def built(declared: type, bad: float = 0) -> st.SearchStrategy[Any]:
    """Objects of a declared class; with ``bad``, a chance from 0 to 1, fields now and then hold what does not fit."""
    hints = get_type_hints(declared, include_extras=True)
    fields = [_values(hints[field.name], bad) for field in dataclasses.fields(declared)]  # type: ignore[arg-type]
    return st.tuples(*fields).map(lambda values: declared(*values))


_WORDS = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 0xFF, 0x4000, 0xFFFF, 0x10000, 0x1000001, 0x80000000, MAX_U32])


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """The body with a word changed, a byte changed, its end cut off, or something after it."""
    at = draw(st.integers(0, len(body)))
    match draw(st.sampled_from(["word", "word", "byte", "cut", "more"])):
        case "word":
            at &= ~3
            return body[:at] + draw(_WORDS).to_bytes(4, "big") + body[at + 4 :]
        case "byte":
            return body[:at] + draw(st.binary(min_size=1, max_size=1)) + body[at + 1 :]
        case "cut":
            return body[:at]
    return body + draw(st.binary(min_size=1, max_size=9))
