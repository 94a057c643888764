"""`ndmpdup restore`: bring a copy back from tape."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.options import (
    CatalogUrl,
    ConfigFile,
    ConnectTimeout,
    FromPasswordFile,
    FromTape,
    Json,
    MountTimeout,
    RequestTimeout,
    RequireTls,
    StallTimeout,
    TapeTimeout,
    TlsCa,
    TlsCert,
    TlsKey,
    ToPasswordFile,
    client_tls,
    deadlines,
    find_place,
    is_url,
    parse_ndmp_url,
)
from duplicator.cli.verify import tape_of
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place, RestoreRequest

if TYPE_CHECKING:
    from duplicator.cli.batch import Batch
    from duplicator.plan import JobResult
    from duplicator.recorder import Watcher
    from duplicator.tls import ClientTls

__all__ = ["bring_back", "restore"]

_WAITS: Final = Deadlines()


def restore(
    copy: Annotated[str, typer.Argument(metavar="COPY", help="Id of a copy, or a unique beginning of it.")],
    *,
    target: Annotated[
        str,
        typer.Option(
            "--to", metavar="DIR|URL", help="Folder of this machine, or ndmp[s]://USER@HOST:PORT/LSU, a storage unit."
        ),
    ],
    tape: FromTape = None,
    config: ConfigFile = None,
    from_password_file: FromPasswordFile = None,
    to_password_file: ToPasswordFile = None,
    catalog: CatalogUrl = None,
    connect_timeout: ConnectTimeout = _WAITS.connect,
    request_timeout: RequestTimeout = _WAITS.request,
    tape_timeout: TapeTimeout = _WAITS.tape,
    mount_timeout: MountTimeout = _WAITS.mount,
    stall_timeout: StallTimeout = _WAITS.stall,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Bring a copy back from tape.

    It goes into a folder of this machine or into a storage unit, and its digest is compared on the way. An image that
    is there already is never replaced.

    \b
    Examples:
      ndmpdup restore 3f2a --to /tmp/back
      ndmpdup restore 3f2a --from tape1 --to /tmp/back
      ndmpdup restore 3f2a --to ndmp://backup@appliance/unit2 --to-password-file ~/.appliance
    """
    from duplicator.cli.batch import open_catalog

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    place = _target(target, to_password_file, tls=tls)
    if tape is not None and not is_url(tape):
        batch = _by_unit(copy, place, tape, waits, config, catalog)
    else:
        with open_catalog(catalog) as opened:
            found = opened.copy(copy)
        request = RestoreRequest(found.id, tape_of(found, tape, from_password_file, tls=tls), place, waits)
        batch = bring_back(request, catalog, title=found.image.name)
    batch.report(as_json=as_json)
    batch.end()


def _by_unit(
    prefix: str, target: Path | Place, name: str, waits: Deadlines, config: Path | None, catalog: str | None
) -> Batch:
    """With the drives, robots and volumes of the configuration."""
    from duplicator.cli.batch import Batch
    from duplicator.cli.queue_run import run_jobs
    from duplicator.restore import restore as restore_copy

    batch = Batch()
    with run_jobs(config, catalog) as jobs:
        unit, copy = jobs.tape_unit(name, option="--from"), jobs.catalog.copy(prefix)

        async def work(watcher: Watcher) -> JobResult:
            async with jobs.reading(copy, unit) as (place, supply):
                request = RestoreRequest(copy.id, place, target, waits)
                return await restore_copy(request, jobs.catalog, watcher, supply=supply)

        batch.run([(copy.image.name, work)])
    return batch


def bring_back(request: RestoreRequest, catalog_url: str | None, *, title: str) -> Batch:
    """Run the restore; the batch knows how it ended."""
    from duplicator.cli.batch import Batch, open_catalog
    from duplicator.cli.by_hand import by_hand
    from duplicator.restore import restore as restore_copy

    batch = Batch()
    with open_catalog(catalog_url) as catalog:
        supply = by_hand(request.tape, request.deadlines, catalog)
        batch.run([(title, partial(restore_copy, request, catalog, supply=supply))])
    return batch


def _target(text: str, password_file: Path | None, *, tls: ClientTls) -> Path | Place:
    if not text.lower().startswith(("ndmp:", "ndmps:")):
        return Path(text)
    return find_place(parse_ndmp_url(text, option="--to", place="lsu"), password_file, Role.TO, tls=tls)
