"""kill -9 of each process at each step: the application hears of it, and nothing stays behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from duplicator.xbsa.wire import FindObjects
from tests.duplicator.xbsa.daemon_site import DaemonSite, content_of, site_in

SIZE = 9_000_000
"""More than a channel holds."""
KEPT = "/kept"
VICTIMS = ("application", "daemon", "manager", "worker")


@dataclass(frozen=True)
class Point:
    """Where a stream is struck: by which of its processes, at what."""

    striker: str
    kind: str
    name: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.name.rpartition(':')[2]}{self.number if self.number > 1 else ''}"


def step(name: str, number: int = 1) -> Point:
    """The manager has just written this into the progress file."""
    return Point("manager", "step", name, number)


READ = "duplicator.xbsa.server.local_disk:LocalReader._read"
RESTORE = (
    step("started"),
    step("sockets"),
    step("attributes"),
    step("go"),
    Point("reader_main", "call", "duplicator.xbsa.server.door:DataDoor.admit"),
    Point("reader_main", "call", READ, 2),
    Point("reader_main", "call", READ, 30),
    step("client-status"),
    step("server-status"),
)
POUR = "duplicator.units.fragments:WritingFragment.write_records"
BACKUP = (
    step("started"),
    step("sockets"),
    step("attributes"),
    step("begun"),
    Point("writer_main", "call", POUR, 2),
    step("kept"),
    step("begun", 2),
    step("kept", 2),
    step("voted"),
    Point("writer_main", "call", "duplicator.units.staging:Staging.commit", 1),
    Point("writer_main", "call", "duplicator.units.staging:Staging.commit", 2),
    step("shown"),
    step("stored"),
    step("server-status"),
)
WITHOUT_WORKER = {"started"}
"""Steps at which there is no reader or writer yet."""
AFTER_WORKER = {"server-status"}
"""And at which there is none any more."""


BEFORE_COMMIT = {"started", "sockets", "attributes", "begun", "kept", POUR}
BEFORE_ATTACH = {"sockets", "attributes"}
"""An application that dies before it attaches is the same to the service at each of these: one of them is enough."""
USUALLY = {"go", "client-status", "shown"} | {point.name for point in (*RESTORE, *BACKUP) if point.kind == "call"}
"""What every run tries."""


def cases(points: tuple[Point, ...]) -> list[ParameterSet]:
    """Every point with every victim that is there."""
    return [
        pytest.param(point, victim, marks=() if point.name in USUALLY and point.number < 30 else pytest.mark.long)
        for point in points
        for victim in VICTIMS
        if not (victim == "worker" and point.name in WITHOUT_WORKER | AFTER_WORKER)
        if not (victim == "application" and point.name in BEFORE_ATTACH)
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonSite]:
    """A daemon with one object; a test that kills it starts it again."""
    with site_in(tmp_path_factory.mktemp("site"), hooked=True) as site:
        site.start()
        assert site.application("backup", f"{KEPT}:{SIZE}").outcome() == {"ok": True, "committed": True}
        yield site


def strike(site: DaemonSite, point: Point, victim: str) -> None:
    """From now on, a stream is struck so."""
    if not site.is_alive:
        site.start()
    struck(site).unlink(missing_ok=True)
    others = [each.copy_id for each in site.service.find(FindObjects()).objects if each.descriptor.path != KEPT]
    if others:
        site.service.delete(tuple(others))
    site.blow.write_text(f"{point.striker} {point.kind} {point.name} {point.number} {victim}")


def struck(site: DaemonSite) -> Path:
    """Exists when it was."""
    return site.folder / "struck"


def aftermath(site: DaemonSite) -> None:
    """Whatever died, nothing is left, and the service goes on; without its daemon, with the next one."""
    assert struck(site).exists(), "it was not struck"
    site.blow.unlink()
    if not site.is_alive:
        site.start()
    site.audit()


@pytest.mark.parametrize(("point", "victim"), cases(RESTORE), ids=str)
def test_restore(site: DaemonSite, point: Point, victim: str) -> None:
    strike(site, point, victim)
    outcome = site.application("restore", "1").outcome()
    aftermath(site)
    if victim == "application":
        assert outcome is None
    elif outcome["ok"]:
        # Only when both ends had everything before.
        assert point.name == "server-status" or (point.name, victim) == ("client-status", "worker")
        assert outcome["size"] == SIZE
        assert outcome["sha256"] == hashlib.sha256(content_of(KEPT, SIZE)).hexdigest()
    else:
        assert outcome["text"]
    assert set(site.stored()) == {KEPT}


@pytest.mark.parametrize(("point", "victim"), cases(BACKUP), ids=str)
def test_backup(site: DaemonSite, point: Point, victim: str) -> None:
    strike(site, point, victim)
    objects = {f"/{point}/{victim}/{number}": SIZE // number for number in (1, 2)}
    outcome = site.application("backup", *(f"{path}:{size}" for path, size in objects.items())).outcome()
    aftermath(site)
    whole = {path: hashlib.sha256(content_of(path, size)).digest() for path, size in objects.items()}
    found = {path: digest for path, digest in site.stored().items() if path != KEPT}
    assert found in ({}, whole), "all or none"
    if victim == "daemon" and not outcome["ok"]:
        # The library could not ask whether the commit came about.
        assert found == {} or point.name not in BEFORE_COMMIT
    elif victim != "application":
        assert outcome["ok"] == (found == whole), outcome
    if point.name in BEFORE_COMMIT:
        assert found == {}
