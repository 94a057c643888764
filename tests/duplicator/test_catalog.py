"""The catalog through its face, from several processes, and as plain sqlite3 sees it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
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
    Section,
    VolumeState,
    default_url,
)
from duplicator.labels import LabelError
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COPY = "0f8fad5b-d9cb-469f-a165-70867728950e"
SECOND = timedelta(seconds=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(file: Path) -> Iterator[Catalog]:
    with Catalog(f"sqlite:///{file}") as opened:
        yield opened


def start(catalog: Catalog, image: str = "etc.tar") -> int:
    source, target = "ndmp://u@a:1/lsu0", "ndmp://u@b:1/t0"
    return catalog.start_job(JobKind.DUPLICATE, image=image, source=source, target=target, started=NOON)


def image(catalog: Catalog, *, modified: int = 1) -> Image:
    return catalog.record_image(host="a", unit="lsu0", name="etc.tar", size=2**40, modified=modified, fragments=2)


def copy(catalog: Catalog, copy_id: str = COPY, job_id: int | None = None) -> str:
    return catalog.start_copy(
        image_id=image(catalog).id,
        job_id=job_id,
        tape_url="ndmp://u@b:1/t0",
        algorithm=DigestAlgorithm.SHA256,
        record_bytes=65536,
        copy_id=copy_id,
        created=NOON,
    )


def fragment(index: int, file_sequence: int) -> Fragment:
    return Fragment(index, f"part{index}", 100_000, bytes(range(32)), (section(1, file_sequence, size=100_000),))


def section(number: int, file_sequence: int, *, volume: str = "ND0001", offset: int = 0, size: int = 131072) -> Section:
    return Section(number, volume, file_sequence, offset, size, -(-size // 65536), None)


def test_a_job_from_start_to_end(catalog: Catalog) -> None:
    number = start(catalog)
    job = catalog.job(number)
    assert (job.kind, job.state, job.status, job.step) == (JobKind.DUPLICATE, JobState.RUNNING, None, "")
    assert (job.started, job.ended, job.bytes_moved, job.bytes_total) == (NOON, None, 0, None)
    assert (job.pid, job.image, job.source) == (os.getpid(), "etc.tar", "ndmp://u@a:1/lsu0")
    catalog.event(number, "mount", "tape t0 is ready", time=NOON + SECOND)
    catalog.event(number, "write data", "began", time=NOON + 2 * SECOND)
    catalog.progress(number, 2**41, bytes_total=2**42)
    catalog.progress(number, 2**41 + 1)
    job = catalog.job(number)
    assert (job.step, job.bytes_moved, job.bytes_total) == ("write data", 2**41 + 1, 2**42)
    catalog.finish_job(number, JobState.FAILED, status=Status.MEDIA_WRITE_ERROR, reason="IO_ERR", ended=NOON)
    job = catalog.job(number)
    assert (job.state, job.status, job.reason) == (JobState.FAILED, Status.MEDIA_WRITE_ERROR, "IO_ERR")
    assert (job.step, job.ended) == ("write data", NOON)
    lines = [(event.time - NOON, event.step, event.text) for event in catalog.events(number)]
    assert lines == [(SECOND, "mount", "tape t0 is ready"), (2 * SECOND, "write data", "began")]


def test_jobs_newest_first(catalog: Catalog) -> None:
    numbers = [start(catalog, name) for name in ("a", "b", "c")]
    assert [job.id for job in catalog.jobs()] == numbers[::-1]
    assert [job.image for job in catalog.jobs(limit=2)] == ["c", "b"]


def test_an_unknown_status_number_is_kept(catalog: Catalog) -> None:
    number = start(catalog)
    catalog.finish_job(number, JobState.FAILED, status=Status(2816))
    assert catalog.job(number).status == 2816


def test_images_are_recorded_once(catalog: Catalog) -> None:
    first = image(catalog)
    assert (first.size, first.fragments) == (2**40, 2)
    assert image(catalog) == first
    assert image(catalog, modified=2).id != first.id


def test_a_copy_and_its_fragments(catalog: Catalog) -> None:
    number = start(catalog)
    catalog.add_volume("ND0001", tape_url="ndmp://u@b:1/t0", created=NOON)
    assert copy(catalog, job_id=number) == COPY
    assert catalog.job(number).copy_id == COPY
    for index, file_sequence in ((1, 2), (0, 1)):
        catalog.add_fragments(COPY, [fragment(index, file_sequence)])
    catalog.set_copy_state(COPY, CopyState.VALID, time=NOON + SECOND)
    found = catalog.copy(COPY)
    assert found == Copy(
        id=COPY,
        image=image(catalog),
        number=1,
        job_id=number,
        state=CopyState.VALID,
        tape_url="ndmp://u@b:1/t0",
        algorithm=DigestAlgorithm.SHA256,
        record_bytes=65536,
        created=NOON,
        validated=NOON + SECOND,
        validation="",
        expires=None,
        route="",
        fragments=(fragment(0, 1), fragment(1, 2)),
    )
    assert catalog.copies() == [found]
    volume = catalog.volume("ND0001")
    assert volume is not None
    assert (volume.files, volume.size, volume.created) == (2, 2 * 2 * 65536, NOON)
    catalog.set_copy_state(COPY, CopyState.FAILED)
    assert catalog.copy(COPY).validated is None
    verify = catalog.start_job(JobKind.VERIFY, image="etc.tar", source="", target="")
    catalog.use_copy(verify, COPY)
    assert catalog.job(verify).copy_id == COPY


def test_copies_by_prefix(catalog: Catalog) -> None:
    other = "0f8fad5b-0000-469f-a165-70867728950e"
    for copy_id in (COPY, other):
        copy(catalog, copy_id)
    assert catalog.copy("0f8fad5b-d").id == COPY
    assert catalog.copy("0F8FAD5B-0").id == other
    for prefix, words in [("0f8f", "more than one"), ("", "more than one"), ("1", "no copy"), ("%d9", "no copy")]:
        with pytest.raises(CatalogError, match=words):
            catalog.copy(prefix)


def test_volumes(catalog: Catalog) -> None:
    assert catalog.volume("ND0001") is None
    added = catalog.add_volume("ND0001", tape_url="ndmp://u@b:1/t0", created=NOON)
    assert (added.state, added.files, added.size) == (VolumeState.APPENDABLE, 0, 0)
    for label in ("ND0007", "NDX", "ND000A", "ZZ9999"):
        catalog.add_volume(label, tape_url="")
    assert catalog.reserve_volume("") == "ND0008"
    changed = catalog.update_volume("ND0001", state=VolumeState.FULL, files=3)
    assert (changed.state, changed.files, changed.tape_url) == (VolumeState.FULL, 3, "ndmp://u@b:1/t0")
    assert catalog.volume("ND0001") == changed
    assert [volume.label for volume in catalog.volumes()] == ["ND0001", "ND0007", "ND0008", "ND000A", "NDX", "ZZ9999"]
    catalog.add_volume("ND9999", tape_url="")
    with pytest.raises(CatalogError, match="by hand"):
        catalog.reserve_volume("")
    with pytest.raises(LabelError, match="volume id"):
        catalog.add_volume("nd-1", tape_url="")


def test_fragments_come_all_or_none(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    with pytest.raises(CatalogError, match="refuses this entry"):
        catalog.add_fragments(COPY, [fragment(0, 1), fragment(1, 1)])
    volume = catalog.volume("ND0001")
    assert volume is not None
    assert (volume.files, volume.size, catalog.copy(COPY).fragments) == (0, 0, ())
    catalog.add_fragments(COPY, [fragment(0, 1), fragment(1, 2)])
    volume = catalog.volume("ND0001")
    assert volume is not None
    assert (volume.files, volume.size) == (2, 2 * 2 * 65536)
    assert catalog.copy(COPY).fragments == (fragment(0, 1), fragment(1, 2))


def test_volumes_are_reserved(catalog: Catalog) -> None:
    assert catalog.reserve_volume("ndmp://u@b:1/t0") == "ND0001"
    assert catalog.reserve_volume("", "TAPE7") == "TAPE7"
    assert catalog.reserve_volume("", "ND0007") == "ND0007"
    assert catalog.reserve_volume("") == "ND0008"
    volume = catalog.volume("ND0001")
    assert volume is not None
    assert (volume.state, volume.files, volume.tape_url) == (VolumeState.APPENDABLE, 0, "ndmp://u@b:1/t0")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    catalog.update_volume("TAPE7", files=1)
    catalog.reserve_volume("", "ND9999")
    cases = [
        (lambda: catalog.reserve_volume("", "TAPE7"), "knows volume TAPE7 already"),
        (lambda: catalog.reserve_volume(""), "by hand"),
    ]
    before = catalog.volumes()
    for call, words in cases:
        with pytest.raises(CatalogError, match=words):
            call()
    with pytest.raises(LabelError, match="volume id"):
        catalog.reserve_volume("", "nd-1")
    assert catalog.volumes() == before


def test_a_fragment_over_several_volumes(catalog: Catalog) -> None:
    for label in ("ND0001", "ND0002"):
        catalog.add_volume(label, tape_url="")
    copy(catalog)
    catalog.add_section(COPY, 0, "part0", section(1, 1), time=NOON)
    with pytest.raises(CatalogError, match=r"131072 bytes are on tape of fragment 0 of copy .*, not 200000"):
        catalog.commit_fragment(COPY, 0, 200_000, b"d")
    assert catalog.copy(COPY).fragments == ()
    second = section(2, 1, volume="ND0002", offset=131072, size=68_928)
    catalog.add_section(COPY, 0, "part0", second)
    catalog.commit_fragment(COPY, 0, 200_000, b"d")
    found = catalog.copy(COPY)
    assert found.fragments == (Fragment(0, "part0", 200_000, b"d", (section(1, 1), second)),)
    assert found.volumes == ("ND0001", "ND0002")
    assert (found.fragments[0].volume, found.fragments[0].blocks) == ("ND0001", 4)
    first = catalog.volume("ND0001")
    assert first is not None
    assert (first.files, first.size, first.last_written) == (1, 131072, NOON)
    for call, words in [
        (lambda: catalog.add_section(COPY, 0, "part0", section(3, 2)), "is committed"),
        (lambda: catalog.abandon_sections(COPY, 0), "is committed"),
        (lambda: catalog.commit_fragment(COPY, 1, 0, b""), "nothing is on tape"),
    ]:
        with pytest.raises(CatalogError, match=words):
            call()
    assert catalog.copy(COPY) == found


def test_a_missing_section_is_seen(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    catalog.add_section(COPY, 0, "", section(2, 1, offset=131072))
    with pytest.raises(CatalogError, match=r"section 1 of fragment 0 of copy .* is missing"):
        catalog.commit_fragment(COPY, 0, 131072, b"")


def test_what_was_abandoned_takes_room_until_it_is_written_over(catalog: Catalog) -> None:
    for label in ("ND0001", "ND0002"):
        catalog.add_volume(label, tape_url="")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    catalog.add_section(COPY, 1, "part1", section(1, 2))
    catalog.add_section(COPY, 1, "part1", section(2, 1, volume="ND0002", offset=131072))
    catalog.abandon_sections(COPY, 1)
    catalog.abandon_sections(COPY, 1)
    files = [
        (one.file_sequence, one.fragment, one.section, one.size, one.dead) for one in catalog.volume_files("ND0001")
    ]
    assert files == [(1, 0, 1, 131072, False), (2, 1, 1, 131072, True)]
    assert [one.dead for one in catalog.volume_files("ND0002")] == [True]
    sizes = [(volume.files, volume.size) for volume in catalog.volumes()]
    assert sizes == [(2, 2 * 131072), (1, 131072)]
    catalog.add_section(COPY, 1, "part1", section(1, 3, size=65536))
    # The dead file is the first of what comes later: writing there ends the tape behind it.
    catalog.abandon_sections(COPY, 1)
    catalog.add_section(COPY, 1, "part1", section(1, 2, size=65536))
    catalog.commit_fragment(COPY, 1, 65536, b"d")
    assert [(one.file_sequence, one.dead) for one in catalog.volume_files("ND0001")] == [(1, False), (2, False)]
    volume = catalog.volume("ND0001")
    assert volume is not None
    assert (volume.files, volume.size) == (2, 131072 + 65536)


def test_what_the_catalog_refuses(catalog: Catalog) -> None:
    catalog.add_volume("ND0001", tape_url="")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    berlin = datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1)))
    catalog.set_copy_state(COPY, CopyState.VALID, time=berlin)
    assert catalog.copy(COPY).validated == NOON
    cases = [
        (lambda: catalog.job(99), "no job 99"),
        (lambda: catalog.events(99), "no job 99"),
        (lambda: catalog.event(99, "s", "t"), "no job 99"),
        (lambda: catalog.set_copy_state("x", CopyState.VALID), "no copy x"),
        (lambda: catalog.update_volume("ND0002"), "does not know volume ND0002"),
        (lambda: catalog.add_volume("ND0001", tape_url=""), "refuses this entry"),
        (lambda: catalog.add_fragments(COPY, [fragment(0, 2)]), "refuses this entry"),
        (lambda: catalog.add_fragments(COPY, [fragment(1, 1)]), "refuses this entry"),
        (lambda: copy(catalog), "refuses this entry"),
        (lambda: copy(catalog, "a", job_id=99), "refuses this entry"),
        (lambda: catalog.set_copy_state(COPY, CopyState.VALID, time=NOON.replace(tzinfo=None)), "without a zone"),
        (lambda: image(catalog, modified=2**63), "failed"),
    ]
    before = catalog.copies(), catalog.volumes(), catalog.jobs()
    for call, words in cases:
        with pytest.raises(CatalogError, match=words):
            call()
    assert (catalog.copies(), catalog.volumes(), catalog.jobs()) == before


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


def test_settings_of_sqlite(catalog: Catalog, file: Path) -> None:
    start(catalog)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT version FROM schema_version").fetchall() == [(2,)]
        assert connection.execute("SELECT state, started FROM jobs").fetchall() == [
            ("running", "2026-11-22 12:00:00.000000")
        ]


def test_another_version_is_refused_and_left_alone(file: Path) -> None:
    Catalog(f"sqlite:///{file}").close()
    for version, words in ((3, "newer program"), (0, "bring up 1")):
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE schema_version SET version = ?", (version,))
        with pytest.raises(CatalogError, match=f"version {version}.*{words}"):
            Catalog(f"sqlite:///{file}")
        with contextlib.closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT version FROM schema_version").fetchone() == (version,)


def test_databases_that_cannot_be_opened(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no database" * 100)
    cases = [
        (f"sqlite:///{tmp_path}/absent/catalog", "No such file"),
        (f"sqlite:///{garbage}", "not a database"),
        ("s3cret", "SQLAlchemy URL"),
        ("nosuch://u:s3cret@h/db", "nosuch"),
    ]
    for url, words in cases:
        with pytest.raises(CatalogError, match=words) as caught:
            Catalog(url)
        assert "s3cret" not in str(caught.value)


def script(file: Path, text: str) -> subprocess.Popen[str]:
    opening = f"from tests.duplicator.test_catalog import *\ncatalog = Catalog('sqlite:///{file}')\n"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", opening + text], text=True, **pipes)


def test_several_processes_on_one_file(file: Path) -> None:
    body = "\n".join(
        [
            "for n in range(20):",
            "    number = start(catalog, f'{os.getpid()}')",
            "    catalog.event(number, 'step', str(n))",
            "    catalog.progress(number, n)",
            "    image(catalog)",
        ]
    )
    processes = [script(file, body) for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Catalog(f"sqlite:///{file}") as catalog:
        jobs = catalog.jobs()
        assert len({job.id for job in jobs}) == 80
        assert len({job.pid for job in jobs}) == 4
        for process in processes:
            moved = [job.bytes_moved for job in jobs if job.pid == process.pid]
            assert moved == list(range(19, -1, -1))
        assert image(catalog).id == 1


def test_two_processes_never_reserve_the_same_label(catalog: Catalog, file: Path) -> None:
    body = "\n".join(
        [
            "print('ready', flush=True)",
            "input()",
            "labels = [catalog.reserve_volume('') for _ in range(50)]",
            "print(*labels)",
        ]
    )
    processes = [script(file, body) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    labels = [label for process in processes for label in process.communicate(timeout=60)[0].split()]
    assert sorted(labels) == [f"ND{number:04}" for number in range(1, 101)]
    assert [volume.label for volume in catalog.volumes()] == sorted(labels)


@pytest.mark.parametrize(("committed", "becomes"), [(False, CopyState.FAILED), (True, CopyState.INCOMPLETE)])
def test_a_killed_process_leaves_how_far_it_came(
    catalog: Catalog, file: Path, committed: bool, becomes: CopyState
) -> None:
    catalog.add_volume("ND0001", tape_url="")
    mine = start(catalog)
    body = "\n".join(
        [
            "number = start(catalog)",
            "copy(catalog, job_id=number)",
            "if committed: catalog.add_fragments(COPY, [fragment(0, 1)])",
            "catalog.add_section(COPY, 1, '', section(1, 2))",
            "catalog.event(number, 'write data', 'began')",
            "catalog.progress(number, 12345, bytes_total=99999)",
            "print(number, flush=True)",
            "input()",
        ]
    )
    process = script(file, f"committed = {committed}\n{body}")
    assert process.stdout is not None
    number = int(process.stdout.readline())
    assert catalog.mark_dead_jobs() == []
    assert catalog.job(number).state is JobState.RUNNING
    process.kill()
    # WNOWAIT leaves the corpse: a parent that has not yet collected it must not keep the job running.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    dead = catalog.mark_dead_jobs(time=NOON)
    process.communicate(timeout=10)
    assert [job.id for job in dead] == [number]
    job = catalog.job(number)
    assert (job.state, job.status, job.step, job.bytes_moved) == (JobState.DIED, None, "write data", 12345)
    assert job.reason == f"process {process.pid} ended at step 'write data', after 12345 of 99999 bytes"
    assert job.ended == NOON
    assert catalog.copy(COPY).state is becomes
    assert [one.index for one in catalog.copy(COPY).fragments] == [0] * committed
    assert [one.dead for one in catalog.volume_files("ND0001")] == [False] * committed + [True]
    assert [(run.number, run.ended, run.reason) for run in catalog.tries(number)] == [(1, NOON, job.reason)]
    assert catalog.job(mine).state is JobState.RUNNING
    assert catalog.mark_dead_jobs() == []


def test_a_number_that_went_to_another_process_does_not_keep_a_job_alive(catalog: Catalog, file: Path) -> None:
    number, elsewhere = start(catalog), start(catalog)
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE jobs SET process = 'an older one' WHERE id = ?", (number,))
        connection.execute("UPDATE jobs SET host = 'elsewhere', pid = 4999999 WHERE id = ?", (elsewhere,))
    assert [job.id for job in catalog.mark_dead_jobs()] == [number]
