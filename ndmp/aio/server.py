"""A host on asyncio: sockets and threads around :class:`ndmp.services.session.Session`, and no rule of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from ndmp.aio.keepalive import keep_alive
from ndmp.backends import Host
from ndmp.connection import Connection
from ndmp.enums import ConnectionReason
from ndmp.errors import NdmpError
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.services.connect import Accounts
from ndmp.services.profile import STRICT, Profile
from ndmp.services.session import Session, Task

__all__ = ["HostServer", "Limits"]

_log: Final = logging.getLogger(__name__)
_CHUNK: Final = 256 * 1024
_CLOSING: Final = 2.0
"""Seconds for the last words to reach an application that may not listen."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one host grants. Times in seconds."""

    sessions: int = 256
    queued_requests: int = 64
    """Requests of one session that wait for their turn before its socket is read further."""
    send_deadline: float = 60.0
    """How long an application may leave its replies unread."""
    login_deadline: float = 60.0
    """How long an application may stay without having logged in."""


class HostServer:
    """Serves NDMP sessions on a listening socket, several at once."""

    def __init__(
        self, host: Host, accounts: Accounts, *, profile: Profile = STRICT, limits: Limits | None = None
    ) -> None:
        self._host = host
        self._accounts = accounts
        self._profile = profile
        self._limits = limits or Limits()
        self._sessions: dict[asyncio.Task[None], _Shell] = {}
        self._server: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> tuple[str, int]:
        """Listen; port 0 takes a free one. Returns the address in use."""
        self._server = await asyncio.start_server(self._accept, address, port, limit=_CHUNK)
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    async def stop(self) -> None:
        """Take no more sessions and end those there are, with their devices released."""
        if self._server is not None:
            self._server.close()
        for shell in self._sessions.values():
            shell.stop()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._sessions) >= self._limits.sessions:
            await _refuse(writer)
            return
        keep_alive(writer)
        shell = self._sessions[task] = _Shell(self, reader, writer)
        try:
            await shell.run()
        finally:
            del self._sessions[task]

    def session(self, inject: Callable[[Callable[[], None]], None], local_host: str) -> Session:
        """A new session of this host."""
        return Session(
            self._host,
            self._accounts,
            inject=inject,
            clock=_now,
            local_host=local_host,
            profile=self._profile,
        )

    @property
    def limits(self) -> Limits:
        """What this host grants."""
        return self._limits


class _Shell:
    """One session: a reader that queues tasks, a worker that runs them in order."""

    def __init__(self, server: HostServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._limits = server.limits
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[Task, Callable[[], None]] | None] = asyncio.Queue()
        self._turns = asyncio.Semaphore(self._limits.queued_requests)
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="session")
        self._working: asyncio.Task[None] | None = None
        self._peer = writer.get_extra_info("peername")
        self._session = server.session(self._inject, writer.get_extra_info("sockname")[0])

    async def run(self) -> None:
        """Serve until the application leaves, breaks the protocol, or the host stops."""
        _log.info("session with %s begins", self._peer)
        reading = self._loop.create_task(self._read())
        self._working = self._loop.create_task(self._work())
        login = self._loop.call_later(self._limits.login_deadline, self._expect_login)
        try:
            await self._working
        except asyncio.CancelledError:
            self._session.farewell("the host stops")
            with suppress(OSError, TimeoutError):
                await self._send()
        except (OSError, TimeoutError) as error:
            _log.warning("session with %s is lost: %s", self._peer, error)
        finally:
            login.cancel()
            reading.cancel()
            self._working.cancel()
            await asyncio.gather(reading, self._working, return_exceptions=True)
            await self._end()

    def stop(self) -> None:
        """Do no more work; what is open is still released, also if that has begun already."""
        if self._working is not None:
            self._working.cancel()

    async def _end(self) -> None:
        await self._loop.run_in_executor(self._threads, self._session.shut_down)
        self._threads.shutdown(wait=False)
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSING):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        _log.info("session with %s ends", self._peer)

    def _expect_login(self) -> None:
        if not self._session.is_logged_in:
            self._drop(f"no login within {self._limits.login_deadline:g} s")
            self._queue.put_nowait(None)

    def _drop(self, reason: str) -> None:
        _log.warning("session with %s is dropped: %s", self._peer, reason)
        self._queue.put_nowait((Task(partial(self._session.farewell, reason)), _nothing))

    def _inject(self, run: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and so is whom to tell
            self._loop.call_soon_threadsafe(self._queue.put_nowait, (Task(run), _nothing))

    async def _read(self) -> None:
        try:
            while chunk := await self._reader.read(_CHUNK):
                for task in self._session.receive(chunk):
                    await self._take(task)
        except OSError as error:
            _log.warning("session with %s is lost: %s", self._peer, error)
        except NdmpError as error:
            self._drop(str(error))
        finally:
            self._queue.put_nowait(None)

    async def _take(self, task: Task) -> None:
        await self._turns.acquire()
        ran = asyncio.Event()

        def done() -> None:
            self._turns.release()
            ran.set()

        self._queue.put_nowait((task, done))
        if task.barrier:
            await ran.wait()

    async def _work(self) -> None:
        self._session.greet()
        await self._send()
        while (item := await self._queue.get()) is not None:
            task, done = item
            if task.blocking:
                await self._loop.run_in_executor(self._threads, task.run)
            else:
                task.run()
            done()
            await self._send()
            if self._session.is_closed:
                return

    async def _send(self) -> None:
        if output := self._session.take_output():
            self._writer.write(output)
            async with asyncio.timeout(self._limits.send_deadline):
                await self._writer.drain()


def _nothing() -> None:
    """An event takes no request's turn."""


async def _refuse(writer: asyncio.StreamWriter) -> None:
    status = NotifyConnectionStatus(ConnectionReason.REFUSED, 0, "too many sessions")
    writer.write(Connection().send_post(status, now=_now()))
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _now() -> int:
    return int(time.time())
