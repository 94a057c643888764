"""`ndmpdup status`: what the numbers mean with which jobs end."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from duplicator.cli.options import Json
from duplicator.cli.terminal import print_json, print_table, say
from duplicator.status import ELSEWHERE, Status

__all__ = ["status"]

Number = Annotated[int | None, typer.Argument(metavar="N", min=0, max=0xFFFFFFFF, help="One of them, in full.")]


def status(number: Number = None, *, as_json: Json = False) -> None:
    """Show the status numbers of jobs, or what one means and what to do next.

    Those marked with - are numbers that operators of backup systems know, and no job of this program ends with them.
    How errors and notifications of NDMP become status numbers: docs/status.md.

    \b
    Examples:
      ndmpdup status
      ndmpdup status 84
    """
    found = list(Status) if number is None else [Status(number)]
    if as_json:
        print_json({"statuses": [_document(one) for one in found]})
    elif number is None:
        print_table(
            ("status", "", "meaning"), [(str(one.value), _mark(one), one.text) for one in found], right=("status",)
        )
    else:
        say(f"{number}: {found[0].text}")
        for line in (found[0].hint, _remark(found[0])):
            if line:
                say(line)


def _document(one: Status) -> dict[str, Any]:
    return {"status": one.value, "name": one.name, "text": one.text, "hint": one.hint, "ends_jobs": not _mark(one)}


def _mark(one: Status) -> str:
    return "-" if one in ELSEWHERE or one not in set(Status) else ""


def _remark(one: Status) -> str:
    return "No job of this program ends with it." if _mark(one) else ""
