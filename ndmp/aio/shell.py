"""The shell of one session: its socket, its thread and its timers, around :class:`ndmp.services.session.Session`.

Requests are answered as they arrive, in the event loop. One that may wait for a device or a peer runs in a thread of
the session's own; until it is done, what arrives is kept as bytes, and beyond a limit the socket is read no further.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, Protocol

from ndmp.aio.admission import LoginGate
from ndmp.aio.limits import Limits
from ndmp.aio.tap import Tap
from ndmp.errors import NdmpError
from ndmp.services.session import OTHERS_FIRST, Session, Task

__all__ = ["Keeper", "Shell"]

_log: Final = logging.getLogger(__name__)
_CLOSING: Final = 2.0
"""Seconds for the last words to reach an application that may not listen."""
_TURN: Final = 64
"""Requests of one session that are answered in a row while others wait."""

# Why a session takes no request at the moment.
_WORKING: Final = 1
_UNREAD: Final = 2
_PUNISHED: Final = 4
_OTHERS_FIRST: Final = 8
_ENDING: Final = 16
_NO_EVENTS: Final = _WORKING | _UNREAD | _ENDING
"""What also keeps back the reports of backends: what nobody reads is not to pile up."""


class Keeper(Protocol):
    """What a shell needs of its host."""

    limits: Limits
    gate: LoginGate

    def session(self, inject: Callable[[Callable[[], None]], None], local_host: str) -> Session:
        """A new session."""

    def log_in(self, shell: Shell) -> None:
        """A session has logged in."""

    def leave(self, shell: Shell) -> None:
        """A session is over, its devices are released."""


class Shell(asyncio.Protocol):
    """One session. ``address`` is what its failed logins count for."""

    def __init__(self, keeper: Keeper, transport: asyncio.Transport, address: str) -> None:
        self.address = address
        self.is_logged_in = False
        """Whether a login has succeeded."""
        self._keeper = keeper
        self._limits = keeper.limits
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._session = keeper.session(self._inject, transport.get_extra_info("sockname")[0])
        self._threads: ThreadPoolExecutor | None = None
        self._events: list[Callable[[], None]] = []
        self._held = 0
        self._tap = Tap(transport, self._end_input)
        self._has_ended_input = self._is_gone = self._is_shut = False
        self._last_words = ""
        self._login_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self._send_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Greet; the transport's protocol must be this shell."""
        _log.info("session with %s begins", self.address)
        self._login_timer = self._loop.call_later(self._limits.login_deadline, self._expect_login)
        self._session.greet()
        self._flush()

    def stop(self) -> None:
        """The host stops: say so, and release what is open."""
        self._end("the host stops")

    # -- what the transport says ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete, unless others are before them."""
        self._session.push(data)
        if not self._held:
            self._run()
        elif self._session.held_bytes > self._limits.held_bytes and not self._held & _ENDING:
            self._tap.close()

    def eof_received(self) -> bool:
        """The application has said its last; what it asked is still answered, unless that may take long."""
        self._end_input()
        return self._transport.get_extra_info("sslcontext") is None  # TLS does not end in one direction

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody is there any more."""
        if error:  # of strangers that go, which anybody may be, there is nothing to warn about
            level = logging.WARNING if self.is_logged_in else logging.INFO
            _log.log(level, "session with %s is lost: %s", self.address, error)
        self._is_gone = True
        self._end()
        if self._is_shut:
            self._leave()

    def pause_writing(self) -> None:
        """The application does not read its replies."""
        self._held |= _UNREAD
        self._send_timer = self._loop.call_later(self._limits.send_deadline, self._give_up_sending)

    def resume_writing(self) -> None:
        """It reads again."""
        if self._send_timer:
            self._send_timer.cancel()
        self._release(_UNREAD)

    def _give_up_sending(self) -> None:
        _log.warning("session with %s is dropped: replies unread for %g s", self.address, self._limits.send_deadline)
        self._transport.abort()

    def _end_input(self) -> None:
        self._has_ended_input = True
        self._session.interrupt()
        if not self._held or self._held & _PUNISHED:
            self._end()

    # -- requests ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._held and (task := self._session.answer(_TURN)) is not None:
                if task.blocking:
                    self._work(task)
                    return
                if task.login:
                    self._try_login(task)
                elif task is OTHERS_FIRST:
                    self._held |= _OTHERS_FIRST
                    self._loop.call_soon(self._release, _OTHERS_FIRST)
                else:
                    task.run()
        except NdmpError as error:
            self._drop(str(error))
        self._after_tasks()

    def _after_tasks(self) -> None:
        self._flush()
        if self._session.is_closed or (self._has_ended_input and not self._held):
            self._end()

    def _release(self, reason: int) -> None:
        """A reason to hold requests back is gone."""
        self._held &= ~reason
        if not self._held & _NO_EVENTS:
            events, self._events = self._events, []
            for run in events:
                self._happen(run)
        if self._held:
            return
        self._tap.open()
        self._run()

    def _work(self, task: Task) -> None:
        self._flush()
        if self._has_ended_input:
            self._end()
            return
        self._in_thread(task.run, self._worked)

    def _in_thread(self, run: Callable[[], None], then: Callable[[asyncio.Future[None]], None]) -> None:
        self._held |= _WORKING
        if self._threads is None:
            self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")
        self._loop.run_in_executor(self._threads, run).add_done_callback(then)

    def _worked(self, work: asyncio.Future[None]) -> None:
        self._held &= ~_WORKING
        if error := work.exception():
            _log.error("session with %s fails", self.address, exc_info=error)
            self._drop("the host has failed")
        if self._held & _ENDING:
            self._shut_down()
            return
        self._flush()
        self._release(_WORKING)

    # -- logins --------------------------------------------------------------------------------------------------

    def _expect_login(self) -> None:
        if not self.is_logged_in:
            self._drop(f"no login within {self._limits.login_deadline:g} s")

    def _try_login(self, task: Task) -> None:
        self._flush()
        if wait := self._keeper.gate.wait(self.address, self._loop.time()):
            self._punish(wait, lambda: self._try_login(task))
            return
        failed = self._session.failed_logins
        task.run()
        if self._session.failed_logins > failed:
            delay = self._keeper.gate.fail(self.address, self._loop.time())
            self._punish(delay, self._answer_failed_login)
        elif self._session.is_logged_in and not self.is_logged_in:
            self.is_logged_in = True
            self._keeper.log_in(self)
            if self._login_timer:
                self._login_timer.cancel()

    def _punish(self, seconds: float, then: Callable[[], None]) -> None:
        """Go on later; until then, what is answered is not sent."""

        def go_on() -> None:
            self._held &= ~_PUNISHED
            then()
            self._flush()
            self._release(0)

        self._held |= _PUNISHED
        self._answer_timer = self._loop.call_later(seconds, go_on)

    def _answer_failed_login(self) -> None:
        if self._session.failed_logins >= self._limits.failed_logins:
            self._drop(f"{self._session.failed_logins} failed logins")

    # -- what backends report ------------------------------------------------------------------------------------

    def _inject(self, run: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and so is whom to tell
            self._loop.call_soon_threadsafe(self._happen, run)

    def _happen(self, run: Callable[[], None]) -> None:
        if self._held & _NO_EVENTS:
            self._events.append(run)
            return
        try:
            run()
        except Exception:  # noqa: BLE001  (a bug in one session's backend is no reason to end the others)
            _log.exception("session with %s fails", self.address)
            self._drop("the host has failed")
        self._flush()

    def _flush(self) -> None:
        if self._held & _PUNISHED or self._is_gone:
            return
        if output := self._session.take_output():
            self._transport.write(output)

    # -- the end -------------------------------------------------------------------------------------------------

    def _drop(self, reason: str) -> None:
        _log.warning("session with %s is dropped: %s", self.address, reason)
        self._end(reason)

    def _end(self, last_words: str = "") -> None:
        if self._held & _ENDING:
            return
        self._held |= _ENDING
        self._last_words = last_words
        for timer in (self._login_timer, self._answer_timer):
            if timer:
                timer.cancel()
        self._session.interrupt()
        if not self._held & _WORKING:
            self._shut_down()

    def _shut_down(self) -> None:
        self._held &= ~_PUNISHED
        if self._last_words:
            self._session.farewell(self._last_words)
        self._flush()
        if self._threads is None:  # nothing was opened: that is never done in the event loop
            self._session.shut_down()
            self._close()
        else:
            self._in_thread(self._session.shut_down, self._close)

    def _close(self, _: asyncio.Future[None] | None = None) -> None:
        if self._threads:
            self._threads.shutdown(wait=False)
        self._is_shut = True
        if self._is_gone:
            self._leave()
        else:
            self._transport.close()
            self._loop.call_later(_CLOSING, self._transport.abort)

    def _leave(self) -> None:
        _log.info("session with %s ends", self.address)
        self._keeper.leave(self)
