"""kill -9 in mid-motion, of who mounts or of the library's host: the next mount finds the cartridge where it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.duplicator.mounts.rig import DRIVE, SLOT, LibraryRig, refused
from tests.duplicator.processes import DEADLINE, Running, Site, site_in, spawn_here

HOME = {SLOT: "VT0001L8", SLOT + 1: "VT0002L8", SLOT + 2: "VT0003L8"}
SLOW = "&times=0.15"
"""The arm takes a second and a half, a drive more to draw a tape in."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@contextmanager
def mounting(rig: LibraryRig, volume: str) -> Iterator[Running]:
    """Another process that mounts a volume in the first drive, and has told the robot to move."""
    words = [rig.host.url("lib"), rig.host.url("lib.drive0"), volume]
    out = rig.site.folder / "mounting-out"
    with out.open("wb") as stdout:
        command = [sys.executable, "-m", "tests.duplicator.mounts.mounting", *words]
        process = spawn_here(command, stdout=stdout, stderr=subprocess.PIPE, env=dict(os.environ))
    running = Running(process, out)
    try:
        running.wait_for("moving")
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)
        running._reader.join(DEADLINE)
        assert process.stderr is not None
        process.stderr.close()


def check_kept(rig: LibraryRig) -> None:
    """No cartridge is lost, and each is at home or in a drive."""
    found = rig.shelves()
    assert sorted(found.values()) == sorted(HOME.values())
    for address in (DRIVE, DRIVE + 1):
        found.pop(address, None)
    assert found.items() <= HOME.items()


def test_who_mounts_is_killed(site: Site) -> None:
    """Its motion goes on without it; who comes next waits for the robot and finds the volume in the drive."""
    rig = LibraryRig(site, options=SLOW)
    for volume in ("VT0001", "VT0002"):  # into an empty drive; then out of it, with another to follow
        with mounting(rig, volume) as victim:
            assert DRIVE not in rig.shelves() or volume == "VT0002"
            victim.process.kill()
            victim.process.wait(DEADLINE)
            rig.notes.clear()
            rig.mount(volume)
        assert "is in use; it is waited for" in rig.notes[0], "the robot was still moving"
        check_kept(rig)
        assert rig.shelves()[DRIVE] == f"{volume}L8"
        rig.host.stop()  # in order: nothing is left that keeps it
        rig.serve()
    rig.mount("VT0002", 1)
    rig.dismount(1)
    assert rig.shelves() == HOME


def test_the_host_is_killed(site: Site) -> None:
    rig = LibraryRig(site, options=SLOW)
    for volume in ("VT0001", "VT0002"):
        with mounting(rig, volume) as witness:
            rig.host.kill()
            ended = witness.process.wait(DEADLINE)
            witness._reader.join(DEADLINE)
        assert ended == 1
        assert "status 40" in witness.err
        assert "where the cartridges are now is not known" in witness.err
        check_kept(rig)
        rig.serve()
        rig.mount(volume)
        check_kept(rig)
        assert rig.shelves()[DRIVE] == f"{volume}L8"


def test_a_host_that_stops_answering(site: Site) -> None:
    rig = LibraryRig(site)
    mounts = rig.mounts()

    async def stopped() -> None:
        await mounts.inventory()
        rig.host.pause()
        try:
            await rig.mounts(connect=0.5).mount(rig.drive(0), "VT0001", note=rig.note)
        finally:
            rig.host.resume()

    refused(stopped(), 54)
    rig.mount("VT0001")
