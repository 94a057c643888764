"""Carrying volumes about in a library: where one is, where one may go, and what is left if a movement fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from duplicator.mounts.protocol import Note, volume_of
from duplicator.mounts.refusals import refusal
from duplicator.status import Status
from scsi.changer import Changer
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType, MediumType
from scsi.errors import CommandTimeout, DestinationFull, ScsiError, TransportLost, UnitAttention

__all__ = ["Carrier", "drive_at", "find_volume", "place_words"]

_LOOKS: Final = 3
"""How often the library is looked at anew, if something happens to it meanwhile."""
_OUT_OF_REACH: Final = (CommandTimeout, TransportLost)
"""After these nothing more is asked of the robot: it may still be at work."""


def drive_at(inventory: Inventory, number: int) -> Element:
    """The element of a drive, counted from 0; JobError."""
    drives = inventory.of(ElementType.DRIVE)
    if number >= len(drives):
        raise refusal(Status.MOUNT_FAILED, f"the library has {len(drives)} drives, counted from 0: none is {number}")
    return drives[number]


def find_volume(inventory: Inventory, volume: str) -> Element | None:
    """Where a volume is, by its barcode; JobError if several cartridges could be it."""
    tapes = [each for each in inventory.elements if each.full and each.medium != MediumType.CLEANING]
    found = [each for each in tapes if each.barcode and volume_of(each.barcode) == volume]
    if len(found) > 1:
        places = " and ".join(f"{each.barcode} in {place_words(each)}" for each in found)
        raise refusal(Status.MOUNT_FAILED, f"which is volume {volume} is not clear: {places}; export one of them")
    return found[0] if found else None


def place_words(element: Element) -> str:
    """An element in words."""
    return f"{element.type.name.lower().replace('_', '/')} {element.address}"


class Carrier:
    """One robot at work, from one thread. Raises JobError for what cannot be, ScsiError for what fails."""

    def __init__(self, changer: Changer, note: Note) -> None:
        self._changer = changer
        self._note = note

    def bring(self, volume: str, number: int) -> None:
        """Carry a volume, which the library has, to a drive; what is there goes home first."""
        self._looking(lambda inventory: self._bring(inventory, volume, number))

    def put_away(self, number: int) -> None:
        """Empty a drive; nothing if it is."""
        self._looking(lambda inventory: self._put_away(inventory, drive_at(inventory, number)))

    def _looking(self, work: Callable[[Inventory], None]) -> None:
        for last in (*[False] * (_LOOKS - 1), True):
            try:
                work(self._changer.inventory())
            except UnitAttention:
                if last:
                    raise
                continue
            except ScsiError as failure:
                self._empty_hands(failure)
                raise
            return

    def _bring(self, inventory: Inventory, volume: str, number: int) -> None:
        target, wanted = drive_at(inventory, number), find_volume(inventory, volume)
        if wanted is None:
            raise refusal(Status.NO_MEDIA, f"volume {volume} is no longer in the library")
        if wanted.address == target.address:
            return
        if target.disabled:
            raise refusal(Status.MOUNT_FAILED, f"the library has switched {place_words(target)} off")
        self._clear_arms(inventory, but=wanted)
        if target.full and self._swap(inventory, target, wanted):
            return
        self._move(wanted, target.address, place_words(target))

    def _swap(self, inventory: Inventory, target: Element, wanted: Element) -> bool:
        """Have the drive empty; whether the wanted volume is in it already, as where there was no room for the old."""
        if _room_for(inventory, target) is not None or wanted.type != ElementType.SLOT:
            self._put_away(inventory, target)
            return False
        self._changer.exchange(wanted.address, target.address, wanted.address)
        self._note(f"{_name(target)} and {_name(wanted)} have changed places: no slot was free")
        return True

    def _put_away(self, inventory: Inventory, element: Element) -> None:
        if not element.full:
            return
        room = _room_for(inventory, element)
        if room is None:
            reason = f"no slot is free for {_name(element)} in {place_words(element)}: export a cartridge"
            raise refusal(Status.MOUNT_FAILED, reason)
        self._move(element, room, place_words(inventory.at(room)))

    def _clear_arms(self, inventory: Inventory, *, but: Element) -> None:
        """What a robot was left with, by a failure or a loss of power, is in its way."""
        for arm in inventory.of(ElementType.ARM):
            if arm.full and arm.address != but.address:
                self._put_away(inventory, arm)

    def _move(self, element: Element, to: int, words: str) -> None:
        self._changer.move(element.address, to)
        self._note(f"{_name(element)} was carried from {place_words(element)} to {words}")

    def _empty_hands(self, failure: ScsiError) -> None:
        """After a movement that failed: no cartridge stays in a gripper, if that can be helped."""
        if isinstance(failure, _OUT_OF_REACH):
            return
        held: Element | None = None
        try:
            inventory = self._changer.inventory()
            for held in (each for each in inventory.of(ElementType.ARM) if each.full):
                slot = inventory.free(ElementType.SLOT).address
                self._changer.move(held.address, slot)
                failure.add(f"{_name(held)} was in the gripper, and is in slot {slot} now")
        except ScsiError:
            if held is not None:
                failure.add(f"{_name(held)} may still be in the gripper, {place_words(held)}: take it out by hand")


def _room_for(inventory: Inventory, element: Element) -> int | None:
    """Where a cartridge goes: the slot that it came from, else a free one; None if there is none."""
    slots = inventory.of(ElementType.SLOT)
    home = [each for each in slots if element.source_valid and each.address == element.source and not each.full]
    if home:
        return home[0].address
    try:
        return inventory.free(ElementType.SLOT).address
    except DestinationFull:
        return None


def _name(element: Element) -> str:
    return element.barcode or "a cartridge without a readable barcode"
