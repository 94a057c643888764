"""Which tape a job may write, and what it may overwrite there: the last copy of something may lie on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.catalog import Catalog, CopyState
from scsi.virtual.drive import open_cartridge
from tests.duplicator.processes import Ended, Host, Site, site_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as opened:
        yield opened


def serve(site: Site, *tapes: str) -> Host:
    """One host with a unit of two images, and these tapes."""
    unit = site.folder / "unit"
    unit.mkdir()
    for name in ("one", "two"):
        (unit / name).write_bytes(name.encode() * 50_000)
    drives = [word for tape in tapes for word in ("--tape", f"{tape}=virtual:{site.folder / tape}?capacity=64M")]
    return site.serve("--lsu", f"lsu={unit}", *drives)


def duplicate(site: Site, host: Host, image: str, tape: str, *options: str) -> Ended:
    return site.duplicate(image, source=host.url("lsu"), target=host.url(tape), options=options)


def refused(ended: Ended, status: int, *words: str) -> None:
    assert ended.code == 1, ended.err
    (job,) = ended.document["jobs"]
    assert job["status"] == status, job
    for word in words:
        assert word in job["reason"], job["reason"]


def content(cartridge: Path) -> bytes:
    return cartridge.with_name(cartridge.name + ".data").read_bytes()


def test_what_lies_behind_the_last_file_is_not_overwritten(site: Site) -> None:
    host, cartridge = serve(site, "drive"), site.folder / "drive"
    assert duplicate(site, host, "one", "drive").code == 0
    drive = open_cartridge(cartridge)
    drive.space_end_of_data()
    drive.space_filemarks(-1)
    for _ in range(3):
        drive.write_blocks(memoryview(b"somebody's only copy".ljust(512)), 512)
    drive.write_filemarks(1)
    drive.close()
    before = content(cartridge)
    refused(duplicate(site, host, "two", "drive"), 168, "not ours")
    assert content(cartridge) == before


def hdr1() -> bytes:
    """Columns as docs/tape-format.md has them: file 2 of volume ND0001."""
    fields = ("HDR1", "TWO".ljust(17), "ND0001", "0001", "0002", "0001", "00", "026330", "099365", " ", "000000")
    return ("".join(fields) + "NDMPDUP".ljust(13)).ljust(80).encode()


@pytest.mark.parametrize("behind", [b"", b"somebody's only copy".ljust(512)])
def test_the_first_label_of_a_header_is_overwritten_if_nothing_follows(site: Site, behind: bytes) -> None:
    """A job that died while it wrote the labels; the host wrote the filemark that was due."""
    host, cartridge = serve(site, "drive"), site.folder / "drive"
    assert duplicate(site, host, "one", "drive", "--volume", "ND0001").code == 0
    drive = open_cartridge(cartridge)
    drive.space_end_of_data()
    drive.space_filemarks(-1)
    drive.write_blocks(memoryview(hdr1()), 80)
    drive.write_filemarks(1)
    if behind:
        drive.write_blocks(memoryview(behind), 512)
    drive.close()
    before = content(cartridge)
    ended = duplicate(site, host, "two", "drive")
    if behind:
        refused(ended, 168, "not ours")
        assert content(cartridge) == before
    else:
        assert ended.code == 0, ended.err
        assert ended.document["jobs"][0]["validated"] is True


def test_an_older_tape_of_the_same_label_is_not_written(site: Site) -> None:
    host, cartridge = serve(site, "drive"), site.folder / "drive"
    assert duplicate(site, host, "one", "drive").code == 0
    files = [cartridge.with_name(cartridge.name + suffix) for suffix in (".data", ".index")]
    for file in files:
        shutil.copy(file, file.with_suffix(file.suffix + ".old"))
    assert duplicate(site, host, "two", "drive").code == 0
    for file in files:
        file.with_suffix(file.suffix + ".old").replace(file)
    before = content(cartridge)
    refused(duplicate(site, host, "two", "drive"), 86, "has 1 files", "knows 2")
    assert content(cartridge) == before


def test_a_label_is_given_once(site: Site) -> None:
    host = serve(site, "first", "second")
    assert duplicate(site, host, "one", "first", "--volume", "VOL001").code == 0
    refused(duplicate(site, host, "two", "second", "--volume", "VOL001"), 93, "VOL001")
    assert content(site.folder / "second") == b""
    assert duplicate(site, host, "two", "second").code == 0
    with Catalog(site.catalog) as catalog:
        assert [volume.label for volume in catalog.volumes()] == ["ND0001", "VOL001"]


def test_two_jobs_on_two_blank_tapes_make_two_volumes(site: Site) -> None:
    host = serve(site, "first", "second")
    running = [
        site.start_duplicate(image, source=host.url("lsu"), target=host.url(tape))
        for image, tape in (("one", "first"), ("two", "second"))
    ]
    assert [job.end().code for job in running] == [0, 0]
    assert {content(site.folder / tape)[4:10] for tape in ("first", "second")} == {b"ND0001", b"ND0002"}


def test_two_jobs_on_one_blank_tape_follow_each_other(site: Site) -> None:
    host = serve(site, "drive")
    running = [
        site.start_duplicate(image, source=host.url("lsu"), target=host.url("drive")) for image in ("one", "two")
    ]
    ended = [job.end() for job in running]
    with Catalog(site.catalog) as catalog:
        states = [copy.state for copy in catalog.copies()]
    # One that finds the tape changed since it looked gives up before it writes; it never harms the other.
    assert states.count(CopyState.VALID) == [each.code for each in ended].count(0) >= 1
    valid = [job["copy"] for each in ended for job in each.document["jobs"] if job["validated"]]
    assert site.verify(valid, host.url("drive")).code == 0


def test_a_verification_that_cannot_be_done_says_nothing_of_the_copy(site: Site) -> None:
    host = serve(site, "drive")
    (job,) = duplicate(site, host, "one", "drive").document["jobs"]
    for drive in ("nodrive", "lsu"):
        ended = site.verify([job["copy"]], host.url(drive))
        refused(ended, 83, "NO_DEVICE")
    with Catalog(site.catalog) as catalog:
        assert catalog.copy(job["copy"]).state is CopyState.VALID
