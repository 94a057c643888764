"""Device URLs of virtual tapes: ``virtual:DIR/BARCODE[?capacity=10M&early_warning=64K&sync=no&times=1]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scsi.errors import CartridgeExists, DeviceUrlError
from scsi.virtual.drive import VirtualDrive, open_cartridge
from scsi.virtual.image import cartridge_files, create_cartridge
from scsi.virtual.journal import Header
from scsi.virtual.mechanics import AT_ONCE, Mechanics

__all__ = [
    "SCHEME",
    "VirtualUrl",
    "ensure_cartridge",
    "open_url",
    "parse_options",
    "parse_size",
    "parse_switch",
    "parse_times",
    "parse_url",
]

SCHEME: Final = "virtual:"
DEFAULT_CAPACITY_BYTES: Final = 1 << 40
LARGEST_DEFAULT_WARNING_BYTES: Final = 256 << 20
_SIZE: Final = re.compile(r"([0-9]{1,19})([KMGT]?)", re.IGNORECASE)
_SHIFT: Final = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_OPTIONS: Final = ("capacity", "early_warning", "sync", "times")
_FACTOR: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,6})?", re.ASCII)
_SWITCH: Final = {"yes": True, "no": False}


@dataclass(frozen=True, slots=True)
class VirtualUrl:
    """A virtual tape by name. Capacity and early warning, in bytes, are for a cartridge that is yet to be made."""

    path: Path
    capacity_bytes: int = DEFAULT_CAPACITY_BYTES
    early_warning_bytes: int = LARGEST_DEFAULT_WARNING_BYTES
    sync: bool = True
    mechanics: Mechanics = AT_ONCE


def parse_url(url: str) -> VirtualUrl:
    """Read a device URL; DeviceUrlError says which part is wrong. Early warning is a tenth of it, at most 256M."""
    if not url.startswith(SCHEME):
        raise DeviceUrlError(f"{url!r} does not begin with {SCHEME!r}")
    location, _, query = url.removeprefix(SCHEME).partition("?")
    path = Path(location)
    cartridge_files(path)
    options = parse_options(query, _OPTIONS)
    capacity = parse_size(options.get("capacity", str(DEFAULT_CAPACITY_BYTES)))
    usual_warning = min(capacity // 10, LARGEST_DEFAULT_WARNING_BYTES)
    early_warning = parse_size(options.get("early_warning", str(usual_warning)))
    try:
        Header(capacity, early_warning)
    except ValueError as error:
        raise DeviceUrlError(f"{url!r}: {error}") from error
    sync = parse_switch(options.get("sync", "yes"))
    return VirtualUrl(path, capacity, early_warning, sync, parse_times(options.get("times", "0")))


def parse_size(text: str) -> int:
    """Bytes from digits and an optional binary suffix K, M, G or T."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise DeviceUrlError(f"size {text!r} is not a number with an optional K, M, G or T")
    return int(match[1]) << _SHIFT[match[2].upper()]


def ensure_cartridge(url: VirtualUrl) -> None:
    """Make a blank cartridge and its directory if it is missing; one that exists is left as it is."""
    _, index_file = cartridge_files(url.path)
    if index_file.exists():
        return
    try:
        url.path.parent.mkdir(parents=True, exist_ok=True)
        create_cartridge(url.path, capacity_bytes=url.capacity_bytes, early_warning_bytes=url.early_warning_bytes)
    except CartridgeExists:
        # Somebody else may have been quicker; leftovers without an index are not ours to take.
        if not index_file.exists():
            raise
    except OSError as error:
        raise DeviceUrlError(f"{url.path.parent} cannot be made: {error.strerror}") from error


def open_url(url: VirtualUrl, *, read_only: bool = False) -> VirtualDrive:
    """Load the cartridge that a URL names, as :func:`scsi.virtual.drive.open_cartridge` does."""
    drive = open_cartridge(url.path, sync=url.sync, read_only=read_only, mechanics=url.mechanics)
    url.mechanics.load()
    return drive


def parse_options(query: str, names: Sequence[str]) -> Mapping[str, str]:
    """What follows the ``?`` of a device URL; DeviceUrlError for a name that is not in ``names``, or given twice."""
    options = dict[str, str]()
    for part in query.split("&") if query else []:
        key, _, value = part.partition("=")
        if key not in names or key in options:
            raise DeviceUrlError(f"option {part!r} is unknown or given twice; there are {', '.join(names)}")
        options[key] = value
    return options


def parse_times(text: str) -> Mechanics:
    """How long moves take: 1 as in a drive, 0.01 a hundredth of that, 0 no time."""
    if not _FACTOR.fullmatch(text):
        raise DeviceUrlError(f"times={text!r} is no factor such as 1 or 0.01, up to 99")
    return Mechanics(float(text))


def parse_switch(text: str, name: str = "sync") -> bool:
    """``yes`` or ``no``."""
    if text not in _SWITCH:
        raise DeviceUrlError(f"{name} is yes or no, not {text!r}")
    return _SWITCH[text]
