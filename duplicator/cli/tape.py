"""`ndmpdup tape`: what its commands share, and those for virtual cartridges alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duplicator.cli.options import Json
from duplicator.cli.terminal import plain, print_json, print_table, say, size_text

__all__ = ["cartridge", "create", "export_cartridge", "import_cartridge", "show_map"]

TapFile = Annotated[Path, typer.Argument(metavar="FILE.tap", help="A file in SIMH's tape format.")]


def cartridge(
    context: typer.Context,
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help="sg:/dev/sg0, st:/dev/nst0, iscsi://HOST/TARGET/LUN, virtual:DIR/BARCODE[?capacity=..] for a virtual "
            "cartridge, or virtual-library:DIR?drive=0 for a drive of a virtual library.",
        ),
    ],
) -> None:
    """Show, move, read and write the tape in a drive; make, map, export and import virtual cartridges.

    A virtual cartridge is put into a drive for each command anew, so it begins at its beginning: see --at.

    \b
    Examples:
      ndmpdup tape sg:/dev/sg0 status
      ndmpdup tape sg:/dev/sg0 space filemarks 2
      ndmpdup tape st:/dev/nst0 read --to file1
      ndmpdup tape iscsi://192.0.2.7/iqn.2026-11.org.example:tapes/1 inquiry --json
      ndmpdup tape "virtual:/srv/tapes/ND0001?capacity=100G" create
      ndmpdup tape virtual:/srv/tapes/ND0001 map
      ndmpdup tape virtual:/srv/tapes/ND0001 export nd0001.tap
      ndmpdup tape virtual:/srv/tapes/ND0002 import nd0001.tap
    """
    context.obj = url


def create(context: typer.Context) -> None:
    """Make a blank cartridge.

    One that exists is left alone, and is an error.
    """
    from scsi.virtual.image import create_cartridge
    from scsi.virtual.url import parse_url

    url = parse_url(context.obj)
    url.path.parent.mkdir(parents=True, exist_ok=True)
    create_cartridge(url.path, capacity_bytes=url.capacity_bytes, early_warning_bytes=url.early_warning_bytes)
    say(f"{plain(str(url.path))}: blank, room for {size_text(url.capacity_bytes)}")


def show_map(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what lies on the cartridge.

    That is runs of blocks, filemarks, and what the labels say.
    """
    from duplicator.cli.tape_map import STOPS_AT, map_document, map_rows, read_map
    from scsi.virtual.url import parse_url

    found = read_map(parse_url(context.obj).path)
    if as_json:
        print_json(map_document(found))
        return
    headings, rows = map_rows(found)
    print_table(headings, rows, right=STOPS_AT)
    say(f"{size_text(found.used_bytes)} of {size_text(found.capacity_bytes)} used")


def export_cartridge(context: typer.Context, tap: TapFile) -> None:
    """Write the cartridge to a new .tap file.

    Other tape tools read that.
    """
    from scsi.virtual.tap import export_tap
    from scsi.virtual.url import parse_url

    export_tap(parse_url(context.obj).path, tap)
    say(f"{plain(str(tap))}: {size_text(tap.stat().st_size)}")


def import_cartridge(context: typer.Context, tap: TapFile) -> None:
    """Make a new cartridge from a .tap file."""
    from scsi.virtual.tap import import_tap
    from scsi.virtual.url import parse_url

    url = parse_url(context.obj)
    url.path.parent.mkdir(parents=True, exist_ok=True)
    import_tap(
        tap,
        url.path,
        capacity_bytes=url.capacity_bytes,
        early_warning_bytes=url.early_warning_bytes,
        sync=url.sync,
    )
    say(f"{plain(str(url.path))}: imported from {plain(str(tap))}")
