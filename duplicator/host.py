"""Our own NDMP host: storage units on directories, tapes in virtual drives."""

from __future__ import annotations

import platform
import socket
import uuid
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from duplicator.adapters import VirtualTapeBackend
from duplicator.dataconn import NetworkSettings
from duplicator.mover import SocketMovers
from duplicator.units import DirectoryUnits
from ndmp.backends import Host
from scsi.virtual.url import parse_url

__all__ = ["build_host"]


def build_host(units: Mapping[str, Path], tapes: Mapping[str, str], settings: NetworkSettings | None = None) -> Host:
    """A host that offers storage units (name to directory) and tapes (name to device URL), either or both."""
    return Host(
        hostname=socket.gethostname(),
        movers=SocketMovers(settings),
        tapes={name: VirtualTapeBackend(parse_url(url)) for name, url in tapes.items()},
        files=DirectoryUnits(units) if units else None,
        revision=version("ndmpdup"),
        os_type=platform.system(),
        os_version=platform.release(),
        hostid=f"{uuid.getnode():x}",
    )
