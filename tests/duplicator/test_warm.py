"""Commands that are forked end as those that start by themselves: the tests that use them prove the same."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.duplicator.processes import Ended, Spawn, site_in, spawn_here
from tests.duplicator.warm import spawn_warm

WORDS: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ("jobs", "--json"),
    ("jobs", "1"),
    ("nonsense",),
    ("serve", "--user", ""),
    ("tape", "virtual:absent/A00001", "map"),
)


def ends(folder: Path, spawn: Spawn) -> list[Ended]:
    with site_in(folder, spawn) as site:
        return [site.run(*words) for words in WORDS]


def test_they_end_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = ends(tmp_path, spawn_here)
    assert ends(tmp_path, spawn_warm) == found
    assert [ended.code for ended in found] == [0, 0, 2, 2, 2, 1]
    assert all(ended.out or ended.err for ended in found)


@pytest.mark.parametrize("spawn", [spawn_here, spawn_warm])
def test_signals_and_descriptors(tmp_path: Path, spawn: Spawn) -> None:
    with site_in(tmp_path, spawn) as site:
        offers = "--lsu", f"lsu={tmp_path}"
        first, second = site.serve(*offers), site.serve(*offers)
        assert first.sockets() == second.sockets() == ["0A"]
        assert first.stop() == Ended(0, first._running.end().out, "")
        process = second._running.process
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        second.send(signal.SIGKILL)
        assert (process.wait(20), process.poll()) == (-signal.SIGKILL, -signal.SIGKILL)
