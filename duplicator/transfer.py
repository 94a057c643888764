"""One stream of bytes between two movers, or from a mover to this process, watched until it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from math import inf
from typing import Any, Final, TypeAlias, TypeVar

from duplicator.data_tls import DataTls, TlsPolicy, invitation_of
from duplicator.dataconn import DataConnection, Stopped
from duplicator.mover_side import MoverSide, Notice, tell
from duplicator.network import NetworkSettings
from duplicator.own_thread import in_own_thread, let_go
from duplicator.plan import Deadlines, Step
from duplicator.status import JobError, Status
from duplicator.status_map import ended_by
from duplicator.tls import ClientTls
from ndmp.enums import MoverHaltReason, MoverMode, MoverPauseReason
from ndmp.errors import NdmpError
from ndmp.messages.extensions.fse import FseNotifyTapeDigest
from ndmp.messages.mover import TcpAddresses, plain_address
from ndmp.messages.notify import NotifyMoverHalted, NotifyMoverPaused
from ndmp.wire import Post

__all__ = ["More", "Stream", "StreamBroken", "explained", "receive_all", "settings_here", "together", "watching"]

More: TypeAlias = Callable[[], Awaitable[bool]]
R = TypeVar("R")
S = TypeVar("S")

_POLL: Final = 1.0
"""Seconds between looks at a mover that moves."""
_ROOT_CAUSE: Final = 1.0
"""Seconds in which a better explanation for a closed data connection may come."""
_LET_GO: Final = 5.0
"""Seconds for the receiving thread to end once it was told to."""
_BUFFER: Final = 1024 * 1024


@asynccontextmanager
async def watching(*movers: MoverSide) -> AsyncIterator[None]:
    """Listen to what these sides tell, for the duration of the block."""
    tasks = [asyncio.create_task(mover.watch()) for mover in movers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Stream:
    """Waits for what the movers of one stream should tell; anything else ends the job.

    ``counter`` is asked for the bytes moved so far; if that stands still for ``stall`` seconds the job ends. Without
    ``stall`` it may stand still for as long as the other side needs, and so it may while it is ``excused``.
    """

    def __init__(
        self,
        notices: asyncio.Queue[Notice],
        counter: Callable[[], Awaitable[int]],
        progress: Callable[[int], None],
        *,
        step: Step,
        stall: float = inf,
        excused: Callable[[], bool] | None = None,
    ) -> None:
        self._excused = excused
        self._notices = notices
        self._counter = counter
        self._progress = progress
        self._step = step
        self._stall = stall
        self._moved = -1
        self._moved_at = time.monotonic()

    async def end_of_source(self, source: MoverSide, more: More | None = None) -> None:
        """Wait until ``source`` has sent everything up to its filemark, and then ``more``, as long as there is some.

        ``more`` knows what there is to come; so to it the end of a volume may be told as such too (draft D.6).
        """
        ends = (MoverPauseReason.EOF, MoverPauseReason.EOM) if more else (MoverPauseReason.EOF,)
        while True:
            notice = await self._next()
            if notice.side is not source or not _is_pause(notice.event, *ends):
                raise await self._surprise(notice)
            if more is None or not await more():
                return
            self.forget_time()

    async def end_of_all(self, *sides: MoverSide) -> None:
        """Wait until each of these movers has halted because the connection was closed."""
        waiting = list(sides)
        while waiting:
            notice = await self._next()
            if notice.side not in waiting or notice.event != NotifyMoverHalted(MoverHaltReason.CONNECT_CLOSED):
                raise await self._surprise(notice)
            waiting.remove(notice.side)

    async def volume_or_stream_ended(self, tape: MoverSide) -> bool:
        """Wait until the mover of ``tape`` has met the end of its volume (True), or of the stream."""
        notice = await self._next()
        if notice.side is tape and notice.event == NotifyMoverHalted(MoverHaltReason.CONNECT_CLOSED):
            return False
        if notice.side is tape and _is_pause(notice.event, MoverPauseReason.EOM):
            return True
        raise await self._surprise(notice)

    def forget_time(self) -> None:
        """What happened up to now was no standstill."""
        self._moved_at = time.monotonic()

    async def digest(self, tape: MoverSide) -> FseNotifyTapeDigest:
        """Wait for the outcome of a tape digest."""
        notice = await self._next()
        if notice.side is tape and isinstance(notice.event, FseNotifyTapeDigest):
            return notice.event
        raise await self._surprise(notice)

    async def _next(self) -> Notice:
        while True:
            try:
                async with asyncio.timeout(_POLL):
                    return await self._notices.get()
            except TimeoutError:
                await self._look()

    async def _look(self) -> None:
        moved = await self._counter()
        now = time.monotonic()
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
            self._progress(moved)
        elif self._excused is not None and self._excused():
            self._moved_at = now
        elif now - self._moved_at > self._stall:
            reason = f"no data moved for {self._stall:g} s, {moved} bytes were through"
            raise JobError(Status.CONNECTION_TIMED_OUT, step=self._step.value, reason=reason)

    async def _surprise(self, notice: Notice) -> JobError:
        """What a notice that nobody expected means. A closed connection is often explained by the next notice."""
        if _is_broken_connection(notice.event):
            try:
                async with asyncio.timeout(_ROOT_CAUSE):
                    notice = await self._notices.get()
            except TimeoutError:
                pass
        status, text = _meaning(notice)
        kind = StreamBroken if _is_broken_connection(notice.event) else JobError
        return kind(status, step=self._step.value, reason=f"{notice.side.name}: {text}")


async def together(sending: Coroutine[Any, Any, S], receiving: Coroutine[Any, Any, R], *, grace: float) -> tuple[S, R]:
    """Both ends of one stream at once; the failure that explains the other is raised, and the other end cancelled.

    Once all was received, the sender has ``grace`` seconds to say so.
    """
    sender, receiver = asyncio.ensure_future(sending), asyncio.ensure_future(receiving)
    both = (receiver, sender)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if any(map(_broke, both)):
            await asyncio.wait(both, timeout=_ROOT_CAUSE, return_when=asyncio.ALL_COMPLETED)
        elif _succeeded(receiver):
            await asyncio.wait((sender,), timeout=grace)
        elif _succeeded(sender):
            await asyncio.wait((receiver,))
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
    failed = [task for task in both if not task.cancelled() and task.exception()]
    for task in sorted(failed, key=_broke):
        task.result()
    if sender.cancelled():
        reason = f"all is on tape, and for {grace:g} s the other side does not say that it has sent all"
        raise JobError(Status.CONNECTION_TIMED_OUT, step=Step.MOVE.value, reason=reason)
    return sender.result(), receiver.result()


def _succeeded(task: asyncio.Future[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _broke(task: asyncio.Future[Any]) -> bool:
    """Whether this end only saw that the stream broke; the other one may know why."""
    return task.done() and not task.cancelled() and isinstance(task.exception(), StreamBroken)


async def explained(error: JobError, notices: asyncio.Queue[Notice]) -> JobError:
    """The failure again, or the loss of a host that explains why a connection failed and is told a moment later."""
    if error.status is not Status.CONNECTION_BROKEN:
        return error
    try:
        async with asyncio.timeout(_ROOT_CAUSE):
            while not isinstance((notice := await notices.get()).event, NdmpError):
                continue
    except TimeoutError:
        return error
    return JobError(Status.CONNECTION_BROKEN, step=error.step, reason=f"{notice.side.name}: {notice.event}")


def _is_pause(event: Post | NdmpError, *reasons: MoverPauseReason) -> bool:
    return isinstance(event, NotifyMoverPaused) and event.reason in reasons


def _is_broken_connection(event: Post | NdmpError) -> bool:
    broken = (MoverHaltReason.CONNECT_CLOSED, MoverHaltReason.CONNECT_ERROR)
    return isinstance(event, NotifyMoverHalted) and event.reason in broken


def _meaning(notice: Notice) -> tuple[Status, str]:
    side, event = notice.side, notice.event
    if isinstance(event, NdmpError):
        return Status.CONNECTION_BROKEN, str(event)
    status, reason = ended_by(event, trouble=side.trouble)
    said = f": {side.last_trouble}" if side.last_trouble else ""
    return status, reason.format(told=tell(event), said=said)


async def receive_all(
    source: MoverSide,
    notices: asyncio.Queue[Notice],
    consume: Callable[[memoryview], None],
    *,
    record_bytes: int,
    progress: Callable[[int], None],
    step: Step,
    more: More | None = None,
    stall: float | None = None,
    excused: Callable[[], bool] | None = None,
) -> None:
    """Have a mover send everything up to the filemark to this process, chunk by chunk into ``consume``.

    ``more`` is asked there whether the stream goes on, on another volume; then it has made the mover go on.
    ``consume`` runs in a thread of its own; what it raises ends the transfer. One that does not return is left behind:
    it may still be in ``consume`` then, and takes nothing more. ``stall``: seconds without data, unless as usual;
    while it is ``excused``, that is no standstill.
    """
    deadlines = source.session.deadlines
    stall = deadlines.stall if stall is None else stall
    await source.set_up(record_bytes)
    address = await source.listen(MoverMode.WRITE)
    receiver = _Receiver(consume, deadlines, step, stall=stall, tls=source.session.tls)
    receiving = in_own_thread(lambda: receiver.run(address), "receiver")
    try:

        async def received() -> int:
            if receiving.done():
                await receiving
            return receiver.received

        stream = Stream(notices, received, progress, step=step, stall=stall, excused=excused)
        await source.wait_until_active()
        await source.send_all()
        await stream.end_of_source(source, more)
        await source.end_stream()
        await stream.end_of_all(source)
        await receiver.end(receiving, excused)
        source.note_security(receiver.is_secure)
        progress(receiver.received)
        await source.stop()
    except JobError:
        cause = receiving.exception() if receiving.done() else None
        if cause is None or isinstance(cause, StreamBroken):
            raise
        raise cause from None  # the stream broke because this end gave up
    finally:
        receiver.stop()
        await let_go(receiving, min(stall, _LET_GO))


class StreamBroken(JobError):  # noqa: N818  (what happened)
    """The data connection broke; the other end may know why."""


def settings_here(deadlines: Deadlines, tls: ClientTls) -> NetworkSettings:
    """How this process makes its data connections."""
    policy = TlsPolicy.REQUIRE if tls.required else TlsPolicy.OFFER
    return NetworkSettings(connect_deadline=deadlines.connect, tls=DataTls(policy))


class _Receiver:
    """The receiving end of a data connection, in a thread."""

    def __init__(
        self, consume: Callable[[memoryview], None], deadlines: Deadlines, step: Step, *, stall: float, tls: ClientTls
    ) -> None:
        self._consume = consume
        self._stall = stall
        self._step = step
        self._connection = DataConnection(settings_here(deadlines, tls))
        self.received = 0
        self.is_secure: bool | None = None
        """Whether the data comes under TLS; None before it is connected."""

    def run(self, address: TcpAddresses) -> None:
        buffer = memoryview(bytearray(_BUFFER))
        try:
            used = self._connection.connect([plain_address(endpoint) for endpoint in address.endpoints])
            self.is_secure = invitation_of(used) is not None
            while count := self._wait(buffer):
                self._consume(buffer[:count])
                self.received += count
        except Stopped:
            return
        finally:
            self._connection.close()

    async def end(self, receiving: asyncio.Future[None], excused: Callable[[], bool] | None) -> None:
        """Wait until all that came is consumed; JobError after the stall deadline, unless it goes on and is excused."""
        seconds, before = None if self._stall == inf else self._stall, self.received
        await asyncio.wait((receiving,), timeout=seconds)
        while not receiving.done() and excused is not None and (excused() or self.received != before):
            before = self.received
            await asyncio.wait((receiving,), timeout=seconds)
        if not receiving.done():
            reason = f"the last bytes are not taken within {self._stall:g} s, {self.received} bytes were through"
            raise JobError(Status.CONNECTION_TIMED_OUT, step=self._step.value, reason=reason)
        receiving.result()

    def _wait(self, buffer: memoryview) -> int:
        try:
            while (count := self._connection.receive(buffer)) is None:
                continue
        except OSError as error:
            reason = f"the data connection to this machine broke: {error.strerror}"
            raise StreamBroken(Status.CONNECTION_BROKEN, step=self._step.value, reason=reason) from error
        return count

    def stop(self) -> None:
        self._connection.stop()
