"""Replies that do not wait for a processor behind the movers of the same host, nor behind other programs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["prompt"]

_log: Final = logging.getLogger(__name__)
_FIRST: Final = -20


@contextmanager
def prompt() -> Iterator[None]:
    """Let this thread, and none that it starts, go before ordinary ones; where that is not allowed, do without.

    It is for an event loop, which rests between requests. A process that was given a priority keeps it.
    """
    nice = _nice()
    if nice == 0 and os.sched_getscheduler(0) == os.SCHED_OTHER:
        _go_first()
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def _nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _go_first() -> None:
    try:
        # Before the priority: no thread may ever begin with it.
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, _FIRST)
    except PermissionError:
        _log.info("not allowed to go first (CAP_SYS_NICE, LimitNICE): while movers run, replies may take milliseconds")
