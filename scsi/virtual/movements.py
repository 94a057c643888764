"""Commands of a virtual drive that move or erase the tape, or ask where it stands (SSC-4)."""

from __future__ import annotations

from typing import Final

from scsi.errors import BlankCheck, RemovalPrevented
from scsi.fields import pack
from scsi.positions import ExtendedPosition, LongPosition, ShortPosition
from scsi.sense import Sense, SenseKey
from scsi.ssc import (
    DestinationType,
    Erase6,
    FormatMedium,
    LoadUnload,
    Locate10,
    Locate16,
    PositionForm,
    ReadPosition,
    Space6,
    Space16,
    SpaceCode,
    Verify16,
)
from scsi.tape import SpaceOutcome, Stop
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import Answer, Deck, refusal
from scsi.virtual.drive_modes import Settings
from scsi.virtual.transfers import audit_writable

__all__ = ["erase", "format_medium", "go_to", "load_unload", "locate", "read_position", "space"]

_NOT_AT_BEGINNING: Final = (SenseKey.ILLEGAL_REQUEST, 0x3B, 0x0C)
_LARGEST_SHORT: Final = 0xFFFFFFFF


def space(deck: Deck, command: Space6 | Space16) -> Answer:
    """Move; what is left of the count is positive in either direction."""
    match command.code:
        case SpaceCode.BLOCKS:
            return _spaced(deck, command.count, deck.drive.space_blocks(command.count))
        case SpaceCode.FILEMARKS:
            return _spaced(deck, command.count, deck.drive.space_filemarks(command.count))
        case SpaceCode.END_OF_DATA:
            deck.drive.space_end_of_data()
            return Answer()
    raise wrong_field(command, "code", f"nothing to move over by code {int(command.code)}")


def locate(deck: Deck, command: Locate10 | Locate16) -> Answer:
    """Go to an object, a file or the end of data; past that it ends there, in a blank check."""
    if command.change and command.partition:
        raise wrong_field(command, "partition", "there is one partition")
    if isinstance(command, Locate10):
        return _at(deck, command.object_number)
    match command.type:
        case DestinationType.OBJECT:
            return _at(deck, command.number)
        case DestinationType.FILE:
            deck.drive.rewind()
            outcome = deck.drive.space_filemarks(command.number)
            return Answer(sense=_without_residue(deck) if outcome.stop else None)
        case DestinationType.END_OF_DATA:
            deck.drive.space_end_of_data()
            return Answer()
    raise wrong_field(command, "type", f"nothing to go to by type {int(command.type)}")


def go_to(deck: Deck, command: Verify16, object_number: int) -> Answer:
    """Go to the object that a command names, before it does its work."""
    if command.partition:
        raise wrong_field(command, "partition", "there is one partition")
    return _at(deck, object_number)


def load_unload(deck: Deck, command: LoadUnload, *, prevented: bool) -> Answer:
    """Draw in and rewind, or flush and give out."""
    if command.load and command.end:
        raise wrong_field(command, "end", "loaded is at the beginning")
    if not command.load:
        if prevented:
            message = "a host has locked the cartridge in"
            raise RemovalPrevented(message)
        deck.drive.unload()
        return Answer()
    deck.bay.load()
    deck.drive.rewind()
    return Answer()


def erase(deck: Deck, settings: Settings, command: Erase6) -> Answer:
    """Make this the end of data, long or short: nothing that was erased can be read in a virtual tape."""
    audit_writable(deck, settings)
    deck.drive.erase()
    return Answer()


def format_medium(deck: Deck, settings: Settings, command: FormatMedium) -> Answer:
    """Erase all, from the beginning only."""
    if command.format:
        raise wrong_field(command, "format", "there is one partition")
    audit_writable(deck, settings)
    if not deck.drive.position().at_bot:
        raise refusal(*_NOT_AT_BEGINNING)
    deck.drive.erase()
    return Answer()


def read_position(deck: Deck, command: ReadPosition) -> bytes:
    """Where the drive stands; nothing is ever in its buffer."""
    position, warned = deck.drive.position(), deck.past_early_warning()
    number, at_beginning = position.block_number, position.at_bot
    match command.form:
        # Object numbers are the vendor's numbers too, as in LTO drives; Linux's st asks for those.
        case PositionForm.SHORT | PositionForm.SHORT_VENDOR:
            overflow = number > _LARGEST_SHORT
            told = 0 if overflow else number
            return pack(ShortPosition(at_beginning, warned, told, told, overflow=overflow))
        case PositionForm.LONG:
            return pack(LongPosition(at_beginning, warned, number, position.file_number))
        case PositionForm.EXTENDED:
            return pack(ExtendedPosition(at_beginning, warned, number, number))
    raise wrong_field(command, "form", f"there is no form {int(command.form)}")


def _spaced(deck: Deck, count: int, outcome: SpaceOutcome) -> Answer:
    return Answer(sense=deck.stop(outcome.stop, abs(count) - outcome.moved) if outcome.stop else None)


def _at(deck: Deck, number: int) -> Answer:
    try:
        deck.drive.locate(number)
    except BlankCheck:
        return Answer(sense=_without_residue(deck))
    return Answer()


def _without_residue(deck: Deck) -> Sense:
    found = deck.stop(Stop.END_OF_DATA, 0)
    return Sense(found.key, found.asc, found.ascq, end_of_medium=found.end_of_medium)
