"""`ndmpdup xbsa rm`: delete objects."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import Json
from duplicator.cli.terminal import complain, plain, print_json, say, size_text, time_text
from duplicator.cli.xbsa import Host, Service, find_object, object_document, opened_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duplicator.xbsa import FoundObject, Session

__all__ = ["rm"]


def rm(
    names: Annotated[
        list[str],
        typer.Argument(metavar="PATTERN|COPYID...", help="All versions of a path, with * and ?; or one version."),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, they shall be lost.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which these are.")] = False,
    host: Host = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Delete objects, all or none.

    On disk their bytes go with them. Their copies on tape expire, and an import of the tape may bring them back. A
    terminal is asked first, unless with --yes; elsewhere --yes must be given.

    \b
    Examples:
      ndmpdup xbsa rm 17 --yes
      ndmpdup xbsa rm '/db/*' --dry-run
    """
    with opened_session(service, host) as session:
        found = _chosen(session, names)
        if not dry_run:
            _confirm(found, yes=yes)
            session.delete(*(one.copy_id for one in found))
    if as_json:
        print_json({"deleted": [object_document(one) for one in found], "dry_run": dry_run})
        return
    for one in found:
        say(plain(f"{_text(one)}: {'would be deleted' if dry_run else 'deleted'}"))


def _chosen(session: Session, names: Sequence[str]) -> list[FoundObject]:
    """Each once, in the order of their ids. UsageProblem for a name that means nothing."""
    chosen: dict[int, FoundObject] = {}
    for name in names:
        found = [find_object(session, name)] if name.isdecimal() else session.find(name)
        if not found:
            raise UsageProblem(f"there is no object {name}; nothing was deleted")
        chosen |= {one.copy_id: one for one in found}
    return [chosen[number] for number in sorted(chosen)]


def _confirm(found: Sequence[FoundObject], *, yes: bool) -> None:
    if yes:
        return
    for one in found:
        complain(plain(_text(one)))
    if not sys.stdin.isatty():
        raise UsageProblem(f"objects that would be lost: {len(found)}; give --yes if that is meant")
    if not typer.confirm(f"Delete these {len(found)}?", err=True):
        raise UsageProblem("nothing was deleted")


def _text(one: FoundObject) -> str:
    return f"{one.path}, copy id {one.copy_id}, {size_text(one.size)}, of {time_text(one.created)}"
