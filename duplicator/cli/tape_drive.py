"""`ndmpdup tape URL status`, `rewind` and so on: drives by hand, on any device URL."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import Json
from duplicator.cli.tape_options import At, ability, fail
from duplicator.cli.terminal import plain, print_json, print_table, say

if TYPE_CHECKING:
    from scsi.tape import Position, SpaceOutcome, TapeDrive

__all__ = [
    "alerts",
    "inquiry",
    "load",
    "locate",
    "rewind",
    "space",
    "status",
    "unload",
]


class Over(Enum):
    """What to move over."""

    BLOCKS = "blocks"
    FILEMARKS = "filemarks"
    END = "end"


def status(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the drive and its tape.

    That is position, block size, density, protection, capacity, alerts, cleaning. Alerts are cleared by being read.
    """
    from duplicator.cli.tape_report import report_of

    found = report_of(context.obj)
    if as_json:
        print_json(found.document())
        return
    for name, value in found.rows():
        say(f"{name + ':':<19}{plain(value)}")


def inquiry(context: typer.Context, *, as_json: Json = False) -> None:
    """Show what device it is.

    That is the answer to INQUIRY, of drives and changers, ready or not.
    """
    from duplicator.cli.tape_opening import opened_transport
    from scsi.device import Device

    with opened_transport(context.obj) as transport:
        device = Device(transport, dismiss=lambda _: True)
        found, serial = device.inquiry(), device.serial()
    document = {
        "type": found.device_type.name.lower(),
        "vendor": found.vendor,
        "product": found.product,
        "revision": found.revision,
        "serial": serial or None,
    }
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        say(f"{name + ':':<19}{plain(value or 'not told')}")


def alerts(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the TapeAlert flags, and clear them."""
    from duplicator.cli.tape_opening import opened_transport
    from duplicator.cli.tape_report import alert_documents, alert_name
    from scsi import drive_reports
    from scsi.device import Device

    with opened_transport(context.obj) as transport:
        found = sorted(drive_reports.alerts(Device(transport, dismiss=lambda _: True)))
    if as_json:
        print_json({"alerts": alert_documents(found)})
    elif found:
        print_table(("flag", "meaning"), [(str(int(alert)), alert_name(alert)) for alert in found], right=("flag",))
    else:
        say("no alerts")


def rewind(context: typer.Context, *, as_json: Json = False) -> None:
    """Go to the beginning of the tape."""
    _move(context.obj, lambda drive: drive.rewind(), as_json=as_json)


def locate(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="OBJECT", min=0, help="Blocks and filemarks count from 0.")],
    *,
    as_json: Json = False,
) -> None:
    """Go to a block or filemark by its number."""
    _move(context.obj, lambda drive: drive.locate(number), as_json=as_json)


def space(
    context: typer.Context,
    over: Annotated[Over, typer.Argument(help="What to move over; end: to the end of data.")],
    count: Annotated[int, typer.Argument(metavar="[COUNT]", help="How many; backwards if negative.")] = 1,
    *,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Move over blocks or filemarks, or to the end.

    Over filemarks it ends behind the last one, backwards before it. Over blocks a filemark stops it, and is crossed.
    Exit code 1 if it was stopped before the count; what was not passed is told.

    \b
    Examples:
      ndmpdup tape sg:/dev/sg0 space filemarks 2
      ndmpdup tape sg:/dev/sg0 space blocks -1
      ndmpdup tape sg:/dev/sg0 space end
    """
    from duplicator.cli.tape_opening import go_to, opened_drive, place_of

    outcome = None
    with opened_drive(context.obj, read_only=True) as drive:
        go_to(drive, at)
        if over is Over.END:
            go_to(drive, "end")
        else:
            outcome = drive.space_blocks(count) if over is Over.BLOCKS else drive.space_filemarks(count)
        place = place_of(drive)
    _tell_space(outcome, place, over=over, count=count, as_json=as_json)


def load(context: typer.Context, *, as_json: Json = False) -> None:
    """Draw in the tape that lies in the mouth of the drive."""
    _move(context.obj, lambda drive: ability(drive, "load")(), as_json=as_json)


def unload(context: typer.Context, *, as_json: Json = False) -> None:
    """Rewind the tape and put it out of the drive."""
    from duplicator.cli.tape_opening import opened_drive

    with opened_drive(context.obj, read_only=True) as drive:
        drive.unload()
    if as_json:
        print_json({"loaded": False})
    else:
        say("unloaded")


def _move(url: str, move: Callable[[TapeDrive], None], *, as_json: bool) -> None:
    from duplicator.cli.tape_opening import opened_drive, tell_place

    with opened_drive(url, read_only=True) as drive:
        move(drive)
        tell_place(drive, as_json=as_json)


def _tell_space(outcome: SpaceOutcome | None, place: Position | None, *, over: Over, count: int, as_json: bool) -> None:
    from duplicator.cli.tape_opening import place_document, place_text

    missed = abs(count) - outcome.moved if outcome else 0
    stop = outcome.stop.value if outcome and outcome.stop else None
    if as_json:
        told = {"moved": outcome.moved if outcome else None, "not_passed": missed, "stop": stop}
        print_json({**told, "position": place_document(place)})
    else:
        say(place_text(place))
    if missed:
        fail(f"{missed} of {abs(count)} {over.value} were not passed: {stop}")
