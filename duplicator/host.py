"""Our own NDMP host: storage units on directories, drives and libraries, virtual or not, directory trees."""

from __future__ import annotations

import platform
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from duplicator.adapters import VirtualChangerBackend, VirtualTapeBackend, library_tapes
from duplicator.device_adapters import DeviceChangerBackend, DeviceTapeBackend
from duplicator.mover import SocketMovers
from duplicator.network import NetworkSettings
from duplicator.trees import TreeBackend
from duplicator.units import DirectoryUnits
from ndmp.backends import Host, ScsiBackend, TapeBackend
from scsi.errors import DeviceUrlError
from scsi.virtual.library import Library
from scsi.virtual.library_url import LIBRARY_SCHEME, open_library_url, parse_library_url
from scsi.virtual.url import SCHEME as VIRTUAL_SCHEME
from scsi.virtual.url import parse_url

__all__ = ["Offers", "open_host"]


@dataclass(frozen=True, slots=True)
class Offers:
    """What a host offers: storage units (name to directory), tapes and changers (name to device URL), trees.

    The drives of virtual library ``NAME`` are tapes too, named ``NAME.drive0`` and so on.
    """

    units: Mapping[str, Path] = field(default_factory=dict)
    tapes: Mapping[str, str] = field(default_factory=dict)
    changers: Mapping[str, str] = field(default_factory=dict)
    trees: Sequence[Path] = ()
    state: Path | None = None
    """A directory for what backups of the trees leave for later ones; without it there are no increments."""


@contextmanager
def open_host(offers: Offers, settings: NetworkSettings | None = None) -> Iterator[Host]:
    """A host that offers this; UnitError, TreeError or ScsiError when some of it cannot be offered."""
    with ExitStack() as stack:
        files = stack.enter_context(DirectoryUnits(offers.units))
        libraries = {
            name: stack.enter_context(_library(url))
            for name, url in offers.changers.items()
            if url.startswith(LIBRARY_SCHEME)
        }
        yield Host(
            hostname=socket.gethostname(),
            movers=SocketMovers(settings),
            tapes=_tapes(offers.tapes, libraries),
            changers={name: _changer(url, libraries.get(name)) for name, url in offers.changers.items()},
            data=TreeBackend(offers.trees, offers.state) if offers.trees else None,
            files=files if offers.units else None,
            revision=version("ndmpdup"),
            os_type=platform.system(),
            os_version=platform.release(),
            hostid=f"{uuid.getnode():x}",
        )


def _tapes(urls: Mapping[str, str], libraries: Mapping[str, Library]) -> Mapping[str, TapeBackend]:
    """Drives by URL, and those of the virtual libraries; DeviceUrlError if two have one name."""
    tapes: dict[str, TapeBackend] = {name: _tape(url) for name, url in urls.items()}
    for name, library in libraries.items():
        drives = library_tapes(name, library)
        if taken := tapes.keys() & drives.keys():
            raise DeviceUrlError(f"two tape drives are named {min(taken)!r}")
        tapes.update(drives)
    return tapes


def _tape(url: str) -> TapeBackend:
    if url.startswith(VIRTUAL_SCHEME):
        return VirtualTapeBackend(parse_url(url))
    if url.startswith(LIBRARY_SCHEME):
        raise DeviceUrlError(f"{url!r}: a virtual library is served by --changer, and its drives with it")
    return DeviceTapeBackend(url)


def _library(url: str) -> Library:
    parsed = parse_library_url(url)
    if parsed.drive is not None:
        raise DeviceUrlError(f"{url!r} is a drive, no changer")
    return open_library_url(parsed)


def _changer(url: str, library: Library | None) -> ScsiBackend:
    return VirtualChangerBackend(library) if library else DeviceChangerBackend(url)
