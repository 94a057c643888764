"""`ndmpdup xbsa put`: keep a file, or what comes through a pipe, as an object."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import ExitStack
from io import BufferedIOBase
from pathlib import Path
from typing import Annotated, cast

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import Json
from duplicator.cli.terminal import plain, print_json, say, size_text
from duplicator.cli.xbsa import PIPE, Host, Service, copy_all, load_progress, opened_session

__all__ = ["put"]


def put(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The object's name; it begins with a slash.")],
    source: Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for standard input.")] = PIPE,
    *,
    space: Annotated[str, typer.Option(metavar="TEXT", help="The object space.", show_default=False)] = "",
    description: Annotated[str, typer.Option(metavar="TEXT", help="Kept with it.", show_default=False)] = "",
    resource_type: Annotated[str, typer.Option(metavar="TEXT", help="What kind of resource it is.")] = "file",
    archive: Annotated[bool, typer.Option("--archive", help="An archive copy, not a backup copy.")] = False,
    host: Host = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Keep a file as an object.

    It is there when the command ends well, whole and on stable storage; else nothing of it is. Several objects may have
    the same name: the versions of one.

    \b
    Examples:
      ndmpdup xbsa put /db/full dump.sql
      tar c /srv | ndmpdup xbsa put /srv.tar --description "before the move"
    """
    if not path.startswith("/"):
        raise UsageProblem(f"{path!r} does not begin with a slash: write PATH first, then FILE")
    from duplicator.xbsa import BSA_CopyType

    load_progress()
    with ExitStack() as stack:
        opened = sys.stdin.buffer if source == PIPE else stack.enter_context(Path(source).open("rb"))
        file = cast("BufferedIOBase", opened)
        session = stack.enter_context(opened_session(service, host))
        copy_type = BSA_CopyType.ARCHIVE if archive else BSA_CopyType.BACKUP
        with session.backup() as backup:
            made = backup.create(
                path,
                size=_size_of(file),
                space=space,
                copy_type=copy_type,
                resource_type=resource_type,
                description=description,
            )
            with made:
                size = copy_all(file, made.write)
    if as_json:
        print_json({"copy_id": made.copy_id, "path": path, "size": size})
    else:
        say(plain(f"{path}: {size_text(size)}, copy id {made.copy_id}"))


def _size_of(file: BufferedIOBase) -> int | None:
    """Of a regular file; None for what does not know, such as a pipe, or a file of /proc, which claims 0."""
    status = os.fstat(file.fileno())
    return (status.st_size or None) if stat.S_ISREG(status.st_mode) else None
