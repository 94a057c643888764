"""BSAGetData of an object on disk, by shared memory, against readv of its file: ``python -m tests.bench.xbsa``.

Both from the page cache, in turn, in the same block sizes and into one buffer. The daemon, the manager and the reader
are processes as always, so two cores have to be free: what the machine did before is shown first. Where they are not,
the second ratio says more: the processor time of readv to that of the busier one of application and reader.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from duplicator.xbsa import (
    BSA_ApiVersion,
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectOwner,
    BSA_UInt64,
    BSA_Vote,
    BSABeginTxn,
    BSAEndData,
    BSAEndTxn,
    BSAGetData,
    BSAGetObject,
    BSAInit,
    BSAQueryApiVersion,
    BSATerminate,
    ReturnCode,
)
from tests.duplicator.xbsa.daemon_site import DaemonSite, site_in

SIZES = (64 << 10, 256 << 10, 1 << 20)
OBJECT = 1 << 30


def check(code: int) -> None:
    """It went well."""
    if code != ReturnCode.SUCCESS:
        sys.exit(f"return code {code:#x}")


@dataclass(frozen=True)
class Round:
    """Seconds of one reading, by the clock and of processors; ``reader``: what the reader's process worked."""

    clock: float
    worked: float
    reader: float = 0.0

    @property
    def bound(self) -> float:
        """What it takes at least if each process has a core to itself."""
        return max(self.worked, self.reader)


def by_readv(file: Path, buffer: bytearray) -> Round:
    """All of the file."""
    opened = os.open(file, os.O_RDONLY)
    try:
        start, worked = time.perf_counter(), time.process_time()
        while os.readv(opened, [buffer]):
            pass
        return Round(time.perf_counter() - start, time.process_time() - worked)
    finally:
        os.close(opened)


def by_xbsa(site: DaemonSite, handle: int, buffer: bytearray) -> Round:
    """All of the object, once BSAGetObject has come back."""
    block = BSA_DataBlock32(bufferLen=len(buffer), bufferPtr=buffer)
    check(BSABeginTxn(handle))
    check(BSAGetObject(handle, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), BSA_DataBlock32()))
    (reader,) = (pid for pid, words in site.processes().items() if "reader_main" in words)
    received = 0
    # What the reader has sent ahead before this is little: what the channel holds.
    reader_before = worked_by(reader)
    start, worked = time.perf_counter(), time.process_time()
    while (code := BSAGetData(handle, block)) == ReturnCode.SUCCESS:
        received += block.numBytes
    found = Round(time.perf_counter() - start, time.process_time() - worked, worked_by(reader) - reader_before)
    if code != ReturnCode.NO_MORE_DATA or received + block.numBytes != OBJECT:
        sys.exit(f"return code {code:#x} after {received} bytes")
    check(BSAEndData(handle))
    check(BSAEndTxn(handle, BSA_Vote.COMMIT))
    return found


def worked_by(pid: int) -> float:
    """Seconds that a process was on a processor so far, all of its threads."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in threads) / 1e9


def rounds(site: DaemonSite, handle: int, file: Path, block_bytes: int, count: int) -> Iterator[tuple[Round, Round]]:
    """Pairs: readv, XBSA."""
    buffer = bytearray(block_bytes)
    by_readv(file, buffer)
    for _ in range(count):
        yield by_readv(file, buffer), by_xbsa(site, handle, buffer)


def measure(site: DaemonSite, count: int) -> None:
    """Print a line for each block size."""
    assert site.application("backup", f"/bench:{OBJECT}").outcome()["ok"]
    (file,) = site.unit.glob("*/data")
    version, handle = BSA_ApiVersion(), BSA_Handle()
    check(BSAQueryApiVersion(version))
    environment = ["BSA_API_VERSION=1.1.0", f"NDMPDUP_XBSA_SERVICE={site.place}"]
    check(BSAInit(handle, None, BSA_ObjectOwner("", ""), environment))
    for size in SIZES:
        pairs = list(rounds(site, handle.value, file, size, count))
        plain, ours = (OBJECT / median(each.clock for each in column) / 1e9 for column in zip(*pairs, strict=True))
        sys.stdout.write(
            f"{size >> 10:5} KiB  readv {plain:5.2f} GB/s  BSAGetData {ours:5.2f} GB/s  "
            f"ratio {spread([one.clock / other.clock for one, other in pairs])}; "
            f"by processor time {spread([one.worked / other.bound for one, other in pairs])}\n"
        )
        sys.stdout.flush()
    check(BSATerminate(handle.value))


def spread(ratios: list[float]) -> str:
    """The median, the least and the most."""
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def main() -> None:
    """Measure, with a daemon of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    sys.stdout.write(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before\n")
    with tempfile.TemporaryDirectory(prefix="ndmpdup-") as folder, site_in(Path(folder)) as site:
        site.start()
        measure(site, arguments.rounds)


if __name__ == "__main__":
    main()
