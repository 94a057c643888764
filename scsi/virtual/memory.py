"""What hosts keep in the memory of a cartridge (SPC-4): DIR/BARCODE.memory, a list as READ ATTRIBUTE gives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from scsi.errors import MediumError
from scsi.fields import size_of
from scsi.parameters import Attribute, build_attributes, parse_attributes
from scsi.virtual.durable import replace_file

__all__ = ["MEMORY_BYTES", "WRITABLE", "memory_file", "read_memory", "used_bytes", "write_memory"]

MEMORY_BYTES: Final = 16 << 10
"""As in an LTO cartridge."""
WRITABLE: Final = (range(0x0800, 0x0C00), range(0x1400, 0x1800))
"""Attributes that belong to hosts; the others are the cartridge's and the drive's."""


def memory_file(path: Path) -> Path:
    """Where the memory of cartridge DIR/BARCODE is kept."""
    return path.with_name(f"{path.name}.memory")


def read_memory(path: Path) -> Sequence[Attribute]:
    """What hosts have written, by code; MediumError if it cannot be read."""
    try:
        with memory_file(path).open("rb") as file:
            return parse_attributes(file.read(MEMORY_BYTES))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise MediumError(f"{memory_file(path)}: {error.strerror}") from error


def write_memory(path: Path, attributes: Iterable[Attribute]) -> None:
    """Replace all of it, at once or not at all; MediumError."""
    kept = sorted((replace(each, read_only=False) for each in attributes if each.value), key=lambda each: each.code)
    try:
        replace_file(memory_file(path), build_attributes(kept))
    except OSError as error:
        raise MediumError(f"{memory_file(path)}: {error.strerror}") from error


def used_bytes(attributes: Iterable[Attribute]) -> int:
    """What attributes take of the memory."""
    return sum(size_of(Attribute) + len(each.value) for each in attributes)
