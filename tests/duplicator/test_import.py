"""The catalog rebuilt from tapes alone: what it then knows, and that copies can be proved and brought back by it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from duplicator.catalog import Catalog, Copy, CopyState, VolumeState
from duplicator.plan import RestoreRequest, VerifyRequest
from duplicator.restore import restore
from duplicator.status import Status
from duplicator.validate import verify
from tests.duplicator.catalog.facts import sql
from tests.duplicator.processes import Ended, Host, Site, site_in
from tests.duplicator.robots import DEADLINES, RobotSupply, Told, library_server, place
from tests.duplicator.tape_facts import facts
from tests.duplicator.test_spanning import appliance
from tests.duplicator.test_units import add_volumes, configure

CARTRIDGES = 8


class Vault:
    """An appliance, a library of two drives, jobs that fill its volumes, and a second catalog that knows nothing."""

    def __init__(self, site: Site, images: dict[str, list[int]]) -> None:
        self.site = site
        self.source, self.contents = appliance(site, images)
        self.server = library_server(site, cartridges=CARTRIDGES, capacity="2M", drives=2)
        self.config = configure(site, self.source, self.server, drives=2)
        self.rebuilt = f"sqlite:///{site.folder / 'rebuilt.db'}"
        add_volumes(site, CARTRIDGES)

    def duplicate(self, *images: str) -> None:
        """Copy images; all become valid."""
        ended = self.site.run("duplicate", *images, *self._units(), "--json")
        assert ended.code == 0, ended.err

    def _units(self) -> list[str | Path]:
        return ["--from", "disk1", "--to", "tape1", "--config", self.config]

    def die_on_second_volume(self, image: str) -> int:
        """Kill the job of an image while it writes its second section; gives the job."""
        running = self.site.start("duplicate", image, *self._units(), "--json")
        running.wait_for("data flows on, to volume")
        running.send(signal.SIGKILL)
        running.end()
        self.server.wait_until_idle()
        (job,) = [job for job in self.site.ask("jobs")["jobs"] if job["image"] == image]
        assert job["state"] == "died"
        return int(job["job"])

    def go_on(self, job: int) -> None:
        """Run a job that died to its end."""
        ended = self.site.run("resume", str(job), "--config", self.config)
        assert ended.code == 0, ended.err

    def run_import(self, *words: str | Path, catalog: str | None = None) -> Ended:
        """Import into the second catalog."""
        where = ["--catalog", catalog or self.rebuilt, "--config", self.config]
        return self.site.run("import", *words, *where, "--json")

    def rebuild(self, *volumes: str, code: int = 0) -> dict[str, Any]:
        """Import volumes of the library, or all."""
        ended = self.run_import(*volumes, "--library", "lib")
        assert ended.code == code, ended.err
        return dict(ended.document)

    def written(self) -> Any:  # noqa: ANN401
        """The facts of the catalog that the jobs wrote."""
        with Catalog(self.site.catalog) as catalog:
            return facts(catalog)

    def copies(self, image: str) -> list[Copy]:
        """Copies of an image in the catalog that the jobs wrote."""
        with Catalog(self.site.catalog) as catalog:
            return [copy for copy in catalog.copies() if copy.image.name == image]

    def prove(self, copy_id: str) -> None:
        """By the second catalog alone: the copy is read back, and brought back."""
        tape = place(self.site, self.server.url("lib.drive0"))
        with Catalog(self.rebuilt) as catalog:
            copy = catalog.copy(copy_id)
            assert copy.state is CopyState.WRITTEN
            request = VerifyRequest(copy.id, tape, DEADLINES)
            verified = asyncio.run(verify(request, catalog, Told(), supply=self._robot()))
            assert verified.status == Status.SUCCESS, verified
            assert catalog.copy(copy_id).state is CopyState.VALID
            target = self.site.folder / f"back-{copy.id}"
            back = RestoreRequest(copy.id, tape, target, DEADLINES)
            restored = asyncio.run(restore(back, catalog, Told(), supply=self._robot()))
            assert restored.status == Status.SUCCESS, restored
        found = target / copy.image.name
        parts = sorted(found.iterdir()) if found.is_dir() else [found]
        assert [part.read_bytes() for part in parts] == self.contents[copy.image.name]

    def _robot(self) -> RobotSupply:
        return RobotSupply(self.site, self.server, [])

    def hosts_idle(self) -> None:
        """Nothing is left open."""
        for host in (self.source, self.server):
            host.wait_until_idle()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def test_a_library(site: Site) -> None:
    vault = Vault(site, {"big": [5_000_000, 70_000], "a": [3_000], "b": [65536, 0, 1]})
    vault.duplicate("a", "big", "b")
    trial = vault.run_import("--library", "lib", "--dry-run")
    assert trial.code == 0, trial.err
    with Catalog(vault.rebuilt) as catalog:
        assert (catalog.copies(), catalog.volumes()) == ([], [])
    document = vault.rebuild()
    assert trial.document["dry_run"]
    # Which drive takes which volume is left to chance.
    for name in ("volumes", "copies"):
        same = [[entry | {"drive": "", "tape_url": ""} for entry in told[name]] for told in (trial.document, document)]
        assert same[0] == same[1]
    with Catalog(vault.rebuilt) as catalog:
        assert facts(catalog) == vault.written()
        assert {copy.state for copy in catalog.copies()} == {CopyState.WRITTEN}
        assert catalog.leases() == []
        used = {label for copy in catalog.copies() for label in copy.volumes}
        assert {volume.label for volume in catalog.volumes()} == used
        assert all(volume.barcode == f"{volume.label}L8" and volume.media == "L8" for volume in catalog.volumes())
        assert all(volume.location.startswith("lib slot ") for volume in catalog.volumes())
    found = {volume["volume"]: volume["found"] for volume in document["volumes"] if volume["volume"] in used}
    assert found == dict.fromkeys(used, "ours")
    assert [volume["found"] for volume in document["volumes"]].count("blank") == CARTRIDGES - len(used)
    (big,) = vault.copies("big")
    assert len(big.volumes) >= 3
    vault.prove(big.id)
    vault.prove(vault.copies("b")[0].id)
    vault.hosts_idle()


def test_what_a_dead_job_left(site: Site) -> None:
    """Sections of a try that came to nothing, and a copy of two tries; its volumes come one by one, in no order."""
    vault = Vault(site, {"a": [3_000], "big": [100_000, 5_000_000]})
    vault.duplicate("a")
    vault.go_on(vault.die_on_second_volume("big"))
    (big,) = vault.copies("big")
    with Catalog(site.catalog) as catalog:
        files = [file for volume in catalog.volumes() for file in catalog.volume_files(volume.label)]
        dead = [(file.copy_id, file.fragment, file.section) for file in files if file.dead]
        assert dead == [(big.id, 1, 1)]
    assert len(big.volumes) >= 4
    first, *middle, last = big.volumes
    for label in (last, first):
        document = vault.rebuild(label)
        assert {copy["copy"]: copy["state"] for copy in document["copies"]}[big.id] == "incomplete"
    with Catalog(vault.rebuilt) as catalog:
        lacking = catalog.copy(big.id)
        assert (lacking.state, [one.index for one in lacking.fragments]) == (CopyState.INCOMPLETE, [0])
        assert catalog.free_volumes() == []
        refused = RestoreRequest(big.id, place(site, vault.server.url("lib.drive0")), site.folder / "no", DEADLINES)
        ended = asyncio.run(restore(refused, catalog, Told()))
        assert (ended.status, ended.reason) == (
            Status.COPY_NOT_FOUND,
            f"copy {big.id} is incomplete: 1 of 2 fragments",
        )
    for label in reversed(middle):
        assert [copy["state"] for copy in document["copies"]] != ["written"]
        document = vault.rebuild(label)
    assert [copy["state"] for copy in document["copies"]] == ["written"]
    with Catalog(vault.rebuilt) as catalog:
        assert facts(catalog) == vault.written()
        assert [volume.state for volume in catalog.volumes()][:3] == [VolumeState.FULL] * 3
    vault.prove(big.id)
    vault.hosts_idle()


def test_a_catalog_that_knows_the_volumes(site: Site) -> None:
    vault = Vault(site, {"a": [2_500_000], "b": [1]})
    vault.duplicate("a")
    vault.duplicate("b")
    with Catalog(site.catalog) as catalog:
        before = catalog.copies(), catalog.volumes(), facts(catalog)
        assert {copy.state for copy in before[0]} == {CopyState.VALID}
    ended = vault.run_import("--unit", "tape1", catalog=site.catalog)
    assert ended.code == 0, ended.err
    assert {volume["new_files"] for volume in ended.document["volumes"]} == {0}
    with Catalog(site.catalog) as catalog:
        assert catalog.copies() == before[0]
        assert facts(catalog) == before[2]
        assert [(each.state, each.pool) for each in catalog.volumes()] == [
            (each.state, each.pool) for each in before[1]
        ]
    # Of two copies the catalog is wrong about one.
    sql(site.catalog, "UPDATE tape_files SET size = size - 1 WHERE volume = 'VT0001' AND file_sequence = 1")
    with Catalog(site.catalog) as catalog:
        wrong = facts(catalog)
    block = site.folder / "block"
    block.write_bytes(b"VOL1AB0001" + b" " * 14 + b"NDMPDUP".ljust(55) + b"4")
    assert site.run("tape", f"virtual:{site.folder / 'lib' / 'VT0008L8'}", "write", "--from", block).code == 0
    ended = vault.run_import("--unit", "tape1", "VT0001", "VT0002", "VT0008", "VT0099", catalog=site.catalog)
    assert ended.code == 1
    assert "volume VT0001: file 1 on volume VT0001 is section 1 of fragment 0 of copy" in ended.err
    assert "nothing of it was imported" in ended.err
    assert "volume VT0099 is not in library lib" in ended.err
    assert "volume VT0008: its label says that it is volume AB0001, and it came as VT0008" in ended.err
    assert [bool(volume["problems"]) for volume in ended.document["volumes"]] == [True, False, True, True]
    with Catalog(site.catalog) as catalog:
        assert facts(catalog) == wrong


def tape_server(site: Site, *names: str) -> Host:
    """A host with virtual tapes."""
    tapes = [f"{name}=virtual:{site.folder / name}?capacity=8M&sync=no" for name in names]
    return site.serve(*(word for tape in tapes for word in ("--tape", tape)))


def test_one_drive(site: Site) -> None:
    """Without a configuration: what lies in the drive, ours, foreign, blank, or another one than it should be."""
    source, _ = appliance(site, {"a": [70_000]})
    host = tape_server(site, "ours", "foreign", "blank", "odd")
    made = site.duplicate("a", source=source.url("lsu"), target=host.url("ours"), options=("--volume", "AB12"))
    assert made.code == 0, made.err
    block = site.folder / "block"
    for name, content in (("foreign", b"VOL1OTHER1".ljust(80)), ("odd", b"no label")):
        block.write_bytes(content)
        tape = f"virtual:{site.folder / name}"
        written = site.run("tape", tape, "write", "--from", block)
        assert written.code == 0, written.err
    rebuilt = f"sqlite:///{site.folder / 'rebuilt.db'}"

    def run(name: str, *words: str) -> Ended:
        where = ["--from", host.url(name), "--password-file", site.password, "--catalog", rebuilt]
        return site.run("import", *words, *where)

    ended = run("ours")
    assert (ended.code, ended.out.splitlines()[0]) == (0, "volume AB12: 1 file, 1 of them new; appendable"), ended.err
    assert ended.out.splitlines()[1].endswith(": a, written, on volumes AB12")
    assert run("ours").out.startswith("volume AB12: 1 file, 0 of them new; appendable\n")
    assert run("blank").out == f"the tape in {host.url('blank')}: blank, passed over\n"
    assert run("odd").out == f"the tape in {host.url('odd')}: unknown, foreign\n"
    assert run("foreign").out == "volume OTHER1: ANSI labelled, written by another system OTHER1, foreign\n"
    other = run("ours", "AB13", "--mount-timeout", "1")
    assert other.code == 1
    assert "within 1 s: volume AB12 (written by this product) is in it" in other.err
    with Catalog(rebuilt) as catalog:
        states = [(volume.label, volume.state) for volume in catalog.volumes()]
        assert states == [("AB12", VolumeState.APPENDABLE), ("OTHER1", VolumeState.FOREIGN)]
    host.wait_until_idle()


def test_usage(site: Site) -> None:
    cases = {
        ("import",): "say where the volumes are",
        ("import", "--library", "lib", "--unit", "tape1"): "say where the volumes are",
        ("import", "nd-1", "--from", "ndmp://u@h/t"): "volume id 'nd-1'",
        ("import", "--from", "ndmp://u@h"): "the URL names no tape",
    }
    for words, text in cases.items():
        ended = site.run(*words)
        assert (ended.code, text in ended.err) == (2, True), ended.err
