"""`ndmpdup tape URL verify`: whether all that is on a tape can still be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import Json
from duplicator.cli.tape_blocks import USUAL_READ, block_size_option
from duplicator.cli.tape_options import At, fail
from duplicator.cli.terminal import print_json, say, size_text

if TYPE_CHECKING:
    from scsi.tape import SpaceOutcome, TapeDrive

__all__ = ["verify", "verify_by_drive", "verify_by_reading"]


def verify(
    context: typer.Context,
    *,
    files: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Up to so many filemarks. Default: to the end of data.")
    ] = None,
    block_size: Annotated[int, block_size_option(USUAL_READ)] = USUAL_READ,
    at: At = None,
    as_json: Json = False,
) -> None:
    """Have the drive read and check the tape from here on.

    The drive checks each block by itself, and sends nothing. One that can't (no VERIFY command, or st:) is read here
    instead, which checks as much but takes longer. Exit code 1 if something cannot be read, with its place, or if the
    data ended before --files.

    \b
    Examples:
      ndmpdup tape sg:/dev/sg0 verify --at 0
      ndmpdup tape sg:/dev/sg0 verify --at 1200 --files 1
    """
    from duplicator.cli.tape_opening import go_to, opened_drive, place_document, place_of, place_text
    from scsi.tape import Stop

    with opened_drive(context.obj, read_only=True) as drive:
        go_to(drive, at)
        outcome = verify_by_drive(drive, files)
        read_bytes = None
        if outcome is None:
            outcome, read_bytes = verify_by_reading(drive, files, block_bytes=block_size)
        place = place_of(drive)
    how = "checked by the drive" if read_bytes is None else f"{size_text(read_bytes)} read and checked here"
    if as_json:
        told = {"by_drive": read_bytes is None, "bytes_read": read_bytes, "filemarks": outcome.moved if files else None}
        print_json({**told, "position": place_document(place)})
    else:
        say(f"{how}; now at {place_text(place)}")
    if files and outcome.stop is Stop.END_OF_DATA:
        fail(f"{files - outcome.moved} of {files} filemarks are not there: the data end before")


def verify_by_drive(drive: TapeDrive, files: int | None) -> SpaceOutcome | None:
    """What came of it; None if this drive can't."""
    from scsi.drive import ScsiDrive
    from scsi.errors import IllegalRequest

    if not isinstance(drive, ScsiDrive):
        return None
    try:
        return drive.verify(files)
    except IllegalRequest:
        return None


def verify_by_reading(drive: TapeDrive, files: int | None, *, block_bytes: int) -> tuple[SpaceOutcome, int]:
    """The same with all blocks coming here; and their bytes."""
    from duplicator.cli.tape_copy import copy_from_tape, progress
    from scsi.tape import SpaceOutcome, Stop

    passed = read_bytes = 0
    with progress() as note, Path(os.devnull).open("wb") as nowhere:
        while files is None or passed < files:
            copied = copy_from_tape(drive, nowhere, note, block_bytes=block_bytes, count=None)
            read_bytes += copied.bytes
            if copied.truncated:
                fail(f"a block is longer than {block_bytes} bytes: give a larger --block-size")
            if copied.stop is Stop.END_OF_DATA:
                return SpaceOutcome(passed, Stop.END_OF_DATA), read_bytes
            passed += 1
    return SpaceOutcome(passed), read_bytes
