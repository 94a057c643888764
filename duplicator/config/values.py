"""What single values of the configuration look like, each with the words for one that does not."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, Strict, StringConstraints, ValidationInfo

from duplicator.digests import ALGORITHMS, digest_name
from duplicator.urls import HostPort, UrlError
from scsi.errors import DeviceUrlError

__all__ = [
    "Address",
    "CatalogUrl",
    "Count",
    "DigestName",
    "Duration",
    "FilePath",
    "MediaId",
    "Name",
    "Prefix",
    "Reach",
    "RecordSize",
    "Seconds",
    "Text",
    "Whole",
    "WireNumber",
    "as_list",
    "duration_text",
    "size_text",
]

_SMALLEST_RECORD: Final = 512
_LARGEST_RECORD: Final = 16 << 20
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_WORDS: Final = "s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|y|years?"
"""No months: their first letter is that of minutes."""
_DURATION: Final = re.compile(f"([0-9]{{1,9}}) *({_WORDS})", re.ASCII)
_LONGEST: Final = timedelta(days=365 * 1000)
_CATALOG_SECRET: Final = re.compile(r"://[^/@]*:[^/@]*@|[?&;][^=&;]*(password|passwd|pwd)[^=&;]*=", re.IGNORECASE)


def read_duration(value: object) -> timedelta:
    """A time from seconds, or from a number with s, m, h, d, w or y; ValueError."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        value = int(match[1]) * _UNITS[match[2][0]]
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = 'is no time: write seconds, or a number with s, m, h, d, w or y, as in "30d"'
        raise ValueError(text)
    if not 0 < value <= _LONGEST.total_seconds():
        text = "is no time between 0 seconds and 1000 years: write one that is"
        raise ValueError(text)
    return timedelta(seconds=value)


def duration_text(value: timedelta) -> str | float:
    """A time as it is written in the configuration."""
    seconds = value.total_seconds()
    for unit in ("y", "w", "d", "h", "m", "s"):
        if seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]:.0f}{unit}"
    return seconds


def _read_seconds(value: object) -> float:
    return read_duration(value).total_seconds()


def _read_size(value: object) -> int:
    if isinstance(value, str):
        value = _parse_size(value)
    if isinstance(value, bool) or not isinstance(value, int):
        text = 'is no size: write bytes, or a number with K or M, as in "256K"'
        raise ValueError(text)
    if not _SMALLEST_RECORD <= value <= _LARGEST_RECORD:
        text = f"is not within {_SMALLEST_RECORD} bytes and {_LARGEST_RECORD >> 20}M: choose a size that is"
        raise ValueError(text)
    return value


def _parse_size(text: str) -> int | None:
    # Only now: it takes the whole virtual drive along.
    from scsi.virtual.url import parse_size

    try:
        return parse_size(text)
    except DeviceUrlError:
        return None


def size_text(size: int) -> str | int:
    """A size as it is written in the configuration."""
    for suffix, shift in (("M", 20), ("K", 10)):
        if size % (1 << shift) == 0:
            return f"{size >> shift}{suffix}"
    return size


def _read_address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        pass
    try:
        return HostPort.parse(f"{value}:0").host
    except UrlError:
        text = "is no host name and no IP address: write the port, the user and TLS under keys of their own"
        raise ValueError(text) from None


def _read_reach(value: str) -> str:
    if "/" not in value:
        return value
    try:
        return str(ip_network(value))
    except ValueError as error:
        text = f"is no network ({str(error).partition(' ')[2] or 'not understood'}): write one as 10.1.0.0/16"
        raise ValueError(text) from None


def _check_digest(value: str) -> str:
    known = [digest_name(algorithm) for algorithm in ALGORITHMS]
    if value not in known:
        raise ValueError(f"is no digest: choose {', '.join(known[:-1])} or {known[-1]}")
    return value


def _check_media(value: str) -> str:
    if not re.fullmatch("[A-Z0-9]{2}", value):
        text = "is no media id: write the two characters at the end of a barcode, as in L8"
        raise ValueError(text)
    if value == "CU":
        text = "is the media id of cleaning cartridges, which hold no data: leave it out"
        raise ValueError(text)
    return value


def _check_prefix(value: str) -> str:
    if not re.fullmatch("[A-Z0-9]{1,5}", value):
        text = "is no beginning of a volume's name: write 1 to 5 of the characters A-Z and 0-9"
        raise ValueError(text)
    return value


def _check_catalog(value: str) -> str:
    if "://" not in value:
        text = "is no SQLAlchemy URL: write sqlite:////FILE or postgresql+psycopg://USER@HOST/NAME"
        raise ValueError(text)
    if _CATALOG_SECRET.search(value):
        text = "has a password: give the whole URL in the environment, as NDMPDUP_CATALOG"
        raise ValueError(text)
    return value


def _read_path(value: object, validation: ValidationInfo) -> Path:
    """A path, made whole from the folder that is the context."""
    if not isinstance(value, str) or not value or "\0" in value:
        text = "is no path: write it as text, in quotes"
        raise ValueError(text)
    return Path(validation.context or "", os.path.expanduser(value))


def as_list(value: Any) -> Any:  # noqa: ANN401  (what a file holds)
    """A single text stands for a list of one."""
    return [value] if isinstance(value, str) else value


Text: TypeAlias = Annotated[str, StringConstraints(min_length=1)]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
Whole: TypeAlias = Annotated[int, Strict(), Field(ge=-1_000_000, le=1_000_000)]
Count: TypeAlias = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
WireNumber: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=65535)]
Address: TypeAlias = Annotated[Text, AfterValidator(_read_address)]
Reach: TypeAlias = Annotated[Text, AfterValidator(_read_reach)]
DigestName: TypeAlias = Annotated[Text, AfterValidator(_check_digest)]
MediaId: TypeAlias = Annotated[Text, AfterValidator(_check_media)]
Prefix: TypeAlias = Annotated[Text, AfterValidator(_check_prefix)]
CatalogUrl: TypeAlias = Annotated[Text, AfterValidator(_check_catalog)]
FilePath: TypeAlias = Annotated[Path, PlainValidator(_read_path), PlainSerializer(str)]
Duration: TypeAlias = Annotated[timedelta, PlainValidator(read_duration), PlainSerializer(duration_text)]
Seconds: TypeAlias = Annotated[float, PlainValidator(_read_seconds)]
RecordSize: TypeAlias = Annotated[int, PlainValidator(_read_size), PlainSerializer(size_text)]
