"""Opening databases: whose they are, how they are set, and what cannot be opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CatalogError, default_url
from tests.duplicator.catalog.facts import sql, start


def test_file_and_folder_are_for_the_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "deep" / "data"))
    with Catalog() as catalog:
        start(catalog)
        folder = tmp_path / "deep" / "data" / "ndmpdup"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
        assert modes.pop("catalog.sqlite") == 0o600
        assert set(modes.values()) <= {0o600}
    with Catalog(default_url()) as catalog:
        assert len(catalog.jobs()) == 1


def test_plain_sql_reads_it(catalog: Catalog, url: str) -> None:
    start(catalog)
    assert sql(url, "SELECT version FROM schema_version") == [(3,)]
    assert sql(url, "SELECT state, CAST(started AS TEXT) FROM jobs")[0][1].startswith("2026-11-22 12:00:00")


def test_sqlite_writes_ahead(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog"
    Catalog(url).close()
    assert sql(url, "PRAGMA journal_mode") == [("wal",)]


def test_a_second_catalog_of_the_process_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "c"
    with Catalog(f"sqlite:///{file}") as first:
        first.jobs()
        held = locks_on(file)
        assert held
        with Catalog(f"sqlite:///{file}"):
            assert locks_on(file) == held


def locks_on(file: Path) -> list[str]:
    """The locks that this process has on a file, as the kernel knows them."""
    rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    number = str(file.stat().st_ino)
    return [row[3] for row in rows if row[4] == str(os.getpid()) and row[5].rpartition(":")[2] == number]


def test_tables_of_others_are_left_alone(url: str) -> None:
    sql(url, "CREATE TABLE theirs (a INTEGER)")
    Catalog(url).close()
    sql(url, "INSERT INTO theirs VALUES (7)")
    assert sql(url, "SELECT a FROM theirs") == [(7,)]


def test_another_version_is_refused_and_left_alone(url: str) -> None:
    Catalog(url).close()
    for version, words in ((4, "newer program"), (0, "bring up 1")):
        sql(url, "UPDATE schema_version SET version = :version", version=version)
        with pytest.raises(CatalogError, match=f"version {version}.*{words}"):
            Catalog(url)
        assert sql(url, "SELECT version FROM schema_version") == [(version,)]


def test_databases_that_cannot_be_opened(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no database" * 100)
    cases = [
        (f"sqlite:///{tmp_path}/absent/catalog", "No such file"),
        (f"sqlite:///{garbage}", "not a database"),
        ("s3cret", "SQLAlchemy URL"),
        ("nosuch://u:s3cret@h/db", "nosuch"),
        ("mysql://u:s3cret@h/db", "SQLite or PostgreSQL, not in mysql"),
        ("postgresql://u:s3cret@/db?host=/absent", "No such file"),
        ("postgresql://u@/db?host=/absent&password=s3cret", "No such file"),
    ]
    for url, words in cases:
        with pytest.raises(CatalogError, match=words) as caught:
            Catalog(url)
        assert "s3cret" not in str(caught.value)
