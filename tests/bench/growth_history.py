"""How the client keeps up with file history: entries a second, and memory, by the number of entries."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from duplicator.garbage import collect_seldom
from ndmp.aio.client import Client, connect
from ndmp.errors import ConnectionLost
from ndmp.messages.filehist import FhAddFile
from tests.bench.growing import MIB, Growth, Panel, Point, Scale, rss_bytes
from tests.peers.namespace import end_process

__all__ = ["HISTORY_GROWTHS"]

_ENTRIES: Final = (10_000, 100_000, 1_000_000)
_DEADLINE: Final = 60.0
_SENDER: Final = (sys.executable, "-m", "tests.bench.history_sender")


def _by_entries(scale: Scale) -> Iterator[Point]:
    collect_seldom()
    for entries in _ENTRIES[:2] if scale.quick else _ENTRIES:
        port = scale.folder / f"port-{entries}"
        process = subprocess.Popen(
            [*_SENDER, str(port), str(entries)], stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            _wait_for(port, process)
            yield Point(entries, asyncio.run(_taken(int(port.read_text()), entries)))
        finally:
            end_process(process)


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _DEADLINE
    while not file.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the sender does not listen")
        time.sleep(0.01)


async def _taken(port: int, entries: int) -> Mapping[str, float]:
    """Take all of it, as an application does that keeps none."""
    async with connect("127.0.0.1", port, deadline=_DEADLINE) as client:
        taken = await _files(client)
        begin, used, most, before = time.perf_counter(), time.process_time(), 0, taken
        while taken < entries:
            taken += await _files(client)
            most = max(most, rss_bytes(os.getpid())) if taken % 10_000 == 0 else most
        elapsed, cpu = time.perf_counter() - begin, time.process_time() - used
    most = max(most, rss_bytes(os.getpid()))
    counted = taken - before
    return {"entries": counted / elapsed, "client's CPU": cpu / counted * 1e6, "client's memory": most / MIB}


async def _files(client: Client) -> int:
    """The next batch."""
    try:
        post = await client.next_post()
    except ConnectionLost as error:
        raise RuntimeError("the history ends too early") from error
    return len(post.files) if isinstance(post, FhAddFile) else 0


HISTORY_GROWTHS: Final[Mapping[str, Growth]] = {
    "history": Growth(
        "File history through the client, by the number of entries",
        "entries",
        (
            Panel("entries/s", ("entries",)),
            Panel("µs of CPU an entry", ("client's CPU",)),
            Panel("MiB", ("client's memory",)),
        ),
        _by_entries,
    )
}
"""By the name that the command line has for it."""
