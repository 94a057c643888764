"""A catalog of an older version is brought up in place. The older ones are here as the SQL that made them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from duplicator.catalog import (
    Catalog,
    CatalogError,
    Copy,
    CopyState,
    Fragment,
    Image,
    JobKind,
    JobState,
    JobTry,
    Section,
    VolumeState,
)
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm
from tests.duplicator.catalog.facts import NOON, new_object, sql
from tests.peers import Cluster

HERE = Path(__file__).parent
GOOD, BAD = "0f8fad5b-d9cb-469f-a165-70867728950e", "1f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    """An older version."""
    number: int = request.param
    return number


@pytest.fixture
def old(url: str, version: int, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a catalog of that version."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
            connection.executescript((HERE / f"version_{version}.sqlite.sql").read_text())
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        cluster.psql((HERE / f"version_{version}.postgresql.sql").read_text())
    return url


def columns(url: str) -> list[tuple[str, str, str, bool]]:
    """Every column of every table, with its type."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    found = inspect(engine)
    rows = [
        (table, column["name"], str(column["type"]), column["nullable"])
        for table in sorted(found.get_table_names())
        for column in found.get_columns(table)
    ]
    indexes = [
        (table, str(index["name"]), "index", False)
        for table in found.get_table_names()
        for index in found.get_indexes(table)
    ]
    engine.dispose()
    return rows + sorted(indexes)


def content(url: str) -> list[list[tuple[object, ...]]]:
    """What some tables hold, as it is kept."""
    tables = ("schema_version", "jobs", "fragments", "volumes")
    return [sql(url, f"SELECT * FROM {table} ORDER BY 1") for table in tables]


def test_everything_is_there_after_it(old: str, version: int) -> None:
    for _ in range(2):
        with Catalog(old) as catalog:
            good, bad = catalog.copies()
            first, second = catalog.volumes()
            assert [job.id for job in catalog.jobs()] == [2, 1]
            failed = catalog.job(2)
            assert [(event.text, event.attempt) for event in catalog.events(2)] == [("it flows", 1)]
            assert catalog.tries(2) == [JobTry(1, NOON, NOON, Status.MEDIA_WRITE_ERROR, "it's over")]
            assert [(one.file_sequence, one.dead, one.size) for one in catalog.volume_files("ND0001")] == [
                (1, False, 131072),
                (2, False, 65536),
                *([] if version == 1 else [(3, True, 65536)]),
            ]
    assert good == Copy(
        id=GOOD,
        image=Image(1, "a:1", "lsu0", "etc.tar", 150_000, 1, 2),
        number=1,
        job_id=1,
        state=CopyState.VALID,
        tape_url="ndmp://u@b:1/t0",
        algorithm=DigestAlgorithm(1),
        record_bytes=65536,
        created=NOON,
        validated=NOON,
        validation="" if version == 1 else "digest of all bytes",
        expires=None,
        route="" if version == 1 else "direct",
        fragments=(
            Fragment(0, "a", 100_000, b"\1" * 32, (Section(1, "ND0001", 1, 0, 100_000, 2, None),)),
            Fragment(1, "b", 50_000, b"\2" * 32, (Section(1, "ND0001", 2, 0, 50_000, 1, 7),)),
        ),
    )
    assert (bad.id, bad.number, bad.state, bad.fragments) == (BAD, 2, CopyState.FAILED, ())
    files, size, pool = (2, 196608, "") if version == 1 else (3, 262144, "daily")
    assert (first.label, first.files, first.size, first.created) == ("ND0001", files, size, NOON)
    assert (first.pool, first.generation, first.last_written) == (pool, 1, NOON)
    assert (second.label, second.state, second.last_written) == ("ND0002", VolumeState.FOREIGN, None)
    assert (failed.kind, failed.state, failed.tries, failed.queued) == (JobKind.DUPLICATE, JobState.FAILED, 1, NOON)
    assert (failed.status, failed.reason, failed.copy_id) == (Status.MEDIA_WRITE_ERROR, "it's over", BAD)
    assert sql(old, "SELECT version FROM schema_version") == [(3,)]


def test_work_goes_on_in_it(old: str) -> None:
    with Catalog(old) as catalog:
        assert catalog.start_job(JobKind.VERIFY, image="etc.tar", source="", target="") == 3
        assert catalog.record_image(host="b", unit="", name="", size=0, modified=0, fragments=1).id == 2
        catalog.event(3, "step", "text")
        assert catalog.reserve_volume("") == "ND0003"
        catalog.add_fragments(BAD, [Fragment(0, "a", 1, b"", (Section(1, "ND0001", 3, 0, 1, 1, None),))])
        with pytest.raises(CatalogError, match="refuses this entry"):
            catalog.add_fragments(BAD, [Fragment(1, "b", 1, b"", (Section(1, "ND0001", 2, 0, 1, 1, None),))])
        assert [event.text for event in catalog.events(3)] == ["text"]
        assert new_object(catalog).copy_id == 1


@pytest.mark.parametrize("version", [2])
def test_what_version_2_had_beside_is_there(old: str) -> None:
    kept = ("job_tries", "job_events", "tape_files", "tape_labels", "leases", "line", "drives", "jobs", "volumes")
    before = {table: sorted(map(repr, sql(old, f"SELECT * FROM {table}"))) for table in kept}
    Catalog(old).close()
    assert {table: sorted(map(repr, sql(old, f"SELECT * FROM {table}"))) for table in kept} == before
    assert all(before.values())


def test_it_has_the_tables_of_a_new_one(old: str) -> None:
    Catalog(old).close()
    lifted = columns(old)
    for table in (
        "tape_labels",
        "tape_files",
        "fragments",
        "copies",
        "job_events",
        "job_tries",
        "jobs",
        "images",
        "volumes",
    ):
        sql(old, f"DROP TABLE {table}")
    for table in ("leases", "line", "drives", "objects", "schema_version"):
        sql(old, f"DROP TABLE {table}")
    Catalog(old).close()
    assert columns(old) == lifted


def test_tables_of_others_stay(old: str) -> None:
    sql(old, "CREATE TABLE theirs (a INTEGER)")
    sql(old, "INSERT INTO theirs VALUES (7)")
    Catalog(old).close()
    assert sql(old, "SELECT a FROM theirs") == [(7,)]


def test_a_failure_leaves_the_old_one(old: str) -> None:
    sql(old, "UPDATE jobs SET state = 'unheard of' WHERE id = 2")
    before = columns(old), content(old)
    with pytest.raises(CatalogError, match="unheard of"):
        Catalog(old)
    assert (columns(old), content(old)) == before
    sql(old, "UPDATE jobs SET state = 'failed' WHERE id = 2")
    with Catalog(old) as catalog:
        assert len(catalog.copies()) == 2
