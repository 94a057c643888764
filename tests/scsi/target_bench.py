"""A virtual drive as a SCSI target for tests, with words in hex for commands and for what comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scsi.completion import Completion, Status
from scsi.virtual.bay import DriveBay
from scsi.virtual.drive_answers import Identity
from scsi.virtual.image import create_cartridge
from scsi.virtual.target import DriveSession, DriveTarget
from tests.scsi.hexes import b

ANY = 1 << 24
IDENTITY = Identity(serial="S01234567800")


@contextmanager
def drive_target(
    directory: Path,
    *,
    barcode: str = "VT0001L8",
    capacity: int = 1 << 20,
    early_warning: int = 0,
    write_protected: bool = False,
    read_only: bool = False,
) -> Iterator[DriveTarget]:
    """A drive with a new cartridge in it."""
    path = directory / barcode
    create_cartridge(path, capacity_bytes=capacity, early_warning_bytes=early_warning, write_protected=write_protected)
    bay = DriveBay(threading.RLock(), lambda: path, sync=False)
    drive = bay.open(read_only=read_only)
    try:
        yield DriveTarget(bay, drive, IDENTITY)
    finally:
        drive.close()


def run(host: DriveSession, words: str, data_out: bytes = b"") -> Completion:
    """A command with room for any answer."""
    return host.execute(b(words), data_in_bytes=ANY, data_out=data_out)


def good(host: DriveSession, words: str, data_out: bytes = b"") -> bytes:
    """What a command brings that has to work."""
    done = run(host, words, data_out)
    assert (done.status, done.sense.hex()) == (Status.GOOD, ""), words
    return done.data_in


def check(host: DriveSession, words: str, data_out: bytes = b"") -> str:
    """The sense, in words, of a command that has to fail and to bring nothing."""
    done = run(host, words, data_out)
    assert (done.status, done.data_in) == (Status.CHECK_CONDITION, b""), words
    return told(done)


def told(done: Completion) -> str:
    """Response code, flags and key, information, code and qualifier, and the bytes of the key if there are any."""
    sense = done.sense
    assert (len(sense), sense[1], sense[7], sense[8:12], sense[14]) == (18, 0, 10, bytes(4), 0)
    specific = f" {sense[15:].hex()}" if any(sense[15:]) else ""
    return f"{sense[0]:02x} {sense[2]:02x} {sense[3:7].hex()} {sense[12]:02x}{sense[13]:02x}{specific}"


def where(host: DriveSession) -> tuple[int, int]:
    """Object and file, by READ POSITION's long form."""
    raw = good(host, "34 06 00*8")
    return int.from_bytes(raw[8:16], "big"), int.from_bytes(raw[16:24], "big")
