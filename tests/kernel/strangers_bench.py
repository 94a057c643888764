"""Short ways to the programs of others in the guest of test_virtual_in_a_guest.py, which describes the library.

/dev/sg0 and /dev/nst0 are its drive, /dev/sg1 and /dev/sch0 its changer; NDMPDUP_SLOTS tells, by barcode, the
slots of the cartridges that may be overwritten here, and a free one and the import/export element.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    *("BLOCK", "CHANGER", "DRIVE", "IMAGE", "ONCE", "SLOTS", "TAB", "TALE", "TAPE", "TINY"),
    *("ask", "loaded", "mt", "mtx", "place", "says"),
]

DRIVE, CHANGER, TAPE = "/dev/sg0", "/dev/sg1", "/dev/nst0"
SLOTS: dict[str, int] = json.loads(os.environ.get("NDMPDUP_SLOTS", "{}"))
TALE, TINY, ONCE, TAB = "TALE01L8", "TINY01L8", "WORM01LY", "PROT01L8"
IMAGE = hashlib.shake_128(b"image").digest(100_000)
BLOCK = 8192


def ask(*command: str | Path, code: int = 0) -> str:
    """What a program prints, on one line; it has to end with ``code``."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, f"{command}: {done.returncode}: {said}"
    return said


def mt(*words: str, code: int = 0) -> str:
    return ask("mt", "-f", TAPE, *words, code=code)


def mtx(*words: str, code: int = 0) -> str:
    return ask("mtx", "-f", CHANGER, *words, code=code)


@contextmanager
def loaded(barcode: str) -> Iterator[None]:
    """With a cartridge in the drive, at its beginning."""
    slot = str(SLOTS[barcode])
    mtx("load", slot, "0")
    mt("load")
    try:
        yield
    finally:
        # Not by mt: on a drive whose tape is out already, the driver waits for two minutes.
        ask("sg_start", "--stop", DRIVE)
        mtx("unload", slot, "0")


def place() -> tuple[int, int, int]:
    """Object as the drive tells it, file and block as the driver counts them."""
    (number,) = re.findall(r"At block (\d+)\.", mt("tell"))
    ((file, block),) = re.findall(r"File number=(-?\d+), block number=(-?\d+)", mt("status"))
    return int(number), int(file), int(block)


def says(text: str, *parts: str) -> None:
    for part in parts:
        assert part in text, (part, text)
