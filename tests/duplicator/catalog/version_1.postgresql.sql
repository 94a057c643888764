-- pg_dump of a catalog of version 1, as its program made it.
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.copies (
    id character varying(36) NOT NULL,
    image_id integer NOT NULL,
    job_id integer,
    state character varying(16) NOT NULL,
    tape_url text NOT NULL,
    algorithm bigint NOT NULL,
    record_bytes bigint NOT NULL,
    created timestamp with time zone NOT NULL,
    validated timestamp with time zone
);
CREATE TABLE public.fragments (
    copy_id character varying(36) NOT NULL,
    index bigint NOT NULL,
    name text NOT NULL,
    volume character varying(6) NOT NULL,
    file_sequence bigint NOT NULL,
    size bigint NOT NULL,
    blocks bigint NOT NULL,
    digest bytea NOT NULL,
    first_block bigint
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
    started timestamp with time zone NOT NULL,
    ended timestamp with time zone,
    bytes_total bigint,
    bytes_moved bigint NOT NULL,
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
CREATE TABLE public.schema_version (
    version bigint NOT NULL
);
CREATE TABLE public.volumes (
    label character varying(6) NOT NULL,
    state character varying(16) NOT NULL,
    tape_url text NOT NULL,
    files bigint NOT NULL,
    size bigint NOT NULL,
    created timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.images ALTER COLUMN id SET DEFAULT nextval('public.images_id_seq'::regclass);
ALTER TABLE ONLY public.job_events ALTER COLUMN id SET DEFAULT nextval('public.job_events_id_seq'::regclass);
ALTER TABLE ONLY public.jobs ALTER COLUMN id SET DEFAULT nextval('public.jobs_id_seq'::regclass);
INSERT INTO public.copies VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1, 1, 'valid', 'ndmp://u@b:1/t0', 1, 65536, '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00');
INSERT INTO public.copies VALUES ('1f8fad5b-d9cb-469f-a165-70867728950e', 1, 2, 'failed', 'ndmp://u@b:1/t0', 1, 65536, '2026-11-22 12:00:00+00', NULL);
INSERT INTO public.fragments VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 0, 'a', 'ND0001', 1, 100000, 2, '\x0101010101010101010101010101010101010101010101010101010101010101', NULL);
INSERT INTO public.fragments VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 1, 'b', 'ND0001', 2, 50000, 1, '\x0202020202020202020202020202020202020202020202020202020202020202', 7);
INSERT INTO public.images VALUES (1, 'a:1', 'lsu0', 'etc.tar', 150000, 1, 2);
INSERT INTO public.job_events VALUES (1, 1, '2026-11-22 12:00:00+00', 'move data', 'it flows');
INSERT INTO public.job_events VALUES (2, 2, '2026-11-22 12:00:00+00', 'move data', 'it flows');
INSERT INTO public.jobs VALUES (1, 'duplicate', 'done', 0, 'move data', '', 'etc.tar', '0f8fad5b-d9cb-469f-a165-70867728950e', 'ndmp://u@a:1/lsu0', 'ndmp://u@b:1/t0', '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 150000, 150000, 6055, 'there', 'an older process');
INSERT INTO public.jobs VALUES (2, 'duplicate', 'failed', 84, 'move data', 'it''s over', 'etc.tar', '1f8fad5b-d9cb-469f-a165-70867728950e', 'ndmp://u@a:1/lsu0', 'ndmp://u@b:1/t0', '2026-11-22 12:00:00+00', '2026-11-22 12:00:00+00', 150000, 150000, 6055, 'there', 'an older process');
INSERT INTO public.schema_version VALUES (1);
INSERT INTO public.volumes VALUES ('ND0002', 'foreign', '', 0, 0, '2026-11-22 12:00:00+00');
INSERT INTO public.volumes VALUES ('ND0001', 'appendable', 'ndmp://u@b:1/t0', 2, 196608, '2026-11-22 12:00:00+00');
SELECT pg_catalog.setval('public.images_id_seq', 1, true);
SELECT pg_catalog.setval('public.job_events_id_seq', 2, true);
SELECT pg_catalog.setval('public.jobs_id_seq', 2, true);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_pkey PRIMARY KEY (copy_id, index);
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_volume_file_sequence_key UNIQUE (volume, file_sequence);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_host_unit_name_modified_size_key UNIQUE (host, unit, name, modified, size);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.volumes
    ADD CONSTRAINT volumes_pkey PRIMARY KEY (label);
CREATE INDEX ix_copies_image_id ON public.copies USING btree (image_id);
CREATE INDEX ix_copies_job_id ON public.copies USING btree (job_id);
CREATE INDEX ix_job_events_job_id ON public.job_events USING btree (job_id);
CREATE INDEX ix_jobs_state ON public.jobs USING btree (state);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_copy_id_fkey FOREIGN KEY (copy_id) REFERENCES public.copies(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.fragments
    ADD CONSTRAINT fragments_volume_fkey FOREIGN KEY (volume) REFERENCES public.volumes(label);
ALTER TABLE ONLY public.job_events
    ADD CONSTRAINT job_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id) ON DELETE CASCADE;
