"""A place with a catalog, and scanners at each kind of port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.duplicator.media.ports import FakeScanner, network_scanner, rfc2217_scanner, terminal_scanner
from tests.duplicator.processes import Site, site_in

Maker = Callable[[], AbstractContextManager[FakeScanner]]
MAKERS: dict[str, Maker] = {"terminal": terminal_scanner, "socket": network_scanner, "rfc2217": rfc2217_scanner}


@pytest.fixture(params=MAKERS)
def scanner(request: pytest.FixtureRequest) -> Iterator[FakeScanner]:
    with MAKERS[request.param]() as made:
        yield made


@pytest.fixture
def terminal() -> Iterator[FakeScanner]:
    with terminal_scanner() as made:
        yield made


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None but the test's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("NDMPDUP_CONFIG", raising=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made
