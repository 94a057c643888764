"""ndmjob's own tests of NDMP servers, and its tape tools, against our host.

The tests of the mover (100 checks) and of the data server (24) are in reach. The test of the tape is not: the packaged
program never sends the empty TAPE_WRITE of its group T-BW, so only what comes before that can pass. With a library in
front of it that mends the program, all but what contradicts the draft passes (docs/interop.md).
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest

from tests.interop.places import DEVICE, Stage
from tests.peers import Agent, Application, require_peer

LOGINS = pytest.mark.parametrize("login", ["t", "m"], ids=["text", "md5"])


@dataclasses.dataclass(frozen=True)
class OurHost:
    """Our host with a tape and a tree, and ndmjob as its application."""

    application: Application
    agent: Agent

    def asks(self, role: str, *options: str, login: str = "t") -> str:
        """What ndmjob says when it talks to us in a role: ``-T`` the tape, ``-D`` the files."""
        device = ["-f", DEVICE] if role == "-T" else []
        return self.application.run(*options, role, dataclasses.replace(self.agent, login=login), *device).text


@pytest.fixture
def our_host(stage: Stage) -> OurHost:
    return OurHost(stage.application, stage.ours(tape=True, tree=True))


def groups(report: str) -> dict[str, tuple[str, int]]:
    """Of each group of checks: the verdict, and how many passed."""
    lines = re.findall(r'"(?:Test|FINAL) (\S+) (Passed|Almost|Failed) -- pass=(\d+) warn=0 fail=0', report)
    return {name: (verdict, int(passed)) for name, verdict, passed in lines}


@LOGINS
def test_mover(our_host: OurHost, login: str) -> None:
    report = our_host.asks("-T", "-o", "test-mover", login=login)
    assert groups(report) == {
        "M-IDLE": ("Passed", 7),
        "M-LISTEN": ("Passed", 3),
        "M-LISTEN/bogus-args": ("Passed", 2),
        "M-LISTEN/not-open": ("Passed", 8),
        "M-LISTEN/tape-ro": ("Passed", 30),
        "M-LISTEN/tape-rw": ("Passed", 50),
        "test-mover": ("Passed", 100),
    }
    assert "LOCAL and TCP addressing tested." in report
    assert "Operation complete" in report


@LOGINS
def test_data(our_host: OurHost, login: str) -> None:
    report = our_host.asks("-D", "-o", "test-data", login=login)
    assert groups(report) == {
        "D-IDLE": ("Passed", 3),
        "D-LISTEN": ("Passed", 19),
        "D-LISTEN/bogus-args": ("Passed", 1),
        "test-data": ("Passed", 24),
    }
    assert "LOCAL and TCP addressing tested." in report
    assert "Operation complete" in report


def test_tape(our_host: OurHost) -> None:
    report = our_host.asks("-T", "-o", "test-tape")
    assert groups(report) == {"T-OC": ("Passed", 8), "T-BGS": ("Passed", 4)}
    assert "T-BW #6 -- Failed" in report, "the first check that the program itself makes impossible"


def test_the_strict_profile_is_the_drafts(stage: Stage) -> None:
    strict = OurHost(stage.application, stage.ours(tape=True, tree=True, profile="strict"))
    report = strict.asks("-T", "-o", "test-mover")
    assert "M-IDLE #6 -- Failed" in report, "a window, and no record size"
    assert groups(strict.asks("-D", "-o", "test-data"))["test-data"] == ("Passed", 24)


BEFORE_BWR = {"T-OC": 8, "T-BGS": 4, "T-BW": 13, "T-BR": 20}
WITHOUT_BWR_AND_READ = {**BEFORE_BWR, "T-WRITE": 11, "T-MTIO": 11, "test-tape": 98}


@pytest.mark.parametrize(
    ("skip", "passed", "verdict"),
    [
        ([], BEFORE_BWR, "T-BWR #12 -- Failed NDMP4_TAPE_MTIO/NDMP9_NO_ERR Residual incorrect, got 100"),
        (["-DSKIP"], WITHOUT_BWR_AND_READ, '"Operation complete"'),
    ],
    ids=["from the start", "the rest"],
)
def test_tape_with_a_mended_program(
    our_host: OurHost, tmp_path: Path, skip: list[str], passed: dict[str, int], verdict: str
) -> None:
    library = tmp_path / "mended.so"
    source = Path(__file__).with_name("ndmjob_mended.c")
    subprocess.run([require_peer("cc"), "-shared", "-fPIC", *skip, "-o", library, source], check=True, timeout=60)
    application = dataclasses.replace(our_host.application, environment={"LD_PRELOAD": str(library)})
    report = dataclasses.replace(our_host, application=application).asks("-T", "-o", "test-tape")
    assert groups(report) == {name: ("Passed", count) for name, count in passed.items()}
    assert verdict in report


def test_a_label_that_ndmjob_writes_is_the_label_it_reads(our_host: OurHost) -> None:
    assert "Operation complete" in our_host.asks("-T", "-o", "init-labels", "-m", "VOL001")
    report = our_host.asks("-T", "-l", "-m", "VOL001", login="m")
    assert "VOL001" in report
    assert "Operation complete" in report


def test_a_tape_is_rewound_and_ejected(our_host: OurHost) -> None:
    for command in ("rewind", "eject"):
        assert '"Operation complete"' in our_host.asks("-T", "-o", command), command


def test_what_ndmjob_shows_of_us(our_host: OurHost, tmp_path: Path) -> None:
    report = our_host.asks("-T", "-q")
    for line in (
        "vendor     ndmpdup",
        "auths      (2)  NDMP4_AUTH_MD5 NDMP4_AUTH_TEXT",
        "addr_types (2)  NDMP4_ADDR_TCP NDMP4_ADDR_LOCAL",
        "set        BARCODE=VOL001",
    ):
        assert line in report, line
    report = our_host.asks("-D", "-q")
    for line in (
        "Backup type info of tar format",
        "Backup type info of dump format",
        f"File system {tmp_path}",
        "status     online",
    ):
        assert line in report, line


def test_a_wrong_password(our_host: OurHost) -> None:
    agent = dataclasses.replace(our_host.agent, password="wrong")
    assert "connect-auth-md5-failed" in our_host.application.run("-q", "-T", agent).text
