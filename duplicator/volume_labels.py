"""Whose tape it is, by its first block; and the first block of a volume of this product (docs/tape-format.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from duplicator.ansi import PRODUCT, LabelError, Vol1, check_volume_id, parse_label

__all__ = ["VolumeKind", "VolumeLabel", "parse_volume", "volume_label"]


class VolumeKind(Enum):
    """Whose tape it is, by its first block."""

    OURS = "written by this product"
    ANSI = "ANSI labelled, written by another system"
    NETBACKUP = "NetBackup media header"
    AMANDA = "Amanda"
    BAREOS = "Bareos or Bacula"
    IBM = "IBM standard label (EBCDIC)"
    TAR = "tar archive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VolumeLabel:
    """What the first block of a volume says; ``volume`` is empty where the format's name for it is not known."""

    kind: VolumeKind
    volume: str = ""

    @property
    def ours(self) -> bool:
        """Whether this product may append to the volume."""
        return self.kind is VolumeKind.OURS


_FOREIGN = (
    (VolumeKind.AMANDA, 0, b"AMANDA: "),
    (VolumeKind.BAREOS, 12, b"BB02"),
    (VolumeKind.IBM, 0, "VOL1".encode("cp037")),
    (VolumeKind.TAR, 257, b"ustar"),
)
_MEDIA_HEADER_BYTES = 1024


def parse_volume(block: bytes) -> VolumeLabel:
    """Tell whose volume begins with this block; never fails. A blank tape has no block and is told elsewhere."""
    for kind, offset, magic in _FOREIGN:
        if block.startswith(magic, offset):
            return VolumeLabel(kind)
    if len(block) == _MEDIA_HEADER_BYTES and block.startswith(b"VOL1"):
        return VolumeLabel(VolumeKind.NETBACKUP, block[4:10].rstrip(b"\0 ").decode("ascii", "replace"))
    try:
        label = parse_label(block)
    except LabelError:
        return VolumeLabel(VolumeKind.UNKNOWN)
    if not isinstance(label, Vol1):
        return VolumeLabel(VolumeKind.UNKNOWN)
    ours = label.implementation == PRODUCT and re.fullmatch("[A-Z0-9]{1,6}", label.volume)
    return VolumeLabel(VolumeKind.OURS if ours else VolumeKind.ANSI, label.volume)


def volume_label(volume: str, owner: str = "") -> bytes:
    """The VOL1 block of a new volume."""
    return Vol1(check_volume_id(volume), owner=owner).encode()
