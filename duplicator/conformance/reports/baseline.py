"""An earlier run, and what is otherwise in this one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from duplicator.conformance.check import Verdict
from duplicator.conformance.report import Report

__all__ = ["Baseline", "BaselineError", "Comparison", "compare", "read_baseline"]

_GOOD: Final = (Verdict.PASSED, Verdict.NOT_OFFERED)
Baseline = Mapping[str, Verdict]
"""The verdicts of an earlier run, by check."""


class BaselineError(Exception):
    """A file that is no earlier run."""


def read_baseline(path: Path) -> Baseline:
    """The verdicts of an earlier run; OSError, BaselineError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {row["id"]: Verdict(row["verdict"]) for row in document["checks"]}
    except (ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"{path}: this is no run of `ndmpdup conformance --json`") from error


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is otherwise than in an earlier run, by check."""

    worse: tuple[str, ...]
    better: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]

    def document(self) -> dict[str, list[str]]:
        """For JSON."""
        return {"worse": [*self.worse], "better": [*self.better], "new": [*self.new], "gone": [*self.gone]}


def compare(report: Report, before: Baseline) -> Comparison:
    """This run beside an earlier one; ``new`` and ``gone`` are checks that only one of them has."""
    now = {outcome.check.id: outcome.verdict for outcome in report.outcomes}
    both = [name for name in now if name in before]
    return Comparison(
        worse=tuple(name for name in both if now[name] not in _GOOD and before[name] in _GOOD),
        better=tuple(name for name in both if now[name] in _GOOD and before[name] not in _GOOD),
        new=tuple(name for name in now if name not in before),
        gone=tuple(name for name in before if name not in now),
    )
