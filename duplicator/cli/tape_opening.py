"""Drives by URL for the commands of `ndmpdup tape`: opened, brought to a place, and where they stand in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from duplicator.cli.endings import UsageProblem
from duplicator.cli.terminal import print_json, say
from scsi.devices import ST_SCHEME, open_drive, open_scsi_drive, open_transport
from scsi.errors import NoMedium, PositionUnknown
from scsi.tape import Position, Stop, TapeDrive
from scsi.transports.transport import Transport
from scsi.virtual.image import cartridge_files
from scsi.virtual.inventory import INVENTORY_FILE
from scsi.virtual.library_url import LIBRARY_SCHEME, parse_library_url
from scsi.virtual.url import SCHEME as VIRTUAL_SCHEME
from scsi.virtual.url import parse_url

__all__ = [
    "go_to",
    "opened_drive",
    "opened_transport",
    "place_document",
    "place_of",
    "place_text",
    "require_blank_ahead",
    "tell_place",
]

_END = "end"


@contextmanager
def opened_transport(url: str) -> Iterator[Transport]:
    """The way to a device that exists: a mistyped name makes no virtual one. ScsiError."""
    _require_existing(url)
    transport = open_transport(url)
    try:
        yield transport
    finally:
        transport.close()


@contextmanager
def opened_drive(url: str, *, read_only: bool = False) -> Iterator[TapeDrive]:
    """A tape drive: by its commands, or st: by the kernel's driver. UsageProblem for blocks that it does not take."""
    _require_existing(url)
    open_it = open_drive if url.startswith(ST_SCHEME) else open_scsi_drive
    drive: TapeDrive = open_it(url, read_only=read_only)
    try:
        yield drive
    except ValueError as refusal:
        raise UsageProblem(str(refusal)) from refusal
    finally:
        drive.close()


def go_to(drive: TapeDrive, at: str | None) -> None:
    """To an object by number, or to the ``end`` of data; UsageProblem for anything else."""
    if at is None:
        return
    if at == _END:
        if place_of(drive) is None:
            drive.rewind()
        drive.space_end_of_data()
    elif at.isascii() and at.isdecimal():
        drive.locate(int(at))
    else:
        raise UsageProblem(f"--at {at!r}: write the number of an object, from 0, or {_END}")


def require_blank_ahead(drive: TapeDrive, *, overwrite: bool) -> None:
    """UsageProblem if what is written here would end the life of data behind it, and nobody wants that."""
    if overwrite:
        return
    here = drive.position()
    if here.at_eod:
        return
    passed = drive.space_blocks(1)
    if passed.moved == 0 and passed.stop is Stop.END_OF_DATA:
        return
    drive.locate(here.block_number)
    raise UsageProblem(
        f"there are data from object {here.block_number} on, which would be lost: write behind them with --at end, "
        "or give --overwrite"
    )


def place_of(drive: TapeDrive) -> Position | None:
    """Where it stands; None if nobody knows."""
    try:
        return drive.position()
    except PositionUnknown:
        return None


def place_text(place: Position | None) -> str:
    """A place in words."""
    if place is None:
        return "unknown: rewind it, or go to an object"
    words = [f"object {place.block_number}"]
    if place.file_number >= 0:
        words.append(f"file {place.file_number}")
    if place.block_in_file >= 0:
        words.append(f"block {place.block_in_file}")
    if place.at_bot:
        words.append("at the beginning")
    return ", ".join([*words, "at the end of data"] if place.at_eod else words)


def place_document(place: Position | None) -> dict[str, Any] | None:
    """A place for `--json`; numbers that the drive does not tell are null."""
    if place is None:
        return None
    return {
        "object": place.block_number,
        "file": place.file_number if place.file_number >= 0 else None,
        "block": place.block_in_file if place.block_in_file >= 0 else None,
        "at_beginning": place.at_bot,
        "at_end_of_data": place.at_eod,
    }


def tell_place(drive: TapeDrive, *, as_json: bool) -> None:
    """Where the tape stands after a movement."""
    place = place_of(drive)
    if as_json:
        print_json({"position": place_document(place)})
    else:
        say(place_text(place))


def _require_existing(url: str) -> None:
    if url.startswith(VIRTUAL_SCHEME):
        path = parse_url(url).path
        if not cartridge_files(path)[1].exists():
            raise NoMedium(f"there is no cartridge {path}: `ndmpdup tape {url} create` makes one")
    elif url.startswith(LIBRARY_SCHEME):
        folder = parse_library_url(url).path
        if not (folder / INVENTORY_FILE).exists():
            raise NoMedium(f"there is no virtual library in {folder}: `ndmpdup changer {url} create` makes one")
