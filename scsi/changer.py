"""A tape library: what lies where, and carrying cartridges about. Elements are named by their addresses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from scsi.attentions import Matter, matter_of
from scsi.changer_survey import Inventory, Survey
from scsi.device import Device
from scsi.elements import ElementType
from scsi.errors import (
    AccessDenied,
    Busy,
    DestinationFull,
    IllegalRequest,
    InvalidField,
    NoMedium,
    ReservationConflict,
    ScsiError,
    SourceEmpty,
    UnitAttention,
    UnknownCommand,
)
from scsi.inquiry import InquiryData
from scsi.modes import ElementAddresses
from scsi.patience import PATIENCE, Patience
from scsi.sense import Sense
from scsi.smc import ExchangeMedium, InitializeElementStatus, MoveMedium
from scsi.spc import PreventAllowMediumRemoval
from scsi.tape import TapeDrive
from scsi.transports.transport import Transport

__all__ = ["Changer", "Inventory"]

_LOOKS: Final = 3
"""How often an operation that looks for a cartridge looks, if something happens to the library meanwhile."""
_AT_ONCE: Final = Patience(seconds=0)
_NOT_BEGUN: Final = (AccessDenied, Busy, IllegalRequest, ReservationConflict, UnitAttention)
"""What a changer, or the way to it, says of a movement of which it did nothing."""


class Changer:
    """A library on a transport, which it owns; every method also raises what the transport does.

    Nothing is remembered between two methods but the geometry. If something happened to the library since it was last
    asked, the next movement raises UnitAttention and is not made: other cartridges may lie at its addresses. What looks
    for a cartridge by itself looks again instead. ``patience`` is with a library that is becoming ready.
    """

    def __init__(self, transport: Transport, *, patience: Patience = PATIENCE) -> None:
        self._lock = threading.RLock()
        self._device = Device(transport, dismiss=self._dismiss)
        self._survey = Survey(self._device)
        self._patience = patience
        self._exchanges = True
        self._carrying = False

    @property
    def addresses(self) -> ElementAddresses:
        """First address and number of the elements of each type."""
        with self._lock:
            return self._survey.addresses(self._patience)

    def inquiry(self) -> InquiryData:
        """What library it is."""
        with self._lock:
            return self._device.inquiry()

    def ready(self) -> bool:
        """Whether it would move cartridges now; it is not waited for."""
        with self._lock:
            return self._device.is_ready()

    def inventory(self) -> Inventory:
        """What lies where, asked anew."""
        with self._lock:
            return self._survey.inventory(self._patience)

    def initialize(self) -> None:
        """Have the library look into every element, which may take long."""
        with self._lock:
            self._patience.until_ready(lambda: self._device.run(InitializeElementStatus()))

    def move(self, source: int, destination: int) -> None:
        """Carry a cartridge; SourceEmpty, DestinationFull, NoSuchElement, RemovalPrevented.

        A failure on the way says where the cartridge is now.
        """
        with self._lock:
            try:
                self._carry(MoveMedium(self._arm(), source, destination), source, destination)
            except IllegalRequest as refusal:
                self._explain(refusal, source, destination)
                raise

    def load(self, source: int, drive: int, *, tape: TapeDrive | None = None) -> None:
        """Carry a cartridge to a drive's element; ``tape`` is that drive, if it is open, to draw it in."""
        self.move(source, drive)
        draw_in = getattr(tape, "load", None)
        if draw_in is not None:
            try:
                draw_in()
            except ScsiError as failure:
                failure.add(f"the cartridge is in drive {drive}")
                raise

    def unload(self, drive: int, *, to: int | None = None, tape: TapeDrive | None = None) -> int:
        """Empty a drive's element: back to the slot that it came from, or any free one; the address.

        ``tape`` is that drive, if it is open: it gives the cartridge out first, as most drives must.
        """
        with self._lock:
            if tape is not None:
                # Somebody may have had it given out already; whether it is here the arm will find out.
                with suppress(NoMedium):
                    tape.unload()
            if to is None:
                return self._look_and_move(lambda: (drive, self._way_back(drive)))
            self.move(drive, to)
            return to

    def exchange(self, source: int, first: int, second: int) -> None:
        """Carry a cartridge to ``first`` and what was there to ``second``, which may be the source.

        A library without EXCHANGE MEDIUM moves them one by one, by way of a free slot if it must.
        """
        with self._lock:
            if self._exchanges:
                try:
                    self._carry(ExchangeMedium(self._arm(), source, first, second), source, first, second)
                    return
                except UnknownCommand:
                    self._exchanges = False
            self._exchange_by_moves(source, first, second)

    def import_cartridge(self, barcode: str, *, to: int | None = None) -> int:
        """Carry a cartridge from an import/export element to a slot, the first free one; its address."""

        def look() -> tuple[int, int]:
            inventory = self.inventory()
            source = inventory.find(barcode)
            if source.type != ElementType.IMPORT_EXPORT:
                raise SourceEmpty(f"{barcode} is at {source.address}, in the library already")
            return source.address, inventory.free(ElementType.SLOT).address if to is None else to

        with self._lock:
            return self._look_and_move(look)

    def export_cartridge(self, barcode: str, *, to: int | None = None) -> int:
        """Carry a cartridge to an import/export element, the first free one; its address."""

        def look() -> tuple[int, int]:
            inventory = self.inventory()
            destination = inventory.free(ElementType.IMPORT_EXPORT).address if to is None else to
            return inventory.find(barcode).address, destination

        with self._lock:
            return self._look_and_move(look)

    def lock(self, prevent: bool) -> None:
        """Keep operators out of the import/export elements, or let them in again; UnknownCommand."""
        with self._lock:
            self._device.run(PreventAllowMediumRemoval(prevent))

    def close(self) -> None:
        """Let the library go."""
        with self._lock:
            self._device.close()

    def _dismiss(self, attention: Sense) -> bool:
        self._survey.forget()
        return not self._carrying or matter_of(attention) is Matter.NOTHING

    def _arm(self) -> int:
        """For a movement; what happened since the library was last looked at stops that here already."""
        self._carrying = self._survey.begun
        try:
            return self.addresses.first_arm
        finally:
            self._carrying = False

    def _carry(self, command: MoveMedium | ExchangeMedium, *addresses: int) -> None:
        """Move between these addresses; if that fails on the way, its error says what is there now."""
        self._carrying = True
        try:
            self._patience.until_ready(lambda: self._device.run(command))
        except _NOT_BEGUN:
            raise
        except ScsiError as failure:
            failure.add(self._where(addresses))
            raise
        finally:
            self._carrying = False

    def _where(self, addresses: Sequence[int]) -> str:
        # Even of a movement that was late, or a way that is lost: it may be back.
        self._carrying = False
        try:
            return f"now {self._survey.inventory(_AT_ONCE).words(addresses)}"
        except ScsiError as failure:
            return f"where the cartridges are now is not known ({failure})"

    def _look_and_move(self, look: Callable[[], tuple[int, int]]) -> int:
        """Move from and to where ``look`` says, which is asked again if something happened; the destination."""
        for last in (*[False] * (_LOOKS - 1), True):
            source, destination = look()
            try:
                self.move(source, destination)
            except UnitAttention:
                if last:
                    raise
                continue
            break
        return destination

    def _way_back(self, drive: int) -> int:
        inventory = self.inventory()
        element = inventory.at(drive)
        if not element.full:
            raise SourceEmpty(f"there is no cartridge in element {drive}")
        if element.source_valid and not inventory.at(element.source).full:
            return element.source
        return inventory.free(ElementType.SLOT).address

    def _exchange_by_moves(self, source: int, first: int, second: int) -> None:
        inventory = self.inventory()
        for address in (source, first):
            if not inventory.at(address).full:
                raise SourceEmpty(f"there is no cartridge in element {address}")
        if second != source:
            self._move_all((first, second), (source, first))
            return
        spare = inventory.free(ElementType.SLOT).address
        self._move_all((first, spare), (source, first), (spare, source))

    def _move_all(self, *moves: tuple[int, int]) -> None:
        """One by one; an error also says which were made before."""
        for number, (source, destination) in enumerate(moves):
            try:
                self.move(source, destination)
            except ScsiError as failure:
                if number:
                    failure.add("moved before: " + ", ".join(f"{start} to {end}" for start, end in moves[:number]))
                raise

    def _explain(self, refusal: IllegalRequest, source: int, destination: int) -> None:
        """Raise what a changer means by INVALID FIELD IN CDB: tgtd's says no more of an element that there is not."""
        if type(refusal) not in (IllegalRequest, InvalidField):
            return
        try:
            inventory = self._survey.inventory(_AT_ONCE)
        except ScsiError:
            return  # what the changer said first counts
        if not inventory.at(source).full:
            raise SourceEmpty(f"there is no cartridge in element {source}") from refusal
        if inventory.at(destination).full:
            raise DestinationFull(f"there is a cartridge in element {destination}") from refusal
