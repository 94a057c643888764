"""`ndmpdup media export` and `import` with a library's robot behind an NDMP host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplicator.catalog import Catalog
from duplicator.cli.main import app
from tests.duplicator.media.sessions import dump
from tests.duplicator.processes import Ended, Host, Site

HOME = {1024: "VT0001L8", 1025: "VT0002L8", 1026: "VT0003L8"}


@pytest.fixture(autouse=True)
def volumes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDMPDUP_CATALOG", site.catalog)
    with Catalog(site.catalog) as catalog:
        for number in (1, 2, 3, 9):
            catalog.add_volume(f"VT000{number}", tape_url="", barcode=f"VT000{number}L8", media="L8", location="lib")


def run(*words: str | Path) -> Ended:
    """A command in this process: the host is one of its own."""
    result = CliRunner().invoke(app, list(map(str, words)))
    return Ended(result.exit_code, result.stdout, result.stderr)


def changer(site: Site, *words: str) -> Ended:
    ended = run("changer", f"virtual-library:{site.folder}/library", *words)
    assert ended.code == 0, ended.err
    return ended


def serve(site: Site, *, loaded: str = "") -> Host:
    """A drive at 256, four slots at 1024 with VT0001L8 to VT0003L8, two import/export elements at 16."""
    made = run("changer", f"virtual-library:{site.folder}/library?drives=1&slots=4&cartridges=3&capacity=1M", "create")
    assert made.code == 0, made.err
    if loaded:
        changer(site, "load", loaded, "drive0")
    return site.serve("--changer", f"robot=virtual-library:{site.folder}/library")


def shelves(site: Site, host: Host) -> dict[int, str]:
    """What lies at which address, once the host is gone."""
    host.stop()
    elements = json.loads(changer(site, "inventory", "--json").out)["elements"]
    return {element["address"]: element["barcode"] for element in elements if element["full"]}


def locations(site: Site) -> dict[str, str]:
    with Catalog(site.catalog) as catalog:
        return {volume.label: volume.location for volume in catalog.volumes()}


def media(site: Site, verb: str, *words: str) -> Ended:
    return run("media", verb, *words, "--password-file", site.password)


def test_out_and_in(site: Site) -> None:
    host = serve(site)
    url = host.url("robot")
    where = ["--library", url, "--password-file", site.password]
    ended = site.run("media", "export", "VT0001", "VT0003L8", "--vault", "bank", *where)
    assert (ended.code, ended.out) == (0, "VT0001: vault bank\nVT0003: vault bank\n"), ended.err
    assert "volume VT0001 is in import/export 16: take it out" in ended.err
    assert "volume VT0003 is in import/export 17: take it out" in ended.err
    ended = media(site, "import", "VT0003", "--library", url)
    assert (ended.code, ended.out) == (0, "VT0003: robot slot 1024\n"), ended.err
    assert locations(site) == {"VT0001": "vault bank", "VT0002": "lib", "VT0003": "robot slot 1024", "VT0009": "lib"}
    assert shelves(site, host) == {16: "VT0001L8", 1024: "VT0003L8", 1025: "VT0002L8"}


def test_what_the_robot_did_before_a_failure_is_known(site: Site) -> None:
    """Two import/export elements, three volumes, and one that is not there."""
    host = serve(site)
    before = dump(site)
    for verb in ("export", "import"):
        ended = media(site, verb, "VT0009", "--library", host.url("robot"))
        assert (ended.code, ended.out) == (1, "")
        assert "volume VT0009 is not in library robot" in ended.err
        assert dump(site) == before
    ended = media(site, "export", "VT0001", "VT0002", "VT0003", "--library", host.url("robot"))
    assert (ended.code, ended.out) == (1, "VT0001: vault\nVT0002: vault\n")
    assert "no import export is free" in ended.err
    assert locations(site)["VT0003"] == "lib"
    assert shelves(site, host) == {16: "VT0001L8", 17: "VT0002L8", 1026: "VT0003L8"}


def test_a_volume_in_a_drive(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a drive that the configuration names can be asked to give it out."""
    host = serve(site, loaded="VT0002L8")
    before = dump(site)
    ended = media(site, "export", "VT0002", "--library", host.url("robot"))
    assert (ended.code, dump(site)) == (1, before)
    assert "in drive 256" in ended.err
    monkeypatch.setenv("NDMPDUP_CONFIG", str(configure(site, host)))
    ended = run("media", "export", "VT0002", "--library", "lib1")
    assert (ended.code, ended.out) == (0, "VT0002: vault\n"), ended.err
    ended = run("media", "import", "VT0002", "--library", "lib1")
    assert (ended.code, ended.out) == (0, "VT0002: lib1 slot 1025\n"), ended.err
    ended = run("media", "import", "VT0002", "--library", "lib2")
    assert ended.code == 2
    assert "configured are lib1" in ended.err
    assert shelves(site, host) == HOME


def configure(site: Site, host: Host) -> Path:
    """A configuration with the library and its drive."""
    file = site.folder / "ndmpdup.toml"
    file.write_text(
        f"""
        [hosts.tapehost]
        address = "127.0.0.1"
        port = {host.port}
        user = "backup"
        password_file = "{site.password}"
        [libraries.lib1]
        host = "tapehost"
        changer = "robot"
        drives = {{ d0 = 0 }}
        [drives.d0]
        host = "tapehost"
        device = "robot.drive0"
        """
    )
    return file
