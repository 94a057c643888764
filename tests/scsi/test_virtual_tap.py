""".tap vectors by hand, from "SIMH Magtape Representation and Handling"."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi.errors import CartridgeExists, DeviceBusy, EndOfMedium, TapFormatError
from scsi.virtual.tap import export_tap, import_tap
from tests.scsi.drive_contract import write
from tests.scsi.shelf import blank, loaded, objects_on

ABCD = bytes.fromhex("04000000 41424344 04000000")
XYZ = bytes.fromhex("03000000 58595a00 03000000")
MARK = bytes(4)
END = b"\xff\xff\xff\xff"
GAP = b"\xfe\xff\xff\xff"


def imported(directory: Path, content: bytes, *, capacity: int = 1 << 20) -> Path:
    """A cartridge from the bytes of a .tap file."""
    tap = directory / "in.tap"
    tap.write_bytes(content)
    import_tap(tap, directory / "VT0001", capacity_bytes=capacity, sync=False)
    return directory / "VT0001"


def test_export_byte_by_byte(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, b"ABCD", b"XYZ", 1, b"XYZ", 2)
    export_tap(path, tmp_path / "out.tap")
    assert (tmp_path / "out.tap").read_bytes() == ABCD + XYZ + MARK + XYZ + MARK + MARK + END


def test_export_of_a_blank_tape(tmp_path: Path) -> None:
    export_tap(blank(tmp_path), tmp_path / "out.tap")
    assert (tmp_path / "out.tap").read_bytes() == END


def test_export_refuses(tmp_path: Path) -> None:
    path = blank(tmp_path, capacity=1 << 25)
    (tmp_path / "out.tap").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        export_tap(path, tmp_path / "out.tap")
    assert (tmp_path / "out.tap").read_bytes() == b"mine"
    with loaded(path) as drive:
        with pytest.raises(DeviceBusy):
            export_tap(path, tmp_path / "new.tap")
        drive.write_blocks(memoryview(bytes(1 << 24)), 1 << 24)
    with pytest.raises(TapFormatError, match="16777216"):
        export_tap(path, tmp_path / "new.tap")
    assert not (tmp_path / "new.tap").exists()


def test_import(tmp_path: Path) -> None:
    table: list[tuple[str, bytes, list[bytes | None]]] = [
        ("nothing", b"", []),
        ("end of medium", END, []),
        ("records and marks", ABCD + MARK + XYZ + MARK + MARK, [b"ABCD", None, b"XYZ", None, None]),
        ("nothing counts after the end", ABCD + END + XYZ, [b"ABCD"]),
        ("gaps", GAP + ABCD + GAP * 3 + MARK + GAP, [b"ABCD", None]),
        ("half a gap", bytes.fromhex("02000000 4142 02000000 ffff") + GAP + XYZ, [b"AB", b"XYZ"]),
        ("pad byte is anything", bytes.fromhex("03000000 58595a7e 03000000"), [b"XYZ"]),
    ]
    for name, content, expected in table:
        directory = tmp_path / name
        directory.mkdir()
        assert objects_on(imported(directory, content)) == expected, name


def test_import_refuses_with_the_offset_and_leaves_nothing(tmp_path: Path) -> None:
    for content, reason, offset in (
        (ABCD + bytes.fromhex("04000080 41424344 04000080"), "marked as bad", 12),
        (MARK + bytes.fromhex("00000080"), "marked as bad", 4),
        (bytes.fromhex("04000010 41424344 04000010"), "neither", 0),
        (bytes.fromhex("01000070"), "neither", 0),
        (bytes.fromhex("fdffffff"), "neither", 0),
        (bytes.fromhex("01000001"), "16777217", 0),
        (ABCD + b"\x00\x00", "within a word", 12),
        (ABCD + ABCD[:7], "within a record", 16),
        (ABCD + ABCD[:8], "length after", 20),
        (ABCD[:8] + bytes.fromhex("05000000"), "length after", 8),
        (bytes.fromhex("03000000 58595a 03000000"), "length after", 8),
    ):
        with pytest.raises(TapFormatError, match=reason) as caught:
            imported(tmp_path, content)
        assert caught.value.offset == offset, content.hex()
        assert f"offset {offset}" in str(caught.value)
        assert [entry.name for entry in tmp_path.iterdir()] == ["in.tap"]


def test_every_cut_of_a_tap_file_is_refused_or_ends_between_objects(tmp_path: Path) -> None:
    content = ABCD + MARK + XYZ
    between: dict[int, list[bytes | None]] = {0: [], 12: [b"ABCD"], 16: [b"ABCD", None]}
    for length in range(len(content)):
        directory = tmp_path / str(length)
        directory.mkdir()
        if length in between:
            assert objects_on(imported(directory, content[:length])) == between[length]
        else:
            with pytest.raises(TapFormatError):
                imported(directory, content[:length])


def test_import_onto_a_cartridge_that_exists(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        write(drive, b"precious")
    with pytest.raises(CartridgeExists):
        imported(tmp_path, ABCD)
    assert objects_on(path) == [b"precious"]


def test_import_of_more_than_the_cartridge_takes(tmp_path: Path) -> None:
    with pytest.raises(EndOfMedium):
        imported(tmp_path, ABCD + XYZ, capacity=6)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.tap"]
