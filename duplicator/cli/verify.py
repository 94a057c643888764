"""`ndmpdup verify`: read copies back from tape and compare."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.options import (
    CatalogUrl,
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
    parse_ndmp_url,
)
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place, VerifyRequest

if TYPE_CHECKING:
    from duplicator.catalog import Copy
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
      ndmpdup verify 3f2a 77b1 --from ndmp://backup@othertapehost/drive2 --password-file ~/.tapehost
    """
    from duplicator.cli.batch import Batch, open_catalog
    from duplicator.cli.by_hand import by_hand
    from duplicator.validate import verify as verify_copy

    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    batch = Batch()
    with open_catalog(catalog) as opened:
        found = [opened.copy(prefix) for prefix in copies]
        requests = [VerifyRequest(copy.id, tape_of(copy, tape, password_file, tls=tls), waits) for copy in found]
        batch.run(
            [
                (copy.image.name, partial(verify_copy, request, opened, supply=by_hand(request.tape, waits, opened)))
                for copy, request in zip(found, requests, strict=True)
            ]
        )
    batch.report(as_json=as_json)
    batch.end(must_be_valid=True)
