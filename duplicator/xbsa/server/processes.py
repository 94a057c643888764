"""The processes of a stream: started with an order on standard input, which is their lifeline, and always ended."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

import duplicator
from duplicator.xbsa.wire import LONGEST_LINE_BYTES, WireError, pack, unpack

__all__ = ["Child", "Parent", "child", "run_child"]

_log: Final = logging.getLogger(__name__)
_GOODBYE: Final = 10.0
"""Seconds for a process to clean up when its lifeline is cut."""
Order = TypeVar("Order")


class Child:
    """A process that this one started, and what it says."""

    def __init__(self, name: str, process: Process, goodbye: float) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.name: Final = name
        self.process: Final = process
        self._goodbye = goodbye
        self._input = process.stdin
        self._output = process.stdout

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def order(self, message: object) -> None:
        """Tell it something; lost if it is gone."""
        with suppress(OSError, RuntimeError):
            self._input.write(pack(message))

    async def hear(self, *expected: type[Any]) -> Any:  # noqa: ANN401  (one of ``expected``)
        """The next thing it says; None when it is gone. WireError."""
        try:
            line = await self._output.readline()
        except ValueError as error:
            raise WireError(f"the {self.name} says too long a line") from error
        return unpack(line, *expected) if line.endswith(b"\n") else None

    async def how_it_ended(self) -> str:
        """In words, once it says nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self.process.wait()
        code = self.process.returncode
        if code is None:
            return f"the {self.name} says nothing any more"
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return f"the {self.name} ended {how}"

    async def end(self) -> None:
        """Cut its lifeline and wait; one that stays is killed."""
        self._input.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._goodbye):
                    await self.process.wait()
        finally:
            if self.process.returncode is None:
                _log.warning("the %s does not end: it is killed", self.name)
                with suppress(ProcessLookupError):
                    self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def child(
    name: str, module: str, order: object | None = None, *, session: bool = False, goodbye: float = _GOODBYE
) -> AsyncIterator[Child]:
    """Run a module, with its order or without one yet; it has ended when the block has, or is killed. OSError.

    ``goodbye``: seconds until then. ``session``: it leads one of its own, and its standard error can be read until the
    last process of that is gone.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *_safe_path(), "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE if session else None,
        limit=LONGEST_LINE_BYTES,
        start_new_session=session,
    )
    started = Child(name, process, goodbye)
    try:
        if order is not None:
            started.order(order)
        yield started
    finally:
        await started.end()


def _safe_path() -> tuple[str, ...]:
    """No module comes from the current folder, where others may have put some; unless this program is there."""
    return () if Path(duplicator.__file__).resolve().parents[1] == Path.cwd() else ("-P",)


class Parent:
    """The process that started this one."""

    def __init__(self, output: int, lines: asyncio.StreamReader) -> None:
        self._output = output
        self._lines = lines
        self._orders = asyncio.Queue[bytes]()

    def tell(self, message: object) -> None:
        """Say something; nobody hears it when the parent is gone, and this process is about to learn that."""
        line = memoryview(pack(message))
        with suppress(BrokenPipeError):
            while line:
                line = line[os.write(self._output, line) :]

    async def order(self, *expected: type[Any]) -> Any:  # noqa: ANN401  (one of ``expected``)
        """The next order."""
        return unpack(await self._orders.get(), *expected)

    async def watch(self) -> None:
        """Take in orders, until the parent is gone or wants this process to end."""
        while (line := await self._lines.readline()).endswith(b"\n"):
            self._orders.put_nowait(line)


def run_child(kind: type[Order], work: Callable[[Order, Parent], Awaitable[None]]) -> None:
    """The main of a process: its work with the order that it gets, cancelled when the lifeline is cut."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Nothing else is to write there: what does goes to standard error.
    output = os.dup(1)
    os.dup2(2, 1)
    if first := _first_line(0):
        with open(0, "rb", buffering=0) as lifeline:
            asyncio.run(_work(unpack(first, kind), work, output, lifeline))


def _first_line(descriptor: int) -> bytes:
    """Up to the newline and no further: what follows is for the event loop."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 1)
        if not piece or len(line) > LONGEST_LINE_BYTES:
            return b""
        line += piece
    return bytes(line)


async def _work(
    order: Order, work: Callable[[Order, Parent], Awaitable[None]], output: int, lifeline: BinaryIO
) -> None:
    lines = asyncio.StreamReader(limit=LONGEST_LINE_BYTES)
    reading = asyncio.StreamReaderProtocol(lines)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: reading, lifeline)
    parent = Parent(output, lines)
    watching = asyncio.ensure_future(parent.watch())
    working = asyncio.ensure_future(work(order, parent))
    try:
        await asyncio.wait((watching, working), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    finally:
        watching.cancel()
        transport.close()
