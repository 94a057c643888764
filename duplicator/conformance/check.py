"""What a check is, and what becomes of one: values without behaviour."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from duplicator.conformance.target import Facts
from duplicator.conformance.transcript import Entry

if TYPE_CHECKING:
    from duplicator.conformance.bench import Bench

__all__ = [
    "EXTENSION",
    "MAY",
    "MUST",
    "SHOULD",
    "Check",
    "Level",
    "Need",
    "Outcome",
    "Situation",
    "Step",
    "Verdict",
    "rows",
]

Step: TypeAlias = "Callable[[Bench], Awaitable[None]]"
"""One thing that is done to a host, or asked of it; raises Deviation."""


class Level(StrEnum):
    """How much the draft wants it (RFC 2119); EXTENSION: it is of an extension that nobody has to have."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"
    EXTENSION = "extension"


MUST, SHOULD, MAY, EXTENSION = Level.MUST, Level.SHOULD, Level.MAY, Level.EXTENSION


class Verdict(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    """What has to go before did not work, so that it could not be tried."""
    DIED = "host died"
    """Afterwards nobody answered at the host's address."""
    NOT_OFFERED = "not offered"
    NOT_RUN = "not run"
    """The host had died before."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a check cannot do without; ``text`` says what is missing where it does not hold."""

    text: str
    holds: Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class Situation:
    """How a host is brought into a state: steps of which none may fail."""

    name: str
    steps: tuple[Step, ...] = ()
    needs: tuple[Need, ...] = ()

    def then(self, name: str, *steps: Step, needs: tuple[Need, ...] = ()) -> Situation:
        """A situation further on."""
        return Situation(name, (*self.steps, *steps), (*self.needs, *needs))


@dataclass(frozen=True, slots=True)
class Check:
    """A row of a table. ``section``: of the draft. ``note``: what the draft leaves open, and how it is read here."""

    id: str
    section: str
    level: Level
    title: str
    situation: Situation
    steps: tuple[Step, ...]
    needs: tuple[Need, ...] = ()
    note: str = ""

    @property
    def interface(self) -> str:
        """The table it stands in."""
        return self.id.partition(".")[0]

    def missing(self, facts: Facts) -> str:
        """What the host or the command line does not offer; empty if nothing."""
        lacking = (need.text for need in (*self.situation.needs, *self.needs) if not need.holds(facts))
        return next(lacking, "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check that was made. ``expected`` and ``came`` in words; ``sent``, ``answer``: the two messages they are of."""

    check: Check
    verdict: Verdict
    expected: str = ""
    came: str = ""
    sent: Entry | None = None
    answer: Entry | None = None
    transcript: tuple[Entry, ...] = ()
    seconds: float = 0.0

    @property
    def is_deviation(self) -> bool:
        """Whether the host did not do what was expected of it, or could not be asked."""
        return self.verdict in (Verdict.FAILED, Verdict.BLOCKED, Verdict.DIED)


def rows(interface: str, *table: Check) -> tuple[Check, ...]:
    """A table, whose rows have ids within it."""
    return tuple(replace(row, id=f"{interface}.{row.id}") for row in table)
