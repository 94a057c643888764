"""A virtual drive as its commands see it: the bay, the tape that is in it, and what a command comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scsi.completion import condition_of
from scsi.errors import NoMedium, ScsiError
from scsi.media import DENSITIES, Density, DensityCode, Medium, medium_of
from scsi.sense import FieldPointer, Sense, SenseKey
from scsi.tape import Stop
from scsi.virtual.bay import BayDrive, DriveBay
from scsi.virtual.image import cartridge_header, cartridge_map

__all__ = ["END", "Answer", "Deck", "refusal", "stopped", "wrong_parameter"]

_USUAL: Final = Medium("", DensityCode.LTO_8, 0x88)
"""What a cartridge is taken for whose label does not say."""
END: Final = (0x00, 0x02)
_STOPS: Final[Mapping[Stop, tuple[SenseKey, int, int]]] = {
    Stop.FILEMARK: (SenseKey.NO_SENSE, 0x00, 0x01),
    Stop.END_OF_DATA: (SenseKey.BLANK_CHECK, 0x00, 0x05),
    Stop.BEGINNING: (SenseKey.NO_SENSE, 0x00, 0x04),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command brought; with ``sense``, whose information may be negative, it ends in a check condition."""

    data: bytes = b""
    sense: Sense | None = None
    bytes_out: int = 0


@dataclass(frozen=True, slots=True)
class Deck:
    """A bay and the drive that was opened in it."""

    bay: DriveBay
    drive: BayDrive

    def cartridge(self) -> Path:
        """The cartridge that is loaded; NoMedium."""
        self.drive.position()
        cartridge = self.bay.cartridge
        if cartridge is None:
            message = "no tape is loaded"
            raise NoMedium(message)
        return cartridge

    @property
    def barcode(self) -> str:
        """The name of the loaded cartridge, else empty."""
        cartridge = self.bay.cartridge
        return cartridge.name if cartridge else ""

    @property
    def medium(self) -> Medium:
        """The kind of the cartridge, by its label; LTO-8 if that says nothing."""
        return medium_of(self.barcode) or _USUAL

    @property
    def density(self) -> Density:
        """The format of the cartridge."""
        return DENSITIES[self.medium.density]

    def early_warning_bytes(self) -> int:
        """How many bytes before the end the warning comes; 0 without a cartridge."""
        cartridge = self.bay.cartridge
        return cartridge_header(cartridge).early_warning_bytes if cartridge else 0

    def used_bytes(self) -> int:
        """Bytes of blocks up to the end of data, what is not committed counted up to here; NoMedium."""
        capacity, cartridge = self.drive.capacity(), self.bay.cartridge
        committed = sum(run.count * run.block_bytes for run in cartridge_map(cartridge)) if cartridge else 0
        return max(committed, capacity.total_bytes - capacity.remaining_bytes)

    def past_early_warning(self) -> bool:
        """Whether the drive stands in the last zone; NoMedium."""
        return self.drive.capacity().remaining_bytes <= self.early_warning_bytes()

    def stop(self, why: Stop, residue: int) -> Sense:
        """The sense of what ended a read or a movement early."""
        return stopped(why, residue, end_of_medium=why is Stop.END_OF_DATA and self.past_early_warning())


def stopped(why: Stop, residue: int, *, end_of_medium: bool = False) -> Sense:
    """The sense for a stop, with what is left of the count."""
    return Sense(
        *_STOPS[why],
        information=residue,
        filemark=why is Stop.FILEMARK,
        end_of_medium=end_of_medium or why is Stop.BEGINNING,
    )


def refusal(key: SenseKey, asc: int, ascq: int) -> ScsiError:
    """The exception that ends a command with this sense."""
    return condition_of(Sense(key, asc, ascq))


def wrong_parameter(byte: int, *, bit: int | None = None, asc: int = 0x26, ascq: int = 0x00) -> ScsiError:
    """The refusal of a parameter list, pointing at what is wrong in it."""
    pointer = FieldPointer(False, byte, bit is not None, bit or 0)
    return condition_of(Sense(SenseKey.ILLEGAL_REQUEST, asc, ascq, specific=pointer))
