"""The data path to a drive that others wrote: tgtd's tape by iSCSI, in a network namespace."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.bench.pairing import GIB, KIB, Contestants, Goal, Measure, Row, Setting
from tests.bench.programs import started
from tests.bench.served import Drive, Host, Loop, open_drives, served
from tests.kernel.tgt import DRIVE_LUN, PORT, TARGET, TgtLibrary, tgt_library
from tests.peers import Namespace, network_namespace

__all__ = ["ISCSI_ROWS"]

_RECORD: Final = 256 * KIB
_OURS: Final = "mover"
_FROM_NETWORK: Final = "C: socket, libiscsi"
_FROM_MEMORY: Final = "C: memory, libiscsi"


@contextmanager
def _setup(setting: Setting) -> Iterator[Contestants]:
    size = setting.size(GIB // 2)
    with network_namespace() as namespace, tgt_library(namespace, setting.memory, tape_mib=1024) as library:
        _load(namespace, library)
        with (
            served({"drive": library.drive_url}, namespace=namespace) as host,
            open_drives(host, ["drive"], namespace=namespace) as (loop, (drive,)),
        ):
            yield {
                _OURS: lambda: _mover(setting, namespace, host, loop, drive, size),
                _FROM_NETWORK: lambda: _from_network(setting, namespace, size),
                _FROM_MEMORY: lambda: _from_memory(setting, namespace, size),
            }


def _load(namespace: Namespace, library: TgtLibrary) -> None:
    command = [sys.executable, "-m", "duplicator.cli.main", "changer", library.changer_url, "load", "1"]
    try:
        namespace.run([*command, "--tape", library.drive_url])
    except subprocess.CalledProcessError as failure:
        raise RuntimeError(failure.stderr) from failure


def _mover(setting: Setting, namespace: Namespace, host: Host, loop: Loop, drive: Drive, size: int) -> Measure:
    """From a connection to the tape, and a filemark."""
    port = loop.run(lambda: drive.write(_RECORD))
    used, begin = host.cpu_seconds(), time.perf_counter()
    with started(setting.programs["send"], port, size, namespace=namespace) as sender:
        loop.run(lambda: drive.written(size, marks=1))
        elapsed, cpu = time.perf_counter() - begin, host.cpu_seconds() - used
        sent = sender.ended()
    loop.run(drive.release)
    return Measure(elapsed, size, {"receiver": cpu, "sender": sent})


def _words(size: int, source: str) -> tuple[object, ...]:
    return (f"127.0.0.1:{PORT}", TARGET, DRIVE_LUN, _RECORD, size, source)


def _from_network(setting: Setting, namespace: Namespace, size: int) -> Measure:
    with started(setting.programs["iscsi_write"], *_words(size, "network"), namespace=namespace) as receiver:
        port, begin = receiver.line(), time.perf_counter()
        with started(setting.programs["send"], port, size, namespace=namespace) as sender:
            got = receiver.ended()
            return Measure(time.perf_counter() - begin, size, {"receiver": got, "sender": sender.ended()})


def _from_memory(setting: Setting, namespace: Namespace, size: int) -> Measure:
    with started(setting.programs["iscsi_write"], *_words(size, "memory"), namespace=namespace) as writer:
        writer.line()
        begin = time.perf_counter()
        got = writer.ended()
        return Measure(time.perf_counter() - begin, size, {"writer": got})


_GOALS: Final = (
    Goal("rate", _OURS, _FROM_NETWORK, 0.9, 1.0),
    Goal("rate", _OURS, _FROM_MEMORY, 0.9, 1.0),
)
ISCSI_ROWS: Final[Mapping[str, Row]] = {"iscsi": Row("network to tgtd's tape by iSCSI, 256 KiB", _GOALS, _setup)}
"""By the names that the command line has for them."""
