"""A catalog of an older version is brought up in place. The older one is here as the SQL that made it."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

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

VERSION_1 = """
BEGIN TRANSACTION;
CREATE TABLE copies (
    id VARCHAR(36) NOT NULL,
    image_id INTEGER NOT NULL,
    job_id INTEGER,
    state VARCHAR(16) NOT NULL,
    tape_url TEXT NOT NULL,
    algorithm BIGINT NOT NULL,
    record_bytes BIGINT NOT NULL,
    created DATETIME NOT NULL,
    validated DATETIME,
    PRIMARY KEY (id),
    FOREIGN KEY(image_id) REFERENCES images (id),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
INSERT INTO "copies" VALUES(
    '0f8fad5b-d9cb-469f-a165-70867728950e',1,1,'valid','ndmp://u@b:1/t0',1,65536,
    '2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000');
INSERT INTO "copies" VALUES(
    '1f8fad5b-d9cb-469f-a165-70867728950e',1,2,'failed','ndmp://u@b:1/t0',1,65536,
    '2026-11-22 12:00:00.000000',NULL);
CREATE TABLE fragments (
    copy_id VARCHAR(36) NOT NULL,
    "index" BIGINT NOT NULL,
    name TEXT NOT NULL,
    volume VARCHAR(6) NOT NULL,
    file_sequence BIGINT NOT NULL,
    size BIGINT NOT NULL,
    blocks BIGINT NOT NULL,
    digest BLOB NOT NULL,
    first_block BIGINT,
    PRIMARY KEY (copy_id, "index"),
    UNIQUE (volume, file_sequence),
    FOREIGN KEY(copy_id) REFERENCES copies (id) ON DELETE CASCADE,
    FOREIGN KEY(volume) REFERENCES volumes (label)
);
INSERT INTO "fragments" VALUES(
    '0f8fad5b-d9cb-469f-a165-70867728950e',0,'a','ND0001',1,100000,2,
    X'0101010101010101010101010101010101010101010101010101010101010101',NULL);
INSERT INTO "fragments" VALUES(
    '0f8fad5b-d9cb-469f-a165-70867728950e',1,'b','ND0001',2,50000,1,
    X'0202020202020202020202020202020202020202020202020202020202020202',7);
CREATE TABLE images (
    id INTEGER NOT NULL,
    host TEXT NOT NULL,
    unit TEXT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    fragments BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (host, unit, name, modified, size)
);
INSERT INTO "images" VALUES(1,'a:1','lsu0','etc.tar',150000,1,2);
CREATE TABLE job_events (
    id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    time DATETIME NOT NULL,
    step TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO "job_events" VALUES(1,1,'2026-11-22 12:00:00.000000','move data','it flows');
INSERT INTO "job_events" VALUES(2,2,'2026-11-22 12:00:00.000000','move data','it flows');
CREATE TABLE jobs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR(16) NOT NULL,
    state VARCHAR(16) NOT NULL,
    status BIGINT,
    step TEXT NOT NULL,
    reason TEXT NOT NULL,
    image TEXT NOT NULL,
    copy_id VARCHAR(36),
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    started DATETIME NOT NULL,
    ended DATETIME,
    bytes_total BIGINT,
    bytes_moved BIGINT NOT NULL,
    pid BIGINT NOT NULL,
    host TEXT NOT NULL,
    process TEXT NOT NULL
);
INSERT INTO "jobs" VALUES(
    1,'duplicate','done',0,'move data','','etc.tar','0f8fad5b-d9cb-469f-a165-70867728950e',
    'ndmp://u@a:1/lsu0','ndmp://u@b:1/t0','2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',
    150000,150000,6055,'there','an older process');
INSERT INTO "jobs" VALUES(
    2,'duplicate','failed',84,'move data','it''s over','etc.tar','1f8fad5b-d9cb-469f-a165-70867728950e',
    'ndmp://u@a:1/lsu0','ndmp://u@b:1/t0','2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',
    150000,150000,6055,'there','an older process');
CREATE TABLE schema_version (
    version BIGINT NOT NULL,
    PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE volumes (
    label VARCHAR(6) NOT NULL,
    state VARCHAR(16) NOT NULL,
    tape_url TEXT NOT NULL,
    files BIGINT NOT NULL,
    size BIGINT NOT NULL,
    created DATETIME NOT NULL,
    PRIMARY KEY (label)
);
INSERT INTO "volumes" VALUES('ND0001','appendable','ndmp://u@b:1/t0',2,196608,'2026-11-22 12:00:00.000000');
INSERT INTO "volumes" VALUES('ND0002','foreign','',0,0,'2026-11-22 12:00:00.000000');
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_job_events_job_id ON job_events (job_id);
CREATE INDEX ix_copies_image_id ON copies (image_id);
CREATE INDEX ix_copies_job_id ON copies (job_id);
COMMIT;
"""
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD, BAD = "0f8fad5b-d9cb-469f-a165-70867728950e", "1f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "catalog.sqlite"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_1)
    return file


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def test_everything_is_there_after_it(file: Path) -> None:
    for _ in range(2):
        with Catalog(f"sqlite:///{file}") as catalog:
            good, bad = catalog.copies()
            first, second = catalog.volumes()
            assert [job.id for job in catalog.jobs()] == [2, 1]
            failed = catalog.job(2)
            assert [(event.text, event.attempt) for event in catalog.events(2)] == [("it flows", 1)]
            assert catalog.tries(2) == [JobTry(1, NOON, NOON, Status.MEDIA_WRITE_ERROR, "it's over")]
            assert [(one.file_sequence, one.dead, one.size) for one in catalog.volume_files("ND0001")] == [
                (1, False, 131072),
                (2, False, 65536),
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
        validation="",
        expires=None,
        route="",
        fragments=(
            Fragment(0, "a", 100_000, b"\1" * 32, (Section(1, "ND0001", 1, 0, 100_000, 2, None),)),
            Fragment(1, "b", 50_000, b"\2" * 32, (Section(1, "ND0001", 2, 0, 50_000, 1, 7),)),
        ),
    )
    assert (bad.id, bad.number, bad.state, bad.fragments) == (BAD, 2, CopyState.FAILED, ())
    assert (first.label, first.files, first.size, first.created) == ("ND0001", 2, 196608, NOON)
    assert (first.pool, first.generation, first.last_written) == ("", 1, NOON)
    assert (second.label, second.state, second.last_written) == ("ND0002", VolumeState.FOREIGN, None)
    assert (failed.kind, failed.state, failed.tries, failed.queued) == (JobKind.DUPLICATE, JobState.FAILED, 1, NOON)
    assert (failed.status, failed.reason, failed.copy_id) == (Status.MEDIA_WRITE_ERROR, "it's over", BAD)
    assert rows(file, "SELECT version FROM schema_version") == [(2,)]


def test_work_goes_on_in_it(file: Path) -> None:
    with Catalog(f"sqlite:///{file}") as catalog:
        assert catalog.start_job(JobKind.VERIFY, image="etc.tar", source="", target="") == 3
        assert catalog.reserve_volume("") == "ND0003"
        catalog.add_fragments(BAD, [Fragment(0, "a", 1, b"", (Section(1, "ND0001", 3, 0, 1, 1, None),))])
        with pytest.raises(CatalogError, match="refuses this entry"):
            catalog.add_fragments(BAD, [Fragment(1, "b", 1, b"", (Section(1, "ND0001", 2, 0, 1, 1, None),))])
    assert rows(file, "PRAGMA foreign_key_check") == []


def test_a_new_catalog_has_the_same_tables(file: Path, tmp_path: Path) -> None:
    Catalog(f"sqlite:///{file}").close()
    Catalog(f"sqlite:///{tmp_path}/new").close()
    query = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert rows(file, query) == rows(tmp_path / "new", query)


def test_a_failure_leaves_the_old_one(file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE jobs SET state = 'unheard of' WHERE id = 2")
    before = rows(file, "SELECT type, name, sql FROM sqlite_master"), rows(file, "SELECT * FROM fragments")
    with pytest.raises(CatalogError, match="unheard of"):
        Catalog(f"sqlite:///{file}")
    assert (rows(file, "SELECT type, name, sql FROM sqlite_master"), rows(file, "SELECT * FROM fragments")) == before
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE jobs SET state = 'failed' WHERE id = 2")
    with Catalog(f"sqlite:///{file}") as catalog:
        assert len(catalog.copies()) == 2
