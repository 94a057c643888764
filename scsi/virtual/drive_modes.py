"""What MODE SELECT sets in a virtual drive, and what MODE SENSE tells of it (SPC-4, SSC-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scsi.errors import FieldError, SavingNotSupported
from scsi.fields import pack, size_of, unpack
from scsi.modes import ALL_PAGES, ALL_SUBPAGES, ModePage, ModeParameters, OtherPage
from scsi.protection import PROTECTION_BYTES, ProtectionMethod
from scsi.spc import ModeSelect6, ModeSelect10, ModeSense6, ModeSense10, PageControl
from scsi.tape_modes import (
    BlockDescriptor,
    Control,
    DataCompression,
    DataProtection,
    DeviceConfiguration,
    DeviceSpecific,
    InformationalExceptions,
    MediumConfiguration,
    MediumPartition,
    TapePage,
    as_mode_page,
    as_tape_page,
)
from scsi.virtual.answers import wrong_field
from scsi.virtual.deck import Deck, wrong_parameter

__all__ = ["Settings", "mode_select", "mode_sense"]

_DEFAULT_DENSITY: Final = 0x00
_SAME_DENSITY: Final = 0x7F
_CHANGEABLE: Final[Mapping[tuple[int, int], Mapping[int, int]]] = {
    Control.KEY: {2: 0x04},
    DataProtection.KEY: {4: 0xFF, 5: 0x3F, 6: 0xC0},
    DeviceConfiguration.KEY: {10: 0x04},
}
"""By page: the bits of its bytes that may be changed."""
_LIST_LENGTH: Final = 0x1A


@dataclass(frozen=True, slots=True)
class Settings:
    """What hosts have set. ``block_bytes`` 0: blocks are of any size."""

    block_bytes: int = 0
    buffered: int = 1
    descriptor_sense: bool = False
    software_protected: bool = False
    protection: ProtectionMethod = ProtectionMethod.NONE
    protects_writes: bool = False
    protects_reads: bool = False

    @property
    def unbuffered(self) -> bool:
        """Whether a write ends when it is on the medium."""
        return self.buffered == 0

    def pages(self, *, write_once: bool) -> Sequence[TapePage]:
        """Every page, by number."""
        bytes_each = PROTECTION_BYTES if self.protection else 0
        return (
            Control(self.descriptor_sense),
            DataProtection(self.protection, bytes_each, self.protects_writes, self.protects_reads),
            DataCompression(),
            DeviceConfiguration(write_protected=self.software_protected),
            MediumPartition(),
            InformationalExceptions(),
            MediumConfiguration(write_once),
        )

    def with_page(self, page: TapePage, start: int) -> Settings:
        """With a page that begins at byte ``start`` of the parameter list."""
        match page:
            case Control():
                return replace(self, descriptor_sense=page.descriptor_sense)
            case DeviceConfiguration():
                return replace(self, software_protected=page.write_protected)
            case DataProtection():
                _audit_protection(page, start)
                on = page.method != ProtectionMethod.NONE
                return replace(
                    self,
                    protection=page.method,
                    protects_writes=on and page.writes,
                    protects_reads=on and page.reads,
                )
        return self


def mode_sense(deck: Deck, settings: Settings, command: ModeSense6 | ModeSense10) -> bytes:
    """The pages that are asked for, behind the head and the block descriptor."""
    if command.page_control == PageControl.SAVED:
        message = "no values are saved"
        raise SavingNotSupported(message)
    shown = Settings() if command.page_control == PageControl.DEFAULT else settings
    pages = [as_mode_page(page) for page in shown.pages(write_once=deck.medium.write_once) if _is_asked(command, page)]
    if not pages and command.page:
        raise wrong_field(command, "page", f"there is no page {command.page:#04x}/{command.subpage:#04x}")
    if command.page_control == PageControl.CHANGEABLE:
        pages = [_mask(page) for page in pages]
    protected = deck.drive.loaded and (deck.drive.write_protected or settings.software_protected)
    parameters = ModeParameters(
        pages,
        deck.medium.medium_type if deck.drive.loaded else 0,
        pack(DeviceSpecific(protected, shown.buffered))[0],
        b"" if command.without_blocks else pack(_descriptor(deck, shown, command.page_control)),
    )
    return parameters.encode(long=isinstance(command, ModeSense10))


def mode_select(deck: Deck, settings: Settings, command: ModeSelect6 | ModeSelect10, data_out: bytes) -> Settings:
    """The settings after a parameter list; all of it counts or, refused with the place of the fault, nothing."""
    if command.save:
        raise wrong_field(command, "save", "no values are saved")
    raw, long = data_out[: command.parameter_bytes], isinstance(command, ModeSelect10)
    if not raw:
        return settings
    parameters = _parse(raw, long=long)
    head = 8 if long else 4
    changed = _with_head(deck, settings, parameters, head)
    at = head + len(parameters.block_descriptors)
    for page in parameters.pages:
        changed = changed.with_page(_audited(changed, deck, page, at), at)
        at += len(page.encode())
    if at != len(raw):
        raise wrong_parameter(at, asc=_LIST_LENGTH)
    return changed


def _parse(raw: bytes, *, long: bool) -> ModeParameters:
    own = 2 if long else 1
    try:
        # The length is reserved here.
        return ModeParameters.parse((len(raw) - own).to_bytes(own, "big") + raw[own:], long=long)
    except (FieldError, OverflowError) as error:
        raise wrong_parameter(0, asc=_LIST_LENGTH) from error


def _with_head(deck: Deck, settings: Settings, parameters: ModeParameters, head: int) -> Settings:
    specific = unpack(DeviceSpecific, bytes((parameters.device_specific,)))
    if specific.buffered > 1 or specific.speed:
        raise wrong_parameter(head // 2 - (head == 8), bit=6 if specific.buffered > 1 else 3)
    changed = replace(settings, buffered=specific.buffered)
    if not parameters.block_descriptors:
        return changed
    if len(parameters.block_descriptors) != size_of(BlockDescriptor):
        raise wrong_parameter(head - (2 if head == 8 else 1))
    blocks = unpack(BlockDescriptor, parameters.block_descriptors)
    if blocks.density not in (_DEFAULT_DENSITY, _SAME_DENSITY, deck.medium.density):
        raise wrong_parameter(head)
    return replace(changed, block_bytes=blocks.block_bytes)


def _audited(settings: Settings, deck: Deck, page: ModePage, start: int) -> TapePage:
    """The page, if nothing in it is changed that cannot be."""
    raw, found = page.encode(), as_tape_page(page)
    present = {each.KEY: pack(each) for each in settings.pages(write_once=deck.medium.write_once)}
    if found is None or len(present[found.KEY]) != len(raw):
        raise wrong_parameter(start, bit=None if found else 5)
    for index, (new, old) in enumerate(zip(raw, present[found.KEY], strict=True)):
        wrong = (new ^ old) & ~_CHANGEABLE.get(found.KEY, {}).get(index, 0)
        if wrong:
            raise wrong_parameter(start + index, bit=wrong.bit_length() - 1)
    return found


def _audit_protection(page: DataProtection, start: int) -> None:
    if page.method not in (ProtectionMethod.NONE, ProtectionMethod.REED_SOLOMON, ProtectionMethod.CRC32C):
        raise wrong_parameter(start + 4)
    if page.bytes_each != (PROTECTION_BYTES if page.method else 0):
        raise wrong_parameter(start + 5, bit=5)


def _is_asked(command: ModeSense6 | ModeSense10, page: TapePage) -> bool:
    number, subpage = page.KEY
    return command.page in (number, ALL_PAGES) and command.subpage in (subpage, ALL_SUBPAGES)


def _mask(page: OtherPage) -> OtherPage:
    """The page with all bits set that can be changed."""
    changeable = _CHANGEABLE.get((page.page, page.subpage), {})
    head = 4 if page.subpage else 2
    body = bytes(changeable.get(index, 0) for index in range(head, len(page.raw)))
    return OtherPage(page.page, page.subpage, page.raw[:head] + body)


def _descriptor(deck: Deck, settings: Settings, control: PageControl) -> BlockDescriptor:
    if control == PageControl.CHANGEABLE:
        return BlockDescriptor(0, 0xFFFFFF)
    return BlockDescriptor(deck.medium.density if deck.drive.loaded else 0, settings.block_bytes)
