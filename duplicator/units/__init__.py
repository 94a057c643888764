"""Storage units on directories: the file service backend of this product (docs/fse.md)."""

from __future__ import annotations

from duplicator.units.backend import DirectoryUnits
from duplicator.units.images import MAX_FRAGMENTS
from duplicator.units.refusals import UnitError, refusal

__all__ = ["MAX_FRAGMENTS", "DirectoryUnits", "UnitError", "refusal"]
