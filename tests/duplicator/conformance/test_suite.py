"""The suite on our own host: nothing fails, and everything can be tried."""

from __future__ import annotations

from pathlib import Path

from duplicator.conformance import CHECKS, Verdict
from tests.duplicator.conformance.hosts import Ground, describe, run


def test_our_host_conforms(tmp_path: Path) -> None:
    report = run(Ground(tmp_path))
    assert describe(report) == []
    assert report.is_conforming
    missing = {outcome.check.id for outcome in report.outcomes if outcome.verdict is Verdict.NOT_OFFERED}
    assert {name for name in missing if not name.startswith("absent.")} == set()


def test_checks_have_ids_of_their_own_and_cite_the_draft() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.section[0] in "1234ABCD" and check.title for check in CHECKS)
