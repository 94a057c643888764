"""Ultrium cartridges and their densities.

Density codes and medium types are those of LTFS's tape drivers and, to LTO-9, of mhvtl's; linear densities, tracks and
capacities those of mhvtl; the letters on labels those of IBM's library manuals, but for LA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scsi.fields import OpenEnum

__all__ = ["DENSITIES", "MEDIA", "Density", "DensityCode", "Medium", "medium_of"]


class DensityCode(OpenEnum):
    """Formats; LTO_7_M8 is an LTO-7 cartridge that an LTO-8 drive has formatted."""

    LTO_4 = 0x46
    LTO_5 = 0x58
    LTO_6 = 0x5A
    LTO_7 = 0x5C
    LTO_7_M8 = 0x5D
    LTO_8 = 0x5E
    LTO_9 = 0x60
    LTO_10 = 0x62
    LTO_10_P = 0x63


@dataclass(frozen=True, slots=True)
class Density:
    """A format; 0 where a number is not known here. ``megabytes`` are of 1,000,000 bytes, uncompressed."""

    code: DensityCode
    name: str
    description: str
    megabytes: int
    bits_per_mm: int = 0
    tracks: int = 0


DENSITIES: Final[Mapping[DensityCode, Density]] = {
    density.code: density
    for density in (
        Density(DensityCode.LTO_4, "U-416", "Ultrium 4/16T", 800_000, 12725, 896),
        Density(DensityCode.LTO_5, "U-516", "Ultrium 5/16T", 1_500_000, 15142, 1280),
        Density(DensityCode.LTO_6, "U-616", "Ultrium 6/16T", 2_500_000, 15142, 2176),
        Density(DensityCode.LTO_7, "U-732", "Ultrium 7/32T", 6_000_000, 19107, 3584),
        Density(DensityCode.LTO_7_M8, "U-732M8", "Ultrium 7/32T M8", 9_000_000),
        Density(DensityCode.LTO_8, "U-832", "Ultrium 8/32T", 12_000_000, 20669, 6656),
        Density(DensityCode.LTO_9, "U-932", "Ultrium 9/32T", 18_000_000, 21456, 8960),
        Density(DensityCode.LTO_10, "U-10", "Ultrium 10", 30_000_000),
        Density(DensityCode.LTO_10_P, "U-10P", "Ultrium 10 P", 40_000_000),
    )
}
"""Every format by its code. The names of M8 and of LTO-10 are ours: drives may tell others."""


@dataclass(frozen=True, slots=True)
class Medium:
    """A kind of cartridge: the last two ``letters`` of its label, and the medium type in mode parameters."""

    letters: str
    density: DensityCode
    medium_type: int
    write_once: bool = False


MEDIA: Final[Mapping[str, Medium]] = {
    medium.letters: medium
    for medium in (
        Medium("L4", DensityCode.LTO_4, 0x48),
        Medium("LU", DensityCode.LTO_4, 0x4C, write_once=True),
        Medium("L5", DensityCode.LTO_5, 0x58),
        Medium("LV", DensityCode.LTO_5, 0x5C, write_once=True),
        Medium("L6", DensityCode.LTO_6, 0x68),
        Medium("LW", DensityCode.LTO_6, 0x6C, write_once=True),
        Medium("L7", DensityCode.LTO_7, 0x78),
        Medium("LX", DensityCode.LTO_7, 0x7C, write_once=True),
        Medium("M8", DensityCode.LTO_7_M8, 0x78),
        Medium("L8", DensityCode.LTO_8, 0x88),
        Medium("LY", DensityCode.LTO_8, 0x8C, write_once=True),
        Medium("L9", DensityCode.LTO_9, 0x98),
        Medium("LZ", DensityCode.LTO_9, 0x9C, write_once=True),
        Medium("LA", DensityCode.LTO_10, 0xA8),
    )
}
"""Every kind by its letters."""

_LABEL_LENGTH: Final = 8


def medium_of(barcode: str) -> Medium | None:
    """The kind that a label of six characters and two letters tells; None for any other."""
    return MEDIA.get(barcode[-2:]) if len(barcode) == _LABEL_LENGTH else None
