"""Work that blocks, in a thread that keeps nobody waiting: neither the end of the loop nor that of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["in_own_thread", "let_go"]

R = TypeVar("R")


def in_own_thread(work: Callable[[], R], name: str) -> asyncio.Future[R]:
    """Run ``work`` in a thread of that name; who gives up waiting for it leaves it behind."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[R] = loop.create_future()

    def settle(end: Callable[[], None]) -> None:
        if not outcome.cancelled():
            end()

    def run() -> None:
        try:
            found = work()
        except BaseException as problem:  # noqa: BLE001  (it is raised where the outcome is awaited)
            error = problem
            _tell(loop, lambda: settle(lambda: outcome.set_exception(error)))
        else:
            _tell(loop, lambda: settle(lambda: outcome.set_result(found)))

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is gone, and so is whom to tell
        loop.call_soon_threadsafe(what)


async def let_go(work: asyncio.Future[Any], seconds: float) -> None:
    """Wait for a thread that was told to end, and then no longer."""
    try:
        await asyncio.wait((work,), timeout=seconds)
    finally:
        if not work.cancel() and not work.cancelled():
            work.exception()  # it is known, or does not matter any more
