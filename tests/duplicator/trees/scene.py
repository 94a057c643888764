"""A tree with a data backend, GNU tar beside it, and channels in memory."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from duplicator.trees import TreeBackend
from ndmp.backends import WantedPath
from ndmp.contracts import MemoryBackup, MemoryRecovery
from ndmp.enums import LogType, RecoveryStatus
from tests.peers.requirements import lacking

__all__ = [
    "NOBODY",
    "NOW_NS",
    "OK",
    "Meddling",
    "Recovery",
    "Scene",
    "gnu_tar",
    "picture",
    "tmpfs",
    "unprivileged",
    "warnings",
]

OK = RecoveryStatus.SUCCESSFUL
NOW_NS = 1_900_000_000_000_000_000
NOBODY = 65534


@dataclass
class Recovery(MemoryRecovery):
    """Gives a backup stream and keeps what was asked for, as offsets and lengths."""

    stretches: list[tuple[int, int]] = field(default_factory=list)

    def expect(self, offset: int, length: int) -> None:
        self.stretches.append((offset, length))
        super().expect(offset, length)

    def text(self) -> str:
        return "\n".join(text for _, text in self.logged)


class Scene:
    """``tree`` is exported, ``source`` lies in it; ``now_ns`` is the backend's clock, in the year 2030."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tree = folder / "tree"
        self.source = self.tree / "source"
        self.source.mkdir(parents=True)
        self.now_ns = NOW_NS
        self.backend = TreeBackend([self.tree], folder / "dates", clock=lambda: self.now_ns)

    def backup(self, butype: str = "tar", channel: MemoryBackup | None = None, **environment: str) -> MemoryBackup:
        channel = channel or MemoryBackup()
        variables = {"FILESYSTEM": str(self.source)} | environment
        self.backend.backup(butype, variables)(channel)
        channel.variables = variables | channel.variables
        return channel

    def recover(
        self, stream: bytes | bytearray, wanted: Sequence[WantedPath], butype: str = "tar", **environment: str
    ) -> Recovery:
        channel = Recovery(stream=bytes(stream))
        self.backend.recover(butype, environment, wanted)(channel)
        return channel

    def place(self, name: str = "place") -> Path:
        """A new directory to recover to."""
        made = self.tree / name
        made.mkdir()
        return made

    def all_to(self, place: Path) -> list[WantedPath]:
        return [WantedPath("", str(place))]

    def outside(self, stream: bytes | bytearray, name: str = "archive") -> Path:
        """The stream as a file, for other programs."""
        archive = self.folder / f"{name}.tar"
        archive.write_bytes(stream)
        return archive


def gnu_tar(*arguments: object, into: bytes | bytearray | None = None) -> bytes:
    """What GNU tar prints; it must end well."""
    command = ["tar", *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    done = subprocess.run(command, input=into, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def picture(root: Path, *, xattrs: bool = True) -> Mapping[bytes, tuple[object, ...]]:
    """All that a backup should keep, by path; the root under the empty path. Second names are paths."""
    found: dict[bytes, tuple[object, ...]] = {}
    firsts: dict[int, bytes] = {}
    for path in sorted(_paths(os.fsencode(root))):
        status = os.lstat(path)
        name = path.removeprefix(os.fsencode(root))
        first = name if stat.S_ISDIR(status.st_mode) else firsts.setdefault(status.st_ino, name)
        kept = {key: os.getxattr(path, key) for key in _xattr_names(path, status)} if xattrs else {}
        owner = (status.st_uid, status.st_gid)
        found[name] = (oct(status.st_mode), owner, status.st_mtime_ns, _content(path, status), first, kept)
    return found


def _paths(root: bytes) -> Iterator[bytes]:
    yield root
    for folder, folders, files in os.walk(root):
        yield from (os.path.join(folder, name) for name in folders + files)


def _xattr_names(path: bytes, status: os.stat_result) -> list[str]:
    return os.listxattr(path) if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else []


def _content(path: bytes, status: os.stat_result) -> object:
    if stat.S_ISREG(status.st_mode):
        return Path(os.fsdecode(path)).read_bytes()
    return os.readlink(path) if stat.S_ISLNK(status.st_mode) else status.st_rdev


def warnings(channel: MemoryBackup) -> list[str]:
    """What was logged as a warning."""
    return [text for kind, text in channel.logged if kind == LogType.WARNING]


@contextmanager
def unprivileged(*folders: Path) -> Iterator[None]:
    """The block runs without root's rights; ``folders`` are its own. For others than root nothing changes."""
    if os.geteuid() != 0:
        yield
        return
    for folder in folders:
        os.chown(folder, NOBODY, NOBODY)
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextmanager
def tmpfs(place: Path) -> Iterator[None]:
    """Another file system is mounted on ``place``; the test is skipped where that is not allowed."""
    try:
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True, timeout=30, capture_output=True)
    except subprocess.CalledProcessError as problem:
        lacking(f"mount: {problem.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True, timeout=30)


@dataclass
class Meddling(MemoryBackup):
    """Calls ``meddle`` once, when the first large piece of a file's bytes was taken."""

    meddle: Callable[[], object] = lambda: None
    done: bool = False

    def write(self, chunk: bytes | bytearray | memoryview) -> int:
        taken = super().write(chunk)
        if len(chunk) >= 1 << 16 and not self.done:
            self.done = True
            self.meddle()
        return taken
