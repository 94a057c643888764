"""A network of its own: only a loopback interface, gone with the test, safe for peers that bind every address."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.peers.requirements import lacking, require_peer

__all__ = ["Namespace", "end_process", "network_namespace", "read_line"]

_CONNECT = """
import socket, sys, time
channel = socket.socket(fileno=int(sys.argv[1]))
deadline = time.monotonic() + float(sys.argv[4])
while True:
    try:
        connection = socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=1)
        break
    except (ConnectionRefusedError, TimeoutError):
        if time.monotonic() > deadline:
            raise
        time.sleep(0.02)
socket.send_fds(channel, [b"."], [connection.fileno()])
"""


class Namespace:
    """A network namespace, held open by one idle process; what is started in it ends with it."""

    def __init__(self, holder: subprocess.Popen[bytes]) -> None:
        self._holder = holder
        self._started: list[subprocess.Popen[bytes]] = []
        owner = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        # The death signal ends what runs here even when the tests are killed.
        self._prefix = [
            *(require_peer("nsenter"), "--target", str(holder.pid), "--net", *owner, "--"),
            *(require_peer("setpriv"), "--pdeathsig", "KILL", "--"),
        ]

    def run(
        self,
        command: Sequence[str | Path],
        *,
        timeout: float = 60.0,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, at most ``timeout`` seconds; with ``check``, a bad status raises."""
        return subprocess.run(
            [*self._prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
            env=env,
            cwd=cwd,
        )

    def popen(
        self,
        command: Sequence[str | Path],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program; its ``pid`` is the program's own, and it leads a session, to end with its children."""
        process = subprocess.Popen(
            [*self._prefix, *map(str, command)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            pass_fds=pass_fds,
            bufsize=0,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def connect(self, host: str, port: int, *, timeout: float = 10.0) -> socket.socket:
        """Return a connection made inside the namespace, as soon as somebody listens there."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(timeout + 5)
            program = [sys.executable, "-I", "-S", "-c", _CONNECT, str(theirs.fileno()), host, str(port), str(timeout)]
            helper = self.popen(program, stderr=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
            theirs.close()
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        helper.wait(timeout=5)
        if not descriptors:
            raise TimeoutError(f"nobody listens on {host} port {port}")
        connection = socket.socket(fileno=descriptors[0])
        connection.settimeout(timeout)
        return connection

    @property
    def holder_pid(self) -> int:
        """The process that keeps the namespace, for other tools that can join one."""
        return self._holder.pid

    def close(self, *, timeout: float = 5.0) -> None:
        """End everything that was started here, newest first, and the namespace."""
        for process in [*reversed(self._started), self._holder]:
            end_process(process, timeout=timeout)


def end_process(process: subprocess.Popen[bytes], *, timeout: float = 5.0) -> None:
    """End a process that leads its session, and what it started: asked first, killed after ``timeout`` seconds."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    if process.returncode is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    _wait_unreaped(process.pid, timeout)
    # The leader is not reaped yet, so its number cannot belong to anybody else.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=timeout)


def _wait_unreaped(pid: int, timeout: float) -> None:
    descriptor = os.pidfd_open(pid)
    try:
        select.select([descriptor], [], [], timeout)
    finally:
        os.close(descriptor)


def read_line(pipe: IO[bytes], *, timeout: float = 10.0) -> str:
    """Return the next line of an unbuffered pipe; TimeoutError when none begins within ``timeout`` seconds."""
    if not select.select([pipe], [], [], timeout)[0]:
        raise TimeoutError("no line came")
    return pipe.readline().decode(errors="replace").rstrip("\n")


@contextlib.contextmanager
def network_namespace() -> Iterator[Namespace]:
    """Make a namespace with loopback up; skip the test where the machine does not allow it."""
    own_user = [] if os.geteuid() == 0 else ["--map-root-user"]
    holder = subprocess.Popen(
        [
            *(require_peer("unshare"), "--net", *own_user, "--"),
            *("sh", "-c", f"{require_peer('ip')} link set lo up && echo up && exec cat"),
        ],
        # Ours is the only other end: when the tests die, the holder reads the end of its input and goes too.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )
    namespace = Namespace(holder)
    try:
        assert holder.stdout is not None
        answer = read_line(holder.stdout)
        if answer != "up":
            lacking(f"no network namespace here, run as root or allow user namespaces: {answer}")
        yield namespace
    finally:
        namespace.close()
