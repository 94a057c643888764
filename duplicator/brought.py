"""Whether a tape that an operator brought is one that can be used."""

from __future__ import annotations

from duplicator.catalog import Catalog, VolumeState
from duplicator.volume_labels import VolumeLabel

__all__ = ["will_do"]


def will_do(catalog: Catalog, wanted: str | None, label: VolumeLabel | None) -> bool:
    """Whether the tape of this label (None: blank) is the wanted volume, or where none is named, one with room."""
    if label is None:
        return wanted is None or _state(catalog, wanted) is VolumeState.SCRATCH
    if wanted is not None:
        return label.ours and label.volume == wanted
    return label.ours and _state(catalog, label.volume) in (None, VolumeState.APPENDABLE, VolumeState.SCRATCH)


def _state(catalog: Catalog, volume: str) -> VolumeState | None:
    known = catalog.volume(volume)
    return known.state if known else None
