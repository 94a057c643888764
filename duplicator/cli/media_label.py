"""`ndmpdup media label`: the tape in a drive becomes a volume."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from duplicator.cli.media_options import find_pools, volume_document
from duplicator.cli.options import (
    CatalogUrl,
    ConfigFile,
    ConnectTimeout,
    Json,
    MountTimeout,
    PasswordFile,
    RequestTimeout,
    RequireTls,
    TapeTimeout,
    TlsCa,
    TlsCert,
    TlsKey,
    client_tls,
    deadlines,
    find_place,
    parse_ndmp_url,
)
from duplicator.cli.terminal import plain, print_json, say
from duplicator.credentials import Role
from duplicator.plan import Deadlines

__all__ = ["label"]

_WAITS: Final = Deadlines()


def label(
    volume: Annotated[str, typer.Argument(metavar="LABEL|BARCODE", help="What the tape is to be: A00001 or A00001L8.")],
    *,
    drive: Annotated[
        str, typer.Option("--in", metavar="URL", help="ndmp[s]://USER@HOST:PORT/TAPE: the drive that holds the tape.")
    ],
    pool: Annotated[str, typer.Option(metavar="POOL", help="The pool it is for.", show_default=False)] = "",
    overwrite: Annotated[
        str,
        typer.Option(
            metavar="FOUND",
            help="Lose what is on the tape, named as the refusal names it: the volume, or the format.",
            show_default=False,
        ),
    ] = "",
    password_file: PasswordFile = None,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    connect_timeout: ConnectTimeout = _WAITS.connect,
    request_timeout: RequestTimeout = _WAITS.request,
    tape_timeout: TapeTimeout = _WAITS.tape,
    mount_timeout: MountTimeout = _WAITS.mount,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Write a volume label on the tape in a drive.

    A blank tape takes it, and a volume of that label that is scratch. Any other tape is refused, unless --overwrite
    names what is on it; a volume with files that the catalog knows is refused always: forget it first.

    \b
    Examples:
      ndmpdup media label A00001L8 --in ndmp://backup@tapehost/drive1 --pool daily
      ndmpdup media label A00001L8 --in ndmp://backup@tapehost/drive1 --overwrite OLD001
    """
    from duplicator.cli.batch import open_catalog
    from duplicator.cli.running import run
    from duplicator.media.labelling import LabelRequest, label_tape
    from duplicator.media.naming import name_volume

    named = name_volume(volume)
    url = parse_ndmp_url(drive, option="--in", place="tape")
    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    request = LabelRequest(
        label=named.label,
        drive=find_place(url, password_file, Role.TO, tls=tls),
        pool=pool,
        barcode=named.barcode,
        media=named.media,
        overwrite=overwrite,
        deadlines=deadlines(
            connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=_WAITS.stall
        ),
    )
    pools = find_pools(config)
    with open_catalog(catalog, config) as opened:
        known = opened.volume(named.label)
        if into := pool or (known.pool if known else ""):
            pools.check(into, named.media)
        made = run(label_tape(request, opened))
    if as_json:
        print_json(volume_document(made))
    else:
        say(plain(f"{made.label}: labelled, {f'pool {made.pool}' if made.pool else 'no pool'}"))
