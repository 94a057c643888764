"""Text for people, and the lines of a job where there is no terminal."""

from __future__ import annotations

import logging

import pytest

from duplicator.cli.command import configure_logging
from duplicator.cli.terminal import plain, rate_text, size_text
from duplicator.cli.watching import LineWatcher
from duplicator.recorder import Progress
from ndmp.enums import MoverState


def test_sizes() -> None:
    cases = [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (52_428_800, "52.4 MB"),
        (10**12, "1.0 TB"),
        (10**19, "10000.0 PB"),
    ]
    for size, text in cases:
        assert size_text(size) == text


def test_rates() -> None:
    cases = [(0, 1.0, "-"), (10, 0.0, "-"), (5_000_000, 2.0, "2.5 MB/s")]
    for size, seconds, text in cases:
        assert rate_text(size, seconds) == text


def test_names_of_strangers() -> None:
    cases = [
        ("añb", "añb"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nb", "a\\nb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\udcffb", "a\\udcffb"),
    ]
    for text, shown in cases:
        assert plain(text) == shown


def test_lines_of_a_job() -> None:
    lines: list[str] = []
    times = iter([0.0, 1.0, 5.0, 6.0, 10.0])
    watcher = LineWatcher(lines.append, clock=lambda: next(times))
    watcher.step(3, "move data", "now\x07")
    for moved in (1, 10_000_000, 11_000_000, 40_000_000):
        watcher.progress(3, progress(moved))
    where = "volume ND0001, appliance active, tape server paused, mover paused, E\\x07M"
    # The time of day in front is not looked at.
    assert [line[20:] for line in lines] == [
        "job 3: move data: now\\x07",
        f"job 3: 10.0 MB of 40.0 MB (25 %), 3.0 MB/s now, 2.0 MB/s overall, 15 s left; {where}",
        f"job 3: 40.0 MB of 40.0 MB (100 %), 3.0 MB/s now, 2.0 MB/s overall, 0 s left; {where}",
    ]


def progress(moved: int) -> Progress:
    """Something to show, with a hostile word in it."""
    movers = {"appliance": MoverState.ACTIVE, "tape server": MoverState.PAUSED}
    left = (40_000_000 - moved) / 2e6
    return Progress("big", "ND0001", moved, 40_000_000, 3e6, 2e6, left, movers, "mover paused, E\x07M")


def test_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        for verbose, expected in ((False, 1), (True, 2), (False, 2)):
            configure_logging(verbose=verbose)
            logging.getLogger("t").info("quiet")
            logging.getLogger("t").warning("loud")
            logging.getLogger("duplicator.recorder").error("shown by the watcher")
            assert len(capsys.readouterr().err.splitlines()) == expected
        logging.getLogger("t").error("session with %s", "a\n2026-01-01 forged\r", exc_info=ValueError("x\x07\ny"))
        told = capsys.readouterr().err.splitlines()
        assert told[0].endswith(r" ERROR t: session with a\n2026-01-01 forged\r")
        assert told[1:] == ["ValueError: x\\x07", "y"]
    finally:
        root.handlers[:], root.level = before, level
