"""Runs a coroutine for a command, and ends it cleanly when a signal comes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from duplicator.cli.endings import Interrupted
from duplicator.cli.terminal import complain

__all__ = ["run"]

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. Ctrl-C, SIGTERM or SIGHUP cancels it, which lets it clean up; then Interrupted.

    Another one cancels the clean-up too. The catalog keeps what it was told, and calls the job dead later.
    """
    return asyncio.run(_guard(work))


async def _guard(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def cancel(number: int) -> None:
        received.append(number)
        complain("ndmpdup: cancelling; once more ends the clean-up too" if len(received) == 1 else "ndmpdup: leaving")
        task.cancel()

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, cancel, number)
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        for number, action in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, action)
