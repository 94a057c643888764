"""What is expected of a message, as values that can be shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from ndmp.enums import Error
from ndmp.types import ALL_ONES_32, ALL_ONES_64

__all__ = [
    "ANY_ANSWER",
    "ANY_ERROR",
    "SOME",
    "Errors",
    "Want",
    "at_least",
    "described",
    "either",
    "error_text",
    "mismatch",
    "other_than",
    "unknown_or",
]

Errors = Collection[Error]
ANY_ERROR: Final[Errors] = frozenset({Error(0xFFFFFFFE)})
"""A refusal, whichever."""
ANY_ANSWER: Final[Errors] = frozenset({Error(0xFFFFFFFF)})
"""An answer, whichever."""


@dataclass(frozen=True, slots=True)
class Want:
    """A condition for the value of a field."""

    text: str
    holds: Callable[[Any], bool]


SOME: Final = Want("not empty", bool)


def at_least(number: int) -> Want:
    """This number or more."""
    return Want(f"at least {number}", lambda value: value >= number)


def either(*values: object) -> Want:
    """One of these."""
    return Want(" or ".join(map(shown, values)), lambda value: value in values)


def other_than(value: object) -> Want:
    """Anything but this."""
    return Want(f"not {shown(value)}", lambda came: came != value)


def unknown_or(number: int) -> Want:
    """This number, or that it is not known: all ones."""
    return either(number, ALL_ONES_32, ALL_ONES_64)


def shown(value: object) -> str:
    """A value in words."""
    if isinstance(value, Want):
        return value.text
    if isinstance(value, IntEnum):
        return value.name
    if value in (ALL_ONES_32, ALL_ONES_64) and not isinstance(value, bool):
        return "all ones"
    if isinstance(value, bytes) and len(value) > 16:
        return f"{len(value)} bytes {value[:8].hex()}..."
    return str(value) if isinstance(value, int) else repr(value)


def error_text(error: Error) -> str:
    """An error by name and number."""
    return f"{error.name}({int(error)})"


def described(errors: Errors, fields: Mapping[str, object]) -> str:
    """What is expected, in words."""
    if errors is ANY_ERROR:
        parts = ["an error"]
    elif errors is ANY_ANSWER:
        parts = ["an answer"]
    else:
        parts = [" or ".join(error_text(error) for error in errors)] if errors else []
    wanted = ", ".join(f"{name} {shown(value)}" for name, value in fields.items())
    return ", ".join([*parts, *([wanted] if wanted else [])])


def mismatch(message: object, fields: Mapping[str, object]) -> str:
    """The first field that is not what is expected, in words; empty if all are."""
    for name, wanted in fields.items():
        value = getattr(message, name)
        if not (wanted.holds(value) if isinstance(wanted, Want) else value == wanted):
            return f"{name} {shown(value)}"
    return ""
