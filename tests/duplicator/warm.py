"""Commands of `ndmpdup` forked from a process that has loaded it already: processes as others, which start at once.

The process that forks has no threads, sockets or settings of its own; a command has its own session, streams,
environment and folder, and ends as the interpreter ends. Set NDMPDUP_COLD to have each start by itself instead;
those in a namespace (tests/interop) always do.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import pickle
import pkgutil
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO, Any, Protocol

__all__ = ["Hook", "WarmProcess", "spawn_warm"]

LOADED = (
    *("duplicator.engine", "duplicator.host", "duplicator.readback", "duplicator.restore", "duplicator.validate"),
    *("rich.console", "rich.table", "sqlalchemy.dialects.sqlite", "typer.main"),
    *("concurrent.futures.thread", "duplicator.accounts", "email.parser", "encodings.idna", "keyring.core"),
    *("ndmp.aio.server", "scsi.virtual.library", "scsi.virtual.library_url", "sqlite3", "typer._adapters"),
)
"""What commands load when they need it; beside these, all of duplicator.cli."""
PR_SET_PDEATHSIG = 1


class Hook(Protocol):
    """Something that is done in the new process, before its command runs; it is pickled on its way there."""

    def install(self) -> None:
        """Do it."""
        ...


class WarmProcess:
    """A command that runs, with the face of subprocess.Popen. ``told`` brings how it ended."""

    def __init__(self, pid: int, told: int, stderr: IO[bytes] | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stderr = stderr
        self._told = told

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """How it ended; subprocess.TimeoutExpired."""
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("ndmpdup", timeout or 0)
            self.returncode = int(os.read(self._told, 20))
            os.close(self._told)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)


class Nest:
    """The process that has loaded everything, as its owner sees it."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._turn = threading.Lock()
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
            )
        atexit.register(self.close)

    def spawn(
        self, words: list[str], streams: tuple[int, int], env: dict[str, str], hook: Hook | None
    ) -> tuple[int, int]:
        """Start a command; its pid, and where its end will be told."""
        told, tell = os.pipe()
        asked = json.dumps(
            {"words": words, "env": env, "folder": os.getcwd(), "hook": pickle.dumps(hook).hex()}
        ).encode()
        with self._turn:
            socket.send_fds(self._ours, [asked], [*streams, tell])
            os.close(tell)
            return int(self._ours.recv(20)), told

    def close(self) -> None:
        """End it; what it has started ends with it."""
        self._ours.close()
        self._process.wait()


@cache
def nest() -> Nest:
    """That of this process."""
    return Nest()


def spawn_warm(
    command: list[str],
    *,
    stdout: IO[bytes],
    stderr: int | IO[bytes],
    env: dict[str, str],
    hook: Hook | None = None,
) -> WarmProcess:
    """Start `python -m duplicator.cli.main WORDS...`; it dies with the tests, even if they are killed."""
    assert command[:3] == [sys.executable, "-m", "duplicator.cli.main"]
    if not isinstance(stderr, int):
        return WarmProcess(*nest().spawn(command[3:], (stdout.fileno(), stderr.fileno()), env, hook), None)
    assert stderr == subprocess.PIPE
    heard, said = os.pipe()
    pid, told = nest().spawn(command[3:], (stdout.fileno(), said), env, hook)
    os.close(said)
    return WarmProcess(pid, told, os.fdopen(heard, "rb", buffering=0))


def load() -> None:
    """Load what commands may need."""
    import duplicator.cli

    commands = (f"duplicator.cli.{found.name}" for found in pkgutil.iter_modules(duplicator.cli.__path__))
    for name in (*commands, *LOADED):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def serve(control: socket.socket) -> list[str]:
    """Fork a command whenever one is asked for, and tell how each ended. Returns in each: with its words."""
    running = dict[int, tuple[int, int]]()  # by descriptor: pid, and where to tell
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor != control.fileno():
                poll.unregister(descriptor)
                pid, tell = running.pop(descriptor)
                os.write(tell, str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                os.close(tell)
                os.close(descriptor)
                continue
            asked, received, _, _ = socket.recv_fds(control, 1 << 20, 3)
            if not asked:
                sys.exit()
            out, err, tell = received
            if not (pid := os.fork()):
                control.close()
                return become(json.loads(asked), (os.open(os.devnull, os.O_RDONLY), out, err))
            os.close(out)
            os.close(err)
            watched = os.pidfd_open(pid)
            running[watched] = pid, tell
            poll.register(watched, select.POLLIN)
            control.send(str(pid).encode())


def become(asked: dict[str, Any], streams: tuple[int, int, int]) -> list[str]:
    """Be the command: nothing is left of the process that forked but what it has loaded."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    time.tzset()
    random.seed()
    sys.stdout = sys.__stdout__ = unbuffered(1, sys.stdout)
    sys.stderr = sys.__stderr__ = unbuffered(2, sys.stderr)
    hook: Hook | None = pickle.loads(bytes.fromhex(asked["hook"]))
    if hook is not None:
        hook.install()
    return list(asked["words"])


def unbuffered(descriptor: int, like: Any) -> io.TextIOWrapper:  # noqa: ANN401
    """A stream as the interpreter makes it where PYTHONUNBUFFERED is set."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding=like.encoding, errors=like.errors, write_through=True)  # type: ignore[type-var]


if __name__ == "__main__":
    load()
    words = serve(socket.socket(fileno=int(sys.argv[1])))
    sys.argv = ["ndmpdup", *words]
    from duplicator.cli.main import main

    main()
