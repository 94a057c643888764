"""What the checks of a virtual tape cost: ``python -m tests.bench.checks``, CPU time with them and without, paired."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import cartridge_files, create_cartridge
from scsi.virtual.journal import Header

CAPACITY = 1 << 40
CALLS, ROUNDS = 512, 7
BATCH = random.Random(1).randbytes(1 << 20)


def seconds(*, checked: bool, block_bytes: int) -> tuple[float, float]:
    """CPU time to write and to read some 512 MiB, in batches of about 1 MiB."""
    batch = memoryview(BATCH)[: len(BATCH) // block_bytes * block_bytes]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "BENCH1L8"
        create_cartridge(path, capacity_bytes=CAPACITY, early_warning_bytes=0)
        cartridge_files(path)[1].write_bytes(Header(CAPACITY, 0, checked=checked).pack())
        drive = open_cartridge(path, sync=False)
        start = time.process_time()
        for _ in range(CALLS):
            drive.write_blocks(batch, block_bytes)
        drive.write_filemarks(1)
        written = time.process_time()
        drive.rewind()
        room = memoryview(bytearray(len(batch)))
        for _ in range(CALLS):
            drive.read_blocks(room, block_bytes)
        drive.close()
        return written - start, time.process_time() - written


if __name__ == "__main__":
    for size in (10_240, 65_536, 262_144):
        pairs = [
            (seconds(checked=True, block_bytes=size), seconds(checked=False, block_bytes=size)) for _ in range(ROUNDS)
        ]
        for what, each in (("write", 0), ("read", 1)):
            ratio = median(with_them[each] / without[each] for with_them, without in pairs)
            sys.stdout.write(f"{size:8} bytes a block, {what:5} {ratio:.2f} of the CPU time without checks\n")
