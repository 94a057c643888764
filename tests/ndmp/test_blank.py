"""Declared structures are what dataclasses make of the same class, however they are made."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from typing import Any

import pytest

from ndmp.messages.connect import AuthMd5, AuthNone, AuthText
from ndmp.types import Pval, TcpEndpoint
from ndmp.wire import POSTS, REPLIES, REQUESTS, OtherArm

DECLARED = [
    *REQUESTS.values(),
    *REPLIES.values(),
    *POSTS.values(),
    AuthMd5,
    AuthNone,
    AuthText,
    Pval,
    TcpEndpoint,
    OtherArm,
]
NOTHING = dataclasses.MISSING
KEPT = ("__annotations__", "__module__", "__qualname__", "__doc__")


def by_dataclasses(declared: Any) -> Any:  # noqa: ANN401
    """The same class as dataclasses make it."""
    defaults = {each.name: each.default for each in dataclasses.fields(declared) if each.default is not NOTHING}
    body = {name: value for name, value in vars(declared).items() if name in KEPT} | defaults
    return dataclasses.dataclass(frozen=True, slots=True)(type(declared.__name__, (), body))


def values(declared: Any, first: int) -> list[int]:  # noqa: ANN401
    return [first + number for number in range(len(dataclasses.fields(declared)))]


def test_they_look_and_compare_as_those_of_dataclasses() -> None:
    for declared in DECLARED:
        reference = by_dataclasses(declared)
        made, expected = declared(*values(declared, 1)), reference(*values(declared, 1))
        if declared is not AuthText:  # does not show its password
            assert repr(made) == repr(expected)
        assert hash(made) == hash(expected)
        assert made == declared(*values(declared, 1))
        assert made != expected
        if values(declared, 1):
            assert made != declared(*values(declared, 2))
        assert str(inspect.signature(declared)) == str(inspect.signature(reference))
        assert declared.__match_args__ == reference.__match_args__
        assert declared.__slots__ == reference.__slots__
        assert not hasattr(made, "__dict__")


def test_they_are_copied_and_pickled() -> None:
    for declared in DECLARED:
        made = declared(*values(declared, 1))
        for copied in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
            assert type(copied) is declared
            assert copied == made


def test_they_do_not_change() -> None:
    for declared in DECLARED:
        made = declared(*values(declared, 1))
        for name in (*declared.__match_args__, "another"):
            with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to field '{name}'"):
                setattr(made, name, 0)
            with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{name}'"):
                delattr(made, name)
        assert made == declared(*values(declared, 1))


def test_arguments_are_checked_and_may_be_left_out_where_there_are_defaults() -> None:
    assert TcpEndpoint(1, 2) == TcpEndpoint(port=2, ipv4=1, environment=())
    for wrong in ((), (1,), (1, 2, 3, 4)):
        with pytest.raises(TypeError, match=r"TcpEndpoint\.__init__"):
            TcpEndpoint(*wrong)  # type: ignore[arg-type]
