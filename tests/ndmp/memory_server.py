"""A data server whose file systems are in memory: small and honest, with a stream format of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ndmp.backends import (
    BackupChannel,
    BackupRun,
    BackupType,
    FileAttributes,
    FileHistory,
    FileSystem,
    RecoverChannel,
    RecoverRun,
    WantedPath,
)
from ndmp.enums import ButypeAttribute, Error, FileType, RecoveryStatus
from ndmp.errors import ReplyError
from ndmp.types import ALL_ONES_64

__all__ = ["MemoryServer"]

HEADER = struct.Struct(">cHQ501s")
"""Kind (F, D, or E at the end), bytes of the path, bytes of the file, the path: 512 bytes."""


@dataclass(frozen=True)
class Member:
    """A file (body) or directory (None) and where it begins in the stream."""

    path: str
    body: bytes | None
    position: int
    node: int

    @property
    def attributes(self) -> FileAttributes:
        if self.body is None:
            return FileAttributes(FileType.DIR, 0, mtime=1)
        return FileAttributes(FileType.REG, len(self.body), mtime=1)


@dataclass
class MemoryServer:
    """``files`` by absolute path; ``roots`` can be backed up."""

    files: dict[str, bytes] = field(default_factory=dict)
    roots: list[str] = field(default_factory=list)
    butypes: Sequence[BackupType] = (
        BackupType(
            "tar",
            [("HIST", "n")],
            ButypeAttribute.RECOVER_FILELIST
            | ButypeAttribute.BACKUP_DIRECT
            | ButypeAttribute.RECOVER_DIRECT
            | ButypeAttribute.BACKUP_FH_FILE
            | ButypeAttribute.BACKUP_FH_DIR
            | ButypeAttribute.RECOVER_FILEHIST,
        ),
    )

    def file_systems(self) -> Sequence[FileSystem]:
        return [FileSystem(root, "memory", total_bytes=1 << 30) for root in self.roots]

    def _audit(self, butype: str) -> None:
        if butype not in [each.name for each in self.butypes]:
            raise ReplyError(Error.ILLEGAL_ARGS, f"no butype {butype}")

    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        self._audit(butype)
        root = environment.get("FILESYSTEM")
        if root not in self.roots:
            raise ReplyError(Error.FILE_NOT_FOUND, "no such root")
        below = {path[len(root) :]: body for path, body in self.files.items() if path.startswith(root + "/")}

        def run(channel: BackupChannel) -> None:
            members = []
            for node, (path, body) in enumerate(with_directories(below)):
                members.append(Member(path, body, channel.position, node))
                channel.write(header(path, body))
                channel.write(body or b"")
            channel.write(HEADER.pack(b"E", 0, 0, b""))
            self.tell(channel.history, members, environment.get("HIST", "n"))

        return run

    def tell(self, history: FileHistory, members: Sequence[Member], kind: str) -> None:
        if kind in ("f", "y"):
            for each in members:
                history.add_file(each.path, each.attributes, node=each.node, position=each.position)
        if kind == "d":
            nodes = {each.path: each.node for each in members}
            for folder in [each for each in members if each.body is None]:
                history.add_entry(".", node=folder.node, parent=folder.node)
                history.add_entry("..", node=nodes[parent_of(folder.path)], parent=folder.node)
                for each in members:
                    if each is not folder and parent_of(each.path) == folder.path:
                        history.add_entry(each.path.rpartition("/")[2], node=each.node, parent=folder.node)
            for each in members:
                history.add_node(each.node, each.attributes, position=each.position)

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        self._audit(butype)

        def run(channel: RecoverChannel) -> None:
            direct = environment.get("DIRECT") == "y" and all(path.position is not None for path in wanted)
            found = set[str]()
            for member in pieces(channel, wanted) if direct else members_of(channel):
                for path in wanted:
                    found |= self.take(member, path)
            for path in wanted:
                status = RecoveryStatus.SUCCESSFUL if path.original_path in found else RecoveryStatus.NOT_FOUND
                channel.recovered(path.original_path, status)

        return run

    def take(self, member: Member, wanted: WantedPath) -> set[str]:
        """Keep a member if it is wanted; under which original path it was."""
        original = wanted.original_path
        if original and member.path != original and not member.path.startswith(original + "/"):
            return set()
        target = f"{wanted.destination_path}/{wanted.name}" if wanted.name else wanted.destination_path
        if member.body is not None:
            self.files[target + member.path[len(original) :]] = member.body
        return {original}

    def recover_history(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        self._audit(butype)
        return lambda channel: self.tell(channel.history, list(members_of(channel)), environment.get("HIST", "n"))


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def with_directories(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes | None]]:
    """Every file, and before it every directory on its way."""
    folders = {"/"} | {path[:at] for path in files for at in range(1, len(path)) if path[at] == "/"}
    yield from sorted([*files.items(), *((folder, None) for folder in folders)], key=lambda pair: pair[0])


def header(path: str, body: bytes | None) -> bytes:
    name = path.encode("utf-8", "surrogateescape")
    return HEADER.pack(b"D" if body is None else b"F", len(name), len(body or b""), name)


def exactly(channel: RecoverChannel, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = channel.read(count - len(parts))
        if not part:
            raise ValueError("the stream ends too early")
        parts += part
    return bytes(parts)


def next_member(channel: RecoverChannel, position: int, node: int, *, ask: bool = False) -> Member | None:
    if ask:
        channel.expect(position, HEADER.size)
    kind, length, size, name = HEADER.unpack(exactly(channel, HEADER.size))
    if kind == b"E":
        return None
    if kind not in (b"F", b"D") or length > len(name):
        raise ValueError("this is no stream of ours")
    if ask and size:
        channel.expect(position + HEADER.size, size)
    body = exactly(channel, size)
    return Member(name[:length].decode("utf-8", "surrogateescape"), body if kind == b"F" else None, position, node)


def members_of(channel: RecoverChannel) -> Iterator[Member]:
    channel.expect(0, ALL_ONES_64)
    position = node = 0
    while member := next_member(channel, position, node):
        yield member
        position, node = position + HEADER.size + len(member.body or b""), node + 1
    while channel.read(1):
        pass


def pieces(channel: RecoverChannel, wanted: Sequence[WantedPath]) -> Iterator[Member]:
    for path in wanted:
        assert path.position is not None
        if member := next_member(channel, path.position, path.node or 0, ask=True):
            yield member
