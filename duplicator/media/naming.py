"""How people name a volume: by its label, or by its barcode."""

from __future__ import annotations

from dataclasses import dataclass

from duplicator.ansi import LabelError, check_volume_id
from duplicator.media.barcodes import VOLUME_CHARACTERS, parse_barcode
from duplicator.media.misreads import MisreadError

__all__ = ["Named", "VolumeNameError", "name_volume"]


class VolumeNameError(ValueError):
    """A text names no volume; it says why."""


@dataclass(frozen=True, slots=True)
class Named:
    """A volume by name; ``barcode`` and ``media`` are empty if only its label was given."""

    label: str
    barcode: str = ""
    media: str = ""


def name_volume(text: str) -> Named:
    """A label of up to six characters, or a barcode; VolumeNameError, also for a cleaning tape."""
    try:
        if len(text) <= VOLUME_CHARACTERS:
            return Named(check_volume_id(text))
        barcode = parse_barcode(text)
    except (LabelError, MisreadError) as error:
        raise VolumeNameError(str(error)) from error
    if barcode.cleaning:
        raise VolumeNameError(f"{text} is a cleaning tape: it holds no data")
    return Named(barcode.volume, barcode.text, barcode.media.id)
