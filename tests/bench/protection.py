"""How fast the CRCs of logical block protection are: ``python -m tests.bench.protection``, one core."""

from __future__ import annotations

import random
import sys
import time
from statistics import median

from scsi.protection import ProtectionMethod, protect

BLOCK = random.Random(1).randbytes(256 << 10)
ROUNDS = 9


def megabytes_per_second(method: ProtectionMethod, blocks: int) -> float:
    """The median of some rounds."""
    rates = list[float]()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(blocks):
            protect(BLOCK, method)
        rates.append(blocks * len(BLOCK) / (time.perf_counter() - start) / 1e6)
    return median(rates)


if __name__ == "__main__":
    for method, blocks in ((ProtectionMethod.CRC32C, 2000), (ProtectionMethod.REED_SOLOMON, 40)):
        sys.stdout.write(f"{method.name:14}{megabytes_per_second(method, blocks):10,.0f} MB/s\n")
