"""`ndmpdup xbsa get`: bring an object back, into a file or a pipe."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import Json
from duplicator.cli.terminal import complain, plain, print_json, say, size_text
from duplicator.cli.xbsa import (
    PIPE,
    Host,
    Service,
    copy_all,
    find_object,
    load_progress,
    object_document,
    opened_session,
)

__all__ = ["get"]


class Source(StrEnum):
    """Which copies may be read."""

    ANY = "any"
    DISK = "disk"
    TAPE = "tape"


def get(
    name: Annotated[str, typer.Argument(metavar="PATH|COPYID", help="An object: the newest of a path, or by its id.")],
    target: Annotated[str, typer.Argument(metavar="FILE|-", help="A new file, or - for standard output.")] = PIPE,
    *,
    source: Annotated[
        Source | None, typer.Option(help="Which copies may be read. Default: the disk's, else the tape's.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file, if it is there.")] = False,
    host: Host = None,
    service: Service = None,
    as_json: Json = False,
) -> None:
    """Bring an object back.

    The file appears when it is whole and the service has confirmed it. Into a pipe the bytes go as they come: only exit
    code 0 says that they were all.

    \b
    Examples:
      ndmpdup xbsa get /db/full dump.sql
      ndmpdup xbsa get 17 --source tape | psql db
    """
    if as_json and target == PIPE:
        raise UsageProblem("--json and - both want standard output: give a file")
    copies = source.value if source else None
    load_progress()
    with opened_session(service, host, source=copies) as session, _opened_target(target, force=force) as file:
        found = find_object(session, name)
        with session.open(found.copy_id) as stored:
            size = copy_all(stored, file.write)
    if as_json:
        print_json({**object_document(found), "file": target})
        return
    line = plain(f"{found.path}: {size_text(size)}, copy id {found.copy_id}")
    (complain if target == PIPE else say)(line)


@contextmanager
def _opened_target(name: str, *, force: bool) -> Iterator[BinaryIO]:
    """Standard output; or a hidden draft beside the file, which takes its place at the end of the block."""
    if name == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    _refuse_existing(path, force=force)
    draft = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _show(draft, path, force=force)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _refuse_existing(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise UsageProblem(f"{path} is a folder: name a file in it")
    if os.path.lexists(path) and not force:
        raise UsageProblem(f"{path} is there already, and is not overwritten without --force")


def _show(draft: Path, path: Path, *, force: bool) -> None:
    if force:
        draft.replace(path)
        return
    try:
        # Unlike a rename it fails if somebody was faster.
        path.hardlink_to(draft)
    except FileExistsError:
        _refuse_existing(path, force=False)
        raise
    except OSError:
        # A file system without links.
        draft.rename(path)
