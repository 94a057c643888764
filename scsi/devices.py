"""Devices by URL: which way leads there, and what stands at its end. docs/scsi.md lists the URLs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scsi.changer import Changer
from scsi.drive import BlockChecks, ScsiDrive
from scsi.errors import DeviceUrlError
from scsi.st import StDrive
from scsi.tape import TapeDrive
from scsi.transports.iscsi import IscsiTransport
from scsi.transports.iscsi_url import ISCSI_SCHEME, parse_iscsi_url
from scsi.transports.sg import SgTransport
from scsi.transports.transport import Transport
from scsi.transports.virtual import TargetTransport
from scsi.virtual.bay import DriveBay
from scsi.virtual.changer import Changer as ChangerTarget
from scsi.virtual.drive_answers import Identity
from scsi.virtual.library import Library
from scsi.virtual.library_url import LIBRARY_SCHEME, open_library_url, parse_library_url
from scsi.virtual.target import DriveTarget
from scsi.virtual.url import SCHEME as VIRTUAL_SCHEME
from scsi.virtual.url import ensure_cartridge, open_url, parse_switch, parse_url

__all__ = ["SG_SCHEME", "ST_SCHEME", "open_changer", "open_drive", "open_scsi_drive", "open_transport"]

SG_SCHEME: Final = "sg:"
ST_SCHEME: Final = "st:"
_PROTECTION: Final = "protection"


def open_transport(url: str) -> Transport:
    """The way to a device; DeviceUrlError if the URL names none that takes commands, and what each way raises."""
    plain, _ = _without_protection(url)
    for scheme, open_it in _TRANSPORTS.items():
        if plain.startswith(scheme):
            return open_it(plain)
    raise DeviceUrlError(f"{url!r} begins with none of {', '.join(_TRANSPORTS)}")


def open_drive(url: str, *, read_only: bool = False, equal_blocks: bool = False) -> TapeDrive:
    """A tape drive. ``st:`` leads through the kernel's tape driver; ``virtual:`` past the commands, straight to a file.

    ``equal_blocks``: see ScsiDrive; the two others need no such thing, and have no protection of blocks.
    """
    if url.startswith(ST_SCHEME):
        return StDrive(_node(url, ST_SCHEME), read_only=read_only)
    if url.startswith(VIRTUAL_SCHEME):
        virtual = parse_url(url)
        ensure_cartridge(virtual)
        return open_url(virtual, read_only=read_only)
    return open_scsi_drive(url, read_only=read_only, equal_blocks=equal_blocks)


def open_scsi_drive(url: str, *, read_only: bool = False, equal_blocks: bool = False) -> ScsiDrive:
    """A tape drive by its commands; ``?protection=no`` leaves its blocks without a CRC, also where it can check one."""
    _, checks = _without_protection(url)
    return ScsiDrive(open_transport(url), read_only=read_only, equal_blocks=equal_blocks, checks=checks)


def open_changer(url: str) -> Changer:
    """A media changer."""
    return Changer(open_transport(url))


def _without_protection(url: str) -> tuple[str, BlockChecks]:
    """The URL without that option, and what it says."""
    location, _, query = url.partition("?")
    parts = query.split("&") if query else []
    given = [part for part in parts if part.partition("=")[0] == _PROTECTION]
    if len(given) > 1:
        raise DeviceUrlError(f"{url!r}: {_PROTECTION} is given twice")
    rest = "&".join(part for part in parts if part not in given)
    wanted = parse_switch(given[0].partition("=")[2], _PROTECTION) if given else True
    plain = f"{location}?{rest}" if rest else location
    return (plain if given else url), BlockChecks.ON if wanted else BlockChecks.OFF


def _node(url: str, scheme: str) -> Path:
    path = Path(url.removeprefix(scheme))
    if not path.is_absolute():
        raise DeviceUrlError(f"{url!r} names no device such as {scheme}/dev/...")
    return path


def _open_virtual(url: str) -> Transport:
    virtual = parse_url(url)
    ensure_cartridge(virtual)
    bay = DriveBay(threading.RLock(), lambda: virtual.path, sync=virtual.sync, mechanics=virtual.mechanics)
    drive = bay.open()
    target = DriveTarget(bay, drive, Identity(serial=virtual.path.name))
    return TargetTransport(target.session(), on_close=drive.close)


def _open_library(url: str) -> Transport:
    parsed = parse_library_url(url)
    library = open_library_url(parsed)
    if parsed.drive is None:
        return TargetTransport(ChangerTarget(library).session(), on_close=library.close)
    try:
        return _open_bay(library, parsed.drive)
    except BaseException:
        library.close()
        raise


def _open_bay(library: Library, number: int) -> Transport:
    bay, settings = library.drive(number), library.configuration
    drive = bay.open(empty=True)

    def put_away() -> None:
        try:
            drive.close()
        finally:
            library.close()

    identity = Identity(settings.drive_serial(number), settings.drive_vendor, settings.drive_product)
    return TargetTransport(DriveTarget(bay, drive, identity).session(), on_close=put_away)


_TRANSPORTS: Final[Mapping[str, Callable[[str], Transport]]] = {
    SG_SCHEME: lambda url: SgTransport(_node(url, SG_SCHEME)),
    ISCSI_SCHEME: lambda url: IscsiTransport(parse_iscsi_url(url)),
    VIRTUAL_SCHEME: _open_virtual,
    LIBRARY_SCHEME: _open_library,
}
