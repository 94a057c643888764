"""Requests of the library to the service, each on a connection of its own. Failures are CallErrors with words."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from duplicator.xbsa.dialogue import expect, open_socket, reaching
from duplicator.xbsa.local_sockets import Deadline, send_line
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.streams import BackupStream, RestoreStream, Told
from duplicator.xbsa.wire import (
    Deleted,
    DeleteObjects,
    FindObjects,
    History,
    HistoryFound,
    ObjectFound,
    ObjectsFound,
    StartBackup,
    StartRestore,
    StreamStarted,
    pack,
)

__all__ = ["Service"]


class Service:
    """The request daemon, as one user sees it."""

    def __init__(self, settings: Settings, told: Told) -> None:
        self.settings: Final = settings
        self.told: Final = told

    def find(self, query: FindObjects) -> ObjectsFound:
        """One page of objects."""
        found: ObjectsFound = self._ask(query, ObjectsFound)
        return found

    def one(self, copy_id: int) -> ObjectFound | None:
        """This user's object with this id."""
        if not copy_id:
            return None
        found = self.find(FindObjects(after=copy_id - 1, limit=1)).objects
        return found[0] if found and found[0].copy_id == copy_id else None

    def delete(self, copy_ids: tuple[int, ...]) -> None:
        """All of them or none."""
        deleted: Deleted = self._ask(DeleteObjects(copy_ids), Deleted)
        if deleted.text:
            self.told(deleted.text)

    def history(self, path: str, after: int) -> HistoryFound:
        """One page of objects with their copies."""
        found: HistoryFound = self._ask(History(path, after), HistoryFound)
        return found

    def start_backup(self, host: str, policy: str) -> BackupStream:
        """A stream whose manager is attached to."""
        started: StreamStarted = self._ask(StartBackup(host, policy), StreamStarted)
        return BackupStream(started, self.settings, self.told, is_stored=lambda number: self.one(number) is not None)

    def start_restore(self, copy_id: int) -> RestoreStream:
        """A stream whose data flows."""
        started: StreamStarted = self._ask(StartRestore(copy_id, self.settings.source), StreamStarted)
        stream = RestoreStream(started, self.settings, self.told)
        try:
            stream.await_data(copy_id)
        except BaseException:
            stream.close()
            raise
        return stream

    def _ask(self, request: object, answer: type[Any]) -> Any:  # noqa: ANN401  (an ``answer``)
        deadline = Deadline(self.settings.deadline)
        with reaching(self.settings.service), open_socket(self.settings.service / "request", deadline) as stream:
            with suppress(BrokenPipeError):  # who refuses without hearing the request has said why
                send_line(stream, pack(request), deadline=deadline)
            return expect(stream, answer, deadline=deadline)
