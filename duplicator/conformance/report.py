"""The outcome of a run, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from duplicator.conformance.check import Level, Outcome, Verdict
from duplicator.conformance.target import Facts, Target

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes of one run."""

    target: Target
    facts: Facts
    outcomes: tuple[Outcome, ...]
    began: datetime
    seconds: float

    @property
    def deviations(self) -> list[Outcome]:
        """What did not go as expected, the gravest level first."""
        order = list(Level)
        found = (outcome for outcome in self.outcomes if outcome.is_deviation)
        return sorted(found, key=lambda outcome: order.index(outcome.check.level))

    @property
    def is_conforming(self) -> bool:
        """Whether no MUST failed, nor could be left untried because something else failed."""
        bad = (Verdict.FAILED, Verdict.BLOCKED, Verdict.DIED, Verdict.NOT_RUN)
        return not any(outcome.check.level is Level.MUST and outcome.verdict in bad for outcome in self.outcomes)

    def counts(self, level: Level | None = None, *, interface: str | None = None) -> Counter[Verdict]:
        """How many there are of each verdict."""
        return Counter(
            outcome.verdict
            for outcome in self.outcomes
            if level in (None, outcome.check.level) and interface in (None, outcome.check.interface)
        )

    @property
    def interfaces(self) -> list[str]:
        """The tables, in order."""
        return list(dict.fromkeys(outcome.check.interface for outcome in self.outcomes))

    def of(self, interface: str) -> Iterator[Outcome]:
        """The outcomes of one table."""
        return (outcome for outcome in self.outcomes if outcome.check.interface == interface)
