"""`ndmpdup xbsa ls` and `history`: which objects there are, and where their copies are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from duplicator.cli.options import Json
from duplicator.cli.terminal import plain, print_json, print_table, say, size_text, time_text
from duplicator.cli.xbsa import Host, Service, object_document, opened_session

if TYPE_CHECKING:
    from duplicator.xbsa.session import Versions

__all__ = ["history", "ls"]

_HEADINGS: Final = ("copy id", "created", "size", "type", "path", "description")
Pattern = Annotated[str, typer.Argument(metavar="[PATTERN]", help="Paths, with * and ?.")]


def ls(
    pattern: Pattern = "*",
    *,
    newest: Annotated[bool, typer.Option("--newest", help="Only the newest version of each.")] = False,
    host: Host = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """List objects, the oldest first.

    \b
    Examples:
      ndmpdup xbsa ls
      ndmpdup xbsa ls '/db/*' --newest
    """
    from duplicator.xbsa import BSA_ObjectStatus

    status = BSA_ObjectStatus.MOST_RECENT if newest else BSA_ObjectStatus.ANY
    with opened_session(service, host) as session:
        found = session.find(pattern, status=status)
    if as_json:
        print_json({"objects": [object_document(one) for one in found]})
        return
    if not found:
        say("no objects")
        return
    rows = [
        (
            str(one.copy_id),
            time_text(one.created),
            size_text(one.size),
            one.copy_type.name.lower(),
            one.path,
            one.description or "-",
        )
        for one in found
    ]
    print_table(_HEADINGS, rows, right=("copy id", "size"))


def history(
    pattern: Pattern = "*",
    *,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Show the versions of objects, where each copy of them is, and the jobs that made and read them.

    \b
    Examples:
      ndmpdup xbsa history /db/full
      ndmpdup jobs 12
    """
    with opened_session(service, None) as session:
        found = list(session.history(pattern))
    if as_json:
        print_json({"objects": [_document(one) for one in found]})
        return
    if not found:
        say("no objects")
    for one in found:
        for line in _lines(one):
            say(plain(line))


def _document(one: Versions) -> dict[str, Any]:
    places = [{"kind": p.kind, "where": p.where, "state": p.state, "copy": p.copy or None} for p in one.places]
    return {**object_document(one.object), "copies": places, "jobs": list(one.jobs)}


def _lines(one: Versions) -> list[str]:
    shown = one.object
    newest = ", the newest" if shown.most_recent else ""
    copies = [
        f"  {place.kind}: {place.where}, {place.state}" + (f", copy {place.copy}" if place.copy else "")
        for place in one.places
    ]
    jobs = ", ".join(map(str, one.jobs))
    return [
        f"{shown.path}, copy id {shown.copy_id}, {size_text(shown.size)}, of {time_text(shown.created)}{newest}",
        *(copies or ["  no copy is left"]),
        *([f"  jobs {jobs}"] if jobs else []),
    ]
