"""`ndmpdup restore`: bring a copy back from tape."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.options import (
    CatalogUrl,
    ConnectTimeout,
    FromPasswordFile,
    FromTape,
    Json,
    MountTimeout,
    RequestTimeout,
    StallTimeout,
    TapeTimeout,
    ToPasswordFile,
    deadlines,
    find_place,
    parse_ndmp_url,
)
from duplicator.cli.verify import tape_of
from duplicator.credentials import Role
from duplicator.plan import Deadlines, Place, RestoreRequest

if TYPE_CHECKING:
    from duplicator.cli.batch import Batch

__all__ = ["bring_back", "restore"]

_WAITS: Final = Deadlines()


def restore(
    copy: Annotated[str, typer.Argument(metavar="COPY", help="Id of a copy, or a unique beginning of it.")],
    *,
    target: Annotated[
        str,
        typer.Option("--to", metavar="DIR|ndmp://USER@HOST:PORT/LSU", help="Folder of this machine, or storage unit."),
    ],
    tape: FromTape = None,
    from_password_file: FromPasswordFile = None,
    to_password_file: ToPasswordFile = None,
    catalog: CatalogUrl = None,
    connect_timeout: ConnectTimeout = _WAITS.connect,
    request_timeout: RequestTimeout = _WAITS.request,
    tape_timeout: TapeTimeout = _WAITS.tape,
    mount_timeout: MountTimeout = _WAITS.mount,
    stall_timeout: StallTimeout = _WAITS.stall,
    as_json: Json = False,
) -> None:
    """Bring a copy back from tape.

    It goes into a folder of this machine or into a storage unit, and its digest is compared on the way. An image that
    is there already is never replaced.

    \b
    Examples:
      ndmpdup restore 3f2a --to /tmp/back
      ndmpdup restore 3f2a --to ndmp://backup@appliance/unit2 --to-password-file ~/.appliance
    """
    from duplicator.cli.batch import open_catalog

    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    with open_catalog(catalog) as opened:
        found = opened.copy(copy)
    request = RestoreRequest(
        found.id, tape_of(found, tape, from_password_file), _target(target, to_password_file), waits
    )
    batch = bring_back(request, catalog, title=found.image.name)
    batch.report(as_json=as_json)
    batch.end()


def bring_back(request: RestoreRequest, catalog_url: str | None, *, title: str) -> Batch:
    """Run the restore; the batch knows how it ended."""
    from duplicator.cli.batch import Batch, open_catalog
    from duplicator.restore import restore as restore_copy

    batch = Batch()
    with open_catalog(catalog_url) as catalog:
        batch.run([(title, partial(restore_copy, request, catalog))])
    return batch


def _target(text: str, password_file: Path | None) -> Path | Place:
    if not text.lower().startswith("ndmp:"):
        return Path(text)
    return find_place(parse_ndmp_url(text, option="--to", place="lsu"), password_file, Role.TO)
