"""NDMP hosts as child processes: started, waited for, and always ended."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from duplicator.urls import HostPort

__all__ = ["HostStartError", "host_process"]

_START_DEADLINE: Final = 30.0
_END_DEADLINE: Final = 20.0


class HostStartError(OSError):
    """A host process did not start; the text has what it said."""


@contextmanager
def host_process(folder: Path, name: str, options: Sequence[str]) -> Iterator[HostPort]:
    """Run ``serve`` with the options in a process of its own, on a free port of 127.0.0.1; gives where it listens.

    Its port file and its log, ``NAME.port`` and ``NAME.log``, lie in ``folder``.
    """
    port_file, log = folder / f"{name}.port", folder / f"{name}.log"
    serve = [sys.executable, "-m", "duplicator.cli.main", "serve", "--listen", "127.0.0.1:0"]
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [*serve, "--port-file", str(port_file), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_file,
            # Ctrl-C is for this program, which then ends the hosts in order.
            start_new_session=True,
        )
    try:
        yield _wait_until_ready(process, name, port_file=port_file, log=log)
    finally:
        _end(process)


def _wait_until_ready(process: subprocess.Popen[bytes], name: str, *, port_file: Path, log: Path) -> HostPort:
    """The host says a line when it listens, and nothing if it fails."""
    assert process.stdout is not None
    began = time.monotonic()
    line = b""
    while not line.endswith(b"\n"):
        left = began + _START_DEADLINE - time.monotonic()
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, left))
        piece = os.read(process.stdout.fileno(), 4096) if ready else b""
        if not piece:
            why = "ended at once" if ready else f"is not ready after {_START_DEADLINE:g} s"
            raise HostStartError(f"{name} {why}: {log.read_text(errors='replace').strip()}")
        line += piece
    return HostPort.parse(port_file.read_text(encoding="ascii").strip())


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.terminate()
        try:
            process.wait(_END_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
