"""A data server's parts: a data path that does what the test says, and a backend that notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ndmp.backends import (
    BackupChannel,
    BackupRun,
    BackupType,
    DataEvent,
    DataProgress,
    FileSystem,
    RecoverChannel,
    RecoverRun,
    WantedPath,
)
from ndmp.enums import ButypeAttribute, Error
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress

__all__ = ["Asked", "MemoryFiles", "ScriptedPath"]


@dataclass
class ScriptedPath:
    """A data path that does nothing by itself."""

    report: Callable[[DataEvent], None]
    local_host: str
    refuses: Error | None = None
    meanwhile: Callable[[], None] = lambda: None
    """What happens while it connects."""
    asked: list[str] = field(default_factory=list)
    arrived: bool = False
    told: DataProgress = field(default_factory=DataProgress)
    runs: list[BackupRun | RecoverRun] = field(default_factory=list)

    def _note(self, what: str) -> None:
        self.asked.append(what)
        if self.refuses:
            raise ReplyError(self.refuses)

    def listen(self) -> Sequence[TcpAddress]:
        self._note("listen")
        return [TcpAddress("127.0.0.1", 4567, (("NIC", "fast"),)), TcpAddress("10.0.0.1", 4568)]

    def listen_local(self) -> bytes:
        self._note("listen_local")
        return b"data here"

    def connect(self, addresses: Sequence[TcpAddress]) -> TcpAddress:
        self._note(f"connect {' '.join(f'{each.host}:{each.port}' for each in addresses)}")
        self.meanwhile()
        if "stop" in self.asked:
            raise ReplyError(Error.CONNECT, "stopped")
        return TcpAddress("127.0.0.3", 77, (("NIC", "slow"),))

    def has_arrived(self) -> bool:
        return self.arrived

    def connect_local(self, name: bytes) -> None:
        self._note(f"connect_local {name.decode()}")

    def start_backup(self, run: BackupRun) -> None:
        self._note("start_backup")
        self.runs.append(run)

    def start_recover(self, run: RecoverRun) -> None:
        self._note("start_recover")
        self.runs.append(run)

    def progress(self) -> DataProgress:
        return self.told

    def stop(self) -> None:
        self.asked.append("stop")


@dataclass(frozen=True)
class Asked:
    """What a backend was to prepare."""

    what: str
    environment: Mapping[str, str]
    wanted: Sequence[WantedPath] = ()


@dataclass
class MemoryFiles:
    """A backend with the one butype "dump"."""

    asked: list[Asked] = field(default_factory=list)
    refuses: Error | None = None
    butypes: Sequence[BackupType] = (BackupType("dump", (("HIST", "y"),), ButypeAttribute.BACKUP_FH_FILE),)

    def _prepare(self, asked: Asked) -> None:
        if self.refuses:
            raise ReplyError(self.refuses)
        self.asked.append(asked)

    def file_systems(self) -> Sequence[FileSystem]:
        return [FileSystem("/home", "ext4")]

    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        self._prepare(Asked(f"backup {butype}", environment))
        return _back_up

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        self._prepare(Asked(f"recover {butype}", environment, tuple(wanted)))
        return _recover

    def recover_history(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        self._prepare(Asked(f"history {butype}", environment, tuple(wanted)))
        return _recover


def _back_up(channel: BackupChannel) -> None:
    channel.write(b"all there is")


def _recover(channel: RecoverChannel) -> None:
    channel.expect(0, 12)
