"""A run as JUnit's XML, which build servers read: one suite an interface."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

from duplicator.conformance.check import Level, Outcome, Verdict
from duplicator.conformance.report import Report

__all__ = ["junit_text", "write_junit"]

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")
"""What XML has no way to write."""


def write_junit(report: Report, path: Path) -> None:
    """Write it to a file; OSError."""
    path.write_text(junit_text(report), encoding="utf-8")


def junit_text(report: Report) -> str:
    """The XML; MUST and SHOULD are failures, the rest is skipped with its reason."""
    root = Xml.Element("testsuites", name=f"NDMP conformance of {_clean(report.facts.name)}")
    for interface in report.interfaces:
        outcomes = list(report.of(interface))
        suite = Xml.SubElement(root, "testsuite", name=interface, tests=str(len(outcomes)))
        suite.set("failures", str(sum(_fails(outcome) for outcome in outcomes)))
        suite.set("errors", str(sum(_errs(outcome) for outcome in outcomes)))
        suite.set("skipped", str(sum(_is_skipped(outcome) for outcome in outcomes)))
        suite.set("time", f"{sum(outcome.seconds for outcome in outcomes):.3f}")
        for outcome in outcomes:
            _add(suite, outcome)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _binds(outcome: Outcome) -> bool:
    return outcome.check.level in (Level.MUST, Level.SHOULD)


def _fails(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.FAILED and _binds(outcome)


def _errs(outcome: Outcome) -> bool:
    return outcome.verdict in (Verdict.DIED, Verdict.BLOCKED, Verdict.NOT_RUN) and _binds(outcome)


def _is_skipped(outcome: Outcome) -> bool:
    return outcome.verdict is not Verdict.PASSED and not _fails(outcome) and not _errs(outcome)


def _add(suite: Xml.Element, outcome: Outcome) -> None:
    check = outcome.check
    case = Xml.SubElement(suite, "testcase", name=f"{check.id}: {check.title}", classname=f"ndmp.{check.interface}")
    case.set("time", f"{outcome.seconds:.3f}")
    if outcome.verdict is Verdict.PASSED:
        return
    kind = "failure" if _fails(outcome) else "error" if _errs(outcome) else "skipped"
    expected = f"expected {outcome.expected}; " if outcome.expected else ""
    message = _clean(f"{check.level} of section {check.section}, {outcome.verdict}: {expected}{outcome.came}")
    found = Xml.SubElement(case, kind, message=message)
    if kind != "skipped":
        found.text = _clean(
            "\n".join(f"{entry.direction} {entry.session}: {entry.line}" for entry in outcome.transcript)
        )


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
