"""ndmjob's tape tools against the host of examples/: a drive that is a list, with the library around it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers import Namespace, require_peer
from tests.peers.namespace import read_line

EXAMPLE = Path(__file__).parents[2] / "examples" / "host.py"
Ndmjob = Callable[..., str]


@pytest.fixture
def ndmjob_asks(namespace: Namespace, tmp_path: Path) -> Iterator[Ndmjob]:
    """Runs ndmjob, which asks the example's host; gives what it says."""
    password = tmp_path / "password"
    password.write_text("ndmp\n")
    program = [sys.executable, str(EXAMPLE), "--port", "0", "--user", "ndmp", "--password-file", str(password)]
    process = namespace.popen(program, stdout=subprocess.PIPE)
    assert process.stdout is not None
    server = f"{read_line(process.stdout)}/4m,ndmp,ndmp"

    def ask(*options: str) -> str:
        command = [require_peer("ndmjob"), "-v", "-d3", "-o", "no-time-stamps", *options, "-T", server]
        done = namespace.run(command, check=False, timeout=60)
        return done.stdout + done.stderr

    yield ask
    process.terminate()
    assert process.wait(timeout=20) == 0


def test_a_label_that_ndmjob_writes_is_the_label_it_reads(ndmjob_asks: Ndmjob) -> None:
    """Of the second run it says "had problems" with its own server too: a label ends where it wants an index."""
    assert 'ME "' not in ndmjob_asks("-l", "-m", "EXAMPLE1", "-f", "drive"), "the tape is blank"
    assert '"Operation complete"' in ndmjob_asks("-o", "init-labels", "-m", "EXAMPLE1", "-f", "drive")
    assert 'ME "EXAMPLE1"' in ndmjob_asks("-l", "-m", "EXAMPLE1", "-f", "drive")


def test_what_ndmjob_shows_of_it(ndmjob_asks: Ndmjob) -> None:
    report = ndmjob_asks("-q")
    for line in ("vendor     Example", "tape Example drive", "set        EXECUTE_CDB=n"):
        assert line in report
