"""`ndmpdup serve`: an NDMP host with storage units, virtual tapes, or both."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import parse_listen

__all__ = ["serve"]

_LONGEST_NAME: Final = 255


class ProfileName(Enum):
    """Where the host may differ from the draft."""

    STRICT = "strict"
    NDMJOB = "ndmjob"


def serve(
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")],
    user: Annotated[str, typer.Option(metavar="U", help="The one user who may log in.")],
    password_file: Annotated[
        Path, typer.Option(metavar="FILE", help="File with the user's password; nobody else may read it (chmod 600).")
    ],
    lsu: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="A storage unit: a folder with images. May be repeated."),
    ] = None,
    tape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=virtual:DIR/BARCODE[?capacity=..]",
            help="A tape drive with a virtual cartridge, made if it is missing. May be repeated.",
        ),
    ] = None,
    profile: Annotated[
        ProfileName, typer.Option(help="strict: as the NDMP v4 draft says; ndmjob: as Amanda's ndmjob expects.")
    ] = ProfileName.STRICT,
    port_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write HOST:PORT here once it listens; removed at the end.")
    ] = None,
) -> None:
    """Run an NDMP host.

    It runs until Ctrl-C or SIGTERM, and has exit code 0 then. NDMP encrypts nothing: listen only on networks that you
    trust.

    \b
    Examples:
      ndmpdup serve --listen 127.0.0.1:10000 --user backup --password-file pw --lsu unit1=/srv/images
      ndmpdup serve --listen 127.0.0.1:10001 --user backup --password-file pw \\
        --tape "drive1=virtual:/srv/tapes/ND0001?capacity=100G"
    """
    from duplicator.cli.hosting import Hosting, host_until_told
    from duplicator.credentials import read_password_file

    units = {name: Path(folder) for name, folder in _named(lsu or [], "--lsu").items()}
    tapes = _named(tape or [], "--tape")
    if not units and not tapes:
        raise UsageProblem("nothing to serve: give at least one --lsu NAME=DIR or --tape NAME=virtual:DIR/BARCODE")
    if not user or not user.isprintable():
        raise UsageProblem("--user: the name is empty or cannot be printed")
    host_until_told(
        Hosting(
            listen=parse_listen(listen),
            user=user,
            secret=read_password_file(password_file),
            units=units,
            tapes=tapes,
            profile=profile.value,
            port_file=port_file,
        )
    )


def _named(texts: Sequence[str], option: str) -> dict[str, str]:
    """NAME=VALUE texts by name."""
    found: dict[str, str] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise UsageProblem(f"{option} {text!r}: write NAME=VALUE")
        if not name.isprintable() or len(name.encode()) > _LONGEST_NAME:
            raise UsageProblem(f"{option} {name!r}: a name has at most {_LONGEST_NAME} bytes and can be printed")
        if name in found:
            raise UsageProblem(f"{option} {name!r} is given twice")
        found[name] = value
    return found
