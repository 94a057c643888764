"""The command line in processes that are forked from one which has loaded it: they start in no time."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection, wait
from typing import IO, Protocol

__all__ = ["Forked", "Hook", "Prepared"]

_PRELOADED = [
    "concurrent.futures.thread",
    "duplicator.accounts",
    "duplicator.cli.batch",
    "duplicator.cli.documents",
    "duplicator.cli.hosting",
    "duplicator.cli.main",
    "duplicator.cli.queue_run",
    "duplicator.digests",
    "duplicator.host",
    "duplicator.network",
    "email.parser",
    "encodings.idna",
    "importlib_metadata",
    "keyring.core",
    "keyring.backends.chainer",
    "ndmp.aio.server",
    "rich.console",
    "scsi.virtual.library",
    "scsi.virtual.library_url",
    "scsi.virtual.tap",
    "secretstorage",
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    "typer._adapters",
    "typer._click.decorators",
]
"""What commands load when they run."""
_PR_SET_PDEATHSIG = 1


class Hook(Protocol):
    """Something that is done in the new process, before its command runs; it is pickled on its way there."""

    def install(self) -> None:
        """Do it."""
        ...


class Forked:
    """What :class:`tests.duplicator.processes.Running` uses of a Popen."""

    def __init__(self, process: multiprocessing.process.BaseProcess, stderr: Connection) -> None:
        assert process.pid is not None
        self._process = process
        self.pid = process.pid
        self.stderr: IO[bytes] = os.fdopen(os.dup(stderr.fileno()), "rb", buffering=0)
        stderr.close()

    @property
    def returncode(self) -> int | None:
        """How it ended; None: it was not seen to have."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end; TimeoutExpired."""
        end = time.monotonic() + timeout
        wait([self._process.sentinel], timeout)
        self._process.join(max(end - time.monotonic(), 0.0))
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)


class Prepared:
    """Implements :class:`tests.duplicator.processes.Spawn` for commands of the product.

    ``hook`` is installed in the next process that starts, and in no other.
    """

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self.hook: Hook | None = None

    def __call__(
        self, command: list[str], *, stdout: IO[bytes], stderr: int | IO[bytes], env: dict[str, str]
    ) -> Forked:
        assert command[:3] == [sys.executable, "-m", "duplicator.cli.main"]
        assert stderr == subprocess.PIPE
        hook, self.hook = self.hook, None
        reads, writes = self._context.Pipe(duplex=False)
        words = (command[3:], str(stdout.name), writes, env, hook)
        process = self._context.Process(target=_run, args=words, daemon=True)
        process.start()
        writes.close()
        return Forked(process, reads)


def _run(words: list[str], out: str, err: Connection, env: dict[str, str], hook: Hook | None) -> None:
    """In the new process: be as a shell would have started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    _redirect(out, err)
    # multiprocessing ignores it for its own processes; a command of a user's does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    if hook is not None:
        hook.install()
    from duplicator.cli.main import main

    sys.argv = ["ndmpdup", *words]
    main()


def _redirect(out: str, err: Connection) -> None:
    into = os.open(out, os.O_WRONLY)
    for source, target in ((into, 1), (err.fileno(), 2)):
        os.dup2(source, target)
    os.close(into)
    err.close()
