"""`ndmpdup import`: the catalog, rebuilt from tapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem
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
    find_place,
    parse_ndmp_url,
)
from duplicator.credentials import Role
from duplicator.plan import Deadlines

if TYPE_CHECKING:
    pass

__all__ = ["rebuild"]

_WAITS: Final = Deadlines()


def rebuild(
    volumes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[VOLUME]...", help="Only these. With --from: mounted one after the other, by hand."),
    ] = None,
    *,
    tape: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="ndmp[s]://USER@HOST:PORT/TAPE: the drive with the volume."),
    ] = None,
    library: Annotated[
        str | None, typer.Option(metavar="NAME", help="All volumes of this library of the configuration.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Those of this tape unit: of its library, or in its drives.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where new volumes belong. Default: the pool of --unit.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be added.")] = False,
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
    """Rebuild the catalog from tapes.

    Only labels are read, and no tape is written. What the catalog knows already stays as it is. A volume that
    contradicts it is told, changes nothing, and makes the exit code 1. A copy with all its fragments is "written":
    `verify` makes it valid. One with parts on volumes that are still to come is "incomplete" until they have been
    imported, in any order, on whatever day.

    \b
    Examples:
      ndmpdup import --library lib1
      ndmpdup import --unit tape1 ND0001 ND0002 --dry-run
      ndmpdup import --from ndmp://backup@tapehost/drive1 --password-file ~/.tapehost
    """
    from duplicator.cli.import_run import Wanted, from_configuration, from_drive

    if sum(option is not None for option in (tape, library, unit)) != 1:
        raise UsageProblem("say where the volumes are: --from, --library or --unit, one of them")
    waits = Deadlines(connect_timeout, request_timeout, tape_timeout, mount_timeout)
    wanted = Wanted(tuple(volumes or ()), waits, pool=pool, is_trial=dry_run, catalog=catalog, as_json=as_json)
    if tape is None:
        from_configuration(wanted, config, library=library, unit=unit)
        return
    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    url = parse_ndmp_url(tape, option="--from", place="tape")
    from_drive(wanted, find_place(url, password_file, Role.FROM, tls=tls))
