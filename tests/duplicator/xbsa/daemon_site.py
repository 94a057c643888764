"""A request daemon as a process, applications as processes, and what must be true when all is over."""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from duplicator.catalog import Catalog, JobState
from duplicator.xbsa.client import Service
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.wire import Descriptor
from tests.duplicator.processes import wait_until

__all__ = ["Application", "DaemonSite", "content_of", "described", "site_in"]

DEADLINE: Final = 75.0
"""Seconds in which every application has to end, whatever dies."""
ROOT: Final = Path(__file__).parents[3]
HOOKS: Final = Path(__file__).parent / "hooks"
_PIECE: Final = 10_000_019
_MARK: Final = "XBSA_SITE"
_CONFIG: Final = """\
[catalog]
url = "sqlite:///{folder}/catalog.db"
[hosts.appliance]
address = "127.0.0.1"
[storage.disk.unit1]
host = "appliance"
path = "{folder}/unit"
[xbsa]
unit = "unit1"
folder = "{folder}/run"
start = "20s"
idle = "20s"
"""


def content_of(path: str, size: int) -> bytes:
    """The bytes of an object, by its path; they repeat, but at no round distance."""
    piece = random.Random(path).randbytes(min(size, _PIECE))
    return (piece * (size // _PIECE + 1))[:size]


def described(path: str, size: int) -> Descriptor:
    """A descriptor in which nothing matters but the path."""
    return Descriptor("", "app", "space", path, 3, 4, "test", "", "", size)


class Application:
    """A process that uses the library; its one line tells how that went."""

    def __init__(self, site: DaemonSite, words: Sequence[str], *, user: int | None = None) -> None:
        command = [sys.executable, "-m", "tests.duplicator.xbsa.struck_application", str(site.place), *words]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=site.environment, cwd=ROOT, user=user
        )
        site.application_file.write_text(str(self.process.pid))

    def outcome(self) -> Any:  # noqa: ANN401
        """What it told; None if it was killed."""
        out, _ = self.process.communicate(timeout=DEADLINE)
        return json.loads(out) if out else None


class DaemonSite:
    """The folder of one daemon, and the daemon."""

    def __init__(self, folder: Path, *, environment: dict[str, str]) -> None:
        self.folder = folder
        self.unit = folder / "unit"
        self.run = folder / "run"
        self.log = folder / "daemon.log"
        self.blow = folder / "blow"
        self.application_file = folder / "application"
        self.environment = {**os.environ, **environment, _MARK: str(folder)}
        self.environment.pop("NDMPDUP_CONFIG", None)
        self.process: subprocess.Popen[bytes] | None = None
        self.unit.mkdir()
        (folder / "ndmpdup.toml").write_text(_CONFIG.format(folder=folder))

    @property
    def place(self) -> Path:
        """This user's folder of the service."""
        import pwd

        return self.run / pwd.getpwuid(os.geteuid()).pw_name

    @property
    def service(self) -> Service:
        """The library's way to it."""
        return Service(Settings(self.place, deadline=20, start=20), lambda _: None)

    def command(self, *words: str) -> list[str]:
        """`xbsa serve` of this site."""
        config = str(self.folder / "ndmpdup.toml")
        return [sys.executable, "-m", "duplicator.cli.main", "xbsa", "serve", "--config", config, *words]

    def start(self, *words: str) -> None:
        """Run the daemon; it listens."""
        self.forget()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(*words), stdout=subprocess.PIPE, stderr=log, env=self.environment, cwd=ROOT
            )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        assert ready, self.log.read_text()
        line = os.read(self.process.stdout.fileno(), 4096)
        assert line.startswith(b"listening for"), (line, self.log.read_text())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the daemon; gives its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE)
        self.forget()
        return code

    def forget(self) -> None:
        """The daemon is dead."""
        if self.process is not None:
            with self.process:
                self.process = None

    @property
    def is_alive(self) -> bool:
        """Whether the daemon runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.process is not None
        return self.process.pid

    def application(self, *words: str, user: int | None = None) -> Application:
        """An application that does this; see struck_application.py."""
        return Application(self, words, user=user)

    @contextmanager
    def catalog(self) -> Iterator[Catalog]:
        """The catalog, as it is now."""
        with Catalog(f"sqlite:///{self.folder}/catalog.db") as catalog:
            yield catalog

    def processes(self) -> dict[int, str]:
        """The site's processes beside the daemon and the corpses, by number."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != (self.process.pid if self.process else 0):
                try:
                    environment = (entry / "environ").read_bytes().split(b"\0")
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"{_MARK}={self.folder}".encode() in environment:
                    found[int(entry.name)] = b" ".join(words).decode()
        return found

    def audit(self) -> None:
        """Nothing is left of any stream, in whatever order things go."""
        wait_until(lambda: not self._streams(), f"stream folders go: {self._streams()}", deadline=DEADLINE)
        wait_until(lambda: not self.processes(), f"processes end: {self.processes()}", deadline=DEADLINE)
        wait_until(self._is_clean, "the daemon cleans up", deadline=DEADLINE)
        assert [each.name for each in self.place.iterdir()] == (["request"] if self.is_alive else [])
        with self.catalog() as catalog:
            assert catalog.leases() == []
            images = {each.object.image for each in catalog.pending_objects()}
            assert images == set()
        if self.is_alive:
            assert "memfd:xbsa" not in Path(f"/proc/{self.pid}/maps").read_text()
            files = [os.readlink(each) for each in Path(f"/proc/{self.pid}/fd").iterdir() if each.is_symlink()]
            assert not [each for each in files if "memfd" in each or "stream-" in each]

    def _streams(self) -> list[str]:
        return [each.name for each in self.place.glob("stream-*")]

    def _is_clean(self) -> bool:
        with self.catalog() as catalog:
            stored = {each.image for each in catalog.find_objects(_all(), limit=1000)}
            running = [job for job in catalog.jobs() if job.state is JobState.RUNNING]
            return not running and not catalog.pending_objects() and set(os.listdir(self.unit)) == stored

    def stored(self) -> dict[str, bytes]:
        """The paths of the objects, and digests of the bytes that lie on the unit."""
        with self.catalog() as catalog:
            objects = catalog.find_objects(_all(), limit=1000)
        return {each.path: hashlib.sha256((self.unit / each.image / "data").read_bytes()).digest() for each in objects}


def _all() -> Any:  # noqa: ANN401
    from duplicator.catalog import ObjectQuery

    return ObjectQuery()


@contextmanager
def site_in(folder: Path, *, hooked: bool = False) -> Iterator[DaemonSite]:
    """A site; its daemon is ended with the block, and so is whatever is left of it."""
    hooks = {"PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}", "XBSA_BLOW_FILE": str(folder / "blow")} if hooked else {}
    site = DaemonSite(folder, environment={"PYTHONPATH": str(ROOT), **hooks})
    try:
        yield site
    finally:
        if site.is_alive:
            site.end()
        site.forget()
        for pid in site.processes():
            os.kill(pid, signal.SIGKILL)
