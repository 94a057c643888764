"""Two processes that ask each other: JSON-RPC 2.0, one object a line, and signs of life (docs/agents.md)."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from duplicator.agents.lines import Outlet
from duplicator.agents.wire import LONGEST_LINE_BYTES, Code, RpcError, failure_of, failure_to, printable

__all__ = ["Peer", "PeerLost", "Said", "Served"]

_log: Final = logging.getLogger(__name__)
_BEAT: Final = 5.0
"""Seconds between signs of life, at most."""
_BEATS: Final = 3
"""Signs of life within the silence that the other end bears."""
_WAITING: Final = 4096
"""Lines that wait for the other end to read them, at most."""
_AT_ONCE: Final = 16
"""Requests of the other end that are served at the same time, at most."""
_CANCELLED: Final = 10.0
"""Seconds for the answer to a request that was cancelled."""
_SHOWN: Final = 80

Message: TypeAlias = dict[str, Any]
Served: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Answers a request: from its parameters to its result. JobError is passed on."""
Said: TypeAlias = Callable[[Any], None]
"""Takes what is told without being asked."""


class PeerLost(Exception):  # noqa: N818  (what happened)
    """The other end is gone, or does not speak the protocol."""


class Peer:
    """One end of a connection. ``silence``: how many seconds the other one may say nothing.

    A cancelled :meth:`call` has the other end cancel the request too, and waits for it to say so.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: Outlet,
        *,
        served: Mapping[str, Served],
        said: Mapping[str, Said],
        silence: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._served = served
        self._said: dict[str, Said] = {**said, "alive": lambda _: None, "cancel": self._cancel}
        self._numbers = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._beat = _BEAT
        self._lost: PeerLost | None = None
        self._overflow: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.silence = silence

    async def run(self) -> PeerLost:
        """Speak until the other end is gone, and give how that was. What was being served has ended then."""
        tasks = [asyncio.ensure_future(work) for work in (self._read(), self._write(), self._live(), self._overflow)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failed = [task.exception() for task in tasks if task.done() and not task.cancelled()]
            lost = next((error for error in failed if isinstance(error, PeerLost)), PeerLost("it is left"))
            self._lose(lost)
            await _end(*tasks, *self._serving.values())
        for error in failed:
            if error is not None and not isinstance(error, PeerLost):
                raise error
        return lost

    def _lose(self, lost: PeerLost) -> None:
        self._lost = lost
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(lost)

    def bear(self, silence: float) -> None:
        """The other end counts on a sign of life within ``silence`` seconds."""
        self._beat = min(_BEAT, silence / _BEATS)

    # -- asking and telling --------------------------------------------------------------------------------------

    async def call(self, method: str, params: object = None) -> Any:  # noqa: ANN401  (the caller knows the method)
        """The other end's result; JobError as it raised it, RpcError where it cannot answer, PeerLost."""
        if self._lost is not None:
            raise self._lost
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        try:
            self._send({"method": method, "params": params, "id": number})
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            self.tell("cancel", number)
            await asyncio.wait((answer,), timeout=_CANCELLED)
            raise
        finally:
            del self._calls[number]
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # it is known, or does not matter any more

    def tell(self, method: str, params: object = None) -> None:
        """Say something that needs no answer; one that is gone does not hear it."""
        self._send({"method": method, "params": params})

    def _send(self, message: Message) -> None:
        if self._lost is not None:
            return
        line = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=True).encode() + b"\n"
        if len(line) > LONGEST_LINE_BYTES:
            raise RpcError(Code.INTERNAL, f"a message of {len(line)} bytes is longer than {LONGEST_LINE_BYTES}")
        try:
            self._outgoing.put_nowait(line)
        except asyncio.QueueFull:
            if not self._overflow.done():
                self._overflow.set_exception(PeerLost(f"it does not read what it is told: {_WAITING} lines wait"))

    async def _write(self) -> None:
        try:
            while True:
                self._writer.write(await self._outgoing.get())
                await self._writer.drain()
        except OSError as error:
            raise PeerLost(f"it takes nothing any more ({error.strerror})") from error

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            self.tell("alive")

    # -- listening -----------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            self._take(await self._line())

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(self.silence):
                return await self._reader.readuntil(b"\n")
        except TimeoutError:
            raise PeerLost(f"it has given no sign of life for {self.silence:g} s") from None
        except asyncio.IncompleteReadError as error:
            raise PeerLost("it ended the connection") from error
        except asyncio.LimitOverrunError as error:
            raise PeerLost(f"it sends a line of more than {LONGEST_LINE_BYTES} bytes") from error
        except OSError as error:
            raise PeerLost(f"the connection to it broke ({error.strerror})") from error

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        match message:
            case {"jsonrpc": "2.0", "method": str(method), "id": int(number)}:
                self._serve(number, method, message.get("params"))
            case {"jsonrpc": "2.0", "method": str(method)}:
                self._hear(method, message.get("params"))
            case {"jsonrpc": "2.0", "id": int(number), "result": result}:
                self._answered(number, result)
            case {"jsonrpc": "2.0", "id": int(number), "error": error}:
                self._answered(number, failure_of(error))
            case _:
                shown = line.decode(errors="replace").strip()[:_SHOWN]
                raise PeerLost(f"what it says is not the protocol of agents: {printable(shown)!r}")

    def _answered(self, number: int, answer: object) -> None:
        waiting = self._calls.get(number)
        if waiting is None or waiting.done():
            return  # nobody waits any longer
        if isinstance(answer, Exception):
            waiting.set_exception(answer)
        else:
            waiting.set_result(answer)

    def _hear(self, method: str, params: object) -> None:
        """A later version may tell more than is known here."""
        if method in self._said:
            try:
                self._said[method](params)
            except RpcError as error:
                raise PeerLost(f"what it tells by {method!r} makes no sense: {error.text}") from error

    def _cancel(self, number: object) -> None:
        if isinstance(number, int) and number in self._serving:
            self._serving[number].cancel()

    def _serve(self, number: int, method: str, params: object) -> None:
        if number in self._serving or len(self._serving) >= _AT_ONCE:
            raise PeerLost(f"it asks {len(self._serving)} things at once, or the same twice")
        task = asyncio.create_task(self._answer(number, method, params))
        self._serving[number] = task
        task.add_done_callback(lambda _: self._serving.pop(number, None))

    async def _answer(self, number: int, method: str, params: object) -> None:
        try:
            if method not in self._served:
                raise RpcError(Code.METHOD_NOT_FOUND, f"there is no {printable(method[:_SHOWN])!r} here")
            self._send({"id": number, "result": await self._served[method](params)})
        except asyncio.CancelledError:
            self._send({"id": number, "error": failure_to(RpcError(Code.CANCELLED, "cancelled"))})
            raise
        except Exception as error:  # noqa: BLE001  (the one who asked is told)
            failure = failure_to(error)
            if failure["code"] == Code.INTERNAL:
                _log.exception("%s stopped at a bug", method)
            self._send({"id": number, "error": failure})


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
