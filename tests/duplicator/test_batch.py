"""Forty images over three drives and volumes that most of them do not fit: every byte, every label, every entry."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash

from duplicator.catalog import Catalog, Copy, CopyState, VolumeState
from scsi.virtual.tap import export_tap
from tests.duplicator.plain_tape import LabelledFile, labelled_files, read_tap
from tests.duplicator.processes import Site, site_in
from tests.duplicator.robots import library_server, volume_name
from tests.duplicator.tape_facts import facts
from tests.duplicator.test_spanning import check_on_tape
from tests.duplicator.test_units import add_volumes, configure

MIB = 1 << 20
CAPACITY = 20 * MIB
VOLUMES = 60
IMAGES = 40
LARGEST = 300 * MIB
RECORD = 65536


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def sizes_of(number: int, chance: random.Random) -> list[int]:
    """Fragment sizes of an image: one is empty, one the largest; most are larger than a volume; odd ones nearly all."""
    if number == 0:
        return [0]
    if number == 1:
        return [LARGEST]
    if number % 5 == 2:
        return [chance.randrange(1, 200_000) for _ in range(chance.randint(1, 9))]
    whole = chance.randrange(CAPACITY + 1, CAPACITY + 4 * MIB) | 1
    cuts = sorted(chance.sample(range(whole), chance.randint(0, 8)))
    return [end - begin for begin, end in zip([0, *cuts], [*cuts, whole], strict=True)]


def make_images(unit: Path) -> dict[str, list[int]]:
    """The images, and the sizes of their fragments; contents by :func:`content`."""
    chance = random.Random(6)
    images = {f"image{number:02}": sizes_of(number, chance) for number in range(IMAGES)}
    for name, sizes in images.items():
        if len(sizes) == 1:
            (unit / name).write_bytes(content(name, 0, sizes[0]))
            continue
        (unit / name).mkdir()
        for index, size in enumerate(sizes):
            (unit / name / f"part{index}").write_bytes(content(name, index, size))
    return images


def content(name: str, index: int, size: int) -> bytes:
    """Bytes that repeat nowhere, the same on every run."""
    chance, whole = random.Random(f"{name}/{index}"), 16 * MIB
    return b"".join(chance.randbytes(min(whole, size - begin)) for begin in range(0, size, whole))


def tape_files(site: Site, label: str) -> list[LabelledFile]:
    """The tape files of a volume, by the independent reader."""
    tap = site.folder / "volume.tap"
    tap.unlink(missing_ok=True)
    export_tap(site.folder / "lib" / f"{label}L8", tap)
    name, files = labelled_files(read_tap(tap))
    assert name[4:10] == label
    return files


@pytest.mark.timeout(500)
def test_forty_images_over_three_drives(site: Site) -> None:
    unit = site.folder / "unit"
    unit.mkdir()
    images = make_images(unit)
    source = site.serve("--lsu", f"lsu={unit}")
    server = library_server(site, cartridges=VOLUMES, capacity=str(CAPACITY), drives=3)
    config = configure(site, source, server, drives=3)
    add_volumes(site, VOLUMES)
    job = site.start("run", "--policy", "nightly", "--config", config, "--json")
    ended = job.end(deadline=450)
    assert ended.code == 0, ended.err
    results = ended.document["jobs"]
    assert Counter((each["status"], each["validated"]) for each in results) == {(0, True): IMAGES}
    with Catalog(site.catalog) as catalog:
        copies = {copy.image.name: copy for copy in catalog.copies()}
        assert copies.keys() == images.keys()
        check_copies(copies, images)
        check_tapes(site, copies)
        check_volumes(catalog, copies)
        assert len({each.drive for each in catalog.jobs()}) == 3
        assert catalog.leases() == []
        check_import(site, config, catalog)
    for host in (source, server):
        host.wait_until_idle()


def check_copies(copies: dict[str, Copy], images: dict[str, list[int]]) -> None:
    """All are valid, and their digests those of the sources."""
    for name, sizes in images.items():
        copy = copies[name]
        assert copy.state is CopyState.VALID
        assert [fragment.size for fragment in copy.fragments] == sizes
        for fragment in copy.fragments:
            assert fragment.digest == xxhash.xxh3_128_digest(content(name, fragment.index, fragment.size))
    spanning = [copy for copy in copies.values() if len(copy.volumes) > 1]
    assert len(spanning) > IMAGES / 2, "most images are to span volumes"


def check_tapes(site: Site, copies: dict[str, Copy]) -> None:
    """Each tape file of each volume is what the catalog says, and together they are the images, byte for byte."""
    found = {label: tape_files(site, label) for label in sorted({v for copy in copies.values() for v in copy.volumes})}
    for name, copy in copies.items():
        contents = [content(name, fragment.index, fragment.size) for fragment in copy.fragments]
        check_on_tape(found, copy, contents, RECORD)
    on_tape = sum(len(files) for files in found.values())
    assert on_tape == sum(len(fragment.sections) for copy in copies.values() for fragment in copy.fragments)


def check_import(site: Site, config: Path, written: Catalog) -> None:
    """A catalog that is made from the tapes alone knows all that tapes can tell."""
    rebuilt = f"sqlite:///{site.folder / 'rebuilt.db'}"
    job = site.start("import", "--unit", "tape1", "--config", config, "--catalog", rebuilt, "--json")
    ended = job.end(deadline=200)
    assert ended.code == 0, ended.err
    with Catalog(rebuilt) as catalog:
        assert facts(catalog) == facts(written)


def check_volumes(catalog: Catalog, copies: dict[str, Copy]) -> None:
    """Volumes are accounted for: what is full, what has room, what was not touched."""
    used = {volume for copy in copies.values() for volume in copy.volumes}
    for volume in catalog.volumes():
        sections = [
            section
            for copy in copies.values()
            for fragment in copy.fragments
            for section in fragment.sections
            if section.volume == volume.label
        ]
        assert volume.size == sum(section.blocks for section in sections) * RECORD
        assert volume.files == len(sections)
        assert (volume.state is VolumeState.SCRATCH) == (volume.label not in used)
    assert volume_name(1) in used
