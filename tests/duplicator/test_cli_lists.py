"""`jobs` and `copies` on a catalog with a past."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplicator.catalog import Catalog, CopyState, Fragment, JobKind, JobState, Section
from duplicator.cli.main import app
from duplicator.status import Status
from ndmp.enums import DigestAlgorithm

IDS = ("3f2a0000-0000-4000-8000-000000000000", "3f2a0000-1000-4000-8000-000000000000")
NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def catalog_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    with Catalog(url) as catalog:
        image = catalog.record_image(host="h:1", unit="l", name="mail.tar", size=1_500_000, modified=0, fragments=1)
        for number, copy_id in enumerate(IDS, start=1):
            job = catalog.start_job(
                JobKind.DUPLICATE, image="mail.tar", source="ndmp://u@h:1/l", target="ndmp://u@t:2/d", started=NOON
            )
            catalog.start_copy(
                image_id=image.id,
                job_id=job,
                tape_url="ndmp://u@t:2/d",
                algorithm=DigestAlgorithm.SHA256,
                record_bytes=65536,
                copy_id=copy_id,
                created=NOON,
            )
            catalog.event(job, "move data", f"fragment {number}", time=NOON)
            catalog.progress(job, 500_000, bytes_total=1_500_000)
        catalog.add_volume("ND0001", tape_url="ndmp://u@t:2/d")
        section = Section(1, "ND0001", 1, 0, 1_500_000, 23, None)
        catalog.add_fragments(IDS[0], [Fragment(0, "", 1_500_000, b"\xab" * 32, (section,))])
        catalog.set_copy_state(IDS[0], CopyState.VALID, time=NOON)
        catalog.set_copy_state(IDS[1], CopyState.FAILED)
        catalog.progress(1, 1_500_000)
        catalog.finish_job(1, JobState.DONE, status=Status.SUCCESS, ended=NOON)
        catalog.finish_job(
            2, JobState.FAILED, status=Status.MEDIA_WRITE_ERROR, reason="dirty \x1b[31m head", ended=NOON
        )
    return url


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def columns(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_jobs(catalog_url: str) -> None:
    heading, second, first = run("jobs", "--catalog", catalog_url).splitlines()
    assert columns(heading) == ["job", "kind", "state", "status", "image", "moved", "started", "step"]
    assert columns(second)[:6] == ["2", "duplicate", "failed", "84", "mail.tar", "500.0 kB of 1.5 MB"]
    assert columns(first)[:6] == ["1", "duplicate", "done", "0", "mail.tar", "1.5 MB"]
    assert columns(first)[-1] == "move data"
    assert len(run("jobs", "--limit", "1", "--catalog", catalog_url).splitlines()) == 2


def test_jobs_json(catalog_url: str) -> None:
    found = json.loads(run("jobs", "--json", "--catalog", catalog_url))["jobs"]
    assert [job["job"] for job in found] == [2, 1]
    assert found[0]["status"] == 84
    assert found[0]["status_text"] == "writing to the tape failed"
    assert found[0]["bytes_moved"] == 500_000
    assert found[1]["copy"] == IDS[0]
    assert found[1]["started"] == "2024-03-01T12:00:00+00:00"


def test_one_job(catalog_url: str) -> None:
    shown = run("jobs", "2", "--catalog", catalog_url)
    assert "status   84, writing to the tape failed\n" in shown
    assert "reason   dirty \\x1b[31m head\n" in shown
    assert "next     Clean the drive" in shown
    assert columns(shown.splitlines()[-1])[2:] == ["move data", "fragment 2"]
    document = json.loads(run("jobs", "2", "--json", "--catalog", catalog_url))
    line = {"time": "2024-03-01T12:00:00+00:00", "try": 1, "step": "move data", "text": "fragment 2"}
    assert document["events"] == [line]
    assert [(each["try"], each["status"]) for each in document["tries"]] == [(1, 84)]


def test_copies(catalog_url: str) -> None:
    heading, first, second = run("copies", "--catalog", catalog_url).splitlines()
    names = ["copy", "state", "image", "size", "fragments", "volumes", "digest", "validated", "expires", "tape"]
    assert columns(heading) == names
    # As much of the ids as tells them apart.
    assert columns(first)[:7] == ["3f2a0000-0", "valid", "mail.tar", "1.5 MB", "1 of 1", "ND0001", "sha256"]
    assert columns(second)[:7] == ["3f2a0000-1", "failed", "mail.tar", "1.5 MB", "0 of 1", "-", "sha256"]
    assert columns(first)[-1] == "ndmp://u@t:2/d"
    valid, failed = json.loads(run("copies", "--json", "--catalog", catalog_url))["copies"]
    assert (valid["state"], failed["state"]) == ("valid", "failed")
    assert valid["validated"] == "2024-03-01T12:00:00+00:00"
    assert valid["fragments"][0]["digest"] == "ab" * 32
    assert (valid["number"], valid["volumes"], valid["expires"]) == (1, ["ND0001"], None)
    assert valid["fragments"][0]["sections"] == [
        {"section": 1, "volume": "ND0001", "file_sequence": 1, "offset": 0, "bytes": 1_500_000, "blocks": 23}
    ]


def test_empty_catalog(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/empty.sqlite"
    assert run("jobs", "--catalog", url) == "no jobs yet\n"
    assert run("copies", "--catalog", url) == "no copies yet\n"
    assert json.loads(run("jobs", "--json", "--catalog", url)) == {"jobs": []}


def test_the_catalog_of_the_environment(catalog_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDMPDUP_CATALOG", catalog_url)
    assert len(run("jobs").splitlines()) == 3
