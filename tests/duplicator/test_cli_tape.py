"""`ndmpdup tape`: cartridges by hand."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from duplicator.cli.main import app

# Columns as docs/tape-format.md has them.
VOL1 = b"VOL1ND0001" + b" " * 14 + b"NDMPDUP".ljust(13) + b" " * 14 + b" " * 28 + b"4"
HDR1 = b"HDR1A.TAR            ND000100010001000100" + b"024061099365" + b" 000000" + b"NDMPDUP".ljust(20)
# SIMH: length, bytes, pad to even, length; 0 a tape mark; all ones the end of medium. Words are little-endian.
TAP = b"".join(
    [
        *(b"\x50\0\0\0" + label + b"\x50\0\0\0" for label in (VOL1, HDR1)),
        b"\0\0\0\0",
        b"\x05\0\0\0hello\0\x05\0\0\0",
        b"\x05\0\0\0world\0\x05\0\0\0",
        b"\0\0\0\0",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ]
)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    assert (result.stderr == "") is (code == 0), result.stderr
    return result.stdout or result.stderr


def test_labels_have_their_length() -> None:
    assert len(VOL1) == len(HDR1) == 80


def test_create(tmp_path: Path) -> None:
    url = f"virtual:{tmp_path}/shelf/T1?capacity=10M"
    assert "blank, room for 10.5 MB" in run("tape", url, "create")
    assert (tmp_path / "shelf" / "T1.index").stat().st_mode & 0o077 == 0
    assert "is there already" in run("tape", url, "create", code=1)
    assert "blank" in run("tape", f"virtual:{tmp_path}/shelf/T1", "map")


def test_round_trip(tmp_path: Path) -> None:
    url = f"virtual:{tmp_path}/T1"
    (tmp_path / "in.tap").write_bytes(TAP)
    run("tape", url, "import", str(tmp_path / "in.tap"))
    run("tape", url, "export", str(tmp_path / "out.tap"))
    assert (tmp_path / "out.tap").read_bytes() == TAP
    assert "exists" in run("tape", url, "export", str(tmp_path / "out.tap"), code=1)
    assert (tmp_path / "out.tap").read_bytes() == TAP
    assert "is there" in run("tape", url, "import", str(tmp_path / "in.tap"), code=1)


def test_a_damaged_tap_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in.tap").write_bytes(TAP[:-10])
    assert "offset" in run("tape", f"virtual:{tmp_path}/T1", "import", str(tmp_path / "in.tap"), code=1)
    assert not list(tmp_path.glob("T1.*"))


def test_map(tmp_path: Path) -> None:
    url = f"virtual:{tmp_path}/T1?capacity=1M"
    (tmp_path / "in.tap").write_bytes(TAP)
    run("tape", url, "import", str(tmp_path / "in.tap"))
    lines = [line.split(maxsplit=6) for line in run("tape", url, "map").splitlines()]
    assert lines == [
        ["object", "file", "what", "count", "block", "bytes", "labels"],
        ["0", "0", "labels", "2", "80", "160", "B  VOL1 ND0001, HDR1 A.TAR (file 1)"],
        ["2", "0", "filemark", "1"],
        ["3", "1", "records", "2", "5", "10", "B"],
        ["5", "1", "filemarks", "2"],
        ["170", "B", "of", "1.0", "MB", "used"],
    ]
    document = json.loads(run("tape", url, "map", "--json"))
    assert document["capacity_bytes"] == 1 << 20
    assert document["labels_read"] is True
    assert [(r["first_object"], r["kind"], r["count"], r["block_bytes"]) for r in document["runs"]] == [
        (0, "blocks", 2, 80),
        (2, "filemarks", 1, 0),
        (3, "blocks", 2, 5),
        (5, "filemarks", 2, 0),
    ]
