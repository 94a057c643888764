"""Objects that a catalog does not know come back from their descriptors, on disk and on tape."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from duplicator.catalog import Catalog, JobState, ObjectState, StoredObject
from duplicator.config import load
from duplicator.xbsa.server.importing import Imported, import_tapes, import_unit
from ndmp.enums import DigestAlgorithm
from tests.duplicator.processes import Site, site_in
from tests.duplicator.robots import Told, library_server
from tests.duplicator.test_units import add_volumes, configure

CONTENT = hashlib.shake_128(b"object").digest(100_000)
IMAGE = "full.000000000000002a.xbsa"
DOCUMENT: dict[str, Any] = {
    "format": 1,
    "copy_id": 42,
    "user": "olga",
    "host": "client1",
    "bsa_owner": "",
    "app_owner": "app",
    "space": "db",
    "path": "/full",
    "copy_type": 3,
    "object_type": 4,
    "resource_type": "ours",
    "description": "Gr\u00fc\u00dfe",
    "info": "00ff",
    "created": "2026-11-22T12:00:00+00:00",
    "estimated_size": 2**64 - 1,
    "restore_order": 0,
    "image": IMAGE,
    "size": len(CONTENT),
    "digest": hashlib.sha256(CONTENT).hexdigest(),
    "algorithm": "sha256",
}
OBJECT = StoredObject(
    copy_id=42,
    state=ObjectState.STORED,
    user="olga",
    host="client1",
    bsa_owner="",
    app_owner="app",
    space="db",
    path="/full",
    copy_type=3,
    object_type=4,
    resource_type="ours",
    description="Gr\u00fc\u00dfe",
    info=b"\0\xff",
    created=datetime(2026, 11, 22, 12, tzinfo=UTC),
    estimated_size=2**64 - 1,
    restore_order=0,
    unit="disk1",
    image=IMAGE,
    size=len(CONTENT),
    digest=hashlib.sha256(CONTENT).digest(),
    algorithm=DigestAlgorithm.SHA256,
    most_recent=True,
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


class Place:
    """An appliance with images, and a library."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.unit = site.folder / "unit"
        self.unit.mkdir()
        appliance = site.serve("--lsu", f"lsu={self.unit}")
        self.file = configure(site, appliance, library_server(site, cartridges=2, capacity="8M"), drives=1)

    def put(self, image: str, document: str, content: bytes = CONTENT) -> None:
        (self.unit / image).mkdir()
        (self.unit / image / "data").write_bytes(content)
        (self.unit / image / "object.json").write_text(document)

    def with_path(self) -> Path:
        """The configuration of a machine that has the unit's folder."""
        text = self.file.read_text().replace('unit = "lsu"\n', f'unit = "lsu"\npath = "{self.unit}"\n')
        here = self.site.folder / "here.toml"
        here.write_text(text)
        return here


def all_of(importing: AsyncIterator[Imported]) -> list[Imported]:
    async def story() -> list[Imported]:
        return [one async for one in importing]

    return asyncio.run(story())


PROBLEMS = {
    "no json": ("{", "object.json cannot be read"),
    "another format": (json.dumps(DOCUMENT | {"format": 2, "image": "another format.xbsa"}), "format"),
    "another image": (json.dumps(DOCUMENT), f"it is of image '{IMAGE}'"),
    "no copy id": (json.dumps(DOCUMENT | {"copy_id": 0, "image": "no copy id.xbsa"}), "copy_id"),
    "no zone": (json.dumps(DOCUMENT | {"created": "2026-11-22T12:00:00", "image": "no zone.xbsa"}), "created"),
    "no digest": (json.dumps(DOCUMENT | {"algorithm": "md5", "image": "no digest.xbsa"}), "md5"),
    "taken": (json.dumps(DOCUMENT | {"image": "taken.xbsa"}), "knows object 42 already"),
    "too long": (" " * 70_000, "it is none"),
}


@pytest.mark.parametrize("here", [False, True])
def test_from_a_unit(site: Site, here: bool) -> None:
    place = Place(site)
    config = load(place.with_path() if here else place.file)
    place.put(IMAGE, json.dumps(DOCUMENT))
    place.put("other", json.dumps(DOCUMENT))
    (place.unit / "plain.xbsa").write_bytes(b"x")
    for name, (document, _) in PROBLEMS.items():
        place.put(f"{name}.xbsa", document)
    unit = config.storage.disk["disk1"]
    with Catalog(site.catalog) as catalog:
        (trial,) = (one for one in all_of(import_unit(catalog, config, unit, dry_run=True)) if one.image == IMAGE)
        assert trial.object == replace(OBJECT, most_recent=False)
        found = {one.image: one for one in all_of(import_unit(catalog, config, unit))}
        assert catalog.object(42) == OBJECT
        assert all_of(import_unit(catalog, config, unit)) != []
    assert set(found) == {IMAGE, "plain.xbsa", *(f"{name}.xbsa" for name in PROBLEMS)}
    assert found.pop(IMAGE).object == OBJECT
    assert all(one.object is None for one in found.values())
    for name, (_, problem) in PROBLEMS.items():
        assert problem in found[f"{name}.xbsa"].problem, (name, found[f"{name}.xbsa"])
    assert "it is none of an object" in found["plain.xbsa"].problem


def test_from_tape(site: Site) -> None:
    place = Place(site)
    other = "wrong.000000000000002b.xbsa"
    place.put(IMAGE, json.dumps(DOCUMENT))
    place.put(other, json.dumps(DOCUMENT | {"copy_id": 43, "image": other}), b"other bytes")
    add_volumes(site, 2)
    units = ("--from", "disk1", "--to", "tape1", "--config", place.file)
    ended = site.run("duplicate", IMAGE, other, *units, "--digest", "sha256", "--json")
    assert ended.code == 0, ended.err
    with Catalog(site.catalog) as catalog:
        config, told = load(place.file), Told()
        unit = config.storage.disk["disk1"]
        found = {one.image: one for one in all_of(import_tapes(catalog, config, unit, told))}
        assert found[IMAGE].object == OBJECT == catalog.object(42)
        assert (found[other].object, "has other bytes" in found[other].problem) == (None, True)
        assert [job.state for job in catalog.jobs(limit=2)] == [JobState.DONE] * 2
        assert catalog.leases() == []
        assert [one.image for one in all_of(import_tapes(catalog, config, unit, told))] == [other]
