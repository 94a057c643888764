"""The references in C: built into a folder, run as children, their CPU time taken when they end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.peers.namespace import Namespace, read_line
from tests.peers.requirements import require_peer

__all__ = ["Program", "built", "started"]

_SOURCES: Final = Path(__file__).with_name("c")
_LIBRARIES: Final = {"iscsi_write": ("-l:libiscsi.so.7",)}
_PATIENCE: Final = 120.0


def built(folder: Path) -> Mapping[str, Path]:
    """Build all; the programs by the names of their sources."""
    found = dict[str, Path]()
    for source in sorted(_SOURCES.glob("*.c")):
        found[source.stem] = folder / source.stem
        command = [require_peer("cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(found[source.stem]), str(source)]
        subprocess.run([*command, *_LIBRARIES.get(source.stem, ())], check=True)
    return found


class Program:
    """A child process that is doing its work."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        return read_line(self._process.stdout, timeout=_PATIENCE)

    def ended(self) -> float:
        """Wait for its end; the CPU seconds that it used. RuntimeError if it failed."""
        descriptor = os.pidfd_open(self._process.pid)
        try:
            os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOWAIT)
        finally:
            os.close(descriptor)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}")
        return usage.ru_utime + usage.ru_stime

    def end(self) -> None:
        """Kill it if it still runs."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def started(
    path: Path, *arguments: object, namespace: Namespace | None = None, quiet: bool = False
) -> Iterator[Program]:
    """Run a program, in a namespace if one is given; ``quiet`` where it is to be cut off."""
    complaints = subprocess.DEVNULL if quiet else None
    command: Sequence[str] = [str(path), *map(str, arguments)]
    if namespace is None:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, bufsize=0
        )
    else:
        process = namespace.popen(command, stdout=subprocess.PIPE, stderr=complaints)
    program = Program(process)
    try:
        yield program
    finally:
        program.end()
