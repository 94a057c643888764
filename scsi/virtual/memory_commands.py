"""READ and WRITE ATTRIBUTE of a virtual drive (SPC-4): what the cartridge says of itself, and hosts of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scsi.errors import WriteProtected
from scsi.fields import size_of
from scsi.parameters import Attribute, AttributeFormat, build_attributes, parse_attributes
from scsi.sense import SenseKey
from scsi.spc import AttributeAction, ReadAttribute, WriteAttribute
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import Answer, Deck, refusal, wrong_parameter
from scsi.virtual.drive_modes import Settings
from scsi.virtual.memory import MEMORY_BYTES, WRITABLE, read_memory, used_bytes, write_memory
from scsi.virtual.transfers import audit_writable

__all__ = ["read_attributes", "write_attributes"]

_MIB: Final = 1 << 20
_WRITE_ONCE: Final = 0x80
_TEXT_BYTES: Final = 32
_HEAD_BYTES: Final = 4
_LIST_LENGTH: Final = 0x1A
_NO_ROOM: Final = (SenseKey.ILLEGAL_REQUEST, 0x55, 0x06)


def read_attributes(deck: Deck, command: ReadAttribute) -> bytes:
    """Attributes of the cartridge's memory, or their list; NoMedium."""
    if command.partition:
        raise wrong_field(command, "partition", "there is one partition")
    found = _attributes(deck)
    if command.first_attribute:
        if command.first_attribute not in (attribute.code for attribute in found):
            raise wrong_field(command, "first_attribute", f"there is no attribute {command.first_attribute:#06x}")
        found = [attribute for attribute in found if attribute.code >= command.first_attribute]
    match command.action:
        case AttributeAction.VALUES:
            return build_attributes(found)
        case AttributeAction.LIST | AttributeAction.SUPPORTED:
            return (2 * len(found)).to_bytes(4, "big") + b"".join(each.code.to_bytes(2, "big") for each in found)
    raise wrong_field(command, "action", f"there is no action {int(command.action)}")


def write_attributes(deck: Deck, settings: Settings, command: WriteAttribute, data_out: bytes) -> Answer:
    """Take over what a host gives, all of it or nothing; an attribute without a value is gone."""
    if command.partition:
        raise wrong_field(command, "partition", "there is one partition")
    audit_writable(deck, settings)
    if deck.drive.write_protected:
        message = "the cartridge is write protected, or was opened for reading only"
        raise WriteProtected(message)
    given = _given(data_out[: command.parameter_bytes])
    path = deck.cartridge()
    kept = {each.code: each for each in (*read_memory(path), *given)}
    if used_bytes(kept.values()) > MEMORY_BYTES:
        raise refusal(*_NO_ROOM)
    write_memory(path, kept.values())
    return Answer(bytes_out=command.parameter_bytes)


def _given(raw: bytes) -> Sequence[Attribute]:
    """The attributes of a parameter list; refused where one may not be written, or they are out of order."""
    if not raw:
        return ()
    if int.from_bytes(raw[:_HEAD_BYTES], "big") != len(raw) - _HEAD_BYTES:
        raise wrong_parameter(0, asc=_LIST_LENGTH)
    found, at, last = parse_attributes(raw), _HEAD_BYTES, 0
    for attribute in found:
        if attribute.code <= last or not any(attribute.code in codes for codes in WRITABLE):
            raise wrong_parameter(at)
        at, last = at + size_of(Attribute) + len(attribute.value), attribute.code
    if at != len(raw):
        raise wrong_parameter(at, asc=_LIST_LENGTH)
    return found


def _attributes(deck: Deck) -> Sequence[Attribute]:
    capacity = deck.drive.capacity()
    written = read_memory(deck.cartridge())
    kind = bytes((_WRITE_ONCE if deck.medium.write_once else 0,))
    own = [
        _binary(0x0000, _number(capacity.remaining_bytes // _MIB, 8)),
        _binary(0x0001, _number(capacity.total_bytes // _MIB, 8)),
        _binary(0x0004, _number(MEMORY_BYTES - used_bytes(written), 8)),
        _text(0x0400, "VIRTUAL", 8),
        _text(0x0401, deck.barcode, _TEXT_BYTES),
        _binary(0x0405, bytes((deck.medium.density,))),
        _binary(0x0407, _number(MEMORY_BYTES, 8)),
        _binary(0x0408, kind),
    ]
    label = Attribute(0x0806, AttributeFormat.ASCII, _TEXT_BYTES, value=deck.barcode.ljust(_TEXT_BYTES).encode("ascii"))
    found = {each.code: each for each in (*own, label, *written)}
    return [found[code] for code in sorted(found)]


def _binary(code: int, value: bytes) -> Attribute:
    return Attribute(code, AttributeFormat.BINARY, len(value), read_only=True, value=value)


def _text(code: int, text: str, size: int) -> Attribute:
    return Attribute(code, AttributeFormat.ASCII, size, read_only=True, value=text.ljust(size).encode("ascii"))


def _number(value: int, size: int) -> bytes:
    return min(value, (1 << 8 * size) - 1).to_bytes(size, "big")
