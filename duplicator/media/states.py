"""Volumes that take no files for a while, because somebody says so."""

from __future__ import annotations

from duplicator.catalog import Volume, VolumeState

__all__ = ["resumed_state", "suspendable"]


def suspendable(volume: Volume) -> bool:
    """Whether suspending changes anything: other states take no files either, for reasons that stay."""
    return volume.state in (VolumeState.SCRATCH, VolumeState.APPENDABLE, VolumeState.FULL)


def resumed_state(volume: Volume) -> VolumeState:
    """What a suspended volume is again: full if it took what it can, scratch if it never was in a drive."""
    if volume.capacity is not None and volume.files and volume.size >= volume.capacity:
        return VolumeState.FULL
    return VolumeState.APPENDABLE if volume.files or volume.tape_url else VolumeState.SCRATCH
