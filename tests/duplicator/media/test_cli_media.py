"""`ndmpdup media add`, `list`, `suspend`, `forget`: a catalog with a past, and each command as its user runs it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from duplicator.catalog import Catalog, CopyState, Resource, ResourceKind, Section, VolumeState
from duplicator.cli.main import app
from ndmp.enums import DigestAlgorithm
from tests.duplicator.media.sessions import dump
from tests.duplicator.processes import Site

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
IDS = ("3f2a0000-0000-4000-8000-000000000000", "77b10000-0000-4000-8000-000000000000")


@pytest.fixture(autouse=True)
def own_place(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDMPDUP_CATALOG", site.catalog)
    with Catalog(site.catalog):
        pass


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["media", *words])
    assert result.exit_code == code, result.output
    assert (result.stderr == "") is (code == 0), result.stderr
    assert "Traceback" not in result.stderr
    return result.stdout if code == 0 else result.stderr


def refused(site: Site, *words: str, code: int = 2) -> str:
    """What it says; the catalog stays as it is."""
    before = dump(site)
    said = run(*words, code=code)
    assert dump(site) == before, words
    return said


def columns(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def write(catalog: Catalog, copy_id: str, volumes: list[str], *, state: CopyState = CopyState.VALID) -> None:
    """A copy of one fragment, a section of 1000 blocks on each volume."""
    image = catalog.record_image(host="h:1", unit="l", name=f"{copy_id[:4]}.tar", size=1, modified=0, fragments=1)
    catalog.start_copy(
        image_id=image.id,
        job_id=None,
        tape_url="ndmp://u@t:2/d",
        algorithm=DigestAlgorithm.SHA256,
        record_bytes=65536,
        copy_id=copy_id,
        created=NOON,
    )
    for number, label in enumerate(volumes, start=1):
        volume = catalog.volume(label)
        assert volume is not None
        size = 65_536_000
        section = Section(number, label, volume.files + 1, (number - 1) * size, size, 1000, None)
        catalog.add_section(copy_id, 0, "", section)
    catalog.commit_fragment(copy_id, 0, size=len(volumes) * 65_536_000, digest=b"\xab" * 32)
    catalog.set_copy_state(copy_id, state)


@pytest.fixture
def past(site: Site) -> None:
    """A00001 and A00002 have a copy that spans them; A00002 has one of its own; A00003 is empty."""
    with Catalog(site.catalog) as catalog:
        for number in (1, 2, 3):
            catalog.add_volume(
                f"A0000{number}", tape_url="ndmp://u@t:2/d", pool="daily", barcode=f"A0000{number}L1", media="L1"
            )
        write(catalog, IDS[0], ["A00001", "A00002"])
        write(catalog, IDS[1], ["A00002"])


def test_add(site: Site) -> None:
    assert run("add", "A00001L8", "A2", "*A00003L8%*", "--pool", "daily", "--location", "shelf 1") == (
        "A00001: scratch, pool daily\nA2: scratch, pool daily\nA00003: scratch, pool daily\n"
    )
    with Catalog(site.catalog) as catalog:
        found = [(v.label, v.barcode, v.media, v.pool, v.state, v.location) for v in catalog.volumes()]
    assert found == [
        ("A00001", "A00001L8", "L8", "daily", VolumeState.SCRATCH, "shelf 1"),
        ("A00003", "A00003L8", "L8", "daily", VolumeState.SCRATCH, "shelf 1"),
        ("A2", "", "", "daily", VolumeState.SCRATCH, "shelf 1"),
    ]
    document = json.loads(run("add", "B00001M8", "--pool", "p", "--json"))
    assert document["volumes"][0] == {
        "volume": "B00001",
        "barcode": "B00001M8",
        "media": "M8",
        "pool": "p",
        "state": "scratch",
        "location": None,
    }


def test_add_is_all_or_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    run("add", "A00001L8", "--pool", "daily")
    cases = [
        (["B00001L8", "A00001L8"], "knows A00001 already"),
        (["B00001L8", "A00001"], "knows A00001 already"),
        (["B00001L8", "B00001L8"], "named twice: B00001"),
        (["B00001L8", "B00001L7"], "named twice: B00001"),
        (["B00001L8", "b00002"], "A-Z and 0-9"),
        (["B00001L8", "B0000L8"], "7 characters"),
        (["B00001L8", "B00002QQ"], "medium 'QQ'"),
        (["B00001L8", "B00002L80"], "check character"),
        (["B00001L8", "CLNU01CU"], "cleaning tape"),
        (["B00001L8", ""], "1 to 6"),
    ]
    for volumes, words in cases:
        assert words in refused(site, "add", *volumes, "--pool", "daily"), volumes
    assert "--pool" in refused(site, "add", "B00001L8")
    assert "pool ''" in refused(site, "add", "B00001L8", "--pool", "")
    config = site.folder / "ndmpdup.toml"
    monkeypatch.setenv("NDMPDUP_CONFIG", str(config))
    config.write_text('[pools.daily]\nmedia = ["L8"]\n[pools.any]\n')
    assert "there is no pool 'other'; configured are any, daily" in refused(site, "add", "B1", "--pool", "other")
    assert "takes L8, not L7" in refused(site, "add", "B00001L7", "--pool", "daily")
    run("add", "B00001L7", "--pool", "any")
    run("add", "B2", "--pool", "daily")


@pytest.mark.usefixtures("past")
def test_list() -> None:
    table = columns(run("list"))
    assert table[0] == ["volume", "barcode", "pool", "state", "location", "files", "live", "dead", "room"]
    assert table[1][:4] == ["A00001", "A00001L1", "daily", "appendable"]
    assert table[1][5:] == ["1", "65.5 MB", "0 B", "99.9 GB"]
    assert table[2][5:] == ["2", "131.1 MB", "0 B", "99.9 GB"]
    run("forget", "A00001", "--copies-too")
    first = json.loads(run("list", "--json"))["volumes"][0]
    assert (first["volume"], first["files"], first["live_bytes"], first["dead_bytes"]) == (
        "A00002",
        2,
        65_536_000,
        65_536_000,
    )
    assert first["room_bytes"] == 100_000_000_000 - 131_072_000


def test_list_chosen(site: Site) -> None:
    assert run("list") == "no volumes yet\n"
    run("add", "A00001L8", "--pool", "daily")
    run("add", "A00002", "--pool", "weekly")
    run("suspend", "A00002")
    assert [row[0] for row in columns(run("list", "--pool", "daily"))[1:]] == ["A00001"]
    assert [row[0] for row in columns(run("list", "--state", "suspended"))[1:]] == ["A00002"]
    assert columns(run("list", "--pool", "weekly"))[1][-1] == "-"
    assert run("list", "--pool", "x") == "no such volumes\n"
    assert json.loads(run("list", "--pool", "x", "--json")) == {"volumes": []}
    assert "none of scratch, appendable" in run("list", "--state", "blank", code=2)


@pytest.mark.usefixtures("past")
def test_suspend_and_resume(site: Site) -> None:
    run("add", "B00001L8", "--pool", "daily")
    with Catalog(site.catalog) as catalog:
        catalog.update_volume("A00002", state=VolumeState.FULL, capacity=131_072_000)
        catalog.add_volume("F1", tape_url="", state=VolumeState.FAILED)
    before = dump(site)
    assert "suspended" in run("suspend", "A00001", "A00002L1", "B00001", "A00001")
    with Catalog(site.catalog) as catalog:
        assert {v.label for v in catalog.volumes() if v.state is VolumeState.SUSPENDED} == {
            "A00001",
            "A00002",
            "B00001",
        }
    assert "is suspended: there is nothing to suspend" in refused(site, "suspend", "A00003", "A00001")
    run("suspend", "--resume", "A00001", "A00002", "B00001")
    assert dump(site) == before
    assert "is appendable: there is nothing to resume" in refused(site, "suspend", "--resume", "A00001")
    assert "is failed: there is nothing to suspend" in refused(site, "suspend", "F1")
    assert "does not know volume Z9" in refused(site, "suspend", "A00001", "Z9")
    assert "does not know volume A00001L8" in refused(site, "suspend", "A00001L8")


@pytest.mark.usefixtures("past")
def test_forget(site: Site) -> None:
    assert run("forget", "A00003") == "A00003: forgotten\n"
    said = refused(site, "forget", "A00001")
    assert f"copy {IDS[0]}, valid: 3f2a.tar, 1 B, on A00001 A00002" in said
    assert "copies that need these volumes: 1; --copies-too loses them" in said
    assert IDS[1] not in said
    said = run("forget", "A00001", "--copies-too")
    assert said.splitlines() == [
        f"lost: copy {IDS[0]}, valid: 3f2a.tar, 1 B, on A00001 A00002",
        "A00001: forgotten",
    ]
    with Catalog(site.catalog) as catalog:
        assert [v.label for v in catalog.volumes()] == ["A00002"]
        lost, kept = catalog.copy(IDS[0]), catalog.copy(IDS[1])
        assert (lost.state, lost.fragments) == (CopyState.FAILED, ())
        assert (kept.state, kept.volumes) == (CopyState.VALID, ("A00002",))
        assert [file.dead for file in catalog.volume_files("A00002")] == [True, False]
    # The copy that is lost needs nothing any more.
    assert IDS[0] not in refused(site, "forget", "A00002")
    document = json.loads(run("forget", "A00002", "--copies-too", "--json"))
    assert document == {"forgotten": ["A00002"], "lost_copies": [IDS[1]]}


@pytest.mark.usefixtures("past")
def test_a_copy_that_is_being_written_is_not_lost(site: Site) -> None:
    with Catalog(site.catalog) as catalog:
        catalog.set_copy_state(IDS[0], CopyState.WRITING)
    assert "cancel it first" in refused(site, "forget", "A00001", "--copies-too")


@pytest.mark.usefixtures("past")
def test_a_volume_that_a_job_has_stays_where_it_is(site: Site) -> None:
    with Catalog(site.catalog) as catalog:
        catalog.update_volume("A00002", location="vault")
        assert catalog.take("a job", [Resource(ResourceKind.VOLUME, f"A0000{number}") for number in (1, 2)])
    for words in (["forget", "A00003", "A00001", "--copies-too"], ["export", "A00001"], ["import", "A00002"]):
        said = refused(site, *words, code=1)
        assert "is in use by somebody, process" in said, words
    with Catalog(site.catalog) as catalog:
        catalog.release("a job")
    run("forget", "A00001", "--copies-too")


@pytest.mark.usefixtures("past")
def test_export_and_import_without_a_library(site: Site) -> None:
    assert run("export", "A00001", "A00002", "--vault", "bank") == "A00001: vault bank\nA00002: vault bank\n"
    assert run("export", "A00003") == "A00003: vault\n"
    assert "is in the vault bank already" in refused(site, "export", "A00001")
    assert json.loads(run("import", "A00001", "--location", "shelf 2", "--json"))["volumes"][0]["location"] == "shelf 2"
    assert run("import", "A00002L1") == "A00002: no place\n"
    assert "is in no vault: it is at shelf 2" in refused(site, "import", "A00003", "A00001")
    assert "is in no vault: where it is, is not known" in refused(site, "import", "A00002")


def test_help_teaches() -> None:
    for name in ("add", "list", "label", "scan", "export", "import", "suspend", "forget"):
        assert f"ndmpdup media {name}" in run(name, "--help"), name
