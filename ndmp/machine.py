"""Walks a table of transitions and refuses what is not in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Generic, TypeVar

from ndmp.enums import Error
from ndmp.errors import ReplyError

__all__ = ["Machine", "Transition"]

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Transition(Generic[S, E]):
    """One row of a table: what leads from where to where, and which section says so."""

    state: S
    event: E
    to: S
    section: str


@cache
def _moves(table: tuple[Transition[Any, Any], ...]) -> dict[tuple[Any, Any], Any]:
    """What all machines of a table share."""
    return {(row.state, row.event): row.to for row in table}


class Machine(Generic[S, E]):
    """A state and the table it may move in; a refusal changes nothing."""

    __slots__ = ("_to", "state")

    def __init__(self, table: tuple[Transition[S, E], ...], start: S) -> None:
        self._to: dict[tuple[S, E], S] = _moves(table)
        self.state = start

    def allows(self, event: E) -> bool:
        """Whether ``event`` may happen in this state."""
        return (self.state, event) in self._to

    def audit(self, event: E) -> None:
        """Refuse an event that has no row: ILLEGAL_STATE."""
        if not self.allows(event):
            raise ReplyError(Error.ILLEGAL_STATE, f"{event.value} while {self.state.name}")

    def fire(self, event: E) -> S:
        """Move; ILLEGAL_STATE when there is no row."""
        self.audit(event)
        self.state = self._to[self.state, event]
        return self.state
