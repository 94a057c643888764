"""How long an LTO drive and the arm of a library take for what they do, for whoever wants to wait for it.

The figures are of the order that makers of LTO-8 drives and of small libraries state; nothing here was measured.
Writing and reading take no time of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scsi.media import DENSITIES, Density, DensityCode

__all__ = ["AT_ONCE", "Mechanics", "Reel"]

_LOAD_SECONDS: Final = 15.0
_UNLOAD_SECONDS: Final = 20.0
_CARRY_SECONDS: Final = 10.0
_LENGTH_SECONDS: Final = 95.0
"""From one end of the tape to the other, without reading."""
_START_SECONDS: Final = 2.0
"""To set off, to stop, and to find the track."""
_USUAL: Final = DENSITIES[DensityCode.LTO_8]
_CHANNELS: Final = {DensityCode.LTO_4: 16, DensityCode.LTO_5: 16, DensityCode.LTO_6: 16}
_MOST_CHANNELS: Final = 32


@dataclass(frozen=True, slots=True)
class Reel:
    """A cartridge as a drive winds it: ``wraps`` there and back over its whole length, ``capacity_bytes`` in all."""

    capacity_bytes: int
    wraps: int

    @classmethod
    def of(cls, capacity_bytes: int, density: Density | None) -> Reel:
        """A cartridge of this format; one that has no tracks in the table is wound as LTO-8."""
        known = density if density is not None and density.tracks else _USUAL
        return cls(capacity_bytes, known.tracks // _CHANNELS.get(known.code, _MOST_CHANNELS))

    def place(self, byte: int) -> float:
        """How far from the beginning of the tape a byte lies, 0..1 of its length."""
        wrap, within = divmod(byte * self.wraps / self.capacity_bytes, 1)
        return within if int(wrap) % 2 == 0 else 1 - within


@dataclass(frozen=True, slots=True)
class Mechanics:
    """Waits as long as it takes, times ``factor``; 0: not at all."""

    factor: float = 0.0
    wait: Callable[[float], None] = time.sleep

    def load(self) -> None:
        """Draw a cartridge in and thread its tape."""
        self._spend(_LOAD_SECONDS)

    def unload(self) -> None:
        """Give a cartridge out that stands at its beginning."""
        self._spend(_UNLOAD_SECONDS)

    def carry(self) -> None:
        """One way of the arm with a cartridge."""
        self._spend(_CARRY_SECONDS)

    def wind(self, reel: Reel, start: int, end: int) -> None:
        """From before one byte to before another."""
        if start != end:
            self._spend(_START_SECONDS + _LENGTH_SECONDS * abs(reel.place(end) - reel.place(start)))

    def _spend(self, seconds: float) -> None:
        if self.factor:
            self.wait(seconds * self.factor)


AT_ONCE: Final = Mechanics()
"""Nothing takes time."""
