"""A conformance suite for NDMP v4 hosts, ours and other people's: tables of checks, each with its section of the draft.

:func:`run_suite` makes them; :data:`CHECKS` are all there are. docs/conformance.md tells how to read the result and
how to add a row.
"""

from __future__ import annotations

from duplicator.conformance.check import Check, Level, Outcome, Verdict
from duplicator.conformance.checks import CHECKS
from duplicator.conformance.probe import ProbeFailed, probe
from duplicator.conformance.report import Report
from duplicator.conformance.runner import run_checks, run_suite
from duplicator.conformance.target import Facts, Permissions, Target

__all__ = [
    "CHECKS",
    "Check",
    "Facts",
    "Level",
    "Outcome",
    "Permissions",
    "ProbeFailed",
    "Report",
    "Target",
    "Verdict",
    "probe",
    "run_checks",
    "run_suite",
]
