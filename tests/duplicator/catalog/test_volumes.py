"""Volumes and their labels."""

from __future__ import annotations

import pytest

from duplicator.catalog import Catalog, CatalogError, VolumeState
from duplicator.labels import LabelError
from tests.duplicator.catalog.facts import COPY, NOON, copy, fragment, on_volume, start_together


def test_volumes(catalog: Catalog) -> None:
    assert catalog.volume("ND0001") is None
    added = catalog.add_volume("ND0001", tape_url="ndmp://u@b:1/t0", created=NOON)
    assert (added.state, added.files, added.size) == (VolumeState.APPENDABLE, 0, 0)
    for label in ("ND0007", "NDX", "ND000A", "ZZ9999"):
        catalog.add_volume(label, tape_url="")
    assert catalog.reserve_volume("") == "ND0008"
    changed = catalog.update_volume("ND0001", state=VolumeState.FULL, files=3)
    assert (changed.state, changed.files, changed.tape_url) == (VolumeState.FULL, 3, "ndmp://u@b:1/t0")
    assert catalog.volume("ND0001") == changed
    assert [volume.label for volume in catalog.volumes()] == ["ND0001", "ND0007", "ND0008", "ND000A", "NDX", "ZZ9999"]
    catalog.add_volume("ND9999", tape_url="")
    with pytest.raises(CatalogError, match="by hand"):
        catalog.reserve_volume("")
    with pytest.raises(LabelError, match="volume id"):
        catalog.add_volume("nd-1", tape_url="")


def test_volumes_are_reserved(catalog: Catalog) -> None:
    assert catalog.reserve_volume("ndmp://u@b:1/t0") == "ND0001"
    assert catalog.reserve_volume("", "TAPE7") == "TAPE7"
    assert catalog.reserve_volume("", "ND0007") == "ND0007"
    assert catalog.reserve_volume("") == "ND0008"
    volume = on_volume(catalog)
    assert (volume.state, volume.files, volume.tape_url) == (VolumeState.APPENDABLE, 0, "ndmp://u@b:1/t0")
    copy(catalog)
    catalog.add_fragments(COPY, [fragment(0, 1)])
    catalog.update_volume("TAPE7", files=1)
    catalog.reserve_volume("", "ND9999")
    cases = [
        (lambda: catalog.reserve_volume("", "TAPE7"), "knows volume TAPE7 already"),
        (lambda: catalog.reserve_volume(""), "by hand"),
    ]
    before = catalog.volumes()
    for call, words in cases:
        with pytest.raises(CatalogError, match=words):
            call()
    with pytest.raises(LabelError, match="volume id"):
        catalog.reserve_volume("", "nd-1")
    assert catalog.volumes() == before


def test_two_processes_never_reserve_the_same_label(catalog: Catalog, url: str) -> None:
    processes = start_together(url, ["print(*[catalog.reserve_volume('') for _ in range(20)])"] * 2)
    labels = [label for process in processes for label in process.communicate(timeout=60)[0].split()]
    assert sorted(labels) == [f"ND{number:04}" for number in range(1, 41)]
    assert [volume.label for volume in catalog.volumes()] == sorted(labels)
