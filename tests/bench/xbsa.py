"""BSAGetData of an object on disk, by shared memory, against readv of its file: ``python -m tests.bench.xbsa``.

Both from the page cache, in turn, in the same block sizes and into one buffer. The daemon, the manager and the reader
are processes as always, so two cores have to be free: what the machine did before is shown first.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
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
OBJECT = 300 << 20


def check(code: int) -> None:
    """It went well."""
    if code != ReturnCode.SUCCESS:
        sys.exit(f"return code {code:#x}")


def by_readv(file: Path, buffer: bytearray) -> float:
    """Seconds for all of the file."""
    opened = os.open(file, os.O_RDONLY)
    try:
        start = time.perf_counter()
        while os.readv(opened, [buffer]):
            pass
        return time.perf_counter() - start
    finally:
        os.close(opened)


def by_xbsa(handle: int, buffer: bytearray) -> float:
    """Seconds for all of the object, once BSAGetObject has come back."""
    block = BSA_DataBlock32(bufferLen=len(buffer), bufferPtr=buffer)
    check(BSABeginTxn(handle))
    check(BSAGetObject(handle, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), BSA_DataBlock32()))
    received = 0
    start = time.perf_counter()
    while (code := BSAGetData(handle, block)) == ReturnCode.SUCCESS:
        received += block.numBytes
    seconds = time.perf_counter() - start
    if code != ReturnCode.NO_MORE_DATA or received + block.numBytes != OBJECT:
        sys.exit(f"return code {code:#x} after {received} bytes")
    check(BSAEndData(handle))
    check(BSAEndTxn(handle, BSA_Vote.COMMIT))
    return seconds


def rounds(handle: int, file: Path, block_bytes: int, count: int) -> Iterator[tuple[float, float]]:
    """Pairs of seconds: readv, XBSA."""
    buffer = bytearray(block_bytes)
    by_readv(file, buffer)
    for _ in range(count):
        yield by_readv(file, buffer), by_xbsa(handle, buffer)


def measure(site: DaemonSite, count: int) -> None:
    """Print a line for each block size."""
    assert site.application("backup", f"/bench:{OBJECT}").outcome()["ok"]
    (file,) = site.unit.glob("*/data")
    version, handle = BSA_ApiVersion(), BSA_Handle()
    check(BSAQueryApiVersion(version))
    environment = ["BSA_API_VERSION=1.1.0", f"NDMPDUP_XBSA_SERVICE={site.place}"]
    check(BSAInit(handle, None, BSA_ObjectOwner("", ""), environment))
    for size in SIZES:
        pairs = list(rounds(handle.value, file, size, count))
        ratios = sorted(plain / ours for plain, ours in pairs)
        plain, ours = (OBJECT / median(column) / 1e9 for column in zip(*pairs, strict=True))
        sys.stdout.write(
            f"{size >> 10:5} KiB  readv {plain:6.2f} GB/s  BSAGetData {ours:6.2f} GB/s  "
            f"ratio {median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})\n"
        )
        sys.stdout.flush()
    check(BSATerminate(handle.value))


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
