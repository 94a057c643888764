"""Fixtures for tests of sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import Site, site_in
from tests.duplicator.sources.bench import Bench


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def bench(site: Site) -> Bench:
    return Bench(site)
