"""A session with an NDMP host as a job wants it: version 4, logged in, extensions negotiated."""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeVar

from duplicator.failures import failing_as
from duplicator.plan import Deadlines, Place, Step
from duplicator.status import JobError, Status
from ndmp.aio.client import Client, connect
from ndmp.enums import AuthType, Error
from ndmp.errors import ConnectionLost, ReplyError, TlsError
from ndmp.messages.config import ConfigGetServerInfo, ConfigGetServerInfoReply
from ndmp.messages.extensions.fse import FSE_CLASS, FseGetInfo, FseGetInfoReply
from ndmp.services.connect import PROTOCOL_VERSION
from ndmp.wire import Reply, Request

__all__ = ["HostSession", "open_session"]

_log: Final = logging.getLogger(__name__)
_EXTENSION_DEADLINE: Final = 3.0
"""Seconds for a host that swallows the question for extensions, as ndmjob does."""

R = TypeVar("R", bound=Reply)


class HostSession:
    """An NDMP session that is ready for work."""

    def __init__(self, client: Client, place: Place, deadlines: Deadlines) -> None:
        self.client = client
        self.url = url = place.url
        self.tls = place.tls
        self.deadlines = deadlines
        self.name = f"host {url.host} port {url.port}"
        self.version = 0
        self.auth = AuthType.NONE
        """How the login went; by TEXT the password itself was sent."""
        self.extensions: dict[int, int] = {}
        self.server = ConfigGetServerInfoReply(Error.NO_ERR, "", "", "", ())

    async def call(self, request: Request[R], *, deadline: float | None = None) -> R:
        """Send a request and wait for its reply, see :meth:`ndmp.aio.client.Client.call`."""
        return await self.client.call(request, deadline=deadline or self.deadlines.request)

    async def fse_info(self) -> FseGetInfoReply | None:
        """What the file service extension offers here; None where it was not negotiated."""
        if FSE_CLASS not in self.extensions:
            return None
        return await self.call(FseGetInfo())


@asynccontextmanager
async def open_session(
    place: Place, deadlines: Deadlines, *, step: Step = Step.PREPARE, extended: bool = True
) -> AsyncIterator[HostSession]:
    """Connect, agree on version 4 or refuse in words, log in, negotiate. JobError when any of it fails.

    ``extended``: whether extensions are wanted; a host that swallows the question costs 3 seconds.
    """
    url = place.url
    who = f"host {url.host} port {url.port}"
    tls = _context(place, step, who)
    async with AsyncExitStack() as stack:
        with failing_as(step, who):
            try:
                client = await stack.enter_async_context(
                    connect(url.host, url.port, tls=tls, deadline=deadlines.connect)
                )
            except TlsError:
                raise
            except ConnectionLost as error:
                raise JobError(Status.CONNECT_TIMED_OUT, step=step.value, reason=f"{who}: {error}") from error
            session = HostSession(client, place, deadlines)
            await _settle(session, place, step)
            if extended:
                session.extensions = await client.negotiate([FSE_CLASS], deadline=_EXTENSION_DEADLINE)
        yield session


def _context(place: Place, step: Step, who: str) -> ssl.SSLContext | None:
    if place.url.tls:
        return place.tls.context()
    if place.tls.required:
        reason = f"{who}: TLS is required, and the URL is plain ndmp://"
        raise JobError(Status.TLS_FAILED, step=step.value, reason=reason)
    return None


async def _settle(session: HostSession, place: Place, step: Step) -> None:
    session.version = (await session.client.wait_for_greeting()).version
    # Nothing below version 4 will do: older movers count and connect in other ways.
    await session.client.agree_on_version([PROTOCOL_VERSION])
    try:
        session.auth = await session.client.login(place.url.user, place.secret.reveal())
    except ReplyError as error:
        reason = f"{session.name} refuses user {place.url.user!r} or the password ({error.error.name})"
        raise JobError(Status.NDMP_FAILURE, step=step.value, reason=reason) from error
    if session.auth == AuthType.TEXT and not session.client.is_secure:
        _log.warning("%s takes the password as plain text", session.name)
    session.server = await session.call(ConfigGetServerInfo())
