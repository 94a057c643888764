"""Tapes that are not as a job leaves them: what can be read of them is imported, and the rest is told."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from duplicator.catalog import Catalog, CopyState, VolumeState
from tests.duplicator.plain_tape import read_tap
from tests.duplicator.processes import Ended, Site, site_in
from tests.duplicator.test_spanning import appliance

Objects = list[bytes | None]
IMAGES = ("a", "b", "c")


class Bench:
    """A volume with three copies of one tape file each, whose objects can be changed before it is imported."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.source, _ = appliance(site, {image: [70_000] for image in IMAGES})
        tape = site.serve("--tape", f"t=virtual:{site.folder / 'good'}?capacity=8M&sync=no")
        ended = site.duplicate(*IMAGES, source=self.source.url("lsu"), target=tape.url("t"))
        assert ended.code == 0, ended.err
        self.copies = {job["image"]: job["copy"] for job in ended.document["jobs"]}
        tap = site.folder / "good.tap"
        assert site.run("tape", f"virtual:{site.folder / 'good'}", "export", tap).code == 0
        self.objects = read_tap(tap)

    def import_changed(self, change: Callable[[Objects], Objects]) -> tuple[Ended, str]:
        """Import a tape whose objects were changed so, into an empty catalog; that and how it ended."""
        tap, url = self.site.folder / "bad.tap", f"sqlite:///{self.site.folder / 'rebuilt.db'}"
        tap.write_bytes(b"".join(map(record, change(list(self.objects)))) + b"\xff" * 4)
        cartridge = f"virtual:{self.site.folder / 'bad'}?capacity=8M&sync=no"
        made = self.site.run("tape", cartridge, "import", tap)
        assert made.code == 0, made.err
        host = self.site.serve("--tape", f"t={cartridge}")
        words = ["--from", host.url("t"), "--password-file", self.site.password, "--catalog", url, "--json"]
        ended = self.site.run("import", *words)
        host.wait_until_idle()
        return ended, url


def record(each: bytes | None) -> bytes:
    """An object of a tape in SIMH's format."""
    if each is None:
        return bytes(4)
    length = struct.pack("<I", len(each))
    return length + each + b"\0" * (len(each) % 2) + length


def group(objects: Objects, number: int) -> slice:
    """Where a group between filemarks lies, without its mark."""
    marks = [-1, *(at for at, each in enumerate(objects) if each is None)]
    return slice(marks[number] + 1, marks[number + 1])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with site_in(tmp_path) as site:
        yield Bench(site)


def changed_label(objects: Objects, number: int, what: bytes, to: bytes) -> Objects:
    """The tape with something else in each label of a group."""
    where = group(objects, number)
    assert any(each is not None and what in each for each in objects[where])
    objects[where] = [each.replace(what, to) for each in objects[where] if each is not None]
    return objects


def states(url: str) -> dict[str, CopyState]:
    """The copies of a catalog."""
    with Catalog(url) as catalog:
        return {copy.image.name: copy.state for copy in catalog.copies()}


CASES: dict[str, tuple[Callable[[Objects], Objects], str]] = {
    "a trailer that is none": (lambda objects: changed_label(objects, 5, b"EOF1", b"XYZ1"), "file 2 has labels"),
    "a header that is none": (lambda objects: changed_label(objects, 3, b"HDR2", b"XYZ2"), "file 2 has labels"),
    "labels that disagree": (
        lambda objects: changed_label(objects, 3, b"IMAGE=B;", b"IMAGE=X;"),
        "the labels before and after file 2 disagree",
    ),
    "a file of another place": (
        lambda objects: [*objects[: group(objects, 3).start], *objects[group(objects, 6).start :]],
        "file 2 says that it is file 3 of volume ND0001",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_labels_that_cannot_be_read(bench: Bench, case: str) -> None:
    change, words = CASES[case]
    ended, url = bench.import_changed(change)
    assert (ended.code, words in ended.err) == (1, True), ended.err
    (volume,) = ended.document["volumes"]
    count = 2 if case == "a file of another place" else 3
    assert (volume["state"], volume["files"], volume["new_files"]) == ("suspended", count, count - 1)
    left = {"a": CopyState.WRITTEN, "c": CopyState.WRITTEN}
    assert states(url) == {name: left[name] for name in "ac"[: count - 1]}
    with Catalog(url) as catalog:
        assert catalog.free_volumes() == []


def test_a_file_without_its_end(bench: Bench) -> None:
    """As a host leaves it whose power fails: data, and no trailer; the next job writes over it."""
    ended, url = bench.import_changed(lambda objects: objects[: group(objects, 8).start])
    assert ended.code == 0, ended.err
    (volume,) = ended.document["volumes"]
    assert (volume["state"], volume["files"], volume["unfinished_copy"]) == ("appendable", 2, bench.copies["c"])
    assert states(url) == {"a": CopyState.WRITTEN, "b": CopyState.WRITTEN, "c": CopyState.INCOMPLETE}
    host = bench.site.serve("--tape", f"t=virtual:{bench.site.folder / 'bad'}?capacity=8M&sync=no")
    again = bench.site.duplicate("c", source=bench.source.url("lsu"), target=host.url("t"), options=("--catalog", url))
    assert again.code == 0, again.err
    with Catalog(url) as catalog:
        (new,) = [copy for copy in catalog.copies() if copy.state is CopyState.VALID]
        assert (new.image.name, new.fragments[0].file_sequence) == ("c", 3)


def test_what_follows_is_not_ours(bench: Bench) -> None:
    def change(objects: Objects) -> Objects:
        return [*objects[: group(objects, 6).start], b"data of others", None, b"more"]

    ended, url = bench.import_changed(change)
    assert (ended.code, "behind file 2 lies what has no labels of ours" in ended.err) == (1, True), ended.err
    with Catalog(url) as catalog:
        (volume,) = catalog.volumes()
        assert (volume.files, volume.state) == (2, VolumeState.SUSPENDED)


def test_a_tape_that_begins_with_a_filemark(bench: Bench) -> None:
    ended, url = bench.import_changed(lambda objects: [None, *objects])
    assert (ended.code, "the tape begins with a filemark" in ended.err) == (1, True), ended.err
    found: list[Any] = ended.document["volumes"]
    assert [volume["found"] for volume in found] == ["unknown"]
    assert states(url) == {}
