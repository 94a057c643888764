"""Device URLs of iSCSI units: ``iscsi://[USER@]HOST[:PORT]/TARGET/LUN[?initiator=NAME]``."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from scsi.errors import DeviceUrlError

__all__ = [
    "ISCSI_SCHEME",
    "PASSWORD_FILE_VARIABLE",
    "PASSWORD_VARIABLE",
    "IscsiUrl",
    "chap_password",
    "parse_iscsi_url",
]

ISCSI_SCHEME: Final = "iscsi://"
PASSWORD_VARIABLE: Final = "NDMPDUP_ISCSI_PASSWORD"
PASSWORD_FILE_VARIABLE: Final = "NDMPDUP_ISCSI_PASSWORD_FILE"
_PORT: Final = 3260
_LARGEST_LUN: Final = 0x3FFF
_LONGEST_NAME: Final = 223
_NAME: Final = re.compile(r"(iqn|eui|naa)\.[A-Za-z0-9.:_-]+")


@dataclass(frozen=True, slots=True)
class IscsiUrl:
    """A logical unit of a target, and who asks for it; ``user`` is CHAP's, empty for none."""

    host: str
    port: int
    target: str
    lun: int
    user: str = ""
    initiator: str = ""

    @property
    def portal(self) -> str:
        """Host and port, as libiscsi wants them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_iscsi_url(url: str) -> IscsiUrl:
    """Read a device URL; DeviceUrlError says which part is wrong. A password in it is refused: others would see it."""
    parts = urlsplit(url)
    if parts.password is not None:
        raise DeviceUrlError(f"an iSCSI URL takes no password: put it into the environment as {PASSWORD_VARIABLE}")
    target, _, lun = parts.path.strip("/").rpartition("/")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    initiator = options.pop("initiator", "") or f"iqn.2026-11.ndmpdup:{_host_part()}"
    try:
        port = parts.port or _PORT
    except ValueError as failure:
        raise DeviceUrlError(f"{url!r}: {failure}") from failure
    if not url.startswith(ISCSI_SCHEME) or not parts.hostname or options:
        raise DeviceUrlError(f"{url!r} is not iscsi://[USER@]HOST[:PORT]/TARGET/LUN[?initiator=NAME]")
    for name in (target, initiator):
        if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
            raise DeviceUrlError(f"{name!r} is no iSCSI name such as iqn.2026-11.org.example:tapes")
    if not lun.isascii() or not lun.isdecimal() or len(lun) > 5 or int(lun) > _LARGEST_LUN:
        raise DeviceUrlError(f"{lun!r} is no number of a logical unit, 0..{_LARGEST_LUN}")
    return IscsiUrl(parts.hostname, port, target, int(lun), unquote(parts.username or ""), initiator)


def chap_password(environment: Mapping[str, str] = os.environ) -> str:
    """CHAP's password from the environment, or the first line of the file named there; DeviceUrlError without one."""
    if password := environment.get(PASSWORD_VARIABLE):
        return password
    file = environment.get(PASSWORD_FILE_VARIABLE)
    if not file:
        message = f"a user needs a password, in {PASSWORD_VARIABLE} or the file that {PASSWORD_FILE_VARIABLE} names"
        raise DeviceUrlError(message)
    try:
        return Path(file).read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as failure:
        raise DeviceUrlError(f"{file}: {failure}") from failure


def _host_part() -> str:
    return re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()) or "host"
