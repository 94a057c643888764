"""`ndmpdup xbsa`: objects from and into files and pipes, and nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplicator.cli.main import app
from duplicator.xbsa.wire import Fault
from tests.duplicator.xbsa.fake_service import NOON, FakeService

CONTENT = bytes(range(256)) * 20_000
COMMAND = [sys.executable, "-m", "duplicator.cli.main", "xbsa"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("TZ", "UTC")


def run(*words: str, code: int = 0) -> str:
    """What it prints; what it complains about if it fails."""
    result = CliRunner().invoke(app, ("xbsa", *words))
    assert result.exit_code == code, result.output
    return result.stdout if not code else result.stderr


def pipe(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *words], input=given, capture_output=True, timeout=60, check=False)


def test_round_trip_of_files(service: FakeService) -> None:
    Path("in").write_bytes(CONTENT)
    assert run("put", "/one", "in", "--description", "mine", "--archive") == "/one: 5.1 MB, copy id 1\n"
    assert json.loads(run("put", "/one", "in", "--json")) == {"copy_id": 2, "path": "/one", "size": len(CONTENT)}
    assert [found.descriptor.copy_type for found, _ in service.objects.values()] == [2, 3]
    assert [found.descriptor.estimated_size for found, _ in service.objects.values()] == [len(CONTENT)] * 2
    assert run("get", "/one", "out") == "/one: 5.1 MB, copy id 2\n"
    assert Path("out").read_bytes() == CONTENT
    told = json.loads(run("get", "1", "second", "--json"))
    assert (told["copy_id"], told["description"], told["copy_type"]) == (1, "mine", "archive")
    assert sorted(os.listdir()) == ["in", "out", "second", "service"]


def test_pipes(service: FakeService) -> None:
    put = pipe("put", "/piped", given=CONTENT)
    assert (put.returncode, put.stdout) == (0, b"/piped: 5.1 MB, copy id 1\n"), put.stderr
    assert service.objects[1][1] == CONTENT
    assert service.objects[1][0].descriptor.estimated_size > 0
    got = pipe("get", "/piped")
    assert (got.returncode, got.stdout) == (0, CONTENT), got.stderr
    assert b"waiting: a drive" in got.stderr
    assert pipe("put", "/empty", "-").returncode == 0
    assert pipe("get", "/empty").stdout == b""


def test_a_file_appears_when_it_is_whole(service: FakeService) -> None:
    service.store("/one", CONTENT)
    for step in ("go", "half", "ended"):
        service.faults = {step: Fault(3, 85, "the disk is bad")}
        assert "the disk is bad" in run("get", "/one", "out", code=1)
        service.faults = {}
        assert os.listdir() == ["service"]
    service.server_status = 85
    assert "status 85" in run("get", "/one", "out", code=1)
    assert os.listdir() == ["service"]


def test_a_file_is_not_overwritten(service: FakeService) -> None:
    service.store("/one", b"new")
    Path("out").write_bytes(b"old")
    assert "not overwritten without --force" in run("get", "/one", "out", code=2)
    assert Path("out").read_bytes() == b"old"
    service.faults = {"half": Fault(3, 85, "the disk is bad")}
    run("get", "/one", "out", "--force", code=1)
    assert Path("out").read_bytes() == b"old"
    service.faults = {}
    run("get", "/one", "out", "--force")
    assert Path("out").read_bytes() == b"new"
    Path("folder").mkdir()
    assert "name a file in it" in run("get", "/one", "folder", "--force", code=2)


def test_lists(service: FakeService) -> None:
    assert run("ls") == "no objects\n"
    service.store("/a", b"12345", description="first")
    service.store("/a\x1b", b"")
    service.store("/a", b"1")
    headings, *lines = run("ls").splitlines()
    assert headings.split() == ["copy", "id", "created", "size", "type", "path", "description"]
    created = NOON.strftime("%Y-%m-%d")
    assert [line.split() for line in lines] == [
        ["1", created, "12:01:00", "5", "B", "backup", "/a", "first"],
        ["2", created, "12:02:00", "0", "B", "backup", "/a\\x1b", "-"],
        ["3", created, "12:03:00", "1", "B", "backup", "/a", "-"],
    ]
    assert [one["copy_id"] for one in json.loads(run("ls", "/a", "--json"))["objects"]] == [1, 3]
    assert [one["copy_id"] for one in json.loads(run("ls", "--newest", "--json"))["objects"]] == [2, 3]
    assert run("ls", "--host", "elsewhere") == "no objects\n"


def test_history(service: FakeService) -> None:
    service.store("/a", b"12345")
    assert run("history", "/a").splitlines() == [
        "/a, copy id 1, 5 B, of 2026-05-04 12:01:00, the newest",
        "  disk: unit1, there",
        "  tape: A00001 A00002, VALID, copy 3f2a",
        "  jobs 7",
    ]
    (told,) = json.loads(run("history", "--json"))["objects"]
    assert told["jobs"] == [7]
    assert told["copies"][1] == {"kind": "tape", "where": "A00001 A00002", "state": "VALID", "copy": "3f2a"}
    assert run("history", "/none") == "no objects\n"


def test_rm(service: FakeService) -> None:
    for path in ("/a", "/b", "/a", "/c"):
        service.store(path)
    refused = run("rm", "/a", code=2)
    assert "objects that would be lost: 2; give --yes" in refused
    assert "/a, copy id 3" in refused
    assert "there is no object /none; nothing was deleted" in run("rm", "/a", "/none", "--yes", code=2)
    assert "copy id 2" in run("rm", "2", "--dry-run")
    assert sorted(service.objects) == [1, 2, 3, 4]
    assert len(run("rm", "/a", "2", "1", "--yes").splitlines()) == 3
    assert sorted(service.objects) == [4]
    assert json.loads(run("rm", "/*", "--yes", "--json"))["deleted"][0]["path"] == "/c"
    assert service.objects == {}


@pytest.mark.parametrize(("answer", "left"), [("n\n", 1), ("y\n", 0)])
def test_rm_asks_a_terminal(service: FakeService, answer: str, left: int) -> None:
    service.store("/a")
    leader, follower = os.openpty()
    with subprocess.Popen([*COMMAND, "rm", "/a"], stdin=follower, stderr=subprocess.PIPE) as process:
        os.close(follower)
        os.write(leader, answer.encode())
        assert process.stderr is not None
        assert b"Delete these 1?" in process.stderr.read()
        assert process.wait(timeout=30) == (2 if left else 0)
    os.close(leader)
    assert len(service.objects) == left


def test_usage(service: FakeService) -> None:
    cases = [
        (("put", "file", "/one"), "write PATH first, then FILE"),
        (("put", "/one", "absent"), "No such file"),
        (("put",), "Missing argument"),
        (("get", "/one", "--json"), "both want standard output"),
        (("get", "/one", "out"), "there is no object /one"),
        (("get", "7", "out"), "there is no object with copy id 7"),
        (("get", "/one", "out", "--source", "cloud"), "cloud"),
        (("rm",), "Missing argument"),
    ]
    for words, text in cases:
        assert text in run(*words, code=1 if "absent" in words else 2), words
    assert service.objects == {}
    assert os.listdir() == ["service"]


def test_no_service(tmp_path: Path) -> None:
    text = run("ls", "--service", str(tmp_path / "none"), code=1)
    assert f"no service at {tmp_path}/none: run `ndmpdup xbsa serve`" in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_leave_nothing(service: FakeService, number: signal.Signals, code: int) -> None:
    """In the middle of the object, which the service never ends; no file, no object, and an exit code that says so."""
    command = [*COMMAND, "put", "/one"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(CONTENT)
        process.stdin.flush()
        assert service.began.wait(timeout=30)
        process.send_signal(number)
        assert process.wait(timeout=30) == code
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    service.store("/slow", CONTENT)
    service.began.clear()
    service.waits.add("half")
    with subprocess.Popen([*COMMAND, "get", "/slow", "out"], stderr=subprocess.PIPE) as process:
        assert service.began.wait(timeout=30)
        process.send_signal(number)
        assert process.wait(timeout=30) == code
    service.go_on.set()
    assert os.listdir() == ["service"]
    assert [found.descriptor.path for found, _ in service.objects.values()] == ["/slow"]
