"""A run as one HTML page that needs nothing else: summary, matrix by interface, each deviation with its messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from duplicator.conformance.check import Level, Outcome, Verdict
from duplicator.conformance.report import Report
from duplicator.conformance.reports.baseline import Comparison
from duplicator.conformance.transcript import Entry

__all__ = ["page_text", "write_page"]

_STYLE: Final = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #222 }
h1 { font-size: 1.6em } h2 { font-size: 1.25em; margin-top: 2em } h3 { font-size: 1em; margin: 1.6em 0 .3em }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: .25em .6em; text-align: left }
td.n { text-align: right } pre { background: #f5f5f2; padding: .7em; overflow-x: auto; font-size: 12.5px }
.cells { line-height: 1.1 } .cells a, .cells span { display: inline-block; width: 11px; height: 15px; margin: 1px }
.passed { background: #4a4 } .failed { background: #c33 } .blocked { background: #e90 } .host-died { background: #000 }
.not-offered { background: #ccc } .not-run { background: #888 }
.verdict { color: #fff; padding: 0 .4em; border-radius: 3px } .not-offered.verdict { color: #222 }
.note { color: #666 } dt { font-weight: 600 } dd { margin: 0 0 .4em 1.5em } summary { cursor: pointer }
@media print { details { display: block } }
"""
_HEAD: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head><body>"""


def write_page(report: Report, path: Path, comparison: Comparison | None = None) -> None:
    """Write it to a file; OSError."""
    path.write_text(page_text(report, comparison), encoding="utf-8")


def page_text(report: Report, comparison: Comparison | None = None) -> str:
    """The page."""
    parts = (
        _summary(report),
        _compared(comparison) if comparison else (),
        _matrix(report),
        _deviations(report.deviations),
        _all_checks(report),
    )
    title = escape(f"NDMP conformance of {report.facts.name}")
    return "\n".join(
        (_HEAD.format(title=title, style=_STYLE), *(line for part in parts for line in part), "</body></html>\n")
    )


def _summary(report: Report) -> Iterator[str]:
    facts = report.facts
    words = "no MUST fails" if report.is_conforming else "not conforming: a MUST fails, or could not be tried"
    yield f"<h1>NDMP conformance of {escape(facts.name)}</h1>"
    yield f"<p>{escape(str(report.target.place.url))}, NDMP version {facts.version}, "
    yield f"{report.began:%Y-%m-%d %H:%M} UTC, "
    yield f"{len(report.outcomes)} checks in {report.seconds:.1f} s: <b>{words}</b>.</p>"
    verdicts = [verdict for verdict in Verdict if report.counts()[verdict]]
    yield "<table><tr><th></th>" + "".join(f"<th>{verdict}</th>" for verdict in verdicts) + "</tr>"
    for level in Level:
        counted = report.counts(level)
        cells = "".join(f'<td class="n">{counted[verdict] or ""}</td>' for verdict in verdicts)
        yield f"<tr><th>{level}</th>{cells}</tr>"
    yield "</table>"


def _compared(comparison: Comparison) -> Iterator[str]:
    yield "<h2>Beside the earlier run</h2><dl>"
    for name, ids in comparison.document().items():
        yield f"<dt>{name}: {len(ids)}</dt><dd>{escape(', '.join(ids))}</dd>"
    yield "</dl>"


def _matrix(report: Report) -> Iterator[str]:
    yield '<h2>By interface</h2><p class="note">A cell is a check; those that are not passed lead to what was said.</p>'
    yield "<table><tr><th>interface</th><th>passed</th><th>deviations</th><th>not offered</th><th>checks</th></tr>"
    for interface in report.interfaces:
        outcomes = list(report.of(interface))
        counted = report.counts(interface=interface)
        bad = sum(outcome.is_deviation for outcome in outcomes)
        numbers = (counted[Verdict.PASSED], bad, counted[Verdict.NOT_OFFERED])
        cells = "".join(map(_cell, outcomes))
        yield f"<tr><th>{interface}</th>" + "".join(f'<td class="n">{number or ""}</td>' for number in numbers)
        yield f'<td class="cells">{cells}</td></tr>'
    yield "</table>"


def _css(verdict: Verdict) -> str:
    return verdict.value.replace(" ", "-")


def _cell(outcome: Outcome) -> str:
    check = outcome.check
    tip = escape(f"{check.id}: {check.title}: {outcome.verdict}", quote=True)
    if outcome.is_deviation:
        return f'<a class="{_css(outcome.verdict)}" href="#{escape(check.id)}" title="{tip}"></a>'
    return f'<span class="{_css(outcome.verdict)}" title="{tip}"></span>'


def _deviations(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield f"<h2>Deviations: {len(outcomes)}</h2>"
    for outcome in outcomes:
        yield from _deviation(outcome)


def _deviation(outcome: Outcome) -> Iterator[str]:
    check = outcome.check
    badge = f'<span class="verdict {_css(outcome.verdict)}">{outcome.verdict}</span>'
    yield f'<h3 id="{escape(check.id)}">{badge} {check.level} {escape(check.id)}: {escape(check.title)}</h3>'
    yield f"<dl><dt>draft</dt><dd>{escape(check.section)}</dd><dt>situation</dt><dd>{escape(check.situation.name)}</dd>"
    yield f"<dt>expected</dt><dd>{escape(outcome.expected)}</dd><dt>came</dt><dd>{escape(outcome.came)}</dd></dl>"
    if check.note:
        yield f'<p class="note">{escape(check.note)}</p>'
    yield from _message("sent", outcome.sent)
    yield from _message("came", outcome.answer)
    lines = "\n".join(f"{e.seconds:7.3f} {e.session} {e.direction}: {e.line}" for e in outcome.transcript)
    yield f"<details><summary>all that was said</summary><pre>{escape(lines)}</pre></details>"


def _message(title: str, entry: Entry | None) -> Iterator[str]:
    if entry is not None:
        raw = f"\n\n{entry.hex}" if entry.raw else ""
        yield f"<p>{title}:</p><pre>{escape(entry.text + raw)}</pre>"


def _all_checks(report: Report) -> Iterator[str]:
    yield "<h2>All checks</h2><table><tr><th>check</th><th>draft</th><th>level</th><th>verdict</th><th>what</th></tr>"
    for outcome in report.outcomes:
        check = outcome.check
        why = f' <span class="note">{escape(outcome.came)}</span>' if outcome.came else ""
        yield (
            f"<tr><td>{escape(check.id)}</td><td>{escape(check.section)}</td><td>{check.level}</td>"
            f"<td>{outcome.verdict}</td><td>{escape(check.title)}{why}</td></tr>"
        )
    yield "</table>"
