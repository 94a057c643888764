"""The application's side of a control connection on asyncio."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar, cast

from ndmp.aio.handshake import left_early, lost
from ndmp.aio.keepalive import keep_alive
from ndmp.auth import md5_digest
from ndmp.connection import Connection, Event, PostReceived, ReplyReceived, Undecodable
from ndmp.enums import AuthType, ConnectionReason, Error
from ndmp.errors import ConnectionLost, NdmpError, RemoteProtocolError, ReplyError
from ndmp.messages.config import (
    ClassVersion,
    ConfigGetAuthAttr,
    ConfigGetExtList,
    ConfigGetServerInfo,
    ConfigSetExtList,
)
from ndmp.messages.connect import (
    AuthMd5,
    AuthMd5Attributes,
    AuthText,
    ConnectClientAuth,
    ConnectClose,
    ConnectOpen,
)
from ndmp.messages.notify import NotifyConnectionStatus
from ndmp.wire import REQUESTS, Post, Reply, Request

__all__ = ["Client", "connect"]

_log: Final = logging.getLogger(__name__)
_CHUNK: Final = 256 * 1024
_MAX_POSTS: Final = 10_000
"""Notifications that may wait unread before the host counts as broken."""
_FAREWELL: Final = 2.0
_MAX_RECORD: Final = 4 * 1024 * 1024
"""Bytes of a reply at most: an image of 10,000 fragments with long names."""

R = TypeVar("R", bound=Reply)


@asynccontextmanager
async def connect(
    host: str, port: int, *, tls: ssl.SSLContext | None = None, deadline: float = 30.0, settle: float = 5.0
) -> AsyncIterator[Client]:
    """A greeted connection to an NDMP host, closed at the end of the block. Times in seconds.

    ``tls``: how to make it secure (NDMPS); None for plain NDMP. ``deadline``: for each answer, unless a call says
    otherwise; ``settle``: for that to a call that was cancelled. ConnectionLost when there is nobody, TlsError when TLS
    fails, RemoteProtocolError when the host refuses or does not greet.
    """
    reader, writer = await _dial(host, port, tls=tls, deadline=deadline)
    keep_alive(writer)
    try:
        async with asyncio.TaskGroup() as tasks:
            client = Client(reader, writer, tasks, host=host, deadline=deadline, settle=settle)
            try:
                await client.wait_for_greeting()
                yield client
            finally:
                await client.close()
    except BaseExceptionGroup as group:  # the connection's own tasks raise nothing: this is the caller's exception
        raise group.exceptions[0]  # noqa: B904  (it is no consequence of the group)


async def _dial(
    host: str, port: int, *, tls: ssl.SSLContext | None, deadline: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    limits = {"ssl_handshake_timeout": deadline, "ssl_shutdown_timeout": _FAREWELL} if tls else {}
    failure = f"no connection to {host} port {port}"
    try:
        async with asyncio.timeout(deadline):
            return await asyncio.open_connection(host, port, limit=_CHUNK, ssl=tls, **limits)
    except TimeoutError as error:
        raise ConnectionLost(f"{failure}: timed out") from error
    except (ConnectionResetError, ConnectionAbortedError) as error:
        raise left_early(failure) if tls else lost(error, failure, host=host) from error
    except OSError as error:
        raise lost(error, failure, host=host) from error


class Client:
    """One control connection, whose tasks are in one group. Calls may overlap; replies find theirs by sequence."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tasks: asyncio.TaskGroup,
        *,
        host: str,
        deadline: float,
        settle: float,
    ) -> None:
        self.deadline = deadline
        self._host = host
        self._settle_deadline = settle
        self._writer = writer
        self._connection = Connection(max_record=_MAX_RECORD)
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
        self._posts: asyncio.Queue[Post | None] = asyncio.Queue()  # None: no more will come
        self._greeting: asyncio.Future[NotifyConnectionStatus] = asyncio.get_running_loop().create_future()
        self._lost: NdmpError | None = None
        self._ended = asyncio.Event()
        self._reading = tasks.create_task(self._read(reader))

    @property
    def local_host(self) -> str:
        """Our address on this connection: one that the host can reach."""
        return cast(str, self._writer.get_extra_info("sockname")[0])

    @property
    def is_secure(self) -> bool:
        """Whether this connection is under TLS."""
        return self._writer.get_extra_info("ssl_object") is not None

    @property
    def _hint(self) -> str:
        return "" if self.is_secure or self._greeting.done() else "; it may expect TLS"

    async def call(self, request: Request[R], *, deadline: float | None = None) -> R:
        """Send a request and wait for its reply.

        ReplyError when the host refuses, ConnectionLost when it is gone, TimeoutError when it does not answer. A call
        that is cancelled first sees its reply, for a moment: the next request, an abort say, finds the host settled.
        A host that does not answer even then is hung up on.
        """
        if self._lost:
            raise self._lost
        sequence, wire = self._connection.send_request(request, now=int(time.time()))
        answer = self._waiting[sequence] = asyncio.get_running_loop().create_future()
        seconds = deadline or self.deadline
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(wire)
                await self._writer.drain()
                reply = await asyncio.shield(answer)
        except asyncio.CancelledError:
            await self._settle(answer)
            raise
        except TimeoutError as error:
            raise TimeoutError(f"no answer to {type(request).__name__} within {seconds:g} s") from error
        except OSError as error:
            raise lost(error, f"connection lost in {type(request).__name__}", host=self._host) from error
        except ReplyError as error:
            raise ReplyError(error.error, type(request).__name__) from error
        finally:
            self._waiting.pop(sequence, None)
            self._connection.forget(sequence)
        if reply.error:
            raise ReplyError(reply.error, type(request).__name__)
        return cast(R, reply)

    async def _settle(self, answer: asyncio.Future[Reply]) -> None:
        await asyncio.wait((answer,), timeout=self._settle_deadline)
        if not answer.done():
            self._lose(ConnectionLost("a cancelled request was not answered"))
            self._writer.close()
        elif not answer.cancelled():
            answer.exception()  # seen, and of no interest to anybody

    async def posts(self) -> AsyncIterator[Post]:
        """Notifications as they come; ConnectionLost when none can come any more."""
        while True:
            yield await self.next_post()

    async def next_post(self) -> Post:
        """The next notification; ConnectionLost when none can come any more."""
        post = await self._posts.get()
        if post is not None:
            return post
        self._posts.put_nowait(None)
        raise self._lost or ConnectionLost("the connection is closed")

    async def wait_for_greeting(self) -> NotifyConnectionStatus:
        """The host's first words; RemoteProtocolError when it refuses or says something else."""
        try:
            async with asyncio.timeout(self.deadline):
                greeting = await asyncio.shield(self._greeting)
        except TimeoutError as error:
            raise ConnectionLost(f"the host does not greet within {self.deadline:g} s{self._hint}") from error
        if greeting.reason != ConnectionReason.CONNECTED:
            raise RemoteProtocolError(f"the host refuses: {greeting.reason.name} {greeting.text}")
        return greeting

    async def open(self, version: int) -> None:
        """Agree on ``version``; ReplyError(ILLEGAL_ARGS) when the host does not speak it."""
        await self.call(ConnectOpen(version))

    async def agree_on_version(self, spoken: Collection[int]) -> int:
        """Agree on the highest version that both speak; RemoteProtocolError, in words, when there is none."""
        greeted = (await self.wait_for_greeting()).version
        for version in sorted(spoken, reverse=True):
            if version <= greeted and await self._accepts(version):
                return version
        ours = " or ".join(map(str, sorted(spoken)))
        raise RemoteProtocolError(f"the host speaks NDMP version {greeted}; version {ours} is needed")

    async def _accepts(self, version: int) -> bool:
        try:
            await self.open(version)
        except ReplyError as error:
            if error.error != Error.ILLEGAL_ARGS:
                raise
            return False
        return True

    async def login(self, user: str, secret: str) -> AuthType:
        """Log in by MD5 where the host offers it, else by text; ReplyError(NOT_AUTHORIZED) when refused."""
        offered = (await self.call(ConfigGetServerInfo())).auth_types
        if AuthType.MD5 in offered:
            await self._login_md5(user, secret)
            return AuthType.MD5
        if AuthType.TEXT in offered:
            await self.call(ConnectClientAuth(AuthText(user, secret)))
            return AuthType.TEXT
        names = ", ".join(kind.name for kind in offered) or "nothing"
        raise RemoteProtocolError(f"no way to log in: the host offers {names}")

    async def _login_md5(self, user: str, secret: str) -> None:
        attributes = (await self.call(ConfigGetAuthAttr(AuthType.MD5))).attributes
        if not isinstance(attributes, AuthMd5Attributes):
            raise RemoteProtocolError("the host gives no challenge for an MD5 login")
        digest = md5_digest(secret.encode(), attributes.challenge)
        await self.call(ConnectClientAuth(AuthMd5(user, digest)))

    async def negotiate(self, wanted: Iterable[int], *, deadline: float = 3.0) -> dict[int, int]:
        """Select the host's first version that is declared here, of each wanted extension class: class to version.

        A host that knows no extensions, or swallows the question, gives none.
        """
        try:
            offered = (await self.call(ConfigGetExtList(), deadline=deadline)).classes
        except (TimeoutError, ReplyError) as error:
            _log.info("no extensions: %s", error)
            return {}
        known = {(code >> 16, version) for code, version in REQUESTS}
        classes = set(wanted)
        chosen: dict[int, int] = {}
        for class_id, version in ((c.class_id, version) for c in offered for version in c.versions):
            if class_id in classes and (class_id, version) in known:
                chosen.setdefault(class_id, version)
        if chosen:
            await self.call(ConfigSetExtList(tuple(ClassVersion(*choice) for choice in chosen.items())))
            self._connection.extensions.update(chosen)
        return chosen

    async def close(self) -> None:
        """Say good-bye and close; never raises for a host that is already gone."""
        with suppress(NdmpError, OSError, TimeoutError):
            if not self._lost:
                await self._farewell()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        if not self._lost:
            self._lose(ConnectionLost("the connection is closed"))
        if self._greeting.done():
            self._greeting.exception()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _farewell(self) -> None:
        _, wire = self._connection.send_request(ConnectClose(), now=int(time.time()))
        self._writer.write(wire)
        async with asyncio.timeout(_FAREWELL):
            await self._ended.wait()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                for event in self._connection.receive(chunk):
                    self._on_event(event)
            self._lose(self._closed())
        except OSError as error:
            self._lose(lost(error, "connection lost", host=self._host))
        except NdmpError as error:
            self._lose(error)

    def _closed(self) -> NdmpError:
        if self.is_secure and not self._greeting.done():
            return left_early("no greeting")
        return ConnectionLost(f"the host closed the connection{self._hint}")

    def _lose(self, reason: NdmpError) -> None:
        self._lost = reason
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(reason)
        if not self._greeting.done():
            self._greeting.set_exception(reason)
        self._posts.put_nowait(None)
        self._ended.set()

    def _on_event(self, event: Event) -> None:
        match event:
            case PostReceived(_, NotifyConnectionStatus() as status) if not self._greeting.done():
                self._greeting.set_result(status)
            case PostReceived(_, message):
                self._on_post(message)
            case ReplyReceived(header, message):
                self._answer(header.reply_sequence, header.error, message)
            case Undecodable(header, reason) if header.reply_sequence in self._waiting:
                self._fail(header.reply_sequence, RemoteProtocolError(reason))
            case _:
                _log.warning("message not understood: %s", event.header)

    def _on_post(self, message: Post) -> None:
        if self._posts.qsize() >= _MAX_POSTS:
            raise RemoteProtocolError(f"{_MAX_POSTS} notifications wait unread")
        self._posts.put_nowait(message)

    def _answer(self, sequence: int, error: Error, message: Reply | None) -> None:
        answer = self._waiting.get(sequence)
        if answer is None or answer.done():
            _log.debug("a reply to %d, which nobody awaits", sequence)
        elif error:
            answer.set_exception(ReplyError(error, "said in the header"))
        elif message is None:
            answer.set_exception(RemoteProtocolError("a reply without its body"))
        else:
            answer.set_result(message)

    def _fail(self, sequence: int, error: Exception) -> None:
        answer = self._waiting[sequence]
        if not answer.done():
            answer.set_exception(error)
