"""Processes that are stopped or killed while they write an image."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest

from duplicator.units import DirectoryUnits
from ndmp.backends import FileServiceBackend
from tests.duplicator.units.asking import staged, store

CHILD = """
import os, sys
from pathlib import Path
from duplicator.units import DirectoryUnits
from ndmp.enums import DigestAlgorithm
from ndmp.errors import ReplyError
SHA256 = DigestAlgorithm.SHA256
root = Path(sys.argv[1])
units = DirectoryUnits({"lsu": root})
def say(word): print(word, flush=True)
def wait(word): say(word); sys.stdin.readline()
"""

WRITER = (
    CHILD
    + """
fragment, stop = sys.argv[2:]
def stop_at(event, arguments):
    if stop == event: wait(event)
def write(number, name):
    handle = units.open_write("lsu", "new", number, name, 700, SHA256)
    handle.write_records(memoryview(b"x" * 512), 512)
    if stop == "half": wait("half")
    handle.write_records(memoryview(b"x" * 188 + bytes(324)), 512)
    if stop == "whole": wait("whole")
    handle.close(keep=True)
write(0, fragment)
if fragment: write(1, fragment + "2")
if stop == "kept": wait("kept")
sys.addaudithook(stop_at)
try:
    units.commit("lsu", "new", 2 if fragment else 1)
except ReplyError as refused:
    say(refused.error.name)
    sys.exit()
wait("committed")
"""
)


def shown(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))


def test_a_full_disk(root: Path, units: FileServiceBackend) -> None:
    # RLIMIT_FSIZE stands for the full disk (EFBIG in place of ENOSPC), in a process of its own.
    script = (
        CHILD
        + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
handle = units.open_write("lsu", "new", 0, "", 1024, SHA256)
try:
    handle.write_records(memoryview(bytes(1024)), 512)
except ReplyError as refused:
    say(refused.error.name)
say(handle.status().bytes_moved)
handle.close(keep=False)
units.close()
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(root)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["FSE_NO_SPACE", "0"]
    assert list(root.iterdir()) == []


class Writer:
    """A process that stops at one step of writing an image, until it is killed or let go."""

    def __init__(self, root: Path, fragment: str, step: str) -> None:
        command = [sys.executable, "-c", WRITER, str(root), fragment, step]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.next_word() == step

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def next_word(self) -> str:
        return self._pipe(self._process.stdout).readline().strip()

    def go_on(self) -> None:
        stdin = self._pipe(self._process.stdin)
        stdin.write("\n")
        stdin.flush()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=30)


# Where the commit is cut, the step is an audit event of Python. The last value: fragments of the image to be seen then.
STEPS = [
    ("", "half", 0),
    ("", "whole", 0),
    ("", "kept", 0),
    ("", "os.link", 0),
    ("", "os.remove", 1),
    ("", "committed", 1),
    ("a", "half", 0),
    ("a", "kept", 0),
    ("a", "os.rename", 0),
    ("a", "os.remove", 2),
    ("a", "committed", 2),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("fragment", "step", "fragments"), STEPS)
def test_killed_between_steps(root: Path, fragment: str, step: str, fragments: int) -> None:
    with Writer(root, fragment, step), DirectoryUnits({"lsu": root}) as second:
        in_use = staged(root)
        assert len(in_use) == (step != "committed")
        assert [len(image.fragments) for image in second.images("lsu", "", 9)] == [fragments] * bool(fragments)
    assert staged(root) == in_use, "swept while in use"
    with DirectoryUnits({"lsu": root}) as restarted:
        assert staged(root) == []
        found = restarted.images("lsu", "", 9)
        assert [[part.size for part in image.fragments] for image in found] == [[700] * fragments] * bool(fragments)
        if not fragments:
            store(restarted, "new", 0, fragment, b"second try")
            restarted.commit("lsu", "new", 1)
    assert shown(root) == ["new"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("fragment", "step"), [("", "os.link"), ("a", "os.rename")])
def test_an_image_that_came_in_at_the_last_moment(root: Path, fragment: str, step: str) -> None:
    def full(path: Path) -> None:
        path.mkdir()
        (path / "mine").write_bytes(b"mine")

    makers: tuple[Callable[[Path], object], ...] = (lambda path: path.write_bytes(b"mine"), full)
    for make in makers:
        with Writer(root, fragment, step) as writer:
            make(root / "new")
            writer.go_on()
            assert writer.next_word() == "FSE_IMAGE_EXISTS"
        if (root / "new").is_dir():
            assert [entry.name for entry in (root / "new").iterdir()] == ["mine"]
        else:
            assert (root / "new").read_bytes() == b"mine"
            (root / "new").unlink()


def test_the_sweep_takes_only_its_own(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside" / "lock").write_bytes(b"")
    os.symlink(tmp_path / "outside", root / ".incoming-link")
    (root / ".incoming-file").write_bytes(b"")
    (root / ".other").mkdir()
    (root / ".incoming-full").mkdir()
    (root / ".incoming-full" / "unknown").write_bytes(b"")
    (root / ".incoming-just-made").mkdir()
    before = sorted(root.iterdir())
    with DirectoryUnits({"lsu": root}):
        assert sorted(root.iterdir()) == [entry for entry in before if entry.name != ".incoming-just-made"]
    assert (tmp_path / "outside" / "lock").exists()
