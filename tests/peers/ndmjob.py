"""Amanda's ndmjob as a tape and data server that nobody here wrote; its tape is a plain file."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.peers.namespace import Namespace, end_process
from tests.peers.requirements import lacking, require_peer

__all__ = ["NdmjobDaemon", "formatter", "ndmjob_daemon"]

LOGS = Path("/var/log/amanda")

_BUTYPE_TAR = """
[butype tar]
    v4attr 0x7fe
    default_env TYPE tar
    default_env HIST n
"""


@dataclass(frozen=True)
class NdmjobDaemon:
    """A running ndmjob; its user, password and limits are fixed in the program."""

    user: ClassVar[str] = "ndmp"
    password: ClassVar[str] = "ndmp"
    namespace: Namespace
    port: int
    tape: Path
    process: subprocess.Popen[bytes]

    def connect(self, *, host: str = "127.0.0.1") -> socket.socket:
        """Return a new connection to it."""
        return self.namespace.connect(host, self.port)

    def stop(self) -> None:
        """End the daemon and its sessions, as a crash would: a tape that was open stays locked."""
        end_process(self.process)

    def unlock_tape(self) -> None:
        """Remove the lock that a lost session leaves behind; without this the next TAPE_OPEN is DEVICE_BUSY."""
        self.tape.with_name(self.tape.name + ".lck").unlink(missing_ok=True)


def formatter(directory: Path, script: Path) -> dict[str, str]:
    """The environment of a daemon whose butype tar is done by a Python script; ``directory`` takes what it needs."""
    program = directory / "wrap_tar"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {script} "$@"\n')
    program.chmod(0o755)
    configuration = directory / "ndmjob.conf"
    configuration.write_text(_BUTYPE_TAR)
    return {**os.environ, "NDMJOB_CONF": str(configuration), "PATH": f"{directory}:{os.defpath}"}


@contextlib.contextmanager
def ndmjob_daemon(
    namespace: Namespace,
    tape_dir: Path,
    port: int,
    *,
    tape_limit: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[NdmjobDaemon]:
    """Run ndmjob on ``port`` of every address of the namespace, with an empty tape of ``tape_limit`` bytes.

    ``environment`` as :func:`formatter` makes it, for backups; without one there is no butype.
    """
    program = require_peer("ndmjob")
    if not os.access(LOGS, os.W_OK):
        lacking(f"ndmjob ends at once when it cannot write its log in {LOGS}: run the tests as root")
    tape = _empty_tape(tape_dir)
    limit = [] if tape_limit is None else ["-o", f"tape-limit={tape_limit}"]
    with (tape_dir / "ndmjob.log").open("ab") as log:
        # This kind of daemon ends when its input does, so it cannot outlive the tests.
        process = namespace.popen(
            [program, "-d3", "-o", "test-daemon", *limit, "-p", str(port)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=tape_dir,
        )
    daemon = NdmjobDaemon(namespace, port, tape, process)
    try:
        daemon.connect().close()
        yield daemon
    finally:
        daemon.stop()


def _empty_tape(tape_dir: Path) -> Path:
    tape = tape_dir / "tape"
    for leftover in ("tape.lck", "tape.pos"):
        (tape_dir / leftover).unlink(missing_ok=True)
    tape.write_bytes(b"")
    return tape
