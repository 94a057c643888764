"""The traditional way: images read here, or through this process, and written to tape from here."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState
from duplicator.mounts.protocol import Note
from duplicator.sources import DirectorySource, RelaySource, Source
from duplicator.status import Status
from duplicator.supply import TapeInDrive
from tests.duplicator.processes import DEADLINE, Host, wait_until
from tests.duplicator.robots import DEADLINES, RobotSupply, library_server, place, volume_name
from tests.duplicator.sources.bench import Bench
from tests.duplicator.test_spanning import appliance, check_on_tape, noise, volumes

SIZES = [100_001, 1_500_000, 0, 131_072]
WAYS = ("directory", "relay")


def source(bench: Bench, way: str, host: Host, image: str = "big") -> Source:
    """The unit of ``host``, read in its directory or through this process."""
    unit = place(bench.site, host.url("lsu"))
    if way == "directory":
        return DirectorySource(unit, bench.site.folder / "unit", image, DEADLINES)
    return RelaySource(unit, image, DEADLINES)


@pytest.mark.parametrize("way", WAYS)
def test_an_image_over_volumes(bench: Bench, way: str) -> None:
    """Nobody sends while the volume is changed, and all of it is there."""
    host, contents = appliance(bench.site, {"big": SIZES})
    server = library_server(bench.site, cartridges=3, capacity="1M")
    supply = RobotSupply(bench.site, server, [volume_name(number) for number in (1, 2, 3)])
    made = bench.run(server.url("lib.drive0"), source(bench, way, host), supply=supply)
    copy = bench.copy(made)
    assert made.validated
    assert (copy.state, copy.route, len(copy.volumes)) == (CopyState.VALID, "traditional", 2)
    assert (copy.image.host, copy.image.unit) == (host.address, "lsu")
    check_on_tape(volumes(bench.site, 3), copy, contents["big"], 65536)
    assert bench.said("flows, through this machine")
    host.wait_until_idle()
    server.wait_until_idle()


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_job_lets_go_of_both_sides(bench: Bench, way: str) -> None:
    """At once, although this process waits for the tape server, which stands still."""
    host, _ = appliance(bench.site, {"big": [100]})
    image = bench.site.folder / "unit" / "huge"
    image.write_bytes(b"head")
    os.truncate(image, 4 << 30)
    tape = bench.site.serve("--tape", f"drive=virtual:{bench.site.folder / 'T1'}?capacity=64G&sync=no")
    written = bench.site.folder / "T1.data"

    async def story() -> float:
        job = asyncio.create_task(bench.job(tape.url("drive"), source(bench, way, host, "huge")))
        await asyncio.to_thread(wait_until, lambda: written.exists() and written.stat().st_size > 8 << 20, "it flows")
        tape.pause()
        await asyncio.sleep(0.3)  # so that all between here and there is full
        job.cancel()
        await asyncio.sleep(0)
        tape.resume()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await job
        return time.monotonic() - began

    assert asyncio.run(asyncio.wait_for(story(), DEADLINE)) < 10
    host.wait_until_idle()
    tape.wait_until_idle()
    with Catalog(bench.site.catalog) as catalog:
        (copy,) = catalog.copies()
        assert copy.fragments == ()
    small = bench.run(tape.url("drive"), source(bench, way, host))
    assert bench.copy(small).state is CopyState.VALID


@pytest.mark.parametrize("way", WAYS)
def test_hosts_that_speak_only_tls(bench: Bench, way: str) -> None:
    """Both on the way here and on the way to the tape."""
    (bench.site.folder / "unit").mkdir()
    (bench.site.folder / "unit" / "big").write_bytes(noise(200_001, "big"))
    unit, tape = f"lsu={bench.site.folder / 'unit'}", f"drive=virtual:{bench.site.folder / 'T1'}?capacity=64M"
    host = bench.site.serve("--lsu", unit, "--tape", tape, "--data-tls", "require")
    assert bench.copy(bench.run(host.url("drive"), source(bench, way, host))).state is CopyState.VALID
    secure = [line for _, line in bench.told.steps if line.endswith("the data connection is under TLS")]
    assert [line.partition(":")[0] for line in secure] == ["this machine", *(["appliance"] if way == "relay" else [])]
    host.wait_until_idle()


def test_what_is_no_image_here(bench: Bench) -> None:
    """As a host of ours has it: links are not followed, hidden names are none, and a missing directory is told."""
    host, _ = appliance(bench.site, {"big": [100]})
    unit = bench.site.folder / "unit"
    (unit / "link").symlink_to(unit / "big")
    (unit / ".hidden").write_bytes(b"x")
    tape = bench.site.serve("--tape", f"drive=virtual:{bench.site.folder / 'T1'}?capacity=64M")
    for image, status in (
        ("link", Status.FILE_READ_FAILED),
        (".hidden", Status.FILE_READ_FAILED),
        ("../unit/big", Status.FILE_READ_FAILED),
        ("none", Status.NOTHING_MATCHES),
    ):
        made = bench.run(tape.url("drive"), source(bench, "directory", host, image))
        assert (made.status, made.step) == (status, "check image"), (image, made)
    nowhere = DirectorySource(place(bench.site, host.url("lsu")), Path("/nowhere"), "big", DEADLINES)
    assert bench.run(tape.url("drive"), nowhere).status == Status.NO_STORAGE_UNIT
    assert (bench.site.folder / "T1.data").read_bytes() == b""


def test_an_image_that_changes(bench: Bench) -> None:
    """Between the look and the copy: refused, and the tape is as before."""
    host, _ = appliance(bench.site, {"big": [100]})
    tape = bench.site.serve("--tape", f"drive=virtual:{bench.site.folder / 'T1'}?capacity=64M")

    class Late(TapeInDrive):
        """By the time a tape is looked for, the image is longer."""

        async def first(self, note: Note) -> str | None:
            (bench.site.folder / "unit" / "big").write_bytes(b"x" * 101)
            return await super().first(note)

    made = bench.run(tape.url("drive"), source(bench, "directory", host), supply=Late())
    assert made.status == Status.FILE_READ_FAILED
    assert "fragment 1 has 101 bytes now, not 100" in made.reason
    with Catalog(bench.site.catalog) as catalog:
        (volume,) = catalog.volumes()
        assert volume.files == 0
