"""A service in memory, behind real sockets: what the library meets, and every way in which it may fail."""

from __future__ import annotations

import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeAlias

from duplicator.xbsa.channel import ChannelBroken, ReceivingEnd, offer_receiving, offer_sending
from duplicator.xbsa.local_sockets import Deadline, LineError, listen, read_line, send_line
from duplicator.xbsa.wire import (
    Answer,
    Attach,
    BeginObject,
    Begun,
    ClientStatus,
    DataHello,
    Deleted,
    DeleteObjects,
    Descriptor,
    Ended,
    Fault,
    FindObjects,
    Go,
    History,
    HistoryFound,
    ObjectFound,
    ObjectsFound,
    Place,
    Progress,
    Request,
    StartBackup,
    StartRestore,
    StreamStarted,
    Vote,
    Voted,
    Wait,
    pack,
    unpack,
)

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
Say: TypeAlias = Callable[[object], None]
Hear: TypeAlias = Callable[..., Any]
_GONE = (LineError, ChannelBroken, OSError)


class Died(Exception):  # noqa: N818  (what happened)
    """The stream's processes are gone, as after kill -9."""


@dataclass
class FakeService:
    """``faults``: what is answered at a step. ``dies``: steps behind which nobody answers any more.

    ``short``: bytes that are missing at the end. ``astray``: another object comes. ``began``: data flows.
    ``waits``: steps that wait for ``go_on``. ``miscounted``: by how many bytes the server status differs.
    """

    folder: Path
    objects: dict[int, tuple[ObjectFound, bytes]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    dies: set[str] = field(default_factory=set)
    waits: set[str] = field(default_factory=set)
    go_on: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    server_status: int = 0
    short: int = 0
    astray: int = 0
    miscounted: int = 0
    page: int = 50
    requests: list[Request] = field(default_factory=list)
    statuses: list[ClientStatus] = field(default_factory=list)
    last_id: int = 0

    def store(self, path: str, content: bytes = b"", **other: str) -> int:
        """An object that is there already."""
        descriptor = Descriptor("", "", "", path, 3, 2, "test", "", "", len(content) or 1)
        found = self.note(replace(descriptor, **other))
        self.objects[found.copy_id] = (found, content)
        return found.copy_id

    def note(self, descriptor: Descriptor) -> ObjectFound:
        self.last_id += 1
        created = NOON + timedelta(minutes=self.last_id)
        host = socket.gethostname()
        return ObjectFound(self.last_id, created, descriptor, True, 0, 0, "me", host)

    def found(self, copy_id: int) -> ObjectFound:
        found, content = self.objects[copy_id]
        newest = max(n for n, (o, _) in self.objects.items() if o.descriptor.path == found.descriptor.path)
        return replace(found, size=len(content), most_recent=newest == copy_id)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        kind = type(request).__name__
        if kind in self.dies:
            raise Died
        if kind in self.faults:
            return self.faults[kind]
        match request:
            case FindObjects():
                matches = [self.found(n) for n in sorted(self.objects) if n > request.after]
                matches = [one for one in matches if _matches(request, one)]
                limit = min(self.page, request.limit)
                return ObjectsFound(tuple(matches[:limit]), len(matches) > limit)
            case DeleteObjects():
                for copy_id in request.copy_ids:
                    del self.objects[copy_id]
                return Deleted(len(request.copy_ids))
            case History():
                entries = [self.found(n) for n in sorted(self.objects) if n > request.after]
                disk = Place("disk", "unit1", "there")
                tape = Place("tape", "A00001 A00002", "VALID", "3f2a")
                chosen = [
                    (one, (disk, tape), (7,)) for one in entries if fnmatchcase(one.descriptor.path, request.path)
                ]
                return HistoryFound(tuple(chosen[: self.page]), len(chosen) > self.page)
            case StartRestore(copy_id=copy_id) if copy_id not in self.objects:
                return Fault(0x1A, 0, f"there is no object {copy_id}")
            case StartRestore() | StartBackup():
                return self.start(request)
        raise AssertionError(request)

    def start(self, request: StartBackup | StartRestore) -> StreamStarted:
        folder = self.folder / f"stream-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        stream = _Stream(self, folder, request)
        threading.Thread(target=stream.run, daemon=True).start()
        return StreamStarted(str(folder), stream.token)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(Died, *_GONE):
                line, _ = read_line(connection, deadline=Deadline(10))
                kinds = (FindObjects, DeleteObjects, History, StartRestore, StartBackup)
                send_line(connection, pack(self.answer(unpack(line, *kinds))), deadline=Deadline(10))


@contextmanager
def serving(folder: Path) -> Iterator[FakeService]:
    """A service in this folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    service = FakeService(folder)
    listener = listen(folder / "request")
    thread = threading.Thread(target=service.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)
        listener.close()


class _Stream:
    """A manager with its reader or writer."""

    def __init__(self, service: FakeService, folder: Path, request: StartBackup | StartRestore) -> None:
        self.service, self.folder, self.request = service, folder, request
        self.token = secrets.token_hex(32)
        self.staged: list[tuple[ObjectFound, bytes]] = []
        self.progress = (folder / "progress").open("ab", buffering=0)

    def run(self) -> None:
        with self.progress, listen(self.folder / "name") as name, listen(self.folder / "data") as data:
            try:
                self.step("started")
                self.tell("started")
                self.tell("sockets")
                self.step("sockets")
                name.settimeout(10)
                data.settimeout(10)
                with name.accept()[0] as library:
                    self.talk(library, data)
            except (Died, *_GONE):
                pass
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)

    def talk(self, library: socket.socket, data: socket.socket) -> None:
        def say(message: object) -> None:
            send_line(library, pack(message), deadline=Deadline(10))

        def hear(*kinds: type[object]) -> Any:  # noqa: ANN401  (one of ``kinds``)
            return unpack(read_line(library, deadline=Deadline(10))[0], *kinds)

        try:
            assert hear(Attach).token == self.token
            self.step("attached")
            say(Wait("a drive"))
            if isinstance(self.request, StartRestore):
                self.restore(self.request.copy_id, say, hear, data)
            else:
                self.backup(say, hear, data)
        except Refused as refused:
            say(refused.fault)

    def restore(self, copy_id: int, say: Say, hear: Hear, data: socket.socket) -> None:
        found, content = self.service.objects[copy_id]
        self.step("go")
        token = secrets.token_hex(32)
        say(Go(token, found.copy_id + self.service.astray, len(content)))
        with self.data(data, token) as (connection, shared):
            end = offer_sending(connection, shared_memory=shared, seconds=10)
            half = len(content) // 2
            with suppress(ChannelBroken):
                end.send(memoryview(content)[:half])
                try:
                    self.step("half")
                    end.send(memoryview(content)[half : len(content) - self.service.short])
                    end.finish()
                except (Died, Refused):
                    end.close()
                    raise
            status = hear(ClientStatus)
            end.close()
        self.service.statuses.append(status)
        self.step("ended")
        say(Ended(len(content)))
        self.tell("server-status", status=self.service.server_status, bytes=len(content) + self.service.miscounted)

    def backup(self, say: Say, hear: Hear, data: socket.socket) -> None:
        while True:
            message = hear(BeginObject, Vote)
            if isinstance(message, Vote):
                break
            self.step("begin")
            noted = self.service.note(message.descriptor)
            token = secrets.token_hex(32)
            say(Begun(token, noted.copy_id, noted.created))
            with self.data(data, token) as (connection, shared):
                self.staged.append((noted, self.take(offer_receiving(connection, shared_memory=shared, seconds=10))))
            self.service.statuses.append(hear(ClientStatus))
            self.step("taken")
            say(Ended(len(self.staged[-1][1]) - self.service.short))
        if message.commit:
            self.step("vote")
            self.service.objects |= {found.copy_id: (found, content) for found, content in self.staged}
            self.step("committed")
        say(Voted(message.commit))
        self.tell("server-status", status=self.service.server_status)

    def take(self, end: ReceivingEnd) -> bytes:
        content = bytearray()
        piece = memoryview(bytearray(65536))
        try:
            while count := end.receive(piece):
                content += piece[:count]
                self.step("taking")
        finally:
            end.close()
        return bytes(content)

    @contextmanager
    def data(self, listener: socket.socket, token: str) -> Iterator[tuple[socket.socket, bool]]:
        connection, _ = listener.accept()
        with connection:
            hello = unpack(read_line(connection, deadline=Deadline(10))[0], DataHello)
            assert hello.token == token
            yield connection, hello.shared_memory

    def step(self, name: str) -> None:
        if name in ("taking", "half"):
            self.service.began.set()
        if name in self.service.waits:
            self.service.go_on.wait(timeout=60)
        if name in self.service.dies:
            raise Died
        if name in self.service.faults:
            raise Refused(self.service.faults[name])

    def tell(self, event: Literal["started", "sockets", "server-status"], **fields: int) -> None:
        self.progress.write(pack(Progress(NOON, event, "", fields)))


class Refused(Exception):  # noqa: N818  (what happened)
    """The manager says a Fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


def _matches(query: FindObjects, one: ObjectFound) -> bool:
    told = one.descriptor
    texts = (
        (query.bsa_owner, told.bsa_owner),
        (query.app_owner, told.app_owner),
        (query.space, told.space),
        (query.path, told.path),
        (query.resource_type, told.resource_type),
        (query.description, told.description),
    )
    return (
        all(pattern is None or fnmatchcase(text, pattern) for pattern, text in texts)
        and query.copy_type in (1, told.copy_type)
        and query.object_type in (1, told.object_type)
        and query.status in (1, 2 if one.most_recent else 3)
        and (query.created_from is None or one.created >= query.created_from)
        and (query.created_to is None or one.created <= query.created_to)
        and query.host in (None, one.host)
    )
