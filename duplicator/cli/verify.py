"""`ndmpdup verify`: read copies back from tape and compare."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.options import (
    CatalogUrl,
    ConfigFile,
    ConnectTimeout,
    FromTape,
    Json,
    MountTimeout,
    PasswordFile,
    RequestTimeout,
    RequireTls,
    StallTimeout,
    TapeTimeout,
    TlsCa,
    TlsCert,
    TlsKey,
    client_tls,
    deadlines,
    find_place,
    is_url,
    parse_ndmp_url,
)
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place, VerifyRequest

if TYPE_CHECKING:
    from duplicator.catalog import Catalog, Copy
    from duplicator.cli.batch import Batch
    from duplicator.plan import JobResult
    from duplicator.recorder import Watcher
    from duplicator.tls import ClientTls

__all__ = ["CopyIds", "tape_of", "verify"]

_WAITS: Final = Deadlines()
CopyIds = Annotated[list[str], typer.Argument(metavar="COPY...", help="Ids of copies, or unique beginnings of them.")]


def tape_of(copy: Copy, override: str | None, password_file: Path | None, *, tls: ClientTls) -> Place:
    """Where to read a copy: the tape it was written to, or the one of ``--from``."""
    option = "--from" if override else f"tape of copy {copy.id}"
    url = parse_ndmp_url(override or copy.tape_url, option=option, place="tape")
    return find_place(url, password_file, Role.FROM, tls=tls)


def verify(
    copies: CopyIds,
    *,
    tape: FromTape = None,
    password_file: PasswordFile = None,
    config: ConfigFile = None,
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
    """Read copies back from tape and compare.

    Their digests must be those that the read side gave at the duplication.

    \b
    Examples:
      ndmpdup verify 3f2a
      ndmpdup verify 3f2a 77b1 --from tape1
      ndmpdup verify 3f2a 77b1 --from ndmp://backup@othertapehost/drive2 --password-file ~/.tapehost
    """
    from duplicator.cli.batch import Batch, open_catalog

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    batch = Batch()
    if tape is not None and not is_url(tape):
        _by_unit(batch, copies, tape, waits, config, catalog)
    else:
        with open_catalog(catalog) as opened:
            found = [opened.copy(prefix) for prefix in copies]
            requests = [VerifyRequest(copy.id, tape_of(copy, tape, password_file, tls=tls), waits) for copy in found]
            works = [partial(_verify, request, opened) for request in requests]
            batch.run([(copy.image.name, work) for copy, work in zip(found, works, strict=True)])
    batch.report(as_json=as_json)
    batch.end(must_be_valid=True)


async def _verify(request: VerifyRequest, catalog: Catalog, watcher: Watcher) -> JobResult:
    from duplicator.cli.by_hand import by_hand
    from duplicator.validate import verify as verify_copy

    return await verify_copy(request, catalog, watcher, supply=by_hand(request.tape, request.deadlines, catalog))


def _by_unit(
    batch: Batch, copies: list[str], name: str, waits: Deadlines, config: Path | None, catalog: str | None
) -> None:
    """With the drives, robots and volumes of the configuration."""
    from duplicator.cli.queue_run import run_jobs
    from duplicator.validate import verify as verify_copy

    with run_jobs(config, catalog) as jobs:
        unit = jobs.tape_unit(name, option="--from")

        async def work(copy: Copy, watcher: Watcher) -> JobResult:
            async with jobs.reading(copy, unit) as (place, supply):
                request = VerifyRequest(copy.id, place, waits)
                return await verify_copy(request, jobs.catalog, watcher, supply=supply)

        found = [jobs.catalog.copy(prefix) for prefix in copies]
        batch.run([(copy.image.name, partial(work, copy)) for copy in found])
