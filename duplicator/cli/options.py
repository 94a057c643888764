"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote_plus

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.grouped import TLS_GROUP
from duplicator.credentials import Role, find_password
from duplicator.plan import Deadlines, Place
from duplicator.tls import ClientTls
from duplicator.urls import HostPort, NdmpUrl, UrlError

__all__ = [
    "CatalogUrl",
    "ConfigFile",
    "ConnectTimeout",
    "FromPasswordFile",
    "FromTape",
    "Json",
    "MountTimeout",
    "PasswordFile",
    "RequestTimeout",
    "RequireTls",
    "StallTimeout",
    "TapeTimeout",
    "TlsCa",
    "TlsCert",
    "TlsKey",
    "ToPasswordFile",
    "client_tls",
    "deadlines",
    "find_place",
    "is_url",
    "parse_listen",
    "parse_ndmp_url",
]

_USUAL_TLS: Final = ClientTls()
_LONGEST_WAIT: Final = 7 * 24 * 3600.0
_SECRET_IN_URL: Final = re.compile(r"://[^/@]*:[^/]*@|[?&;][^=&;]*(password|passwd|pwd)[^=&;]*=", re.IGNORECASE)


def _file(text: str) -> typer.models.OptionInfo:
    password_file: typer.models.OptionInfo = typer.Option(
        metavar="FILE", help=f"File with the password {text}; nobody else may read it (chmod 600)."
    )
    return password_file


def _seconds(text: str) -> typer.models.OptionInfo:
    wait: typer.models.OptionInfo = typer.Option(min=0.1, max=_LONGEST_WAIT, metavar="SECONDS", help=text)
    return wait


PasswordFile = Annotated[Path | None, _file("of the host")]
FromPasswordFile = Annotated[Path | None, _file("of the host in --from")]
ToPasswordFile = Annotated[Path | None, _file("of the host in --to")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document, and nothing else, on standard output.")]


def _keep_secret_out(context: typer.Context, parameter: typer.CallbackParam, url: str | None) -> str | None:
    """Other users can read a command line, so a database password has no place there."""
    source = context.get_parameter_source(parameter.name or "")
    given_here = source is not None and source.name == "COMMANDLINE"
    if url and given_here and any(map(_SECRET_IN_URL.search, (url, unquote_plus(url)))):
        raise typer.BadParameter("a URL with a password belongs in the environment variable NDMPDUP_CATALOG")
    return url


CatalogUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="NDMPDUP_CATALOG",
        help="SQLAlchemy URL of the catalog (with a password: only in the environment). Default: a SQLite file "
        "in your data folder.",
        callback=_keep_secret_out,
        show_default=False,
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        envvar="NDMPDUP_CONFIG",
        help="The configuration. Default: ndmpdup.toml of this folder, else that of your configuration folder.",
        show_default=False,
    ),
]
FromTape = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="URL|UNIT",
        help="ndmp[s]://USER@HOST:PORT/TAPE, the drive that holds the volume, or a tape unit of the configuration with "
        "its drives and robots. Default: the drive that wrote the copy.",
        show_default=False,
    ),
]
ConnectTimeout = Annotated[float, _seconds("Longest wait for a connection.")]
RequestTimeout = Annotated[float, _seconds("Longest wait for an answer that needs no tape motion.")]
TapeTimeout = Annotated[float, _seconds("Longest wait for an answer that needs tape motion.")]
MountTimeout = Annotated[float, _seconds("Longest wait for a tape to come into the drive.")]
StallTimeout = Annotated[float, _seconds("Longest time in which no data moves.")]


def _tls_file(name: str, text: str) -> typer.models.OptionInfo:
    file: typer.models.OptionInfo = typer.Option(
        name,
        metavar="FILE",
        envvar=f"NDMPDUP_{name.removeprefix('--').replace('-', '_').upper()}",
        help=text,
        rich_help_panel=TLS_GROUP,
    )
    return file


TlsCa = Annotated[
    Path | None,
    _tls_file("--tls-ca", "Trust certificates from here: authorities, or hosts' own. Default: those of the system."),
]
TlsCert = Annotated[Path | None, _tls_file("--tls-cert", "Our certificate, for hosts that demand one.")]
TlsKey = Annotated[
    Path | None, _tls_file("--tls-key", "Its key (chmod 600). Default: it is in the file of the certificate.")
]
RequireTls = Annotated[
    bool,
    typer.Option(
        "--require-tls",
        envvar="NDMPDUP_REQUIRE_TLS",
        help="Refuse hosts and data connections without TLS.",
        rich_help_panel=TLS_GROUP,
    ),
]


def client_tls(ca: Path | None, certificate: Path | None, *, key: Path | None, required: bool) -> ClientTls:
    """TLS from its options; CredentialError when a file cannot be used."""
    tls = ClientTls(ca, certificate, key, required)
    if ca or certificate or key:
        tls.context()
    return tls


def deadlines(*, connect: float, request: float, tape: float, mount: float, stall: float) -> Deadlines:
    """The deadlines of a job from its options, in seconds."""
    return Deadlines(connect=connect, request=request, tape=tape, mount=mount, stall=stall)


def parse_ndmp_url(text: str, *, option: str, place: str = "") -> NdmpUrl:
    """Read an URL; UsageProblem names the option. ``place``: what its path must name, if it must name something."""
    try:
        url = NdmpUrl.parse(text)
    except UrlError as error:
        raise UsageProblem(f"{option}: {error}") from error
    if place and not url.path:
        raise UsageProblem(f"{option}: the URL names no {place}: write {url.scheme}USER@HOST:PORT/{place.upper()}")
    return url


def parse_listen(text: str) -> HostPort:
    """Read the address of ``--listen``; UsageProblem."""
    try:
        return HostPort.parse(text)
    except UrlError as error:
        raise UsageProblem(f"--listen: {error}; write HOST:PORT") from error


def find_place(url: NdmpUrl, file: Path | None, role: Role, *, tls: ClientTls = _USUAL_TLS) -> Place:
    """The place with the password of its user; CredentialError when there is none, UsageProblem when it needs TLS."""
    if tls.required and not url.tls:
        raise UsageProblem(f"TLS is required, and {url} is not under TLS: write ndmps://")
    return Place(url, find_password(url.user, url.host, url.port, file=file, role=role), tls)


def is_url(text: str) -> bool:
    """Whether it is meant as an address, not as a name of the configuration."""
    return text.lower().startswith(("ndmp:", "ndmps:"))
