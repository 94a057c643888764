"""What REPORT DENSITY SUPPORT tells (SSC-4), read and built."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Self

from scsi.fields import at, pack, size_of, structure, unpack
from scsi.media import Density, DensityCode

__all__ = ["DensityDescriptor", "build_densities", "parse_densities"]

_HALF_INCH: Final = 127
_ORGANIZATION: Final = "LTO-CVE"
_HEAD_BYTES: Final = 4
_OWN_BYTES: Final = 2


@structure(52)
class DensityDescriptor:
    """A format that a drive knows. ``width`` in tenths of a millimetre, ``megabytes`` of 1,000,000 bytes."""

    primary: Annotated[DensityCode, at(0, bytes=1)]
    secondary: Annotated[DensityCode, at(1, bytes=1)]
    writable: Annotated[bool, at(2, bit=7)]
    default: Annotated[bool, at(2, bit=5)]
    bits_per_mm: Annotated[int, at(5, bytes=3)]
    tracks: Annotated[int, at(10, bytes=2)]
    megabytes: Annotated[int, at(12, bytes=4)]
    name: Annotated[str, at(24, bytes=8)]
    description: Annotated[str, at(32, bytes=20)]
    organization: Annotated[str, at(16, bytes=8)] = _ORGANIZATION
    width: Annotated[int, at(8, bytes=2)] = _HALF_INCH
    duplicate: Annotated[bool, at(2, bit=6)] = False

    @classmethod
    def of(cls, density: Density, *, writable: bool, default: bool, megabytes: int | None = None) -> Self:
        """The descriptor of an Ultrium format; ``megabytes`` where the cartridge has others."""
        return cls(
            density.code,
            density.code,
            writable=writable,
            default=default,
            bits_per_mm=density.bits_per_mm,
            tracks=density.tracks,
            megabytes=density.megabytes if megabytes is None else megabytes,
            name=density.name,
            description=density.description,
        )


def build_densities(descriptors: Sequence[DensityDescriptor]) -> bytes:
    """The whole answer."""
    listed = b"".join(map(pack, descriptors))
    return (_HEAD_BYTES - _OWN_BYTES + len(listed)).to_bytes(_OWN_BYTES, "big") + bytes(2) + listed


def parse_densities(raw: bytes) -> Sequence[DensityDescriptor]:
    """The descriptors that came; one that is cut off is left out."""
    size = size_of(DensityDescriptor)
    end = min(len(raw), _OWN_BYTES + int.from_bytes(raw[:_OWN_BYTES], "big"))
    starts = range(_HEAD_BYTES, end - size + 1, size)
    return tuple(unpack(DensityDescriptor, raw[start : start + size]) for start in starts)
