"""The command line in processes of its own: hosts that serve, commands that run, and what is left of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from tests.duplicator.warm import WarmProcess, spawn_warm

__all__ = ["USER", "Ended", "Host", "Running", "Site", "Spawn", "site_in", "spawn_here", "wait_until"]

USER = "backup"
SECRET = "a-secret-of-the-tests"
DEADLINE = float(os.environ.get("NDMPDUP_DEADLINE", "30"))
"""Seconds in which every command of these tests has to end; in an emulated processor, tests/kernel allows more."""


class Spawn(Protocol):
    """Starts a program that leads a session of its own, here or in a namespace."""

    def __call__(
        self, command: list[str], *, stdout: IO[bytes], stderr: int | IO[bytes], env: dict[str, str]
    ) -> subprocess.Popen[bytes] | WarmProcess: ...


def spawn_here(
    command: list[str], *, stdout: IO[bytes], stderr: int | IO[bytes], env: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program on this machine; it dies with the tests, even if they are killed."""
    setpriv = shutil.which("setpriv")
    mortal = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    return subprocess.Popen(
        [*mortal, *command],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        env=env,
        bufsize=0,
        start_new_session=True,
    )


_COMMANDS: Final = "duplicator.cli.main"
"""What is kept warm."""
SPAWN: Final[Spawn] = spawn_here if os.environ.get("NDMPDUP_COLD") else spawn_warm


def wait_until(condition: Callable[[], bool], what: str, *, deadline: float = DEADLINE) -> None:
    """Wait for a condition of which nothing tells; AssertionError after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f"not within {deadline:g} s: {what}"
        time.sleep(0.002)


@dataclass(frozen=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401
        """The one JSON document on standard output."""
        return json.loads(self.out)


class Running:
    """A command that runs; its standard error is read as it comes, so it never waits for the test."""

    def __init__(self, process: subprocess.Popen[bytes] | WarmProcess, out: Path) -> None:
        self.process = process
        self._out = out
        self._lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._came:
                self._lines.append(line.decode())
                self._came.notify_all()

    @property
    def err(self) -> str:
        """What it said on standard error up to now."""
        with self._came:
            return "".join(self._lines)

    def wait_for(self, text: str) -> None:
        """Wait until it says ``text``."""
        with self._came:
            said = self._came.wait_for(lambda: any(text in line for line in self._lines), DEADLINE)
        assert said, f"{text!r} was not said: {self.err}"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, *, deadline: float = DEADLINE) -> Ended:
        """Wait for its end, which has to come within ``deadline`` seconds and take everything it started along."""
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"hangs for {deadline:g} s: {self.err}") from None
        self._reader.join(DEADLINE)
        assert not _session(self.process.pid), "it left processes behind"
        return Ended(self.process.returncode, self._out.read_text(), self.err)


def _session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(words[3]) == leader and words[0] not in "ZX":
                found.append(int(entry.name))
    return found


class Host:
    """A ``serve`` process."""

    def __init__(self, running: Running, address: str, scheme: str = "ndmp") -> None:
        self._running = running
        self._scheme = scheme
        self.address = address
        self.pid = running.process.pid

    def url(self, place: str) -> str:
        """An URL of something on it."""
        return f"{self._scheme}://{USER}@{self.address}/{place}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What it said on standard error."""
        return self._running.err

    def kill(self) -> None:
        """End it as a crash would."""
        self._running.process.kill()
        self._running.process.wait(DEADLINE)

    def pause(self) -> None:
        """Have it stop answering; its connections stay. Returns when it has stopped."""
        self._running.send(signal.SIGSTOP)
        stat = Path(f"/proc/{self.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "the host has stopped")

    def resume(self) -> None:
        """Have it go on."""
        self._running.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running.send(number)

    def wait_for(self, text: str) -> None:
        """Wait until it says ``text`` on standard error."""
        self._running.wait_for(text)

    def stop(self) -> Ended:
        """End it in order."""
        self._running.send(signal.SIGTERM)
        return self._running.end()

    def wait_until_idle(self) -> None:
        """Wait until it has no socket but the one it listens on."""
        wait_until(lambda: self.sockets() == ["0A"], "the host has closed all sessions and data connections")

    def sockets(self) -> list[str]:
        """The state of each TCP socket it holds, as /proc/net/tcp numbers them: 0A listens."""
        held = set()
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                held.add(os.readlink(descriptor))
            except FileNotFoundError:
                continue
        rows = [line.split() for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]]
        return [row[3] for row in rows if f"socket:[{row[9]}]" in held]


class Site:
    """A folder with a catalog and passwords, and the processes that were started for it."""

    def __init__(self, folder: Path, spawn: Spawn) -> None:
        self.folder = folder
        self.catalog = f"sqlite:///{folder / 'catalog.db'}"
        self.password = self.secret_file("password", SECRET)
        self._spawn = spawn
        self._started: list[Running] = []

    def secret_file(self, name: str, secret: str) -> Path:
        """A file that holds a password, for its owner alone."""
        path = self.folder / name
        path.touch(0o600)
        path.write_text(f"{secret}\n")
        return path

    def start(self, *words: str | Path) -> Running:
        """Start a command."""
        return self.start_module(_COMMANDS, *words)

    def start_module(self, module: str, *words: str | Path, **variables: str) -> Running:
        """Start a module; ``variables``: more of its environment."""
        out = self.folder / f"out-{len(self._started)}"
        kept = {"NDMPDUP_CATALOG": self.catalog, "XDG_STATE_HOME": str(self.folder / "state")}
        environment = {**os.environ, **kept, "PYTHONUNBUFFERED": "1", **variables}
        command = [sys.executable, "-m", module, *map(str, words)]
        spawn = spawn_here if self._spawn is spawn_warm and module != _COMMANDS else self._spawn
        with out.open("wb") as stdout:
            process = spawn(command, stdout=stdout, stderr=subprocess.PIPE, env=environment)
        running = Running(process, out)
        self._started.append(running)
        return running

    def run(self, *words: str | Path) -> Ended:
        """Run a command to its end."""
        return self.start(*words).end()

    def ask(self, *words: str | Path) -> Any:  # noqa: ANN401
        """The document of a command that has to succeed."""
        ended = self.run(*words, "--json")
        assert ended.code == 0, ended.err
        return ended.document

    def serve(
        self, *offers: str, listen: str | None = "127.0.0.1:0", login: Sequence[str | Path] | None = None
    ) -> Host:
        """Start a host; ready when this returns. ``offers``: its --lsu and --tape options, and any others."""
        port_file = self.folder / f"port-{len(self._started)}"
        where = ["--listen", listen] if listen else []
        who = login or ["--user", USER, "--password-file", self.password]
        running = self.start("serve", *where, *who, "--port-file", port_file, *offers)
        process = running.process
        wait_until(lambda: port_file.exists() or process.poll() is not None, "the host listens")
        assert process.poll() is None, running.err
        return Host(running, port_file.read_text().strip(), "ndmps" if "--tls-cert" in offers else "ndmp")

    def start_duplicate(self, *images: str, source: str, target: str, options: tuple[str | Path, ...] = ()) -> Running:
        """Start ``duplicate``; options that come later win."""
        passwords: list[str | Path] = ["--from-password-file", self.password, "--to-password-file", self.password]
        return self.start("duplicate", *images, "--from", source, "--to", target, *passwords, *options, "--json")

    def duplicate(self, *images: str, source: str, target: str, options: tuple[str | Path, ...] = ()) -> Ended:
        """Run ``duplicate`` to its end."""
        return self.start_duplicate(*images, source=source, target=target, options=options).end()

    def verify(self, copies: list[str], tape: str, *options: str | Path) -> Ended:
        """Run ``verify`` on copies."""
        return self.run("verify", *copies, "--from", tape, "--password-file", self.password, *options, "--json")

    def close(self) -> None:
        """End everything, newest first."""
        for running in reversed(self._started):
            process = running.process
            if process.returncode is None:
                process.kill()
                process.wait(DEADLINE)
            running._reader.join(DEADLINE)
            if process.stderr is not None:
                process.stderr.close()


@contextmanager
def site_in(folder: Path, spawn: Spawn = SPAWN) -> Iterator[Site]:
    """A site whose processes end with the block."""
    site = Site(folder, spawn)
    try:
        yield site
    finally:
        site.close()
