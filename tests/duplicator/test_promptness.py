"""The event loop of a host goes before its movers, where that is allowed, and nothing else does."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from duplicator.promptness import prompt
from ndmp.aio.client import connect
from ndmp.aio.methods import MoverMethods, TapeMethods
from ndmp.enums import AddressType, MoverMode, TapeOpenMode
from tests.duplicator.processes import SECRET, USER, Host, site_in


def in_a_thread(work: Callable[[], int]) -> int:
    """Priorities are of threads; the test's own is not to change."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    (only,) = found
    return only


def nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def first() -> int:
    """What a loop is to have: a priority, unless this process may not give one, or was given another."""

    def attempt() -> int:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
        return nice()

    return nice() or in_a_thread(attempt)


def test_the_thread_goes_first_and_those_it_starts_do_not() -> None:
    def work() -> int:
        with prompt():
            assert nice() == wanted
            assert in_a_thread(nice) == before
        return nice()

    before, wanted = nice(), first()
    assert in_a_thread(work) == before
    assert nice() == before


def test_a_priority_that_was_given_is_kept() -> None:
    given = nice() + 1

    def work() -> int:
        os.setpriority(os.PRIO_PROCESS, 0, given)
        with prompt():
            assert nice() == given
        return nice()

    assert in_a_thread(work) == given


def test_without_permission_it_does_without(caplog: pytest.LogCaptureFixture) -> None:
    def refused(_which: int, _who: int, priority: int) -> None:
        if priority < 0:
            raise PermissionError

    caplog.set_level("INFO")
    with patch("os.setpriority", refused), patch("os.getpriority", return_value=0), prompt():
        assert "not allowed to go first" in caplog.text


def test_of_a_host_the_loop_alone_goes_first(tmp_path: Path) -> None:
    """The session's thread opens the tape, and the mover's thread waits for a connection."""

    async def threads(host: Host) -> list[tuple[bool, int]]:
        async with connect("127.0.0.1", host.port) as client:
            await client.open(4)
            await client.login(USER, SECRET)
            tape, mover = TapeMethods(client), MoverMethods(client)
            await tape.open("drive", TapeOpenMode.RDWR)
            await mover.set_record_size(65536)
            await mover.set_window()
            await mover.listen(MoverMode.READ, AddressType.TCP)
            tasks = [int(task) for task in os.listdir(f"/proc/{host.pid}/task")]
            return sorted((task != host.pid, os.getpriority(os.PRIO_PROCESS, task)) for task in tasks)

    with site_in(tmp_path) as site:
        host = site.serve("--tape", f"drive=virtual:{tmp_path / 'VOL001'}?capacity=1M")
        assert asyncio.run(threads(host)) == [(False, first()), (True, nice()), (True, nice())]
