"""The library's end of the two kinds of streams. Failures are CallErrors with words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

from xxhash import xxh3_128

from duplicator.xbsa.channel import ChannelBroken, ReceivingEnd, SendingEnd, attach_receiving, attach_sending
from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.dialogue import AGAIN, expect, hearing_manager, open_socket
from duplicator.xbsa.local_sockets import Deadline, LineError, send_line
from duplicator.xbsa.progress_file import ProgressFile
from duplicator.xbsa.settings import Settings
from duplicator.xbsa.wire import (
    Attach,
    BeginObject,
    Begun,
    ClientStatus,
    Descriptor,
    Ended,
    Go,
    StreamStarted,
    Vote,
    Voted,
    Wait,
    WireError,
    pack,
)

__all__ = ["BackupStream", "RestoreStream", "Told"]

Told: TypeAlias = Callable[[str], None]
"""Hears what a stream is waiting for."""
_CANCELLED: Final = 150
"""Status.CANCELLED of jobs, whose module the library does without."""
_SPOILT: Final = 13
"""Status.FILE_READ_FAILED, likewise."""
_ABORTED: Final = 30.0
"""Seconds to hear that an aborted backup left nothing."""
_LAST_WORDS: Final = 3.0
"""Seconds to wait for the manager's reason when the data ended before its end."""


class _Stream:
    """What both kinds share: the progress file, and the name socket to the manager."""

    def __init__(self, started: StreamStarted, settings: Settings, told: Told) -> None:
        self._settings = settings
        self._told = told
        self._folder = Path(started.folder)
        self._progress = ProgressFile(self._folder / "progress")
        self._starting = Deadline(self._settings.start)
        try:
            with hearing_manager():
                sockets = self._progress.wait_for("sockets", deadline=self._starting).fields
                self._data_path = self._folder / str(sockets.get("data", "data"))
                self._name = open_socket(self._folder / str(sockets.get("name", "name")), self._starting)
        except BaseException:
            self._progress.close()
            raise
        try:
            self._say(Attach(started.token))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; without the end of a transaction before it, the manager aborts."""
        self._name.close()
        self._progress.close()

    def _say(self, message: object) -> None:
        with hearing_manager():
            try:
                send_line(self._name, pack(message), deadline=self._soon())
            except OSError:
                self._last_words()
                raise

    def _hear(self, *expected: type[Any], deadline: Deadline) -> Any:  # noqa: ANN401  (one of ``expected``)
        with hearing_manager():
            while True:
                message = expect(self._name, Wait, *expected, deadline=deadline)
                if not isinstance(message, Wait):
                    return message
                self._told(message.text)

    def _soon(self) -> Deadline:
        return Deadline(self._settings.deadline)

    def _late(self) -> Deadline:
        """For what takes time at the other end, such as to bring an object to stable storage."""
        return Deadline(max(self._settings.deadline, self._settings.start))

    @contextmanager
    def _data(self) -> Iterator[None]:
        """What breaks the channel has a reason, which the manager knows better."""
        try:
            yield
        except ChannelBroken as error:
            self._explain(error)

    def _explain(self, broken: ChannelBroken) -> NoReturn:
        self._last_words()
        raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, f"the data broke off: {broken}; {AGAIN}") from broken

    def _last_words(self) -> None:
        """Raise the Fault that the manager has told, or is about to tell; else return."""
        deadline = Deadline(_LAST_WORDS)
        with suppress(LineError, WireError, OSError):
            while True:
                expect(self._name, Wait, deadline=deadline)

    @property
    def _shared_memory(self) -> bool:
        return self._settings.data != "socket"

    def _confirm(self, moved: int | None) -> None:
        """The server status, which the manager writes last; CallError unless it and the byte count say success."""
        with hearing_manager():
            fields = self._progress.wait_for("server-status", deadline=self._soon()).fields
        if fields.get("status") != 0:
            text = f"the service ended with status {fields.get('status')}; `ndmpdup status` says what that means"
            raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text)
        if moved is not None and fields.get("bytes", moved) != moved:
            text = f"{moved} bytes here, {fields['bytes']} at the service; {AGAIN}"
            raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text)


class RestoreStream(_Stream):
    """Brings one object."""

    size: int | None = None
    """As announced."""
    received = 0
    _wanted = ""
    """The digest of what was stored."""
    _complete = False
    _end: ReceivingEnd | None = None

    def await_data(self, copy_id: int) -> None:
        """Wait for the drive, the volume and whatever else it takes, then for the data."""
        go: Go = self._hear(Go, deadline=self._starting)
        self._check(go.copy_id == copy_id, f"object {go.copy_id} comes, and {copy_id} was asked for")
        self.size, self._wanted, self._digest = go.size, go.xxh3_128, xxh3_128()
        with self._data():
            self._end = attach_receiving(
                self._data_path,
                go.token,
                shared_memory=self._shared_memory,
                start=self._settings.deadline,
                seconds=self._settings.start,
            )

    def fill(self, into: memoryview) -> tuple[int, bool]:
        """Bytes put into the buffer, which is full unless they are the last; and whether that was all."""
        assert self._end is not None
        filled = 0
        # The hot path: nothing but the copy and its digest may take time. It is taken here, as the reader has as much
        # to do already; and it is of the very bytes that the application gets.
        try:
            while filled < len(into) and not self._complete:
                room = into[filled:] if filled else into
                count = self._end.receive(room)
                self._digest.update(room[:count] if count < len(room) else room)
                filled += count
                self._complete = not count
            self.received += filled
            if self.received == self.size and not self._complete:
                self._complete = not self._end.receive(memoryview(bytearray(1)))
                self._check(self._complete, "more bytes come than the object has")
        except ChannelBroken as error:
            self._explain(error)
        if self._complete:
            self._check(self.received == self.size, f"{self.received} bytes came of {self.size}")
            self._compare()
        return filled, self._complete

    def _compare(self) -> None:
        if not self._wanted or self._digest.hexdigest() == self._wanted:
            return
        with suppress(CallError):
            self._say(ClientStatus(_SPOILT, self.received))
        text = "the bytes are not those that were backed up: their digest is another; try a copy on tape (source=tape)"
        raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text)

    def end(self) -> None:
        """Exchange statuses, as the last thing; not complete: the rest is not wanted."""
        try:
            if not self._complete and self._end:
                self._end.close()
            self._say(ClientStatus(0, self.received, self._complete))
            self._hear(Ended, deadline=self._late())
            self._confirm(self.received if self._complete else None)
        finally:
            self.close()

    def abort(self) -> None:
        """Say that nobody cares for what came. If nobody hears it, closing says the same."""
        with suppress(CallError):
            self._say(ClientStatus(_CANCELLED, self.received, complete=False))

    def close(self) -> None:
        """See :class:`_Stream`."""
        if self._end:
            self._end.close()
        super().close()

    def _check(self, holds: bool, text: str) -> None:
        if not holds:
            raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, f"{text}; {AGAIN}")


class BackupStream(_Stream):
    """Takes the objects of one transaction."""

    _end: SendingEnd | None = None
    _sent = 0

    def __init__(
        self, started: StreamStarted, settings: Settings, told: Told, *, is_stored: Callable[[int], bool]
    ) -> None:
        super().__init__(started, settings, told)
        self._is_stored = is_stored
        self._copy_ids: list[int] = []

    def begin(self, descriptor: Descriptor) -> Begun:
        """The next object; its data may come."""
        self._say(BeginObject(descriptor))
        begun: Begun = self._hear(Begun, deadline=self._starting if self._end is None else self._soon())
        self._copy_ids.append(begun.copy_id)
        self._sent = 0
        with self._data():
            self._end = attach_sending(
                self._data_path,
                begun.token,
                shared_memory=self._shared_memory,
                start=self._settings.deadline,
                seconds=self._settings.start,
            )
        return begun

    def send(self, chunk: memoryview) -> None:
        """The next bytes of the object."""
        assert self._end is not None
        with self._data():
            self._end.send(chunk)
        self._sent += chunk.nbytes

    def finish(self) -> None:
        """The object is whole here; the service says that it is there."""
        assert self._end is not None
        with self._data():
            self._end.finish()
        self._say(ClientStatus(0, self._sent))
        ended: Ended = self._hear(Ended, deadline=self._late())
        self._end.close()
        if ended.size != self._sent:
            text = f"{self._sent} bytes went out, {ended.size} arrived; {AGAIN}"
            raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text)

    def commit(self) -> None:
        """All objects, or none: then CallError."""
        try:
            self._say(Vote(commit=True))
            voted: Voted = self._hear(Voted, deadline=self._late())
            if not voted.committed:
                raise CallError(ReturnCode.TRANSACTION_ABORTED)
            self._confirm(None)
        except CallError:
            # Who died behind the commit has committed: the catalog is what counts.
            if not self._are_stored():
                raise

    def _are_stored(self) -> bool:
        with suppress(CallError):
            return bool(self._copy_ids) and all(map(self._is_stored, self._copy_ids))
        return False

    def abort(self) -> None:
        """Leave nothing. If nobody answers, closing says the same."""
        with suppress(CallError):
            if self._end:
                self._end.close()
            self._say(Vote(commit=False))
            self._hear(Voted, deadline=Deadline(min(self._settings.deadline, _ABORTED)))

    def close(self) -> None:
        """See :class:`_Stream`."""
        if self._end:
            self._end.close()
        super().close()
