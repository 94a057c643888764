"""The line of all processes: who stands in it, and for how long that is believed."""

from __future__ import annotations

import os

import pytest

from duplicator.catalog import Catalog, CatalogError, InLine
from tests.duplicator.catalog.facts import NOON, SECOND, script, sql


def test_turns(catalog: Catalog) -> None:
    for owner, priority, since in (("a", 0, 0), ("b", 1, 2), ("c", 1, 1), ("d", 0, 0)):
        catalog.join_line(owner, priority=priority, since=NOON + since * SECOND, need="{}", seconds=60)
    assert [entry.owner for entry in catalog.line()] == ["c", "b", "a", "d"]
    assert catalog.line()[0] == InLine("c", 1, NOON + SECOND, "{}")
    catalog.leave_line("b")
    catalog.leave_line("b")
    assert [entry.owner for entry in catalog.line()] == ["c", "a", "d"]
    with pytest.raises(CatalogError, match="refuses this entry"):
        catalog.join_line("a", priority=0, since=NOON, need="{}", seconds=60)


def test_who_says_nothing_is_forgotten(catalog: Catalog) -> None:
    catalog.join_line("a", priority=0, since=NOON, need="{}", seconds=10, time=NOON)
    assert len(catalog.line(time=NOON + 10 * SECOND)) == 1
    catalog.stay_in_line(seconds=10, time=NOON + 10 * SECOND)
    assert len(catalog.line(time=NOON + 20 * SECOND)) == 1
    assert catalog.line(time=NOON + 21 * SECOND) == []


def test_who_died_is_not_in_line(catalog: Catalog, url: str) -> None:
    body = "\n".join(
        [
            "catalog.join_line('b', priority=0, since=NOON, need='{}', seconds=10**6)",
            "print('in line', flush=True)",
            "input()",
        ]
    )
    process = script(url, body)
    assert process.stdout is not None
    assert process.stdout.readline() == "in line\n"
    assert [entry.owner for entry in catalog.line()] == ["b"]
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert catalog.line() == []
    process.communicate(timeout=10)
    catalog.leave_line("somebody")
    assert sql(url, "SELECT owner FROM line") == []
