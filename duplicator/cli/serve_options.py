"""The options of `ndmpdup serve`, by group, and how their text becomes values."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem

if TYPE_CHECKING:
    from duplicator.network import Offer
    from ndmp.enums import AuthType

__all__ = [
    "Changers",
    "DataAddresses",
    "DataPeers",
    "DataPorts",
    "DataTlsChoice",
    "DataTlsName",
    "FailedLogins",
    "HalfOpen",
    "Listen",
    "Login",
    "LoginTimeout",
    "PortFile",
    "ProfileName",
    "ProfileOption",
    "ServedPasswordFile",
    "ServerCert",
    "ServerKey",
    "SessionsAtMost",
    "SessionsPerAddress",
    "State",
    "TapeDrives",
    "TlsClientCa",
    "Trees",
    "Units",
    "User",
    "UsersPath",
    "parse_logins",
    "parse_named",
    "parse_offers",
    "parse_peers",
    "parse_ports",
]

_LONGEST_NAME: Final = 255
_WHERE, _WHO, _WHAT = "Where it listens", "Who may log in", "What it offers"
_DATA_CONNECTIONS, _LIMITS = "Data connections", "Limits"


class ProfileName(Enum):
    """Where the host may differ from the draft."""

    STRICT = "strict"
    NDMJOB = "ndmjob"


class DataTlsName(Enum):
    """Whether data connections are under TLS."""

    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"


def _option(group: str, name: str, text: str, *, metavar: str | None = None) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, metavar=metavar, help=text, rich_help_panel=group)
    return option


def _number(group: str, name: str, text: str, *, largest: float) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        name, min=1, max=largest, metavar="N", help=text, rich_help_panel=group
    )
    return option


Units = Annotated[
    list[str] | None,
    _option(_WHAT, "--lsu", "A storage unit: a folder with images. May be repeated.", metavar="NAME=DIR"),
]
TapeDrives = Annotated[
    list[str] | None,
    _option(
        _WHAT,
        "--tape",
        "A tape drive: virtual:DIR/BARCODE[?capacity=..] (a file, made if it is missing), sg:/dev/sg0, st:/dev/nst0, "
        "or iscsi://HOST/TARGET/LUN. May be repeated.",
        metavar="NAME=URL",
    ),
]
Changers = Annotated[
    list[str] | None,
    _option(
        _WHAT,
        "--changer",
        "A media changer: sg:/dev/sg1, iscsi://HOST/TARGET/LUN, or a virtual library, made if it is missing, "
        "virtual-library:DIR[?drives=2&slots=10&cartridges=8&capacity=..]; its drives are the tapes NAME.drive0 and so "
        "on. May be repeated.",
        metavar="NAME=URL",
    ),
]
Trees = Annotated[
    list[Path] | None,
    _option(_WHAT, "--tree", "A directory tree that may be backed up and recovered. May be repeated.", metavar="DIR"),
]
State = Annotated[
    Path | None,
    _option(
        _WHAT,
        "--state",
        "Where to keep the dates of backups, for incremental ones. Default: in your state folder.",
        metavar="DIR",
    ),
]
ProfileOption = Annotated[
    ProfileName, _option(_WHAT, "--profile", "strict: as the NDMP v4 draft says; ndmjob: as Amanda's ndmjob expects.")
]
User = Annotated[
    str | None,
    _option(
        _WHO,
        "--user",
        "The one user; the password is in --password-file, NDMPDUP_PASSWORD, or the keyring under USER@HOST:PORT.",
        metavar="U",
    ),
]
ServedPasswordFile = Annotated[
    Path | None,
    _option(
        _WHO,
        "--password-file",
        "File with the user's password; nobody else may read it (chmod 600).",
        metavar="FILE",
    ),
]
UsersPath = Annotated[
    Path | None,
    _option(
        _WHO,
        "--users-file",
        "Instead of --user: a file with a line NAME:PASSWORD for each user (chmod 600); read again on SIGHUP.",
        metavar="FILE",
    ),
]
Login = Annotated[
    str | None,
    _option(
        _WHO,
        "--login",
        "Ways to log in: md5, text, or both. Default: md5,text under TLS or on loopback, else md5 alone, as text shows "
        "the password to the network.",
        metavar="WAYS",
    ),
]
Listen = Annotated[
    str | None,
    _option(
        _WHERE,
        "--listen",
        "Where to listen; port 0 takes a free one. Default: 127.0.0.1:10000, with TLS 127.0.0.1:30000.",
        metavar="HOST:PORT",
    ),
]
ServerCert = Annotated[
    Path | None,
    _option(_WHERE, "--tls-cert", "Serve NDMPS, with this certificate (and what is above it).", metavar="FILE"),
]
ServerKey = Annotated[
    Path | None,
    _option(
        _WHERE,
        "--tls-key",
        "Its key (chmod 600). Default: it is in the file of the certificate.",
        metavar="FILE",
    ),
]
TlsClientCa = Annotated[
    Path | None,
    _option(_WHERE, "--tls-client-ca", "Let in only clients with a certificate from here.", metavar="FILE"),
]
PortFile = Annotated[
    Path | None,
    _option(_WHERE, "--port-file", "Write HOST:PORT here once it listens; removed at the end.", metavar="FILE"),
]
DataPorts = Annotated[
    str | None,
    _option(_DATA_CONNECTIONS, "--data-port", "Ports to listen on. Default: any that is free.", metavar="FIRST[-LAST]"),
]
DataAddresses = Annotated[
    list[str] | None,
    _option(
        _DATA_CONNECTIONS,
        "--data-address",
        "An IPv4 address to offer to peers, and the one to listen on if that differs, as behind NAT. May be repeated, "
        "best first. Default: the address at which the control connection came in.",
        metavar="OFFERED[=BOUND]",
    ),
]
DataPeers = Annotated[
    list[str] | None,
    _option(
        _DATA_CONNECTIONS,
        "--data-peer",
        "An IPv4 network that peers are in, as 192.0.2.0/24. May be repeated. Default: any.",
        metavar="NETWORK",
    ),
]
DataTlsChoice = Annotated[
    DataTlsName | None,
    _option(
        _DATA_CONNECTIONS,
        "--data-tls",
        "TLS with peers that can (offer), or with no others (require). Default: offer with --tls-cert, else off.",
    ),
]
SessionsAtMost = Annotated[int, _number(_LIMITS, "--max-sessions", "Sessions at a time.", largest=65535)]
SessionsPerAddress = Annotated[
    int, _number(_LIMITS, "--max-sessions-per-address", "Sessions of one peer address.", largest=65535)
]
HalfOpen = Annotated[int, _number(_LIMITS, "--max-half-open", "Connections that have not logged in.", largest=65535)]
LoginTimeout = Annotated[
    float, _number(_LIMITS, "--login-timeout", "Seconds until a connection must have logged in.", largest=3600)
]
FailedLogins = Annotated[
    int, _number(_LIMITS, "--max-failed-logins", "Failed logins that end a connection.", largest=1000)
]


def parse_named(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """NAME=VALUE texts by name; UsageProblem."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise UsageProblem(f"{option} {text!r}: write NAME=VALUE")
        if not name.isprintable() or len(name.encode()) > _LONGEST_NAME:
            raise UsageProblem(f"{option} {name!r}: a name has at most {_LONGEST_NAME} bytes and can be printed")
        if name in found:
            raise UsageProblem(f"{option} {name!r} is given twice")
        found[name] = value
    return found


def parse_logins(text: str) -> tuple[AuthType, ...]:
    """Ways to log in, the safer one first; UsageProblem."""
    from ndmp.enums import AuthType

    kinds = {"md5": AuthType.MD5, "text": AuthType.TEXT}
    names = set(text.lower().split(","))
    if not names <= kinds.keys():
        raise UsageProblem(f"--login {text!r}: write md5, text, or md5,text")
    return tuple(kind for name, kind in kinds.items() if name in names)


def parse_ports(text: str) -> range:
    """FIRST-LAST, or one port; UsageProblem."""
    first, _, last = text.partition("-")
    numbers = [int(part) for part in (first, last or first) if part.isascii() and part.isdigit() and len(part) <= 5]
    if len(numbers) != 2 or not 0 < numbers[0] <= numbers[1] <= 65535:
        raise UsageProblem(f"--data-port {text!r}: write FIRST-LAST, from 1 to 65535")
    return range(numbers[0], numbers[1] + 1)


def parse_offers(texts: Sequence[str] | None) -> tuple[Offer, ...]:
    """OFFERED[=BOUND] texts; UsageProblem."""
    from duplicator.network import Offer

    offers = []
    for text in texts or ():
        offered, separator, bound = text.partition("=")
        try:
            offers.append(Offer(IPv4Address(offered), IPv4Address(bound) if separator else None))
        except ValueError as error:
            raise UsageProblem(f"--data-address {text!r}: {error}; write OFFERED[=BOUND], IPv4 addresses") from error
    return tuple(offers)


def parse_peers(texts: Sequence[str] | None) -> tuple[IPv4Network, ...]:
    """Networks; UsageProblem."""
    try:
        return tuple(map(IPv4Network, texts or ()))
    except ValueError as error:
        raise UsageProblem(f"--data-peer: {error}; write an IPv4 network, as 192.0.2.0/24") from error
