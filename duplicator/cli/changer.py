"""`ndmpdup changer`: libraries by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import Json
from duplicator.cli.terminal import plain, print_json, print_table, say

if TYPE_CHECKING:
    from duplicator.cli.changer_places import Places
    from scsi.changer import Changer

__all__ = ["changer", "create", "exchange", "initialize", "inventory", "load", "move", "unload"]

From = Annotated[str, typer.Argument(metavar="FROM", help="A place, or the barcode of a cartridge.")]
To = Annotated[str, typer.Argument(metavar="TO", help="A place.")]
Drive = Annotated[
    str, typer.Argument(metavar="[DRIVE]", help="By number from 0, as drive0, as @ADDRESS, or by the barcode in it.")
]
TapeUrl = Annotated[
    str | None,
    typer.Option(
        "--tape",
        metavar="URL",
        help="The drive's own device URL: it gives its tape out before the arm takes it, and draws the new one in. "
        "Most drives hold a tape fast until then.",
        show_default=False,
    ),
]


def changer(
    context: typer.Context,
    url: Annotated[
        str, typer.Argument(metavar="URL", help="sg:/dev/sg1, iscsi://HOST/TARGET/LUN or virtual-library:DIR.")
    ],
) -> None:
    """Show and move the cartridges of a library.

    A place is a slot by its number from 1, as mtx has it (import/export elements are behind the slots), drive0 and so
    on, or @ADDRESS for an element address. A cartridge is named by its barcode (barcode:123456 if it is all digits).

    \b
    Examples:
      ndmpdup changer sg:/dev/sg1 inventory
      ndmpdup changer sg:/dev/sg1 load A00001L8 drive0 --tape sg:/dev/sg0
      ndmpdup changer sg:/dev/sg1 unload drive0 --tape sg:/dev/sg0
      ndmpdup changer sg:/dev/sg1 move 3 21
      ndmpdup changer "virtual-library:/srv/library?drives=2&slots=10&cartridges=8" create
    """
    context.obj = url


def create(context: typer.Context) -> None:
    """Make a virtual library, with what the URL says of it."""
    from scsi.virtual.library import create_library
    from scsi.virtual.library_url import parse_library_url

    url = parse_library_url(context.obj)
    create_library(url.path, url.configuration, volumes=url.volumes)
    say(f"{plain(str(url.path))}: {url.configuration.drives} drives, {len(url.volumes)} cartridges")


def inventory(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what lies where."""
    with _opened(context.obj) as robot:
        places = _places(robot)
        found = robot.inquiry()
    if as_json:
        identity = {"vendor": found.vendor, "product": found.product, "revision": found.revision}
        print_json({"changer": identity, "elements": places.document()})
        return
    print_table(("place", "what", "address", "state", "barcode", "from"), places.rows(), right=("place", "address"))


def move(context: typer.Context, source: From, destination: To, *, as_json: Json = False) -> None:
    """Carry a cartridge (mtx: transfer)."""
    with _opened(context.obj) as robot:
        places = _places(robot)
        taken, to = places.find(source), places.find(destination)
        robot.move(taken.address, to.address)
    _tell([(taken.barcode, places.name(taken.address), places.name(to.address))], as_json=as_json)


def load(
    context: typer.Context, source: From, drive: Drive = "0", *, tape: TapeUrl = None, as_json: Json = False
) -> None:
    """Carry a cartridge to a drive.

    What is in that drive goes back to its slot first.
    """
    with _opened(context.obj) as robot:
        places = _places(robot)
        taken, to = places.find(source), places.find_drive(drive)
    moves = []
    if taken.address != to.address:
        if to.full:
            moves.append(_unload(context.obj, to.address, tape=tape))
        with _opened(context.obj) as robot:
            robot.move(taken.address, to.address)
        moves.append((taken.barcode, places.name(taken.address), places.name(to.address)))
        _draw_in(tape)
    _tell(moves, as_json=as_json)


def unload(
    context: typer.Context,
    drive: Drive = "0",
    to: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Default: the slot it came from, or a free one.")
    ] = None,
    *,
    tape: TapeUrl = None,
    as_json: Json = False,
) -> None:
    """Empty a drive."""
    with _opened(context.obj) as robot:
        places = _places(robot)
        emptied = places.find_drive(drive)
        destination = None if to is None else places.find(to).address
    _tell([_unload(context.obj, emptied.address, tape=tape, to=destination)], as_json=as_json)


def exchange(
    context: typer.Context,
    source: From,
    first: To,
    second: Annotated[str | None, typer.Argument(metavar="[SECOND]", help="Default: FROM.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Carry two cartridges at once.

    The one at FROM goes to TO, and what was there to SECOND.
    """
    with _opened(context.obj) as robot:
        places = _places(robot)
        taken, to = places.find(source), places.find(first)
        behind = taken if second is None else places.find(second)
        robot.exchange(taken.address, to.address, behind.address)
    moves = [(taken.barcode, places.name(taken.address), places.name(to.address))]
    _tell([*moves, (to.barcode, places.name(to.address), places.name(behind.address))], as_json=as_json)


def initialize(context: typer.Context, *, as_json: Json = False) -> None:
    """Have the library look into all its places.

    That may take minutes.
    """
    with _opened(context.obj) as robot:
        robot.initialize()
    if as_json:
        print_json({"initialized": True})
    else:
        say("done")


@contextmanager
def _opened(url: str) -> Iterator[Changer]:
    from duplicator.cli.tape_opening import opened_transport
    from scsi.changer import Changer

    with opened_transport(url) as transport:
        yield Changer(transport)


def _places(robot: Changer) -> Places:
    from duplicator.cli.changer_places import Places

    return Places(robot.inventory())


def _unload(url: str, drive: int, *, tape: str | None, to: int | None = None) -> tuple[str, str, str]:
    """Have the drive give its tape out, and carry it away; barcode, from and to. The arm waits unopened meanwhile."""
    from duplicator.cli.tape_opening import opened_drive
    from scsi.errors import NoMedium, NotReady

    if tape is not None:
        with opened_drive(tape, read_only=True) as given, suppress(NoMedium, NotReady):
            given.unload()
    with _opened(url) as robot:
        places = _places(robot)
        barcode = next((e.barcode for e in robot.inventory().elements if e.address == drive), "")
        destination = robot.unload(drive, to=to)
    return barcode, places.name(drive), places.name(destination)


def _draw_in(tape: str | None) -> None:
    from duplicator.cli.tape_opening import opened_drive

    if tape is not None:
        with opened_drive(tape, read_only=True) as drive:
            draw_in = getattr(drive, "load", None)
            if draw_in is not None:
                draw_in()


def _tell(moves: list[tuple[str, str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json({"moves": [{"barcode": code or None, "from": start, "to": end} for code, start, end in moves]})
        return
    for code, start, end in moves:
        say(f"{plain(code) or 'cartridge'}: {start} -> {end}")
    if not moves:
        say("it is there already")
