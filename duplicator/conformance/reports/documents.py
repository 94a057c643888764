"""A run as one JSON document."""

from __future__ import annotations

from typing import Any, Final

from duplicator.conformance.check import Level, Outcome, Verdict
from duplicator.conformance.report import Report
from duplicator.conformance.transcript import Entry

__all__ = ["report_document"]

FORMAT: Final = "ndmpdup conformance 1"


def report_document(report: Report, *, transcripts: bool = True) -> dict[str, Any]:
    """Everything about a run; with ``transcripts``, what was said in each deviation."""
    facts = report.facts
    return {
        "format": FORMAT,
        "host": {
            "url": str(report.target.place.url),
            "vendor": facts.vendor,
            "product": facts.product,
            "revision": facts.revision,
            "ndmp_version": facts.version,
        },
        "began": report.began.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "conforming": report.is_conforming,
        "counts": {level.value: _counts(report, level) for level in Level},
        "checks": [_check(outcome, transcripts=transcripts) for outcome in report.outcomes],
    }


def _counts(report: Report, level: Level) -> dict[str, int]:
    counted = report.counts(level)
    return {verdict.value: counted[verdict] for verdict in Verdict if counted[verdict]}


def _check(outcome: Outcome, *, transcripts: bool) -> dict[str, Any]:
    check = outcome.check
    row: dict[str, Any] = {
        "id": check.id,
        "section": check.section,
        "level": check.level.value,
        "title": check.title,
        "situation": check.situation.name,
        "verdict": outcome.verdict.value,
        "seconds": round(outcome.seconds, 3),
    }
    if outcome.expected:
        row["expected"] = outcome.expected
    if outcome.came:
        row["came"] = outcome.came
    if check.note:
        row["note"] = check.note
    if transcripts and outcome.is_deviation:
        row["transcript"] = [_entry(entry) for entry in outcome.transcript]
    return row


def _entry(entry: Entry) -> dict[str, Any]:
    shown = {"session": entry.session, "direction": entry.direction.value, "text": entry.line}
    return {**shown, "hex": entry.hex.split("\n")} if entry.raw else shown
