"""Our own NDMP host: storage units on directories, tapes in virtual drives."""

from __future__ import annotations

import platform
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from duplicator.adapters import VirtualTapeBackend
from duplicator.dataconn import NetworkSettings
from duplicator.mover import SocketMovers
from duplicator.units import DirectoryUnits
from ndmp.backends import Host
from scsi.virtual.url import parse_url

__all__ = ["open_host"]


@contextmanager
def open_host(
    units: Mapping[str, Path], tapes: Mapping[str, str], settings: NetworkSettings | None = None
) -> Iterator[Host]:
    """A host that offers storage units (name to directory) and tapes (name to device URL), either or both.

    UnitError or ScsiError when one of them cannot be offered.
    """
    drives = {name: VirtualTapeBackend(parse_url(url)) for name, url in tapes.items()}
    with DirectoryUnits(units) as files:
        yield Host(
            hostname=socket.gethostname(),
            movers=SocketMovers(settings),
            tapes=drives,
            files=files if units else None,
            revision=version("ndmpdup"),
            os_type=platform.system(),
            os_version=platform.release(),
            hostid=f"{uuid.getnode():x}",
        )
