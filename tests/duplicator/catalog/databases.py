"""The databases that a catalog may be in, each empty and the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog
from tests.peers import Cluster, postgresql_cluster

__all__ = ["catalog", "postgresql", "url"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL cluster, for all tests of this process."""
    with postgresql_cluster() as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.interop)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalog.sqlite"
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.empty_database()


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    """A catalog in it."""
    with Catalog(url) as opened:
        yield opened
