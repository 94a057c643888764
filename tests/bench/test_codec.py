"""The benchmark runs, and what it compares does the same; nothing here looks at the time it takes."""

from __future__ import annotations

from tests.bench.codec import cases, measure, table


def test_every_case_is_in_the_table() -> None:
    measured = cases()
    shown = table(measure(measured, rounds=2, slice_seconds=0)).splitlines()[2:]
    assert len(measured) == 9
    assert [row.split("|")[1].strip() for row in shown] == [case.name for case in measured]
