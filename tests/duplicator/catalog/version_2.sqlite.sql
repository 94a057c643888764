-- .dump of a catalog of version 2, as its program made it.
BEGIN TRANSACTION;
CREATE TABLE schema_version (
	version BIGINT NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO schema_version VALUES(2);
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
INSERT INTO images VALUES(1,'a:1','lsu0','etc.tar',150000,1,2);
CREATE TABLE volumes (
	label VARCHAR(6) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	pool TEXT NOT NULL, 
	barcode TEXT NOT NULL, 
	media TEXT NOT NULL, 
	location TEXT NOT NULL, 
	tape_url TEXT NOT NULL, 
	files BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	capacity BIGINT, 
	created DATETIME NOT NULL, 
	last_written DATETIME, 
	mounts BIGINT NOT NULL, 
	generation BIGINT NOT NULL, 
	PRIMARY KEY (label)
);
INSERT INTO volumes VALUES('ND0001','appendable','daily','ND0001L8','L8','library1 slot 1001','ndmp://u@b:1/t0',3,262144,NULL,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',0,1);
INSERT INTO volumes VALUES('ND0002','foreign','','','','','',0,0,NULL,'2026-11-22 12:00:00.000000',NULL,0,1);
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
	priority BIGINT NOT NULL, 
	tries BIGINT NOT NULL, 
	policy TEXT NOT NULL, 
	route TEXT NOT NULL, 
	agents TEXT NOT NULL, 
	drive TEXT NOT NULL, 
	volume TEXT NOT NULL, 
	queued DATETIME NOT NULL, 
	not_before DATETIME, 
	started DATETIME, 
	ended DATETIME, 
	bytes_total BIGINT, 
	bytes_moved BIGINT NOT NULL, 
	request TEXT NOT NULL, 
	stop VARCHAR(16), 
	pid BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	process TEXT NOT NULL
);
INSERT INTO jobs VALUES(1,'duplicate','done',0,'move data','','etc.tar','0f8fad5b-d9cb-469f-a165-70867728950e','ndmp://u@a:1/lsu0','ndmp://u@b:1/t0',0,1,'','','','','','2026-11-22 12:00:00.000000',NULL,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',150000,150000,'',NULL,6055,'there','an older process');
INSERT INTO jobs VALUES(2,'duplicate','failed',84,'move data','it''s over','etc.tar','1f8fad5b-d9cb-469f-a165-70867728950e','ndmp://u@a:1/lsu0','ndmp://u@b:1/t0',0,1,'','','','','','2026-11-22 12:00:00.000000',NULL,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',150000,150000,'',NULL,6055,'there','an older process');
CREATE TABLE leases (
	kind VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	job_id BIGINT, 
	pid BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	process TEXT NOT NULL, 
	until DATETIME NOT NULL, 
	waits_for TEXT NOT NULL, 
	PRIMARY KEY (kind, name)
);
INSERT INTO leases VALUES('volume','ND0001','somebody',1,6055,'there','an older process','2026-11-22 12:05:00.000000','');
CREATE TABLE line (
	owner TEXT NOT NULL, 
	priority BIGINT NOT NULL, 
	since DATETIME NOT NULL, 
	need TEXT NOT NULL, 
	pid BIGINT NOT NULL, 
	host TEXT NOT NULL, 
	process TEXT NOT NULL, 
	until DATETIME NOT NULL, 
	PRIMARY KEY (owner)
);
INSERT INTO line VALUES('another',3,'2026-11-22 12:05:00.000000','{}',6055,'there','an older process','2026-11-22 12:05:00.000000');
CREATE TABLE drives (
	name TEXT NOT NULL, 
	volume TEXT NOT NULL, 
	last_used DATETIME, 
	down TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO drives VALUES('ndmp://b:1/t0','ND0001','2026-11-22 12:00:00.000000','');
CREATE TABLE job_tries (
	job_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	started DATETIME NOT NULL, 
	ended DATETIME, 
	status BIGINT, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (job_id, number), 
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO job_tries VALUES(1,1,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',0,'');
INSERT INTO job_tries VALUES(2,1,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000',84,'it''s over');
CREATE TABLE job_events (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	attempt BIGINT NOT NULL, 
	time DATETIME NOT NULL, 
	step TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
INSERT INTO job_events VALUES(1,1,1,'2026-11-22 12:00:00.000000','move data','it flows');
INSERT INTO job_events VALUES(2,2,1,'2026-11-22 12:00:00.000000','move data','it flows');
CREATE TABLE copies (
	id VARCHAR(36) NOT NULL, 
	image_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	attempts BIGINT NOT NULL, 
	job_id INTEGER, 
	state VARCHAR(16) NOT NULL, 
	tape_url TEXT NOT NULL, 
	algorithm BIGINT NOT NULL, 
	record_bytes BIGINT NOT NULL, 
	created DATETIME NOT NULL, 
	validated DATETIME, 
	validation TEXT NOT NULL, 
	expires DATETIME, 
	route TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (image_id, number), 
	FOREIGN KEY(image_id) REFERENCES images (id), 
	FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE SET NULL
);
INSERT INTO copies VALUES('0f8fad5b-d9cb-469f-a165-70867728950e',1,1,1,1,'valid','ndmp://u@b:1/t0',1,65536,'2026-11-22 12:00:00.000000','2026-11-22 12:00:00.000000','digest of all bytes',NULL,'direct');
INSERT INTO copies VALUES('1f8fad5b-d9cb-469f-a165-70867728950e',1,2,1,2,'failed','ndmp://u@b:1/t0',1,65536,'2026-11-22 12:00:00.000000',NULL,'','2026-11-22 12:00:00.000000','');
CREATE TABLE fragments (
	copy_id VARCHAR(36) NOT NULL, 
	"index" BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	size BIGINT, 
	digest BLOB, 
	PRIMARY KEY (copy_id, "index"), 
	FOREIGN KEY(copy_id) REFERENCES copies (id) ON DELETE CASCADE
);
INSERT INTO fragments VALUES('0f8fad5b-d9cb-469f-a165-70867728950e',0,'a',100000,X'0101010101010101010101010101010101010101010101010101010101010101');
INSERT INTO fragments VALUES('0f8fad5b-d9cb-469f-a165-70867728950e',1,'b',50000,X'0202020202020202020202020202020202020202020202020202020202020202');
CREATE TABLE tape_files (
	volume VARCHAR(6) NOT NULL, 
	file_sequence BIGINT NOT NULL, 
	copy_id VARCHAR(36) NOT NULL, 
	fragment BIGINT, 
	begun_as BIGINT NOT NULL, 
	section BIGINT NOT NULL, 
	"offset" BIGINT NOT NULL, 
	size BIGINT NOT NULL, 
	blocks BIGINT NOT NULL, 
	first_block BIGINT, 
	room BIGINT NOT NULL, 
	PRIMARY KEY (volume, file_sequence), 
	FOREIGN KEY(copy_id, fragment) REFERENCES fragments (copy_id, "index"), 
	UNIQUE (copy_id, fragment, section), 
	FOREIGN KEY(volume) REFERENCES volumes (label), 
	FOREIGN KEY(copy_id) REFERENCES copies (id)
);
INSERT INTO tape_files VALUES('ND0001',1,'0f8fad5b-d9cb-469f-a165-70867728950e',0,0,1,0,100000,2,NULL,131072);
INSERT INTO tape_files VALUES('ND0001',2,'0f8fad5b-d9cb-469f-a165-70867728950e',1,1,1,0,50000,1,7,65536);
INSERT INTO tape_files VALUES('ND0001',3,'1f8fad5b-d9cb-469f-a165-70867728950e',NULL,0,1,0,65536,1,NULL,65536);
CREATE TABLE tape_labels (
	volume TEXT NOT NULL, 
	file_sequence BIGINT NOT NULL, 
	attempt BIGINT NOT NULL, 
	name TEXT NOT NULL, 
	continues BOOLEAN NOT NULL, 
	digest BLOB NOT NULL, 
	PRIMARY KEY (volume, file_sequence), 
	FOREIGN KEY(volume, file_sequence) REFERENCES tape_files (volume, file_sequence) ON DELETE CASCADE
);
INSERT INTO tape_labels VALUES('ND0001',1,1,'a',0,X'0101010101010101010101010101010101010101010101010101010101010101');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('jobs',2);
CREATE INDEX ix_volumes_barcode ON volumes (barcode);
CREATE INDEX ix_volumes_state ON volumes (state);
CREATE INDEX ix_jobs_state ON jobs (state);
CREATE INDEX ix_leases_owner ON leases (owner);
CREATE INDEX ix_job_events_job_id ON job_events (job_id);
CREATE INDEX ix_copies_expires ON copies (expires);
CREATE INDEX ix_copies_state ON copies (state);
CREATE INDEX ix_copies_job_id ON copies (job_id);
COMMIT;
