"""Images that do not fit the rest of a volume: every byte is on tape once, over any number of volumes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, Copy, CopyState, VolumeState
from duplicator.engine import duplicate
from duplicator.plan import CopyRequest, JobResult, RestoreRequest, Validation
from duplicator.restore import restore
from duplicator.status import Status
from ndmp.aio.methods import MoverMethods
from ndmp.types import ALL_ONES_64
from tests.duplicator.plain_tape import LabelledFile, labelled_files, read_tap, user_text
from tests.duplicator.processes import Host, Site, site_in
from tests.duplicator.robots import DEADLINES, RobotSupply, Told, library_server, place, volume_name


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def noise(size: int, seed: str) -> bytes:
    """Bytes that repeat nowhere, the same on every run."""
    return hashlib.shake_128(seed.encode()).digest(size)


def appliance(site: Site, images: dict[str, list[int]]) -> tuple[Host, dict[str, list[bytes]]]:
    """A host with images of fragments of these sizes; and their bytes."""
    unit = site.folder / "unit"
    unit.mkdir()
    contents: dict[str, list[bytes]] = {}
    for image, sizes in images.items():
        contents[image] = [noise(size, f"{image}{number}") for number, size in enumerate(sizes)]
        if len(sizes) == 1:
            (unit / image).write_bytes(contents[image][0])
            continue
        (unit / image).mkdir()
        for number, content in enumerate(contents[image]):
            (unit / image / f"part{number}").write_bytes(content)
    return site.serve("--lsu", f"lsu={unit}"), contents


def volumes(site: Site, count: int) -> dict[str, list[LabelledFile]]:
    """The tape files of each cartridge, read by the independent reader."""
    found = {}
    for name in map(volume_name, range(1, count + 1)):
        cartridge = site.folder / "lib" / f"{name}L8"
        tap = site.folder / f"{name}.tap"
        ended = site.run("tape", f"virtual:{cartridge}", "export", tap)
        assert ended.code == 0, ended.err
        objects = read_tap(tap)
        if objects:
            label, files = labelled_files(objects)
            assert label[4:10] == name
            found[name] = files
    return found


def check_on_tape(found: dict[str, list[LabelledFile]], copy: Copy, contents: list[bytes], record: int) -> None:
    """Every fragment's bytes, once, in sections whose labels follow the standard and each other."""
    for fragment, content in zip(copy.fragments, contents, strict=True):
        joined = b""
        for number, section in enumerate(fragment.sections, 1):
            file = found[section.volume][section.file_sequence - 1]
            is_last = number == len(fragment.sections)
            first = fragment.sections[0]
            kind = "EOF" if is_last else "EOV"
            for labels, group in ((file.header, "HDR"), (file.trailer, kind)):
                assert (labels[0][:4], labels[1][:4]) == (f"{group}1", f"{group}2")
                assert labels[0][21:27] == first.volume
                assert (labels[0][27:31], labels[0][31:35]) == (f"{number:04}", f"{first.file_sequence:04}")
            assert file.trailer[0][54:60] == f"{len(file.blocks):06}"
            keys = user_text(file.trailer, "UTL")
            assert keys["COPY"] == copy.id
            assert keys["SEQUENCE"] == str(section.file_sequence)
            if number > 1:
                assert (keys["VOLUME"].upper(), keys["OFFSET"]) == (section.volume, str(len(joined)))
            assert {len(block) for block in file.blocks} <= {record}
            data = b"".join(file.blocks)
            assert data[int(keys["BYTES"]) :].strip(b"\0") == b""
            assert is_last or len(data) == int(keys["BYTES"])
            joined += data[: int(keys["BYTES"])]
        assert joined == content


def run(site: Site, request: CopyRequest, supply: RobotSupply) -> JobResult:
    with Catalog(site.catalog) as catalog:
        told = Told()
        result = asyncio.run(duplicate(request, catalog, told, supply=supply))
        assert result.status == Status.SUCCESS, (result, told.steps)
        return result


def windows_asked_for(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where each window begins that a mover is asked for: our own mover, when it writes tape, does not mind."""
    asked, ask = list[int](), MoverMethods.set_window

    async def set_window(mover: MoverMethods, offset: int = 0, length: int = ALL_ONES_64) -> None:
        asked.append(offset)
        await ask(mover, offset, length)

    monkeypatch.setattr(MoverMethods, "set_window", set_window)
    return asked


@pytest.mark.parametrize(("record", "validation"), [(65536, Validation.DIGEST), (10240, Validation.LABELS)])
def test_an_image_over_four_volumes(
    site: Site, record: int, validation: Validation, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = windows_asked_for(monkeypatch)
    sizes = [100_001, 5_000_000, 0, 3_000_000, 70_000]
    source, contents = appliance(site, {"big": sizes, "one": [10]})
    server = library_server(site, cartridges=6, capacity="2M")
    names = list(map(volume_name, range(1, 7)))
    request = CopyRequest(
        "big",
        place(site, source.url("lsu")),
        place(site, server.url("lib.drive0")),
        record_bytes=record,
        deadlines=DEADLINES,
        validation=validation,
    )
    result = run(site, request, RobotSupply(site, server, names))
    assert result.validated == (validation is Validation.DIGEST)
    with Catalog(site.catalog) as catalog:
        copy = catalog.copy(str(result.copy_id))
        assert copy.state is (CopyState.VALID if result.validated else CopyState.WRITTEN)
        assert len(copy.volumes) >= 4
        states = [volume.state for volume in catalog.volumes()]
        assert states == [VolumeState.FULL] * (len(copy.volumes) - 1) + [VolumeState.APPENDABLE]
        later = [section.offset for fragment in copy.fragments for section in fragment.sections[1:]]
        assert [offset for offset in windows if offset] == later, "the mover is told where the stream goes on"
        check_on_tape(volumes(site, 6), copy, contents["big"], record)
        for target in (site.folder / "back",):
            back = RestoreRequest(copy.id, request.target, target, DEADLINES)
            restored = asyncio.run(restore(back, catalog, Told(), supply=RobotSupply(site, server, [])))
            assert restored.status == Status.SUCCESS, restored
            parts = [part.read_bytes() for part in sorted((target / "big").iterdir())]
            assert parts == contents["big"]
    server.wait_until_idle()
    source.wait_until_idle()
