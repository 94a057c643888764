"""The main job through the command line, between real host processes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState, JobState
from duplicator.cli.children import HostStartError, host_process
from duplicator.plan import Step
from duplicator.status import Status

SECRET = "s3cret-word"
NDMPDUP = [sys.executable, "-m", "duplicator.cli.main"]
DEADLINE = 60.0


@dataclass(frozen=True)
class Site:
    """An appliance, a tape server, and what a user of both has."""

    folder: Path
    unit: str
    tape: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "NDMPDUP_PASSWORD": SECRET,
            "NDMPDUP_CATALOG": f"sqlite:///{self.folder}/catalog.sqlite",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }

    @property
    def places(self) -> list[str]:
        return ["--from", self.unit, "--to", self.tape]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*NDMPDUP, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        with self.start(*arguments) as process:
            output, complaints = process.communicate(timeout=DEADLINE)
        assert process.returncode == code, complaints
        assert SECRET not in output + complaints
        assert "Traceback" not in complaints
        return output, complaints

    def catalog(self) -> Catalog:
        return Catalog(f"sqlite:///{self.folder}/catalog.sqlite")


def make_images(unit: Path) -> None:
    rng = random.Random(1)
    (unit / "parts").mkdir(parents=True)
    (unit / "single").write_bytes(rng.randbytes(200_001))
    (unit / "empty").touch()
    for index, size in enumerate((70_000, 0, 65_536)):
        (unit / "parts" / f"{index}").write_bytes(rng.randbytes(size))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    make_images(tmp_path / "unit")
    (tmp_path / "pw").touch(mode=0o600)
    (tmp_path / "pw").write_text(SECRET)
    login = ["--user", "u", "--password-file", str(tmp_path / "pw"), "-v"]
    units = ["--lsu", f"l={tmp_path}/unit", "--lsu", f"back={tmp_path}"]
    tape = ["--tape", f"d=virtual:{tmp_path}/T1?capacity=10M&sync=no"]
    with (
        host_process(tmp_path, "appliance", [*login, *units]) as appliance,
        host_process(tmp_path, "tape", [*login, *tape]) as tape_server,
    ):
        yield Site(tmp_path, f"ndmp://u@{appliance}/l", f"ndmp://u@{tape_server}/d")
    for path in (*tmp_path.glob("*.log"), *tmp_path.glob("catalog.sqlite*")):
        assert SECRET.encode() not in path.read_bytes()


def test_duplicate_verify_restore(site: Site) -> None:
    output, lines = site.run("duplicate", "single", "empty", "parts", *site.places, "--volume", "VOL7", "--json")
    document = json.loads(output)
    assert document["success"] is True
    assert [
        (job["image"], job["status"], job["bytes"], job["volume"], job["validated"]) for job in document["jobs"]
    ] == [
        ("single", 0, 200_001, "VOL7", True),
        ("empty", 0, 0, "VOL7", True),
        ("parts", 0, 135_536, "VOL7", True),
    ]
    assert " job 1: check image: " in lines
    assert "\x1b" not in lines

    # The tape is where the catalog says.
    copies = [job["copy"] for job in document["jobs"]]
    output, _ = site.run("verify", *copies)
    assert output.count(", validated") == 3
    output, _ = site.run("restore", copies[2], "--to", str(site.folder / "here"), "--json")
    assert json.loads(output)["jobs"][0]["status"] == 0
    for index in range(3):
        source = site.folder / "unit" / "parts" / f"{index}"
        assert (site.folder / "here" / "parts" / f"{index}").read_bytes() == source.read_bytes()
    there = site.unit.rpartition("/")[0] + "/back"
    site.run("restore", copies[0], "--to", there, "--from", site.tape)
    assert (site.folder / "single").read_bytes() == (site.folder / "unit" / "single").read_bytes()
    # Nothing is replaced.
    _, complaint = site.run("restore", copies[0], "--to", there, code=1)
    assert "ndmpdup: job 9 (single): status " in complaint


def test_a_catalog_that_fails_midway(site: Site) -> None:
    site.catalog().close()
    with contextlib.closing(sqlite3.connect(site.folder / "catalog.sqlite")) as connection, connection:
        for table, when in (
            ("jobs", "NEW.image = 'empty'"),
            ("job_events", "NEW.job_id = 1 AND NEW.text LIKE '%flows%'"),
        ):
            refusal = f"BEFORE INSERT ON {table} WHEN {when} BEGIN SELECT RAISE(ABORT, 'the disk is gone'); END"
            connection.execute(f"CREATE TRIGGER refuse_{table} {refusal}")
    output, complaints = site.run("duplicate", "single", "empty", "parts", *site.places, "--json", code=1)
    document = json.loads(output)
    ended = [(job["image"], job["status"], job["step"], job["validated"]) for job in document["jobs"]]
    assert ended == [
        ("single", 220, Step.MOVE.value, False),
        ("empty", 220, Step.PREPARE.value, False),
        ("parts", 0, Step.DONE.value, True),
    ]
    assert "ndmpdup: empty: status 220, " in complaints
    assert f"job 1: {Step.MOVE.value}: the catalog cannot be written: " in complaints
    assert f"job 1: {Step.MOVE.value}: cleaning up: closing the tape done" in complaints
    with site.catalog() as catalog:
        assert [(job.state, job.status) for job in catalog.jobs()] == [(JobState.DONE, 0), (JobState.FAILED, 220)]
        failed, good = sorted(catalog.copies(), key=lambda copy: copy.image.name == "parts")
    assert (failed.state, good.state) == (CopyState.FAILED, CopyState.VALID)
    # The volume was cut back to where it was.
    assert [fragment.file_sequence for fragment in good.fragments] == [1, 2, 3]


def test_one_image_of_two(site: Site) -> None:
    output, complaints = site.run("duplicate", "absent", "single", *site.places, "--digest", "sha256", code=1)
    assert "ndmpdup: job 1 (absent): status 190, no image matches" in complaints
    assert "List the images" in complaints
    assert output.startswith("job 2: single, 200.0 kB, copy ")
    assert output.endswith(", validated\n")
    assert "sha256" in site.run("copies")[0]


def test_a_wrong_password(site: Site) -> None:
    wrong = site.folder / "wrong"
    wrong.touch(mode=0o600)
    wrong.write_text("gu3ss")
    options = ["--to-password-file", str(wrong), "--json"]
    output, complaints = site.run("duplicate", "single", *site.places, *options, code=1)
    job = json.loads(output)["jobs"][0]
    assert (job["status"], job["step"], job["validated"]) == (99, "write side: session", False)
    assert "gu3ss" not in output + complaints


def test_looking_around(site: Site) -> None:
    document = json.loads(site.run("probe", site.tape, "--json")[0])
    assert document["ndmp_version"] == 4
    assert document["file_service"] == ["tape digest"]
    assert [tape["name"] for tape in document["tapes"]] == ["d"]
    assert "units" in site.run("probe", site.unit)[0]
    units = json.loads(site.run("images", site.unit.rpartition("/")[0], "--json")[0])["units"]
    assert [unit["name"] for unit in units] == ["back", "l"]
    images = json.loads(site.run("images", site.unit, "--json")[0])["images"]
    assert [(image["name"], image["bytes"], image["fragments"]) for image in images] == [
        ("empty", 0, 1),
        ("parts", 135_536, 3),
        ("single", 200_001, 1),
    ]
    assert "status 213" in site.run("images", site.unit + "x", code=1)[1]


def test_signals_cancel_the_job(tmp_path: Path) -> None:
    """The appliance accepts the connection and says nothing, so the job waits in a known step."""
    for number, code, times in ((signal.SIGINT, 130, 1), (signal.SIGTERM, 143, 1), (signal.SIGINT, 130, 3)):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(DEADLINE)
            url = f"ndmp://u@127.0.0.1:{silent.getsockname()[1]}/x"
            site = Site(tmp_path, url, url)
            with site.start("duplicate", "a", "b", *site.places, "--json") as process:
                connection, _ = silent.accept()
                with connection:
                    for _ in range(times):
                        process.send_signal(number)
                    output, complaints = process.communicate(timeout=DEADLINE)
        assert process.returncode == code, complaints
        assert json.loads(output) == {"jobs": [], "status": 150, "success": False, "interrupted": True}
        assert "Traceback" not in complaints
        with site.catalog() as catalog:
            catalog.mark_dead_jobs()
            job = catalog.jobs()[0]
            assert job.image == "a"
            assert job.state in (JobState.CANCELLED, JobState.DIED)
            if times == 1:
                assert (job.state, job.status) == (JobState.CANCELLED, Status.CANCELLED)


def test_a_host_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "pw").touch(mode=0o644)
    with (
        pytest.raises(HostStartError, match=r"appliance ended at once: ndmpdup: .*chmod 600"),
        host_process(tmp_path, "appliance", ["--user", "u", "--password-file", f"{tmp_path}/pw", "--lsu", "a=."]),
    ):
        pytest.fail("it started")
