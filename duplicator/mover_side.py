"""A host's mover, driven from outside: set it up, watch what it tells, take it down (draft 3.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from duplicator.endpoints import secure_endpoints, security_of
from duplicator.hostlink import HostSession
from duplicator.status import Status
from ndmp.aio.methods import MoverMethods
from ndmp.enums import Error, LogType, MoverHaltReason, MoverMode, MoverPauseReason, MoverState
from ndmp.errors import NdmpError, RemoteProtocolError, ReplyError, TlsError
from ndmp.messages.extensions.fse import FseNotifyTapeDigest
from ndmp.messages.mover import MoverGetStateReply, TcpAddresses, plain_address
from ndmp.messages.notify import LogMessage, NotifyConnectionStatus, NotifyMoverHalted, NotifyMoverPaused
from ndmp.types import ALL_ONES_64
from ndmp.wire import Post

__all__ = ["MoverSide", "Notice", "printable", "tell"]

_LISTEN_POLL: Final = 0.02
"""Seconds between questions to a mover that listens."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a side told by itself, or the failure that ended it."""

    side: MoverSide
    event: Post | NdmpError


class MoverSide:
    """The mover of one session; its notifications go to ``notices`` while :meth:`watch` runs.

    ``trouble`` is the job's status when its device fails. ``told`` gets what the host tells by itself,
    ``log`` the rest.
    """

    def __init__(
        self,
        session: HostSession,
        role: str,
        notices: asyncio.Queue[Notice],
        *,
        trouble: Status,
        log: Callable[[str], None],
        told: Callable[[str], None] | None = None,
    ) -> None:
        self.session = session
        self._mover = MoverMethods(session)
        self.trouble = trouble
        self.role = role
        self.last_trouble = ""
        self.name = f"{role} ({session.name})"
        self._notices = notices
        self._log = log
        self._told = told or log

    async def watch(self) -> None:
        """Pass on what the host tells, until it is gone; log lines and farewells go to the job's record."""
        while True:
            try:
                post = await self.session.client.next_post()
            except NdmpError as error:
                self._notices.put_nowait(Notice(self, error))
                return
            self._pass_on(post)

    def _pass_on(self, post: Post) -> None:
        self._told(f"{self.role} tells: {tell(post)}")
        if isinstance(post, LogMessage) and post.log_type == LogType.ERROR:
            self.last_trouble = printable(post.entry)
        if not isinstance(post, LogMessage | NotifyConnectionStatus):
            self._notices.put_nowait(Notice(self, post))

    async def set_up(self, record_bytes: int) -> None:
        """Record size and an endless window, in this order (draft 3.6.2.1)."""
        await self._mover.set_record_size(record_bytes)
        await self._mover.set_window()

    async def listen(self, mode: MoverMode) -> TcpAddresses:
        """Have the mover listen; where to connect, under TLS alone if that is required (else TlsError)."""
        with _saying(Error.CONNECT, "MoverListen: it has no address and port to listen on, see docs/network.md"):
            address = await self._mover.listen(mode)
        if not isinstance(address, TcpAddresses) or not address.endpoints:
            raise RemoteProtocolError("the mover listens, but tells no TCP address")
        return secure_endpoints(address) if self.session.tls.required else address

    async def connect(self, mode: MoverMode, address: TcpAddresses) -> None:
        """Have the mover connect to another one, and note whether that is secure."""
        peers = map(plain_address, address.endpoints)
        places = ", ".join(f"{peer.host} port {peer.port}" for peer in peers)
        with _saying(Error.CONNECT, f"MoverConnect: it does not reach {places}"):
            await self._mover.connect(mode, address)
        secure = security_of(address)
        if secure is None:
            secure = security_of(address, (await self.state()).address)
        self.note_security(secure)

    def note_security(self, secure: bool | None) -> None:
        """Record whether the data connection is under TLS; None if nobody can tell."""
        found = {True: "under TLS", False: "not encrypted", None: "perhaps under TLS: it was offered"}[secure]
        self._log(f"{self.role}: the data connection is {found}")

    async def send_all(self, to: MoverSide | None = None) -> None:
        """Have the mover send what is there until a filemark, ``to`` a mover that listened.

        Where TLS is required that mover must have taken the connection up: a peer without TLS would send plain bytes.
        """
        if to and self.session.tls.required:
            await to.require_taken_up()
        await self._mover.read()

    async def require_taken_up(self) -> None:
        """Wait until the mover that listens has the connection; TlsError if it ended without it."""
        await self.wait_until_active()
        if (await self.state()).state != MoverState.ACTIVE:
            raise TlsError(f"{self.name} did not take the data connection up")

    async def go_on_at(self, offset: int) -> None:
        """Have the paused mover go on with byte ``offset`` of the stream, where the tape stands now."""
        await self._mover.set_window(offset, ALL_ONES_64 - offset)
        await self._mover.resume()

    async def wait_until_active(self) -> None:
        """Wait for a listening mover to have its peer: that it has is told to nobody (draft 2.11.6)."""
        seconds = self.session.deadlines.connect
        try:
            async with asyncio.timeout(seconds):
                while (await self.state()).state == MoverState.LISTEN:  # noqa: ASYNC110  (nothing tells when it ends)
                    await asyncio.sleep(_LISTEN_POLL)
        except TimeoutError as error:
            raise TimeoutError(f"nobody takes the mover's data connection up within {seconds:g} s") from error

    async def state(self) -> MoverGetStateReply:
        """Ask for state and progress."""
        return await self._mover.state()

    async def end_stream(self) -> None:
        """Have the paused mover close its data connection."""
        await self._mover.close()

    async def stop(self) -> None:
        """From HALTED to IDLE."""
        await self._mover.stop()

    async def abandon(self) -> None:
        """Bring the mover to IDLE from wherever it is."""
        state = (await self.state()).state
        if state not in (MoverState.IDLE, MoverState.HALTED):
            try:
                await self._mover.abort()
            except ReplyError as error:
                if error.error != Error.ILLEGAL_STATE:  # it halted meanwhile
                    raise
        if state != MoverState.IDLE:
            await self.stop()


@contextmanager
def _saying(refusal: Error, text: str) -> Iterator[None]:
    """Say more where a host refuses with this error."""
    try:
        yield
    except ReplyError as error:
        if error.error != refusal:
            raise
        raise ReplyError(error.error, text) from error


def tell(post: Post) -> str:
    """A notification in words."""
    match post:
        case NotifyMoverPaused(reason, position):
            return f"mover paused, {MoverPauseReason(reason).name}" + (
                f" at {position}" if reason == MoverPauseReason.SEEK else ""
            )
        case NotifyMoverHalted(reason):
            return f"mover halted, {MoverHaltReason(reason).name}"
        case LogMessage(log_type, _, entry):
            return f"log, {LogType(log_type).name.lower()}: {printable(entry)}"
        case NotifyConnectionStatus(reason, _, text):
            return f"connection {reason.name} {printable(text)}".strip()
        case FseNotifyTapeDigest():
            return f"tape digest, {post.error.name} after {post.size} bytes in {post.records} records"
        case _:
            return type(post).__name__


def printable(text: str) -> str:
    """A host's words, harmless for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text.strip())
