"""Frozen dataclasses of messages: quickly declared, and filled without paying for each field that it is frozen."""

# ruff: noqa: ANN401 (any dataclass)
from __future__ import annotations

import sys
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from functools import cache
from typing import Any, Final

__all__ = ["blank_of", "frozen"]

_FIELDS_WORTH_IT: Final = 3
"""Fields from which on two changes of class cost less than filling frozen fields."""


@cache
def blank_of(declared: Any) -> type | None:
    """A class whose objects become ``declared`` by a change of class: much cheaper than filling frozen fields."""
    slots = declared.__dict__.get("__slots__")
    if hasattr(declared, "__post_init__") or slots != tuple(declared.__dataclass_fields__):
        return None
    return type(f"Blank{declared.__name__}", declared.__bases__, {"__slots__": slots})


def frozen(declared: Any) -> Any:
    """What ``dataclass(frozen=True, slots=True)`` makes of a class.

    That compiles six functions for each class, and every program declares all messages before it does anything. Here
    all classes share five of them, and ``__init__`` fills a blank object: twice as fast as filling a frozen one.
    """
    made = dataclass(init=False, repr=False, eq=False, slots=True)(declared)
    made.__init__ = _init_of(made)
    for name, method in _SHARED.items():
        if name not in declared.__dict__:
            setattr(made, name, method)
    return made


def _init_of(declared: Any) -> Any:
    names = [each.name for each in fields(declared)]
    blank = blank_of(declared) if len(names) >= _FIELDS_WORTH_IT else None
    if blank:
        sets = ["_set(self, '__class__', _Blank)", *(f"self.{name} = {name}" for name in names)]
        sets.append("self.__class__ = _Declared")
    else:
        sets = [f"_set(self, {name!r}, {name})" for name in names] or ["pass"]
    head = f"def _make(_set, _Blank, _Declared):\n def __init__({', '.join(['self', *names])}):\n  "
    made: dict[str, Any] = {}
    exec(head + "\n  ".join(sets) + "\n return __init__", vars(sys.modules[declared.__module__]), made)
    init = made["_make"](object.__setattr__, blank, declared)
    init.__qualname__ = f"{declared.__qualname__}.__init__"
    init.__defaults__ = tuple(each.default for each in fields(declared) if each.default is not MISSING)
    init.__annotations__ = {each.name: each.type for each in fields(declared)} | {"return": None}
    return init


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__match_args__)})"


def _equal(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(self) is type(other) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _refuse_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _reduce(self: Any) -> Any:
    return type(self), _values(self)


_SHARED: Final = {
    "__repr__": _repr,
    "__eq__": _equal,
    "__hash__": _hash,
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__reduce__": _reduce,
}
