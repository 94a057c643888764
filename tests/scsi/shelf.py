"""Short ways to cartridges for the tests of the virtual tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scsi.tape import Stop
from scsi.virtual.drive import VirtualDrive, open_cartridge
from scsi.virtual.image import create_cartridge

MIB = 1 << 20


def blank(directory: Path, *, capacity: int = 4 * MIB, early_warning: int = 0, write_protected: bool = False) -> Path:
    """A new cartridge in ``directory``."""
    path = directory / "VT0001"
    create_cartridge(path, capacity_bytes=capacity, early_warning_bytes=early_warning, write_protected=write_protected)
    return path


@contextmanager
def loaded(path: Path, *, read_only: bool = False) -> Iterator[VirtualDrive]:
    """A cartridge in a drive, without waiting for the disk."""
    drive = open_cartridge(path, sync=False, read_only=read_only)
    try:
        yield drive
    finally:
        drive.close()


def objects_on(path: Path) -> list[bytes | None]:
    """All that a freshly opened drive reads; None is a filemark."""
    found, buffer = list[bytes | None](), memoryview(bytearray(64 << 10))
    with loaded(path, read_only=True) as drive:
        while True:
            outcome = drive.read_blocks(buffer, len(buffer))
            found += [bytes(buffer[: outcome.bytes_read])] if outcome.blocks else []
            if outcome.stop is Stop.END_OF_DATA:
                return found
            found += [None] if outcome.stop is Stop.FILEMARK else []
