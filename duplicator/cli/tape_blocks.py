"""`ndmpdup tape URL read`, `write`, `weof`, `erase`: what is on the tape, and how it is kept from being lost."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import Json
from duplicator.cli.tape_options import At, Overwrite, ability, fail
from duplicator.cli.terminal import complain, print_json, say, size_text

if TYPE_CHECKING:
    from duplicator.cli.tape_copy import Copied
    from scsi.tape import Position

__all__ = ["USUAL_READ", "block_size_option", "erase", "read", "weof", "write"]

_PIPE: Final = "-"
_MOST_BLOCK_BYTES: Final = 16 << 20
USUAL_READ, _USUAL_WRITE = 1 << 20, 1 << 16


def block_size_option(default: int) -> typer.models.OptionInfo:
    """How long a block may be."""
    option: typer.models.OptionInfo = typer.Option(
        "--block-size", min=1, max=_MOST_BLOCK_BYTES, metavar="BYTES", help=f"Default: {default}.", show_default=False
    )
    return option


def weof(
    context: typer.Context,
    count: Annotated[int, typer.Argument(metavar="[COUNT]", min=1, help="How many filemarks.")] = 1,
    *,
    at: At = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write filemarks.

    Refused where data lie, unless with --overwrite.
    """
    from duplicator.cli.tape_opening import go_to, opened_drive, require_blank_ahead, tell_place

    with opened_drive(context.obj) as drive:
        go_to(drive, at)
        require_blank_ahead(drive, overwrite=overwrite)
        drive.write_filemarks(count)
        tell_place(drive, as_json=as_json)


def erase(
    context: typer.Context,
    *,
    at: At = None,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, all data from there on shall be lost.")] = False,
    as_json: Json = False,
) -> None:
    """End the data where the tape stands.

    What was behind that is lost, so --yes must be given.

    \b
    Example, for the whole tape:
      ndmpdup tape sg:/dev/sg0 erase --at 0 --yes
    """
    from duplicator.cli.tape_opening import go_to, opened_drive, tell_place

    if not yes:
        raise UsageProblem("all data from where the tape stands on would be lost: give --yes if that is meant")
    with opened_drive(context.obj) as drive:
        go_to(drive, at)
        ability(drive, "erase")()
        tell_place(drive, as_json=as_json)


def read(
    context: typer.Context,
    *,
    to: Annotated[str, typer.Option("--to", metavar="FILE|-", help="A new file, or - for standard output.")],
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="Blocks. Default: up to a filemark.")] = None,
    block_size: Annotated[int, block_size_option(USUAL_READ)] = USUAL_READ,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Copy blocks from tape to a file.

    It goes up to the next filemark, and crosses that. Blocks may be of any length up to --block-size. Exit code 1 if
    there were fewer than --count, or none at the end of data, or one that was longer.

    \b
    Examples:
      ndmpdup tape sg:/dev/sg0 read --to file1
      ndmpdup tape virtual:/srv/tapes/ND0001 read --at 3 --count 1 --to - | xxd
    """
    from duplicator.cli.tape_copy import copy_from_tape, progress
    from duplicator.cli.tape_opening import go_to, opened_drive, place_of

    if as_json and to == _PIPE:
        raise UsageProblem("--json and --to - both want standard output: give --to a file")
    with ExitStack() as stack:
        drive = stack.enter_context(opened_drive(context.obj, read_only=True))
        go_to(drive, at)
        file = sys.stdout.buffer if to == _PIPE else stack.enter_context(Path(to).open("xb"))
        note = stack.enter_context(progress())
        copied = copy_from_tape(drive, file, note, block_bytes=block_size, count=count)
        file.flush()
        place = place_of(drive)
    _tell_copied(copied, place, as_json=as_json, aside=to == _PIPE)
    if copied.truncated:
        fail(f"a block is longer than {block_size} bytes, and was cut: give a larger --block-size")
    if copied.blocks < (count or 1) and not (count is None and copied.stop and copied.stop.value == "filemark"):
        fail(f"the tape gave {copied.blocks} blocks: {copied.stop.value if copied.stop else 'stopped'}")


def write(
    context: typer.Context,
    *,
    source: Annotated[str, typer.Option("--from", metavar="FILE|-", help="A file, or - for standard input.")],
    block_size: Annotated[int, block_size_option(_USUAL_WRITE)] = _USUAL_WRITE,
    filemarks: Annotated[int, typer.Option(min=0, max=2, metavar="N", help="Filemarks behind the data.")] = 1,
    at: At = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Copy a file to tape, and a filemark behind it.

    The last block is as short as it is. Refused where data lie, unless with --overwrite: --at end writes behind them.
    Exit code 1 if the tape came near its end before all was written; what is written stays, with its filemark.

    \b
    Examples:
      ndmpdup tape sg:/dev/sg0 write --from backup.tar --at end
      tar c /srv | ndmpdup tape sg:/dev/sg0 write --from - --at 0 --overwrite --block-size 262144
    """
    from duplicator.cli.tape_copy import copy_to_tape, progress
    from duplicator.cli.tape_opening import go_to, opened_drive, place_of, require_blank_ahead

    with ExitStack() as stack:
        file = sys.stdin.buffer if source == _PIPE else stack.enter_context(Path(source).open("rb"))
        drive = stack.enter_context(opened_drive(context.obj))
        go_to(drive, at)
        require_blank_ahead(drive, overwrite=overwrite)
        note = stack.enter_context(progress())
        copied = copy_to_tape(drive, file, note, block_bytes=block_size)
        drive.write_filemarks(filemarks)
        place = place_of(drive)
    _tell_copied(copied, place, as_json=as_json, aside=False)
    if copied.full:
        fail("the tape is full: not all is written")


def _tell_copied(copied: Copied, place: Position | None, *, as_json: bool, aside: bool) -> None:
    from duplicator.cli.tape_opening import place_document, place_text

    if as_json:
        stop = copied.stop.value if copied.stop else None
        told = {"blocks": copied.blocks, "bytes": copied.bytes, "stop": stop, "complete": not copied.full}
        print_json({**told, "position": place_document(place)})
        return
    line = f"{copied.blocks} blocks, {size_text(copied.bytes)}; now at {place_text(place)}"
    (complain if aside else say)(line)
