"""The main job through the command line: two hosts as processes, and a tape read without this product."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xxhash
from blake3 import blake3

from scsi.virtual.image import cartridge_map
from tests.duplicator.plain_tape import LabelledFile, labelled_files, read_tap, user_text
from tests.duplicator.processes import Host, Site, site_in

IMAGES = ("mail.tar", "empty", "parts", "exact", "one")
"""In the order in which they are copied."""
PARTS = {"part.000": 100_000, "part.001": 0, "part.002": 2 * 65_536}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def noise(size: int, seed: str) -> bytes:
    """Bytes that repeat nowhere, the same on every run."""
    return hashlib.shake_128(seed.encode()).digest(size)


def make_unit(folder: Path) -> Path:
    """A storage unit: a real tar not a multiple of any record size, an empty image, three fragments, and so on."""
    folder.mkdir()
    with tarfile.open(folder / "mail.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("inbox/first letter", "inbox/second", "sent/third"):
            member = tarfile.TarInfo(name)
            member.size = 123_457
            archive.addfile(member, io.BytesIO(noise(member.size, name)))
    with (folder / "mail.tar").open("ab") as tail:
        tail.write(b"\0" * 513)
    (folder / "empty").touch()
    (folder / "parts").mkdir()
    for name, size in PARTS.items():
        (folder / "parts" / name).write_bytes(noise(size, name))
    # A multiple of 64K, 10K and 256K.
    (folder / "exact").write_bytes(noise(5 * 256 * 1024, "exact"))
    (folder / "one").write_bytes(b"!")
    return folder


def fragments(unit: Path, image: str) -> list[tuple[str, bytes]]:
    """Names and bytes of an image's fragments, in their order."""
    path = unit / image
    if path.is_dir():
        return [(part.name, part.read_bytes()) for part in sorted(path.iterdir())]
    return [("", path.read_bytes())]


def export(site: Site, cartridge: Path, name: str = "volume.tap") -> Path:
    """The cartridge as a .tap file."""
    ended = site.run("tape", f"virtual:{cartridge}", "export", site.folder / name)
    assert ended.code == 0, ended.err
    return site.folder / name


def served(site: Site) -> tuple[Path, Host, Host]:
    """The unit, its appliance, and a tape server with cartridge ND0001 (also the name of its file) as ``drive``."""
    unit = make_unit(site.folder / "unit")
    appliance = site.serve("--lsu", f"lsu={unit}")
    return unit, appliance, site.serve("--tape", f"drive=virtual:{site.folder / 'ND0001'}?capacity=1G")


ALGORITHMS: dict[str, tuple[str, Callable[[bytes], str]]] = {
    "xxh3-128": ("XXH3_128", lambda content: xxhash.xxh3_128(content).hexdigest()),
    "sha256": ("SHA256", lambda content: hashlib.sha256(content).hexdigest()),
    "blake3": ("BLAKE3", lambda content: blake3(content).hexdigest()),
}


def today() -> str:
    """A creation date as the labels have it: 0, year, day of the year."""
    return f"0{datetime.now(UTC):%y%j}"


def check_labels(labels: list[str], kind: str, *, sequence: int, blocks: int, record: int, dates: set[str]) -> None:
    """The first two labels of a group, column by column (section 3)."""
    first, second = labels[:2]
    assert (first[0:4], second[0:4]) == (f"{kind}1", f"{kind}2")
    assert first[21:27] == "ND0001"
    assert (first[27:31], first[31:35]) == ("0001", f"{sequence:04}")
    assert (first[35:39], first[39:41]) == ("0001", "00")
    assert first[41:47] in dates
    assert (first[47:53], first[53]) == ("099365", " ")
    assert first[54:60] == f"{blocks:06}"
    assert (first[60:73], first[73:80]) == ("NDMPDUP      ", " " * 7)
    length = f"{record:05}" if record < 100_000 else "00000"
    assert second[4:] == f"F{length}{length}{' ' * 35}00{' ' * 28}"


def check_file(
    found: LabelledFile, image: tuple[str, int, int], content: bytes, *, sequence: int, record: int, digest: str
) -> None:
    """A tape file against the bytes of its fragment."""
    name, fragment, fragment_count = image
    blocks = -(-len(content) // record)
    assert [len(block) for block in found.blocks] == [record] * blocks
    assert b"".join(found.blocks) == content + bytes(blocks * record - len(content))
    header, trailer = user_text(found.header, "UHL"), user_text(found.trailer, "UTL")
    assert {key: trailer[key] for key in header} == header
    expected = {
        "IMAGE": name,
        "FRAGMENT": str(fragment),
        "FRAGMENTS": str(fragment_count),
        "RECORD": str(record),
        "SEQUENCE": str(sequence),
        "UNIT": "lsu",
        "V": "1",
    }
    assert {key: header[key] for key in expected} == expected
    assert (trailer["BLOCKS"], trailer["BYTES"]) == (str(blocks), str(len(content)))
    algorithm, compute = ALGORITHMS[digest]
    assert (trailer["ALGORITHM"].upper(), trailer["DIGEST"]) == (algorithm, compute(content))


@pytest.mark.parametrize(
    ("size", "record", "digest"), [("64K", 65_536, "xxh3-128"), ("10K", 10_240, "sha256"), ("256K", 262_144, "blake3")]
)
def test_every_byte_and_label_on_the_tape(site: Site, size: str, record: int, digest: str) -> None:
    unit, appliance, tape = served(site)
    dates = {today()}
    options = ("--volume", "ND0001", "--record-size", size, "--digest", digest)
    ended = site.duplicate(*IMAGES, source=appliance.url("lsu"), target=tape.url("drive"), options=options)
    dates.add(today())

    assert ended.code == 0, ended.err
    document = ended.document
    assert document["success"] is True
    jobs = document["jobs"]
    assert [job["image"] for job in jobs] == list(IMAGES)
    assert {(job["status"], job["validated"], job["volume"], job["step"]) for job in jobs} == {
        (0, True, "ND0001", "done")
    }

    objects = read_tap(export(site, site.folder / "ND0001"))
    assert b"".join(block for block in objects if block) == (site.folder / "ND0001.data").read_bytes()
    volume, files = labelled_files(objects)
    assert volume == f"VOL1ND0001 {' ' * 13}NDMPDUP      {' ' * 42}4"
    expected = [
        ((image, index, len(fragments(unit, image))), name, content, job["copy"])
        for image, job in zip(IMAGES, jobs, strict=True)
        for index, (name, content) in enumerate(fragments(unit, image))
    ]
    assert len(files) == len(expected)
    for sequence, (found, (image, name, content, copy)) in enumerate(zip(files, expected, strict=True), 1):
        blocks = -(-len(content) // record)
        check_labels(found.header, "HDR", sequence=sequence, blocks=0, record=record, dates=dates)
        check_labels(found.trailer, "EOF", sequence=sequence, blocks=blocks, record=record, dates=dates)
        check_file(found, image, content, sequence=sequence, record=record, digest=digest)
        assert user_text(found.header, "UHL")["NAME"] == name
        assert user_text(found.header, "UHL")["COPY"] == copy


def test_a_tar_image_is_read_by_tar(site: Site) -> None:
    _, appliance, tape = served(site)
    ended = site.duplicate("mail.tar", source=appliance.url("lsu"), target=tape.url("drive"))
    assert ended.code == 0, ended.err
    _, (file,) = labelled_files(read_tap(export(site, site.folder / "ND0001")))
    raw = site.folder / "raw.tar"  # with the padding, as `dd` would give it
    raw.write_bytes(b"".join(file.blocks))
    names = ["inbox/first letter", "inbox/second", "sent/third"]
    with tarfile.open(raw) as archive:
        assert archive.getnames() == names
        for name in names:
            member = archive.extractfile(name)
            assert member is not None
            assert member.read() == noise(123_457, name)
    if tar := shutil.which("tar"):
        listed = subprocess.run([tar, "tf", raw], capture_output=True, text=True, timeout=20, check=True)
        assert listed.stdout.splitlines() == names


def test_verify_restore_and_append(site: Site) -> None:
    unit, appliance, tape = served(site)
    drive = tape.url("drive")
    first = site.duplicate("parts", "empty", source=appliance.url("lsu"), target=drive).document
    second = site.duplicate("mail.tar", source=appliance.url("lsu"), target=drive, options=("--volume", "ND0001"))
    assert second.code == 0, second.err
    copies = {job["image"]: job["copy"] for job in (*first["jobs"], *second.document["jobs"])}
    _, files = labelled_files(read_tap(export(site, site.folder / "ND0001")))
    assert [user_text(file.trailer, "UTL")["IMAGE"] for file in files] == [*["parts"] * 3, "empty", "mail.tar"]

    verified = site.verify(list(copies.values()), drive)
    assert verified.code == 0, verified.err
    assert [job["validated"] for job in verified.document["jobs"]] == [True] * 3

    back = site.folder / "back"
    other = site.folder / "other"
    other.mkdir()
    second_appliance = site.serve("--lsu", f"lsu2={other}")
    password = ("--from-password-file", site.password)
    for image, copy in copies.items():
        if image != "mail.tar":
            to_folder = site.run("restore", copy, "--to", back, *password)
            assert to_folder.code == 0, to_folder.err
            assert fragments(back, image) == fragments(unit, image)
        to_unit = ("--to", second_appliance.url("lsu2"), "--to-password-file", site.password)
        ended = site.run("restore", copy, *to_unit, *password, "--json")
        assert ended.code == 0, ended.err
        assert ended.document["jobs"][0]["validated"] is True
        assert fragments(other, image) == fragments(unit, image)
    assert sorted(path.name for path in back.iterdir()) == ["empty", "parts"]
    assert sorted(path.name for path in other.iterdir() if not path.name.startswith(".")) == sorted(copies)
    for host in (appliance, second_appliance, tape):
        host.wait_until_idle()


def test_verify_finds_one_changed_bit(site: Site) -> None:
    """In the image's bytes, and in the padding; the drive, which has checks of its own, is made to agree with it."""
    unit, appliance, tape = served(site)
    jobs = site.duplicate("mail.tar", "one", source=appliance.url("lsu"), target=tape.url("drive")).document["jobs"]
    content = (site.folder / "ND0001.data").read_bytes()
    middle = content.index((unit / "mail.tar").read_bytes()[200_000:200_100])
    _, files = labelled_files(read_tap(export(site, site.folder / "ND0001")))
    padding = content.rindex(files[1].blocks[0]) + 1000
    for job, at, words in ((jobs[0], middle, "digest"), (jobs[1], padding, "padding")):
        with (site.folder / "ND0001.data").open("r+b") as cartridge:
            cartridge.seek(at)
            cartridge.write(bytes([content[at] ^ 1]))
        ended = site.verify([job["copy"]], tape.url("drive"))
        assert (ended.code, ended.document["jobs"][0]["status"]) == (1, 85)
        assert "could not read" in ended.document["jobs"][0]["reason"]
        agree(site.folder / "ND0001")
        ended = site.verify([job["copy"]], tape.url("drive"))
        assert ended.code == 1
        assert ended.document["jobs"][0]["status"] == 85
        assert words in ended.document["jobs"][0]["reason"]
        (copy,) = [copy for copy in site.ask("copies")["copies"] if copy["copy"] == job["copy"]]
        assert copy["state"] == "failed"


def agree(cartridge: Path) -> None:
    """Make the checks of a cartridge those of the blocks that are there (docs/virtual-tape.md)."""
    content, at, checks = cartridge.with_name(cartridge.name + ".data").read_bytes(), 0, b""
    for run in cartridge_map(cartridge):
        for _ in range(run.count if run.block_bytes else 0):
            checks += xxhash.xxh3_64_digest(content[at : at + run.block_bytes])
            at += run.block_bytes
    cartridge.with_name(cartridge.name + ".check").write_bytes(checks)


def test_one_host_with_units_and_tapes(site: Site) -> None:
    unit = make_unit(site.folder / "unit")
    both = site.serve("--lsu", f"lsu={unit}", "--tape", f"drive=virtual:{site.folder / 'ND0001'}")
    ended = site.duplicate("parts", "one", source=both.url("lsu"), target=both.url("drive"))
    assert ended.code == 0, ended.err
    assert [job["validated"] for job in ended.document["jobs"]] == [True, True]
    both.wait_until_idle()
    assert both.stop().code == 0


def test_another_volume_than_asked_for_is_not_written(site: Site) -> None:
    _, appliance, tape = served(site)
    assert site.duplicate("one", source=appliance.url("lsu"), target=tape.url("drive")).code == 0
    before = cartridge_bytes(site.folder / "ND0001")
    options = ("--volume", "ND0002")
    ended = site.duplicate("one", source=appliance.url("lsu"), target=tape.url("drive"), options=options)
    assert ended.code == 1
    (job,) = ended.document["jobs"]
    assert job["status"] == 93
    assert "ND0002 was asked for, and ND0001 is in the drive" in job["reason"]
    assert job["reason"] in ended.err
    assert cartridge_bytes(site.folder / "ND0001") == before


def cartridge_bytes(cartridge: Path) -> tuple[bytes, bytes]:
    """Both files of a cartridge."""
    return tuple(cartridge.with_name(cartridge.name + end).read_bytes() for end in (".data", ".index"))  # type: ignore[return-value]


def tap_record(block: bytes) -> bytes:
    """A record of a .tap file."""
    length = len(block).to_bytes(4, "little")
    return length + block + bytes(len(block) % 2) + length


MARK = bytes(4)
OTHER_PRODUCT = b"VOL1ND0001" + b" " * 14 + b"OTHERPRODUCT ".ljust(55) + b"4"
FOREIGN_TAPES = {
    "a tar": tap_record(noise(10_240, "tar")) + MARK + MARK,
    "another product's volume": tap_record(OTHER_PRODUCT) + tap_record(b"HDR1".ljust(80)) + MARK + MARK,
    "a filemark at first": MARK + tap_record(noise(512, "late")) + MARK,
    "one long block": tap_record(noise(1_000_000, "long")),
    "a block of one byte": tap_record(b"V") + MARK,
}


def test_a_foreign_tape_is_not_touched(site: Site) -> None:
    unit = make_unit(site.folder / "unit")
    cartridges = {what: site.folder / f"F{number}" for number, what in enumerate(FOREIGN_TAPES)}
    for what, content in FOREIGN_TAPES.items():
        (site.folder / "foreign.tap").write_bytes(content)
        made = site.run("tape", f"virtual:{cartridges[what]}", "import", site.folder / "foreign.tap")
        assert made.code == 0, made.err
    drives = {what: f"drive{number}" for number, what in enumerate(FOREIGN_TAPES)}
    offers = [word for what in drives for word in ("--tape", f"{drives[what]}=virtual:{cartridges[what]}")]
    host = site.serve("--lsu", f"lsu={unit}", *offers)
    for what, cartridge in cartridges.items():
        before = cartridge_bytes(cartridge)
        ended = site.duplicate("one", source=host.url("lsu"), target=host.url(drives[what]))
        assert ended.code == 1, what
        (job,) = ended.document["jobs"]
        assert (job["status"], job["step"]) == (168, "write side: mount"), (what, job["reason"])
        assert job["reason"], what
        assert cartridge_bytes(cartridge) == before, what


def test_a_restore_replaces_nothing(site: Site) -> None:
    """A directory is looked at before any host: the first refusals come although nobody listens there."""
    _, appliance, tape = served(site)
    copied = site.duplicate("one", source=appliance.url("lsu"), target=tape.url("drive"))
    (copy,) = [job["copy"] for job in copied.document["jobs"]]
    back, file = site.folder / "back", site.folder / "file"
    back.mkdir()
    (back / "one").write_bytes(b"mine")
    file.touch()
    nobody = "ndmp://backup@127.0.0.1:1/drive"
    passwords = ("--from-password-file", site.password, "--to-password-file", site.password)
    for target, drive, step, words in (
        (back, nobody, "prepare", f"{back}/one is there already, and is not overwritten"),
        (file, nobody, "prepare", f"the directory {file} cannot take the image: File exists"),
        (file / "x", nobody, "prepare", f"the directory {file}/x cannot take the image: Not a directory"),
        (appliance.url("lsu"), tape.url("drive"), "write side: open", "unit lsu has an image 'one' already, and it is"),
    ):
        ended = site.run("restore", copy, "--from", drive, "--to", target, *passwords, "--json")
        assert ended.code == 1, ended.err
        (job,) = ended.document["jobs"]
        assert (job["status"], job["step"]) == (14, step), job
        assert words in job["reason"], job
        assert words in ended.err
    assert [path.name for path in back.iterdir()] == ["one"]
    assert (back / "one").read_bytes() == b"mine"
