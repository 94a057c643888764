"""A host, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ndmp.backends.data import DataBackend
from ndmp.backends.devices import ScsiBackend, TapeBackend
from ndmp.backends.files import FileServiceBackend
from ndmp.backends.transfer import MoverFactory

__all__ = ["Host"]


@dataclass(frozen=True, slots=True)
class Host:
    """What a host is made of; services it lacks answer NOT_SUPPORTED."""

    hostname: str
    movers: MoverFactory | None = None
    tapes: Mapping[str, TapeBackend] | None = None
    changers: Mapping[str, ScsiBackend] | None = None
    data: DataBackend | None = None
    files: FileServiceBackend | None = None
    vendor: str = "ndmpdup"
    product: str = "ndmpdup host"
    revision: str = ""
    os_type: str = ""
    os_version: str = ""
    hostid: str = ""
