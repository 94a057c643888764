"""Device URLs of virtual libraries: ``virtual-library:DIR[?drives=2&slots=10&cartridges=8&capacity=10G&times=1]``.

With ``drive=0`` the URL names the first drive of it instead of its changer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scsi.errors import DeviceUrlError, LibraryExists
from scsi.virtual.inventory import Configuration
from scsi.virtual.journal import Header
from scsi.virtual.library import Library, NewVolume, create_library, open_library
from scsi.virtual.mechanics import AT_ONCE, Mechanics
from scsi.virtual.url import parse_options, parse_size, parse_switch, parse_times

__all__ = ["LIBRARY_SCHEME", "LibraryUrl", "ensure_library", "open_library_url", "parse_library_url"]

LIBRARY_SCHEME: Final = "virtual-library:"
_COUNTS: Final = {"drives": 2, "slots": 10, "import_exports": 2, "cartridges": 0}
_OPTIONS: Final = (*_COUNTS, "capacity", "sync", "times", "drive")
_LARGEST_COUNT: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class LibraryUrl:
    """A virtual library by name, or its ``drive`` of a number; what it consists of is for one yet to be made."""

    path: Path
    configuration: Configuration
    volumes: tuple[NewVolume, ...] = ()
    sync: bool = True
    drive: int | None = None
    mechanics: Mechanics = AT_ONCE


def parse_library_url(url: str) -> LibraryUrl:
    """Read a device URL; DeviceUrlError says which part is wrong. New cartridges are named VT0001L8 and so on."""
    if not url.startswith(LIBRARY_SCHEME):
        raise DeviceUrlError(f"{url!r} does not begin with {LIBRARY_SCHEME!r}")
    location, _, query = url.removeprefix(LIBRARY_SCHEME).partition("?")
    if not location:
        raise DeviceUrlError(f"{url!r} names no directory")
    options = parse_options(query, _OPTIONS)
    drives, slots, import_exports, cartridges = (_count(options, name) for name in _COUNTS)
    if cartridges > slots:
        raise DeviceUrlError(f"{url!r}: {cartridges} cartridges for {slots} slots")
    capacity = parse_size(options.get("capacity", "1T"))
    try:
        Header(capacity, 0)
        configuration = Configuration(drives, slots, import_exports)
    except ValueError as error:
        raise DeviceUrlError(f"{url!r}: {error}") from error
    volumes = tuple(NewVolume(f"VT{number:04d}L8", capacity_bytes=capacity) for number in range(1, cartridges + 1))
    drive = _number(options["drive"]) if "drive" in options else None
    sync, mechanics = parse_switch(options.get("sync", "yes")), parse_times(options.get("times", "0"))
    return LibraryUrl(Path(location), configuration, volumes, sync, drive, mechanics)


def ensure_library(url: LibraryUrl) -> None:
    """Make the library if it is missing; one that exists is left as it is."""
    try:
        create_library(url.path, url.configuration, volumes=url.volumes)
    except LibraryExists:
        return


def open_library_url(url: LibraryUrl) -> Library:
    """Make the library that a URL names if it is missing, and open it."""
    ensure_library(url)
    return open_library(url.path, sync=url.sync, mechanics=url.mechanics)


def _count(options: Mapping[str, str], name: str) -> int:
    count = parse_size(options.get(name, str(_COUNTS[name])))
    if count > _LARGEST_COUNT:
        raise DeviceUrlError(f"{name}={count} is over {_LARGEST_COUNT}")
    return count


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > len(str(_LARGEST_COUNT)):
        raise DeviceUrlError(f"drive={text!r} is no number of a drive, which count from 0")
    return int(text)
