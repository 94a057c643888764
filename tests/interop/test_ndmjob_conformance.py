"""ndmjob's own tests of NDMP servers, and its tape tools, against our host.

The mover test's 100 checks are all in reach. The tape test of the packaged program is not: it never sends the empty
TAPE_WRITE of its group T-BW, so only what comes before that can pass.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers import Namespace, require_peer
from tests.peers.namespace import read_line

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class OurHost:
    """Our host in a namespace, and ndmjob as its application."""

    namespace: Namespace
    port: int

    def ndmjob(self, *options: str, login: str = "4t") -> str:
        """What ndmjob says, all of it."""
        server = f"127.0.0.1:{self.port}/{login},ndmp,ndmp"
        command = [require_peer("ndmjob"), "-v", "-d3", "-o", "no-time-stamps", *options, "-T", server, "-f", "tape"]
        done = self.namespace.run(command, check=False, timeout=60)
        return done.stdout + done.stderr


@pytest.fixture
def our_host(namespace: Namespace, tmp_path: Path) -> Iterator[OurHost]:
    program = [sys.executable, "-m", "tests.interop.ndmp_host", f"virtual:{tmp_path}/VOL001?capacity=100M"]
    process = namespace.popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    yield OurHost(namespace, int(read_line(process.stdout)))
    process.stdin.close()
    assert process.wait(timeout=20) == 0


def groups(report: str) -> dict[str, tuple[str, int]]:
    """Of each group of checks: the verdict, and how many passed."""
    lines = re.findall(r'"(?:Test|FINAL) (\S+) (Passed|Almost|Failed) -- pass=(\d+) warn=0 fail=0', report)
    return {name: (verdict, int(passed)) for name, verdict, passed in lines}


@pytest.mark.parametrize("login", ["4t", "4m"], ids=["text", "md5"])
def test_mover(our_host: OurHost, login: str) -> None:
    report = our_host.ndmjob("-o", "test-mover", login=login)
    assert groups(report) == {
        "M-IDLE": ("Passed", 7),
        "M-LISTEN": ("Passed", 3),
        "M-LISTEN/bogus-args": ("Passed", 1),
        "M-LISTEN/not-open": ("Passed", 4),
        "M-LISTEN/tape-ro": ("Passed", 16),
        "M-LISTEN/tape-rw": ("Passed", 26),
        "test-mover": ("Passed", 57),
    }
    assert "TCP addressing ONLY tested." in report, "the other 43 are the same by LOCAL, which we do not offer"
    assert "Operation complete" in report


def test_tape(our_host: OurHost) -> None:
    report = our_host.ndmjob("-o", "test-tape")
    assert groups(report) == {"T-OC": ("Passed", 8), "T-BGS": ("Passed", 4)}
    assert "T-BW #6 -- Failed" in report, "the first check that the program itself makes impossible"


def test_a_label_that_ndmjob_writes_is_the_label_it_reads(our_host: OurHost) -> None:
    assert "Operation complete" in our_host.ndmjob("-o", "init-labels", "-m", "VOL001")
    report = our_host.ndmjob("-l", "-m", "VOL001", login="4m")
    assert "VOL001" in report
    assert "Operation complete" in report


def test_what_ndmjob_shows_of_us(our_host: OurHost) -> None:
    report = our_host.ndmjob("-q")
    for line in (
        "vendor     ndmpdup",
        "auths      (2)  NDMP4_AUTH_MD5 NDMP4_AUTH_TEXT",
        "addr_types (1)  NDMP4_ADDR_TCP",
    ):
        assert line in report
    assert "set        BARCODE=VOL001" in report


def test_a_wrong_password(our_host: OurHost) -> None:
    command = [require_peer("ndmjob"), "-q", "-T", f"127.0.0.1:{our_host.port}/4m,ndmp,wrong"]
    assert "connect-auth-md5-failed" in our_host.namespace.run(command, check=False).stdout
