"""A service and a session for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.xbsa import session_state
from tests.duplicator.xbsa.fake_service import FakeService, serving


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's user counts, and what is not there is not awaited for long."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("NDMPDUP_XBSA_SERVICE", str(tmp_path / "service"))
    monkeypatch.setenv("NDMPDUP_XBSA_DEADLINE", "60")
    monkeypatch.setenv("NDMPDUP_XBSA_START", "60")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[FakeService]:
    with serving(tmp_path / "service") as running:
        yield running


@pytest.fixture(autouse=True)
def no_session_left() -> Iterator[None]:
    yield
    while running := session_state.current():
        running.advance(session_state.Event.TERMINATE)
