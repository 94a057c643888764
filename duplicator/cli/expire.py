"""`ndmpdup expire`: copies that are not needed any more, and the volumes that this frees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import CatalogUrl, Json
from duplicator.cli.terminal import print_json, say

if TYPE_CHECKING:
    from duplicator.catalog import Expired

__all__ = ["expire"]


def expire(
    *,
    copies: Annotated[
        list[str] | None,
        typer.Option("--copy", metavar="COPY", help="Only this copy, whatever its time; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would become of what.")] = False,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """End copies whose time is over, and free the volumes that no copy needs any more.

    A freed volume is scratch: the next job that needs one labels it anew. Until then nothing on it is lost, but an
    expired copy is neither verified nor restored. A copy of which nothing is on tape any more is forgotten.

    \b
    Examples:
      ndmpdup expire --dry-run
      ndmpdup expire
      ndmpdup expire --copy 3f2a --copy 77b1
    """
    from duplicator.cli.batch import open_catalog

    with open_catalog(catalog) as opened:
        ids = [opened.copy(prefix).id for prefix in copies] if copies else None
        done = opened.expire(ids, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "expired": list(done.copies),
                "freed": list(done.volumes),
                "forgotten": list(done.forgotten),
                "dry_run": dry_run,
            }
        )
        return
    for line in _lines(done, dry_run=dry_run):
        say(line)


def _lines(done: Expired, *, dry_run: bool) -> list[str]:
    lines = [
        *(f"copy {copy}: expired" for copy in done.copies),
        *(f"volume {volume}: scratch" for volume in done.volumes),
        *(f"copy {copy}: nothing of it is on tape any more, forgotten" for copy in done.forgotten),
    ]
    if not lines:
        return ["nothing is due"]
    return [*lines, "a trial: the catalog is as it was"] if dry_run else lines
