"""What a catalog knows that tapes can tell: two catalogs of the same tapes have to agree in it."""

from __future__ import annotations

from typing import Any

from duplicator.catalog import Catalog, Copy, CopyState, VolumeState

__all__ = ["facts"]

_WHOLE = frozenset({CopyState.WRITTEN, CopyState.VALID})


def facts(catalog: Catalog) -> dict[str, Any]:
    """Copies with what lies where, and volumes, by their names.

    Not on tape: validation, jobs, pools, the hour of expiry, and whether a volume that did not end in the middle of a
    file is full. A copy that is not whole may be called incomplete or failed.
    """
    copies = {copy.id: _copy(copy) for copy in catalog.copies()}
    volumes = {volume.label: _volume(catalog, volume.label) for volume in catalog.volumes() if volume.files}
    return {"copies": copies, "volumes": volumes}


def _copy(copy: Copy) -> dict[str, Any]:
    image = copy.image
    return {
        "image": (image.host, image.unit, image.name, image.size, image.modified, image.fragments),
        "whole": copy.state in _WHOLE,
        "record": copy.record_bytes,
        "expires": copy.expires.date() if copy.expires else None,
        "fragments": [
            (fragment.index, fragment.name, fragment.size, fragment.digest, fragment.sections)
            for fragment in copy.fragments
        ],
        "algorithm": copy.algorithm if copy.fragments else None,
    }


def _volume(catalog: Catalog, label: str) -> dict[str, Any]:
    volume = catalog.volume(label)
    assert volume is not None
    held = catalog.volume_files(label)
    whole = {section.volume for copy in catalog.copies() for one in copy.fragments for section in one.sections[:-1]}
    return {
        "files": volume.files,
        "size": volume.size,
        "held": [(file.file_sequence, file.copy_id, file.fragment, file.section) for file in held],
        "full": volume.state is VolumeState.FULL if label in whole else None,
    }
