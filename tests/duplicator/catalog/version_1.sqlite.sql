-- .dump of a catalog of version 1, as its program made it.
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
