"""`ndmpdup serve` as a process: when it listens, how it ends, what it refuses."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVE = [sys.executable, "-m", "duplicator.cli.main", "serve", "--user", "u"]
DEADLINE = 30.0


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("s3cret\n")
    return path


@contextmanager
def serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the line it says when it is ready (nothing if it fails)."""
    process = subprocess.Popen([*SERVE, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def test_listens_and_stops(tmp_path: Path, password: Path) -> None:
    port_file = tmp_path / "port"
    tape = f"drive1=virtual:{tmp_path}/shelf/T1?capacity=1M"
    options = ["--listen", "127.0.0.1:0", "--password-file", str(password), "--port-file", str(port_file)]
    made = f"made a new blank cartridge for drive1: {tmp_path}/shelf/T1\n"
    for number, told in ((signal.SIGTERM, made), (signal.SIGINT, "")):
        with serving(*options, "--lsu", f"unit1={tmp_path}", "--tape", tape, "-v") as (process, ready):
            address = port_file.read_text()
            host, port = address.strip().split(":")
            assert ready == f"listening on {host}:{port}; units: unit1; tapes: drive1\n"
            if told:
                assert process.stdout is not None
                assert process.stdout.readline() == told
            assert address == f"{host}:{port}\n"
            # With a session, which is told and let go.
            with socket.create_connection((host, int(port)), timeout=DEADLINE) as session:
                assert session.recv(4096)
                process.send_signal(number)
                while session.recv(4096):
                    pass
            output, log = process.communicate(timeout=DEADLINE)
            assert process.returncode == 0, log
            assert output == ""
            assert "begins" in log
            assert "s3cret" not in log
        assert not port_file.exists()
        assert (tmp_path / "shelf" / "T1.index").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"password", "shelf"}


def test_without_v_it_says_one_line(tmp_path: Path, password: Path) -> None:
    options = ["--listen", "127.0.0.1:0", "--password-file", str(password), "--lsu", f"unit1={tmp_path}"]
    with serving(*options) as (process, ready):
        host, port = ready.removeprefix("listening on ").partition(";")[0].split(":")
        socket.create_connection((host, int(port)), timeout=DEADLINE).close()
        process.terminate()
        assert process.communicate(timeout=DEADLINE) == ("", "")
        assert process.returncode == 0


def test_address_in_use(tmp_path: Path, password: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ["--listen", address, "--password-file", str(password), "--port-file", str(tmp_path / "port")]
        with serving(*options, "--lsu", f"a={tmp_path}") as (process, ready):
            _, complaint = process.communicate(timeout=DEADLINE)
            assert process.returncode == 1
    assert ready == ""
    assert complaint.startswith(f"ndmpdup: cannot listen on {address}: Address already in use; choose another")
    assert len(complaint.splitlines()) == 1
    assert not (tmp_path / "port").exists()


def test_the_port_file_has_no_folder(tmp_path: Path, password: Path) -> None:
    options = ["--listen", "127.0.0.1:0", "--password-file", str(password), "--port-file", str(tmp_path / "no" / "p")]
    with serving(*options, "--lsu", f"a={tmp_path}") as (process, ready):
        _, complaint = process.communicate(timeout=DEADLINE)
        assert process.returncode == 1
    assert ready == ""
    assert "No such file or directory" in complaint
    assert "Traceback" not in complaint
