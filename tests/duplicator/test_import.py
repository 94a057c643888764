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

    def die_in_section(self, image: str, number: int) -> int:
        """Kill the job of an image as it begins a section; gives the job."""
        running = self.site.start("duplicate", image, *self._units(), "--json")
        running.wait_for(f", section {number}")
        running.send(signal.SIGKILL)
        running.end()
        self.server.wait_until_idle()
        (job,) = [job for job in self.site.ask("jobs")["jobs"] if job["image"] == image]
        assert job["state"] == "died"
        return int(job["job"])

    def go_on(self, job: int) -> None:
        """Run a job that died to its end."""
        assert self.site.run("resume", str(job)).code == 0
        ended = self.site.run("run", "--config", self.config)
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
