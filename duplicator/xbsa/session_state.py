"""The session of this process: where it is in the order of calls, and the streams that it holds."""

from __future__ import annotations

import itertools
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.environment import Environment
from duplicator.xbsa.order import REFUSALS, TABLE, Event, State
from duplicator.xbsa.settings import Settings, find_settings
from duplicator.xbsa.types import BSA_ObjectOwner

if TYPE_CHECKING:
    from duplicator.xbsa.client import Service
    from duplicator.xbsa.streams import BackupStream, RestoreStream
    from duplicator.xbsa.wire import FindObjects, ObjectFound

__all__ = ["Session", "begin", "current", "session"]

_handles: Final = itertools.count(1)
_open: dict[int, Session] = {}
"""At most one."""


class Session:
    """From BSAInit to BSATerminate."""

    def __init__(self, owner: BSA_ObjectOwner, environment: Environment) -> None:
        self.handle: Final = next(_handles)
        self.owner: Final = owner
        self.environment = environment
        self.settings: Settings = find_settings(environment)
        self.told: Callable[[str], None] = lambda _: None
        """Hears what a stream waits for."""
        self.state = State.SESSION
        self.transaction = Transaction(self)

    @property
    def host(self) -> str:
        """The client host that objects get, and that queries ask for."""
        return self.environment.get("NBBSA_CLIENT_HOST") or socket.gethostname()

    @property
    def service(self) -> Service:
        """Who answers requests."""
        # Only now: it loads slowly, and the application may never need it.
        from duplicator.xbsa.client import Service

        return Service(self.settings, lambda text: self.told(text))

    def audit(self, event: Event) -> None:
        """CallError if it is not the time for this call."""
        if event in TABLE[self.state]:
            return
        code = REFUSALS.get((self.state, event), ReturnCode.INVALID_CALL_SEQUENCE)
        if code is ReturnCode.ABORT_SYSTEM_ERROR:
            raise CallError(code, self.transaction.broken)
        raise CallError(code, f"{event.name} is not allowed in the state {self.state.name}")

    def advance(self, event: Event) -> None:
        """The call was successful."""
        self.state = TABLE[self.state][event]
        if self.state is State.NO_SESSION:
            _open.pop(self.handle, None)
        if self.state in (State.SESSION, State.NO_SESSION):
            over, self.transaction = self.transaction, Transaction(self)
            over.close()

    def change(self, name: str, value: str) -> None:
        """Another value in the environment; CallError within a transaction, or if it is fixed."""
        if self.state is not State.SESSION:
            raise CallError(ReturnCode.INVALID_CALL_SEQUENCE, f"{name} does not change within a transaction")
        environment = self.environment.changed(name, value)
        self.settings = find_settings(environment)
        self.environment = environment


class Transaction:
    """What one transaction has gathered."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.backup: BackupStream | None = None
        self.restore: RestoreStream | None = None
        self.failure: CallError | None = None
        """Why the object that is being received cannot be."""
        self.deletions: dict[int, None] = {}
        self.cursor: Cursor | None = None
        self.short_block = False
        """A block that was not full was sent: the object's last."""
        self.broken = ""
        """Why the backup cannot be completed."""

    @contextmanager
    def backing_up(self) -> Iterator[BackupStream]:
        """The stream, started if it is not; when something fails in it, all of the transaction is lost."""
        try:
            if self.backup is None:
                session = self._session
                policy = session.environment.get("NBBSA_POLICY", "")
                self.backup = session.service.start_backup(session.host, policy)
            yield self.backup
        except BaseException as error:
            self.broken = str(error) or type(error).__name__
            self._session.advance(Event.BREAK)
            self.close()
            raise

    def restoring(self) -> RestoreStream:
        """The stream of the object; once something failed in it, everything does, with the same reason."""
        if self.failure:
            raise self.failure
        assert self.restore is not None
        return self.restore

    def lose(self, error: BaseException) -> None:
        """Something failed in the stream of the object."""
        text = str(error) or type(error).__name__
        self.failure = error if isinstance(error, CallError) else CallError(ReturnCode.ABORT_SYSTEM_ERROR, text)
        if self.restore:
            self.restore.close()

    def close(self) -> None:
        """Let go of the streams."""
        for stream in (self.backup, self.restore):
            if stream:
                stream.close()
        self.backup = self.restore = None

    def abort(self) -> None:
        """Leave nothing of it, whether or not the service is still there."""
        for stream in (self.backup, self.restore):
            if stream:
                with suppress(Exception):
                    stream.abort()


class Cursor:
    """The objects of a query, page by page."""

    def __init__(self, service: Service, query: FindObjects) -> None:
        self._service = service
        self._query = query
        self._page: deque[ObjectFound] = deque()
        self._more = True

    def next(self) -> ObjectFound | None:
        """The next one, or None at the end."""
        from dataclasses import replace

        if not self._page and self._more:
            answer = self._service.find(self._query)
            self._page.extend(answer.objects)
            self._more = answer.more and bool(answer.objects)
            if answer.objects:
                self._query = replace(self._query, after=answer.objects[-1].copy_id)
        return self._page.popleft() if self._page else None


def begin(owner: BSA_ObjectOwner, environment: Environment) -> Session:
    """A new session; CallError while there is one."""
    if running := current():
        running.audit(Event.INIT)
    made = Session(owner, environment)
    _open[made.handle] = made
    return made


def session(handle: int) -> Session:
    """The session with this handle; CallError with INVALID_HANDLE."""
    found = _open.get(handle)
    if found is None:
        raise CallError(ReturnCode.INVALID_HANDLE)
    return found


def current() -> Session | None:
    """The session, if there is one."""
    return next(iter(_open.values()), None)


def _leave_to_the_parent() -> None:
    """A forked child has no session. Its sockets go with the objects: a shutdown would be the parent's."""
    _open.clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)
