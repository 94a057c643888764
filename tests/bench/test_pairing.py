"""Rounds, ratios and the page they are written to; nothing here looks at the time anything takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.pairing import GIB, Contestants, Goal, Measure, Row, Setting, seconds, take_rounds
from tests.bench.report import page_with, report
from tests.bench.rows import ROWS

SETTING = Setting(Path("memory"), Path("disk"), {})


def row_of(called: list[str], *goals: Goal) -> Row:
    """Ours takes 1, 2, 3 ... seconds for a GiB, theirs always 2."""

    def run(name: str, taken: float) -> Measure:
        called.append(name)
        return Measure(taken, GIB, {"host": taken / 4})

    @contextmanager
    def setup(_: Setting) -> Iterator[Contestants]:
        turns = iter(range(100))
        yield {"ours": lambda: run("ours", next(turns)), "theirs": lambda: run("theirs", 2)}
        called.append("over")

    return Row("row", goals, setup, rounds=3)


def test_every_contestant_runs_once_a_round_and_they_take_turns_in_beginning() -> None:
    called = list[str]()
    rate_goal = Goal("rate", "ours", "theirs", 1.0, 2.0)
    time_goal = Goal("time", "ours", "", 1.5, at_most=True, figure=seconds)
    result = take_rounds(row_of(called, rate_goal, time_goal), SETTING)
    # The first round does not count.
    assert called == ["ours", "theirs", "theirs", "ours", "ours", "theirs", "theirs", "ours", "over"]
    assert list(result.ratios(rate_goal)) == [2 / 1, 2 / 2, 2 / 3]
    assert list(result.ratios(time_goal)) == [1, 2, 3]
    assert result.cpu_per_gib("ours") == {"host": 0.5}
    judged = report([result], began=datetime.now(UTC), load="0.0", judged=True)
    rows = [line.split("|")[-2].strip() for line in judged.splitlines() if line.startswith("| row | ")]
    assert rows[:3] == ["", "reached", "not reached"]
    assert "reached" not in report([result], began=datetime.now(UTC), load="0.0", judged=False)


def test_the_quick_form_has_one_round_of_small_sizes() -> None:
    called = list[str]()
    quick = Setting(Path("memory"), Path("disk"), {}, quick=True)
    assert len(take_rounds(row_of(called), quick).rounds) == 1
    assert (quick.size(GIB), SETTING.size(GIB)) == (GIB // 16, GIB)


def test_what_is_written_by_hand_stays_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, end = "<!-- written by python -m tests.bench: begin -->", "<!-- written by python -m tests.bench: end -->"
    page.write_text(f"above\n\n{begin}\nold\n{end}\n\nbelow\n")
    for generated in ("new", "newer"):
        page_with(page, generated)
        assert page.read_text() == f"above\n\n{begin}\n\n{generated}\n\n{end}\n\nbelow\n"


def test_every_goal_is_about_contestants_that_have_names() -> None:
    assert all(goal.ours and goal.name for row in ROWS.values() for goal in row.goals)
    assert all(row.rounds >= 7 for row in ROWS.values())
