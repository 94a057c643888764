"""Options that several commands share, and how their text becomes values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import unquote_plus

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.credentials import Role, find_password
from duplicator.plan import Deadlines, Place
from duplicator.urls import HostPort, NdmpUrl, UrlError

__all__ = [
    "CatalogUrl",
    "ConnectTimeout",
    "FromPasswordFile",
    "FromTape",
    "Json",
    "MountTimeout",
    "PasswordFile",
    "RequestTimeout",
    "StallTimeout",
    "TapeTimeout",
    "ToPasswordFile",
    "deadlines",
    "find_place",
    "parse_listen",
    "parse_ndmp_url",
]

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
FromTape = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="ndmp://USER@HOST:PORT/TAPE",
        help="The tape drive that holds the volume. Default: the drive that wrote the copy.",
        show_default=False,
    ),
]
ConnectTimeout = Annotated[float, _seconds("Longest wait for a connection.")]
RequestTimeout = Annotated[float, _seconds("Longest wait for an answer that needs no tape motion.")]
TapeTimeout = Annotated[float, _seconds("Longest wait for an answer that needs tape motion.")]
MountTimeout = Annotated[float, _seconds("Longest wait for a tape to come into the drive.")]
StallTimeout = Annotated[float, _seconds("Longest time in which no data moves.")]


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
        raise UsageProblem(f"{option}: the URL names no {place}: write ndmp://USER@HOST:PORT/{place.upper()}")
    return url


def parse_listen(text: str) -> HostPort:
    """Read the address of ``--listen``; UsageProblem."""
    try:
        return HostPort.parse(text)
    except UrlError as error:
        raise UsageProblem(f"--listen: {error}; write HOST:PORT") from error


def find_place(url: NdmpUrl, file: Path | None, role: Role) -> Place:
    """The place with the password of its user; CredentialError when there is none."""
    return Place(url, find_password(url.user, url.host, url.port, file=file, role=role))
