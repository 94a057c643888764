"""Addresses that users write: ``ndmp://USER@HOST[:PORT][/PATH]``, ``ndmps://`` for TLS, and ``HOST:PORT``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address, ip_address
from typing import Final, Self
from urllib.parse import quote, unquote

__all__ = ["NDMPS_PORT", "NDMP_PORT", "HostPort", "NdmpUrl", "UrlError"]

NDMP_PORT: Final = 10000
NDMPS_PORT: Final = 30000
"""Where IANA has NDMP under TLS."""
_PLAIN, _SECURE = "ndmp://", "ndmps://"
_LONGEST = 4096


class UrlError(ValueError):
    """An address that cannot be used; the text repeats nothing of it, as a secret may hide in any part."""


def _check(condition: bool, text: str) -> None:
    if not condition:
        raise UrlError(text)


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            text = "the host in brackets is not an IPv6 address"
            raise UrlError(text) from None
    _check(bool(text), "the host is missing")
    _check(":" not in text, "an IPv6 address is written in brackets")
    _check(re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text) is not None, "the host has characters that no host name has")
    return text.lower()


def _port(text: str, lowest: int) -> int:
    correct = re.fullmatch("[0-9]{1,5}", text) is not None and lowest <= int(text) <= 65535
    _check(correct, f"the port is not a number from {lowest} to 65535")
    return int(text)


def _host_and_port(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\[[^]]*\]|[^]:[]*)(?::([^:]*))?", text)
    if match is None:
        reason = "HOST:PORT has too many colons; an IPv6 address is written in brackets"
        raise UrlError(reason)
    return _host(match[1]), match[2] or ""


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _decode(text: str, what: str) -> str:
    _check(re.search("%(?![0-9A-Fa-f]{2})", text) is None, f"the {what} has a % without two hexadecimal digits")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UrlError(f"the {what} is not valid UTF-8") from None
    _check(decoded.isprintable(), f"the {what} has characters that cannot be printed")
    return decoded


@dataclass(frozen=True, slots=True)
class NdmpUrl:
    """An NDMP host, who logs in there, and a place on it: a storage unit or a tape; ``path`` may be empty."""

    user: str
    host: str
    port: int = NDMP_PORT
    path: str = ""
    tls: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an URL; the path is what follows the first slash. UrlError, also for one with a password."""
        _check(len(text) <= _LONGEST, f"an URL has at most {_LONGEST} characters")
        tls = text[: len(_SECURE)].lower() == _SECURE
        scheme = _SECURE if tls else _PLAIN
        _check(text[: len(scheme)].lower() == scheme, "an NDMP URL begins with ndmp:// or, under TLS, with ndmps://")
        place, _, path = text[len(scheme) :].partition("/")
        user, at, where = place.rpartition("@")
        _check(
            ":" not in user,
            "a password does not belong in an URL: give it in a file, in the environment or in the keyring",
        )
        _check(bool(at and user), f"the URL names no user: write {scheme}USER@HOST")
        _check("@" not in user, "an @ in a user name is written %40")
        host, port = _host_and_port(where)
        number = _port(port, 1) if port else NDMPS_PORT if tls else NDMP_PORT
        return cls(_decode(user, "user"), host, number, _decode(path, "path"), tls)

    @property
    def scheme(self) -> str:
        """What the URL begins with."""
        return _SECURE if self.tls else _PLAIN

    def __str__(self) -> str:
        place = f"{self.scheme}{quote(self.user, safe='')}@{_join(self.host, self.port)}"
        return f"{place}/{quote(self.path)}" if self.path else place


@dataclass(frozen=True, slots=True)
class HostPort:
    """Where a server listens; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read HOST:PORT, an IPv6 address in brackets; UrlError."""
        host, port = _host_and_port(text)
        return cls(host, _port(port, 0))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect there."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return _join(self.host, self.port)
