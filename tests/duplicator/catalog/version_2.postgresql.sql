-- pg_dump of a catalog of version 2, as its program made it.
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.copies (
    id character varying(36) NOT NULL,
    image_id integer NOT NULL,
    number bigint NOT NULL,
    attempts bigint NOT NULL,
    job_id integer,
    state character varying(16) NOT NULL,
    tape_url text NOT NULL,
    algorithm bigint NOT NULL,
    record_bytes bigint NOT NULL,
    created timestamp with time zone NOT NULL,
    validated timestamp with time zone,
    validation text NOT NULL,
    expires timestamp with time zone,
    route text NOT NULL
);
CREATE TABLE public.drives (
    name text NOT NULL,
    volume text NOT NULL,
    last_used timestamp with time zone,
    down text NOT NULL
);
CREATE TABLE public.fragments (
    copy_id character varying(36) NOT NULL,
    index bigint NOT NULL,
    name text NOT NULL,
    size bigint,
    digest bytea
);
CREATE TABLE public.images (
    id integer NOT NULL,
    host text NOT NULL,
    unit text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    modified bigint NOT NULL,
    fragments bigint NOT NULL
);
CREATE SEQUENCE public.images_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.images_id_seq OWNED BY public.images.id;
CREATE TABLE public.job_events (
    id integer NOT NULL,
    job_id integer NOT NULL,
    attempt bigint NOT NULL,
    "time" timestamp with time zone NOT NULL,
    step text NOT NULL,
    text text NOT NULL
);
CREATE SEQUENCE public.job_events_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.job_events_id_seq OWNED BY public.job_events.id;
CREATE TABLE public.job_tries (
    job_id integer NOT NULL,
    number bigint NOT NULL,
    started timestamp with time zone NOT NULL,
    ended timestamp with time zone,
    status bigint,
    reason text NOT NULL
);
CREATE TABLE public.jobs (
    id integer NOT NULL,
    kind character varying(16) NOT NULL,
    state character varying(16) NOT NULL,
    status bigint,
    step text NOT NULL,
    reason text NOT NULL,
    image text NOT NULL,
    copy_id character varying(36),
    source text NOT NULL,
    target text NOT NULL,
    priority bigint NOT NULL,
    tries bigint NOT NULL,
    policy text NOT NULL,
    route text NOT NULL,
    agents text NOT NULL,
    drive text NOT NULL,
    volume text NOT NULL,
    queued timestamp with time zone NOT NULL,
    not_before timestamp with time zone,
    started timestamp with time zone,
    ended timestamp with time zone,
    bytes_total bigint,
    bytes_moved bigint NOT NULL,
    request text NOT NULL,
    stop character varying(16),
    pid bigint NOT NULL,
    host text NOT NULL,
    process text NOT NULL
);
CREATE SEQUENCE public.jobs_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.jobs_id_seq OWNED BY public.jobs.id;
CREATE TABLE public.leases (
    kind character varying(16) NOT NULL,
    name text NOT NULL,
    owner text NOT NULL,
    job_id bigint,
    pid bigint NOT NULL,
    host text NOT NULL,
    process text NOT NULL,
    until timestamp with time zone NOT NULL,
    waits_for text NOT NULL
);
CREATE TABLE public.line (
    owner text NOT NULL,
    priority bigint NOT NULL,
    since timestamp with time zone NOT NULL,
    need text NOT NULL,
    pid bigint NOT NULL,
    host text NOT NULL,
    process text NOT NULL,
    until timestamp with time zone NOT NULL
);
CREATE TABLE public.schema_version (
    version bigint NOT NULL
);
CREATE TABLE public.tape_files (
    volume character varying(6) NOT NULL,
    file_sequence bigint NOT NULL,
    copy_id character varying(36) NOT NULL,
    fragment bigint,
    begun_as bigint NOT NULL,
    section bigint NOT NULL,
    "offset" bigint NOT NULL,
    size bigint NOT NULL,
    blocks bigint NOT NULL,
    first_block bigint,
    room bigint NOT NULL
);
CREATE TABLE public.tape_labels (
    volume text NOT NULL,
    file_sequence bigint NOT NULL,
    attempt bigint NOT NULL,
    name text NOT NULL,
    continues boolean NOT NULL,
    digest bytea NOT NULL
);
CREATE TABLE public.volumes (
    label character varying(6) NOT NULL,
    state character varying(16) NOT NULL,
    pool text NOT NULL,
    barcode text NOT NULL,
    media text NOT NULL,
    location text NOT NULL,
    tape_url text NOT NULL,
    files bigint NOT NULL,
    size bigint NOT NULL,
    capacity bigint,
    created timestamp with time zone NOT NULL,
    last_written timestamp with time zone,
    mounts bigint NOT NULL,
    generation bigint NOT NULL
);
ALTER TABLE ONLY public.images ALTER COLUMN id SET DEFAULT nextval('public.images_id_seq'::regclass);
ALTER TABLE ONLY public.job_events ALTER COLUMN id SET DEFAULT nextval('public.job_events_id_seq'::regclass);
ALTER TABLE ONLY public.jobs ALTER COLUMN id SET DEFAULT nextval('public.jobs_id_seq'::regclass);
INSERT INTO public.copies VALUES ('1f8fad5b-d9cb-469f-a165-70867728950e', 1, 2, 1, 2, 'failed', 'ndmp://u@b:1/t0', 1, 65536, '2026-11-22 12:00:00+00', NULL, '', '2026-11-22 12:00:00+00', '');
INSERT INTO public.copies VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1, 1, 1, 1, 'valid', 'ndmp://u@b:1/t0', 1, 65536, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 'digest of all bytes', NULL, 'direct');
INSERT INTO public.drives VALUES ('ndmp://b:1/t0', 'ND0001', '2026-11-22 12:00:00+00', '');
INSERT INTO public.fragments VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 0, 'a', 100000, '\x0101010101010101010101010101010101010101010101010101010101010101');
INSERT INTO public.fragments VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1, 'b', 50000, '\x0202020202020202020202020202020202020202020202020202020202020202');
INSERT INTO public.images VALUES (1, 'a:1', 'lsu0', 'etc.tar', 150000, 1, 2);
INSERT INTO public.job_events VALUES (1, 1, 1, '2026-11-22 12:00:00+00', 'move data', 'it flows');
INSERT INTO public.job_events VALUES (2, 2, 1, '2026-11-22 12:00:00+00', 'move data', 'it flows');
INSERT INTO public.job_tries VALUES (1, 1, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 0, '');
INSERT INTO public.job_tries VALUES (2, 1, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 84, 'it''s over');
INSERT INTO public.jobs VALUES (1, 'duplicate', 'done', 0, 'move data', '', 'etc.tar', '0f8fad5b-d9cb-469f-a165-70867728950e', 'ndmp://u@a:1/lsu0', 'ndmp://u@b:1/t0', 0, 1, '', '', '', '', '', '2026-11-22 12:00:00+00', NULL, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 150000, 150000, '', NULL, 6055, 'there', 'an older process');
INSERT INTO public.jobs VALUES (2, 'duplicate', 'failed', 84, 'move data', 'it''s over', 'etc.tar', '1f8fad5b-d9cb-469f-a165-70867728950e', 'ndmp://u@a:1/lsu0', 'ndmp://u@b:1/t0', 0, 1, '', '', '', '', '', '2026-11-22 12:00:00+00', NULL, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 150000, 150000, '', NULL, 6055, 'there', 'an older process');
INSERT INTO public.leases VALUES ('volume', 'ND0001', 'somebody', 1, 6055, 'there', 'an older process', '2026-11-22 12:05:00+00', '');
INSERT INTO public.line VALUES ('another', 3, '2026-11-22 12:05:00+00', '{}', 6055, 'there', 'an older process', '2026-11-22 12:05:00+00');
INSERT INTO public.schema_version VALUES (2);
INSERT INTO public.tape_files VALUES ('ND0001', 1, '0f8fad5b-d9cb-469f-a165-70867728950e', 0, 0, 1, 0, 100000, 2, NULL, 131072);
INSERT INTO public.tape_files VALUES ('ND0001', 2, '0f8fad5b-d9cb-469f-a165-70867728950e', 1, 1, 1, 0, 50000, 1, 7, 65536);
INSERT INTO public.tape_files VALUES ('ND0001', 3, '1f8fad5b-d9cb-469f-a165-70867728950e', NULL, 0, 1, 0, 65536, 1, NULL, 65536);
INSERT INTO public.tape_labels VALUES ('ND0001', 1, 1, 'a', false, '\x0101010101010101010101010101010101010101010101010101010101010101');
INSERT INTO public.volumes VALUES ('ND0002', 'foreign', '', '', '', '', '', 0, 0, NULL, '2026-11-22 12:00:00+00', NULL, 0, 1);
INSERT INTO public.volumes VALUES ('ND0001', 'appendable', 'daily', 'ND0001L8', 'L8', 'library1 slot 1001', 'ndmp://u@b:1/t0', 3, 262144, NULL, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 0, 1);
SELECT pg_catalog.setval('public.images_id_seq', 1, true);
SELECT pg_catalog.setval('public.job_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 2, true);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_image_id_number_key UNIQUE (image_id, number);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.drives
    ADD CONSTRAINT drives_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_pkey PRIMARY KEY (copy_id, index);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_host_unit_name_modified_size_key UNIQUE (host, unit, name, modified, size);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_tries
    ADD CONSTRAINT job_tries_pkey PRIMARY KEY (job_id, number);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY public.line
    ADD CONSTRAINT line_pkey PRIMARY KEY (owner);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.tape_files
    ADD CONSTRAINT tape_files_copy_id_fragment_section_key UNIQUE (copy_id, fragment, section);
ALTER TABLE ONLY public.tape_files
    ADD CONSTRAINT tape_files_pkey PRIMARY KEY (volume, file_sequence);
ALTER TABLE ONLY public.tape_labels
    ADD CONSTRAINT tape_labels_pkey PRIMARY KEY (volume, file_sequence);
ALTER TABLE ONLY public.volumes
    ADD CONSTRAINT volumes_pkey PRIMARY KEY (label);
CREATE INDEX ix_copies_expires ON public.copies USING btree (expires);
CREATE INDEX ix_copies_job_id ON public.copies USING btree (job_id);
CREATE INDEX ix_copies_state ON public.copies USING btree (state);
CREATE INDEX ix_job_events_job_id ON public.job_events USING btree (job_id);
CREATE INDEX ix_jobs_state ON public.jobs USING btree (state);
CREATE INDEX ix_leases_owner ON public.leases USING btree (owner);
CREATE INDEX ix_volumes_barcode ON public.volumes USING btree (barcode);
CREATE INDEX ix_volumes_state ON public.volumes USING btree (state);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_copy_id_fkey FOREIGN KEY (copy_id) REFERENCES public.copies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.job_tries
    ADD CONSTRAINT job_tries_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tape_files
    ADD CONSTRAINT tape_files_copy_id_fkey FOREIGN KEY (copy_id) REFERENCES public.copies(id);
ALTER TABLE ONLY public.tape_files
    ADD CONSTRAINT tape_files_copy_id_fragment_fkey FOREIGN KEY (copy_id, fragment) REFERENCES public.fragments(copy_id, index);
ALTER TABLE ONLY public.tape_files
    ADD CONSTRAINT tape_files_volume_fkey FOREIGN KEY (volume) REFERENCES public.volumes(label);
ALTER TABLE ONLY public.tape_labels
    ADD CONSTRAINT tape_labels_volume_file_sequence_fkey FOREIGN KEY (volume, file_sequence) REFERENCES public.tape_files(volume, file_sequence) ON DELETE CASCADE;
