"""`ndmpdup media label` on a tape server: whose tape becomes a volume, and whose never."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from typer.testing import CliRunner

from duplicator.catalog import Catalog, Resource, ResourceKind, VolumeState
from duplicator.cli.main import app
from tests.duplicator.media.sessions import dump
from tests.duplicator.plain_tape import read_tap
from tests.duplicator.processes import Ended, Host, Site

# Columns as docs/tape-format.md has them.
OURS = b"VOL1OLD001" + b" " * 14 + b"NDMPDUP".ljust(13) + b" " * 14 + b" " * 28 + b"4"
ANSI = b"VOL1ANS001" + b" " * 14 + b"SOMEBODY".ljust(13) + b" " * 14 + b" " * 28 + b"3"
NETBACKUP = b"VOL1NBU001".ljust(1024, b"\0")
AMANDA = b"AMANDA: TAPESTART DATE X TAPE DAILY-01\n\014\n".ljust(32768, b"\0")
TAR = bytes(257) + b"ustar\x0000" + bytes(248)
NOISE = b"nobody knows".ljust(512, b"\1")


@pytest.fixture(autouse=True)
def empty_catalog(site: Site) -> None:
    with Catalog(site.catalog):
        pass


def run(*words: str | Path) -> Ended:
    """A command in this process: the host is one of its own."""
    result = CliRunner().invoke(app, list(map(str, words)))
    return Ended(result.exit_code, result.stdout, result.stderr)


def tape(site: Site, name: str, *objects: bytes | None) -> None:
    """A cartridge that begins so; None is a filemark."""
    tap, content = site.folder / "in.tap", b""
    for each in objects:
        size = b"" if each is None else struct.pack("<I", len(each))
        content += bytes(4) if each is None else size + each + bytes(len(each) % 2) + size
    tap.write_bytes(content + b"\xff" * 4)
    made = run("tape", f"virtual:{site.folder / name}?capacity=16M", "import", tap)
    assert made.code == 0, made.err


def serve(site: Site, *tapes: str) -> Host:
    offers = [word for name in tapes for word in ("--tape", f"{name}=virtual:{site.folder / name}?capacity=16M")]
    return site.serve(*offers)


def label(site: Site, drive: str, name: str, *options: str) -> Ended:
    where = ["--in", drive, "--password-file", site.password, "--catalog", site.catalog]
    return run("media", "label", name, *where, "--json", *options)


def content(site: Site, name: str) -> list[bytes | None]:
    """What is on a cartridge, by its export."""
    out = site.folder / f"{name}.tap"
    out.unlink(missing_ok=True)
    made = run("tape", f"virtual:{site.folder / name}", "export", out)
    assert made.code == 0, made.err
    return read_tap(out)


def labelled(name: bytes) -> list[bytes | None]:
    return [OURS.replace(b"OLD001", name), None, None]


def test_a_blank_tape(site: Site) -> None:
    host = serve(site, "drive")
    where = ["--in", host.url("drive"), "--password-file", site.password]
    ended = site.run("media", "label", "A00001L8", *where, "--pool", "daily", "--json")
    assert ended.code == 0, ended.err
    assert ended.document == {
        "volume": "A00001",
        "barcode": "A00001L8",
        "media": "L8",
        "pool": "daily",
        "state": "appendable",
        "location": None,
    }
    host.wait_until_idle()
    host.stop()
    assert content(site, "drive") == labelled(b"A00001")
    with Catalog(site.catalog) as catalog:
        volume = catalog.volume("A00001")
    assert volume is not None
    assert volume.tape_url == host.url("drive")


def test_a_volume_that_was_added(site: Site) -> None:
    with Catalog(site.catalog) as catalog:
        catalog.add_volume("A00001", tape_url="", state=VolumeState.SCRATCH, pool="daily", barcode="A00001L8")
    host = serve(site, "drive")
    before, drive = dump(site), host.url("drive")
    ended = label(site, drive, "A00001", "--pool", "weekly")
    assert (ended.code, dump(site)) == (1, before)
    assert "is of pool daily, not weekly" in ended.err
    assert label(site, drive, "A00001").document["pool"] == "daily"
    # It has a label now, and is not made again.
    before = dump(site)
    ended = label(site, drive, "A00001")
    assert (ended.code, dump(site)) == (1, before)
    assert "as appendable with 0 files" in ended.err
    # Another volume's tape is in the drive.
    ended = label(site, drive, "A00002", "--overwrite", "A00001")
    assert (ended.code, dump(site)) == (1, before)
    assert "the tape is volume A00001, appendable with 0 files: forget that first" in ended.err
    host.stop()
    assert content(site, "drive") == labelled(b"A00001")


FOUND = [
    # What a tape begins with, how that is called, and how it is explained.
    (OURS, "OLD001", "written by this product, OLD001"),
    (ANSI, "ANS001", "written by another system, ANS001"),
    (NETBACKUP, "NBU001", "NetBackup media header, NBU001"),
    (AMANDA, "AMANDA", "(Amanda)"),
    (TAR, "TAR", "(tar archive)"),
    (NOISE, "UNKNOWN", "(unknown)"),
    (None, "UNKNOWN", "(unknown)"),
]


def test_what_is_on_a_tape_has_to_be_named_to_be_lost(site: Site) -> None:
    drives = [f"d{number}" for number in range(len(FOUND))]
    for drive, (first, _, _) in zip(drives, FOUND, strict=True):
        tape(site, drive, first, NOISE, None)
    host = serve(site, *drives)
    before = dump(site)
    for drive, (_, name, words) in zip(drives, FOUND, strict=True):
        ended = label(site, host.url(drive), "A00001")
        assert (ended.code, ended.out) == (1, ""), name
        assert words in ended.err
        assert f"--overwrite {name}." in ended.err
        for wrong in ("A00001", name.lower(), f"{name} "):
            ended = label(site, host.url(drive), "A00001", "--overwrite", wrong)
            assert ended.code == 1, name
            assert f"the tape is not {wrong}, but {name}" in ended.err
        assert dump(site) == before
    host.stop()
    for drive, (first, _, _) in zip(drives, FOUND, strict=True):
        assert content(site, drive) == [first, NOISE, None]

    host = serve(site, *drives)
    for number, (_, name, _) in enumerate(FOUND):
        ended = label(site, host.url(f"d{number}"), f"A0000{number}", "--overwrite", name)
        assert ended.code == 0, ended.err
    host.stop()
    for number, drive in enumerate(drives):
        assert content(site, drive) == labelled(b"A0000%d" % number)


def test_a_blank_tape_is_not_what_was_to_be_lost(site: Site) -> None:
    host = serve(site, "drive")
    before = dump(site)
    ended = label(site, host.url("drive"), "A00001", "--overwrite", "OLD001")
    assert (ended.code, dump(site)) == (1, before)
    assert "the tape is blank: OLD001 is not there" in ended.err
    host.stop()
    assert content(site, "drive") == []


def test_a_scratch_volume_is_labelled_again(site: Site) -> None:
    """What was on it is expired; nothing of it is left in the catalog either."""
    tape(site, "drive", OURS, None, None)
    with Catalog(site.catalog) as catalog:
        catalog.add_volume("OLD001", tape_url="", state=VolumeState.SCRATCH, pool="daily")
        catalog.update_volume("OLD001", files=1)
        assert catalog.take("a job", [Resource(ResourceKind.VOLUME, "OLD001")])
    host = serve(site, "drive")
    before = dump(site)
    ended = label(site, host.url("drive"), "OLD001")
    assert (ended.code, dump(site)) == (1, before)
    assert "is in use" in ended.err
    with Catalog(site.catalog) as catalog:
        catalog.release("a job")
    ended = label(site, host.url("drive"), "OLD001")
    assert ended.code == 0, ended.err
    with Catalog(site.catalog) as catalog:
        volume = catalog.volume("OLD001")
    assert volume is not None
    assert (volume.state, volume.files, volume.generation) == (VolumeState.APPENDABLE, 0, 2)
    host.stop()
    assert content(site, "drive") == labelled(b"OLD001")


def test_a_scratch_volume_of_another_label_is_forgotten(site: Site) -> None:
    tape(site, "drive", OURS, None, None)
    with Catalog(site.catalog) as catalog:
        catalog.add_volume("OLD001", tape_url="", state=VolumeState.SCRATCH)
    host = serve(site, "drive")
    before = dump(site)
    ended = label(site, host.url("drive"), "A00001")
    assert (ended.code, dump(site)) == (1, before)
    assert "--overwrite OLD001" in ended.err
    ended = label(site, host.url("drive"), "A00001", "--overwrite", "OLD001")
    assert ended.code == 0, ended.err
    with Catalog(site.catalog) as catalog:
        assert [volume.label for volume in catalog.volumes()] == ["A00001"]


def test_files_of_another_catalog_are_not_lost(site: Site) -> None:
    """A tape that was used elsewhere is scanned in, as scratch: nobody here knows what is on it."""
    unit = site.folder / "unit"
    unit.mkdir()
    (unit / "image").write_bytes(b"the only copy" * 1000)
    host = site.serve("--lsu", f"lsu={unit}", "--tape", f"drive=virtual:{site.folder / 'drive'}?capacity=16M")
    passwords = ["--from-password-file", site.password, "--to-password-file", site.password]
    where = ["--from", host.url("lsu"), "--to", host.url("drive"), "--volume", "OLD001"]
    other = ["--catalog", f"sqlite:///{site.folder / 'other.db'}"]
    made = run("duplicate", "image", *where, *passwords, *other)
    assert made.code == 0, made.err
    with Catalog(site.catalog) as catalog:
        catalog.add_volume("OLD001", tape_url="", state=VolumeState.SCRATCH, barcode="OLD001L8", media="L8")
    before = dump(site)
    ended = label(site, host.url("drive"), "OLD001")
    assert (ended.code, dump(site)) == (1, before)
    assert "--overwrite OLD001" in ended.err
    ended = label(site, host.url("drive"), "OLD001L7", "--overwrite", "OLD001")
    assert (ended.code, dump(site)) == (1, before)
    assert "volume OLD001 is OLD001L8 in the catalog" in ended.err
    ended = label(site, host.url("drive"), "OLD001", "--overwrite", "OLD001")
    assert ended.code == 0, ended.err
    host.stop()
    assert content(site, "drive") == labelled(b"OLD001")


def test_what_is_refused_before_the_tape_is_looked_at(site: Site) -> None:
    cases = [
        ("a1", "A-Z and 0-9", 2),
        ("A00001QQ", "medium 'QQ'", 2),
        ("CLNU01CU", "cleaning tape", 2),
        ("A00001", "status 54", 1),
    ]
    for name, said, code in cases:
        ended = label(site, "ndmp://u@127.0.0.1:1/d", name)
        assert ended.code == code, ended.err
        assert said in ended.err
        assert "Traceback" not in ended.err
