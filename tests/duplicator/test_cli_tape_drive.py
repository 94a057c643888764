"""`ndmpdup tape` on a drive: what people do by hand, each command a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.cli.tape_verify import verify_by_drive, verify_by_reading
from scsi.tape import SpaceOutcome, Stop
from scsi.virtual.image import create_cartridge
from scsi.virtual.url import ensure_cartridge, open_url, parse_url
from tests.duplicator.processes import DEADLINE, Ended, Site, site_in

# SIMH: length, bytes, length; 0 a tape mark; all ones the end of medium. Words are little-endian.
MARK, MEDIUM_END = b"\0\0\0\0", b"\xff\xff\xff\xff"


def tap_block(block: bytes) -> bytes:
    """A block in a .tap file."""
    length = len(block).to_bytes(4, "little")
    return length + block + b"\0" * (len(block) % 2) + length


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def tape(site: Site) -> tuple[str, str]:
    """A tape with the files "aabbc" in blocks of 2 and "dd" as one block; objects 0 to 5."""
    url = f"virtual:{site.folder}/T00001L8?capacity=1M"
    content = [*map(tap_block, (b"aa", b"bb", b"c")), MARK, tap_block(b"dd"), MARK, MEDIUM_END]
    (site.folder / "in.tap").write_bytes(b"".join(content))
    assert site.run("tape", url, "import", site.folder / "in.tap").code == 0
    return "tape", url


def failed(ended: Ended, code: int, words: str) -> None:
    """The command ended with this code, and said so."""
    assert ended.code == code, ended
    assert words in ended.err, ended
    assert "Traceback" not in ended.err


def place(number: int, file: int, block: int | None, *, end: bool = False) -> dict[str, object]:
    return {"object": number, "file": file, "block": block, "at_beginning": number == 0, "at_end_of_data": end}


def test_status(site: Site, tape: tuple[str, str]) -> None:
    told = site.ask(*tape, "status")
    assert (told["vendor"], told["product"], told["loaded"]) == ("VIRTUAL", "TAPE DRIVE", True)
    assert (told["alerts"], told["cleaning_wanted"]) == ([], False)
    assert told["block_limits"] == {"smallest": 1, "largest": 16_777_215}
    found = told["tape"]
    assert found["position"] == place(0, 0, 0)
    assert (found["block_bytes"], found["density_code"]) == (0, 0x5E)
    assert (found["write_protected"], found["write_once"], found["capacity_bytes"]) == (False, False, 1 << 20)
    lines = dict(line.split(":", 1) for line in site.run(*tape, "status").out.splitlines())
    assert {name: value.strip() for name, value in lines.items()} == {
        "drive": "VIRTUAL TAPE DRIVE 1.00",
        "serial": "T00001L8",
        "blocks taken": "1 to 16777215 bytes",
        "blocks checked": "on their way too, by CRC32C",
        "alerts": "none",
        "cleaning": "not wanted",
        "tape": "loaded",
        "position": "object 0, file 0, block 0, at the beginning",
        "block size": "variable",
        "density": "Ultrium 8/32T (U-832, 0x5e)",
        "write protected": "no",
        "write once (WORM)": "no",
        "capacity": "1.0 MB left of 1.0 MB",
    }


def test_status_of_other_tapes(site: Site) -> None:
    create_cartridge(site.folder / "T00001LY", capacity_bytes=1 << 20, early_warning_bytes=0, write_protected=True)
    found = site.ask("tape", f"virtual:{site.folder}/T00001LY", "status")["tape"]
    assert (found["write_once"], found["write_protected"]) == (True, True)
    assert found["position"] == place(0, 0, 0, end=True)
    failed(site.run("tape", f"virtual:{site.folder}/T00001LY", "weof"), 1, "write protected")
    library = f"virtual-library:{site.folder}/library"
    assert site.run("changer", f"{library}?drives=1&cartridges=1&capacity=1M", "create").code == 0
    empty = site.ask("tape", f"{library}?drive=0", "status")
    assert (empty["loaded"], empty["tape"]) == (False, None)
    failed(site.run("tape", f"{library}?drive=0", "rewind"), 1, "medium not present")
    assert site.run("changer", library, "load", "1").code == 0
    assert site.ask("tape", f"{library}?drive=0", "status")["loaded"]


MOVES = (
    (("filemarks", "1"), 0, None, place(4, 1, 0)),
    (("filemarks", "3"), 1, "end of data", place(6, 2, 0, end=True)),
    (("blocks", "2"), 0, None, place(2, 0, 2)),
    (("blocks", "5"), 2, "filemark", place(4, 1, 0)),
    (("filemarks", "-1", "--at", "6"), 0, None, place(5, 1, None)),
    (("filemarks", "-3", "--at", "6"), 1, "beginning of tape", place(0, 0, 0)),
    (("blocks", "-2", "--at", "3"), 0, None, place(1, 0, 1)),
    (("end",), 0, None, place(6, 2, None, end=True)),
)


def test_space(site: Site, tape: tuple[str, str]) -> None:
    """Objects are a 0, b 1, c 2, mark 3, d 4, mark 5; the drive may not know which block of a file it stands before."""
    for words, missed, stop, stands in MOVES:
        ended = site.run(*tape, "space", *words, "--json")
        told = ended.document
        assert ended.code == (1 if missed else 0), words
        assert (told["not_passed"], told["stop"]) == (missed, stop), words
        known = {name: told["position"][name] for name in ("object", "file", "at_beginning")}
        assert known == {name: stands[name] for name in known}, words
    failed(site.run(*tape, "space", "filemarks", "3"), 1, "1 of 3 filemarks were not passed: end of data")
    failed(site.run(*tape, "space", "files"), 2, "'files'")


def test_read(site: Site, tape: tuple[str, str]) -> None:
    out = site.folder / "out"
    told = site.ask(*tape, "read", "--to", out)
    assert (told["blocks"], told["bytes"], told["stop"], told["position"]["object"]) == (3, 5, "filemark", 4)
    assert out.read_bytes() == b"aabbc"
    failed(site.run(*tape, "read", "--to", out), 1, "exists")
    ended = site.run(*tape, "read", "--at", "1", "--count", "2", "--to", "-")
    assert (ended.code, ended.out) == (0, "bbc")
    cut = site.run(*tape, "read", "--at", "4", "--block-size", "1", "--to", "-")
    failed(cut, 1, "longer than 1 bytes")
    failed(site.run(*tape, "read", "--count", "4", "--to", "-"), 1, "gave 3 blocks: filemark")
    failed(site.run(*tape, "read", "--at", "end", "--to", "-"), 1, "gave 0 blocks: end of data")
    failed(site.run(*tape, "read", "--at", "9", "--to", "-"), 1, "end of data detected")
    failed(site.run(*tape, "read", "--json", "--to", "-"), 2, "standard output")
    failed(site.run(*tape, "read", "--at", "last", "--to", "-"), 2, "--at 'last'")


def test_nothing_is_overwritten_unasked(site: Site, tape: tuple[str, str]) -> None:
    (site.folder / "new").write_bytes(b"eef")
    write = (*tape, "write", "--from", site.folder / "new", "--block-size", "2")
    failed(site.run(*write), 2, "data from object 0 on")
    failed(site.run(*write, "--at", "3"), 2, "data from object 3 on")
    failed(site.run(*tape, "weof"), 2, "--overwrite")
    failed(site.run(*tape, "erase"), 2, "--yes")
    told = site.ask(*write, "--at", "end")
    assert (told["blocks"], told["bytes"], told["complete"], told["position"]["object"]) == (2, 3, True, 9)
    old = [*map(tap_block, (b"aa", b"bb", b"c")), MARK, tap_block(b"dd"), MARK]
    exported = site.folder / "out.tap"
    assert site.run(*tape, "export", exported).code == 0
    assert exported.read_bytes() == b"".join([*old, tap_block(b"ee"), tap_block(b"f"), MARK, MEDIUM_END])
    exported.unlink()
    assert site.run(*write, "--at", "1", "--overwrite", "--filemarks", "2").code == 0
    assert site.run(*tape, "export", exported).code == 0
    assert exported.read_bytes() == b"".join([*map(tap_block, (b"aa", b"ee", b"f")), MARK, MARK, MEDIUM_END])
    assert site.ask(*tape, "erase", "--at", "1", "--yes")["position"]["object"] == 1
    assert site.ask(*tape, "space", "end")["position"]["object"] == 1


def test_a_pipe_that_does_not_fit(site: Site) -> None:
    """Of 1 MiB the last 256 KiB are the early-warning zone."""
    url = f"virtual:{site.folder}/T00002L8?capacity=1M&early_warning=256K"
    assert site.run("tape", url, "create").code == 0
    command = [sys.executable, "-m", "duplicator.cli.main", "tape", url, "write", "--from", "-", "--json"]
    done = subprocess.run(command, input=bytes(2 << 20), capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 1
    assert b"the tape is full" in done.stderr
    read = site.ask("tape", url, "read", "--to", site.folder / "out")
    assert read["stop"] == "filemark", "what is written is closed by its mark"
    assert 768 << 10 <= read["bytes"] < 1 << 20


def test_movements_and_the_rest(site: Site, tape: tuple[str, str]) -> None:
    assert site.ask(*tape, "locate", "3")["position"]["object"] == 3
    failed(site.run(*tape, "locate", "7"), 1, "end of data detected")
    assert site.ask(*tape, "rewind")["position"] == place(0, 0, 0)
    assert site.run(*tape, "unload").out == "unloaded\n"
    assert site.ask(*tape, "load")["position"]["object"] == 0
    assert site.ask(*tape, "alerts") == {"alerts": []}
    assert site.ask(*tape, "inquiry") == {
        "type": "tape",
        "vendor": "VIRTUAL",
        "product": "TAPE DRIVE",
        "revision": "1.00",
        "serial": "T00001L8",
    }
    failed(site.run("tape", "tape0", "rewind"), 2, "sg:")
    failed(site.run("tape", "sg:/dev/absent", "rewind"), 2, "No such file")


def test_verify(site: Site, tape: tuple[str, str]) -> None:
    whole = site.ask(*tape, "verify")
    assert (whole["by_drive"], whole["bytes_read"], whole["filemarks"]) == (True, None, None)
    assert (whole["position"]["object"], whole["position"]["at_end_of_data"]) == (6, True)
    assert site.ask(*tape, "verify", "--at", "1", "--files", "1")["position"] == place(4, 1, 0)
    failed(site.run(*tape, "verify", "--files", "5"), 1, "3 of 5 filemarks are not there")
    with (site.folder / "T00001L8.data").open("r+b") as blocks:
        blocks.seek(2)
        blocks.write(b"x")
    failed(site.run(*tape, "verify"), 1, "stands at object 1")
    assert site.run(*tape, "verify", "--at", "2").code == 0


def test_verify_on_a_drive_that_cannot(tmp_path: Path) -> None:
    url = parse_url(f"virtual:{tmp_path}/T00001L8?sync=no")
    ensure_cartridge(url)
    drive = open_url(url)
    for block in (b"aa", b"bbb"):
        drive.write_blocks(memoryview(block), len(block))
        drive.write_filemarks(1)
    for files, moved, stop, read_bytes in (
        (1, 1, None, 2),
        (2, 2, None, 5),
        (3, 2, Stop.END_OF_DATA, 5),
        (None, 2, Stop.END_OF_DATA, 5),
    ):
        drive.rewind()
        assert verify_by_drive(drive, files) is None
        assert verify_by_reading(drive, files, block_bytes=3) == (SpaceOutcome(moved, stop), read_bytes)
    drive.close()


def test_memory(site: Site, tape: tuple[str, str]) -> None:
    found = {each["name"]: each["value"] for each in site.ask(*tape, "memory")["attributes"]}
    assert (found["maximum capacity mib"], found["barcode"], found["medium density code"]) == (1, "T00001L8", 0x5E)
    shown = [line.split() for line in site.run(*tape, "memory").out.splitlines()]
    assert ["0x0806", "barcode", "T00001L8"] in shown
