"""Device URLs of virtual tapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi.errors import CartridgeExists, DeviceUrlError
from scsi.virtual.image import cartridge_header
from scsi.virtual.url import VirtualUrl, ensure_cartridge, open_url, parse_url

MIB, TIB = 1 << 20, 1 << 40


def test_urls() -> None:
    for text, expected in (
        ("virtual:/t/A0000001L3", VirtualUrl(Path("/t/A0000001L3"), TIB, 256 * MIB, sync=True)),
        ("virtual:tapes/a", VirtualUrl(Path("tapes/a"), TIB, 256 * MIB, sync=True)),
        ("virtual:a", VirtualUrl(Path("a"), TIB, 256 * MIB, sync=True)),
        ("virtual:/t/a?capacity=10M", VirtualUrl(Path("/t/a"), 10 * MIB, MIB, sync=True)),
        (
            "virtual:/t/a?capacity=10m&early_warning=64K&sync=no",
            VirtualUrl(Path("/t/a"), 10 * MIB, 65536, sync=False),
        ),
        ("virtual:/t/a?sync=yes&capacity=999&early_warning=0", VirtualUrl(Path("/t/a"), 999, 0, sync=True)),
        ("virtual:/t/x.data?capacity=3G&early_warning=1G", VirtualUrl(Path("/t/x.data"), 3 << 30, 1 << 30, sync=True)),
    ):
        assert parse_url(text) == expected, text


def test_impossible_urls() -> None:
    for text in (
        "",
        "virtual:",
        "virtual:/",
        "virtual:/t/..",
        "virtual:/t/.a",
        "virtual:/t/a b",
        "virtual:/t/" + "x" * 33,
        "sg:/dev/sg0",
        "VIRTUAL:/t/a",
        "virtual:/t/a?size=1",
        "virtual:/t/a?capacity=",
        "virtual:/t/a?capacity=-1",
        "virtual:/t/a?capacity=1P",
        "virtual:/t/a?capacity=0",
        "virtual:/t/a?capacity=٣",
        "virtual:/t/a?capacity=9999999999T",
        "virtual:/t/a?capacity=1&capacity=2",
        "virtual:/t/a?capacity=1K&early_warning=2K",
        "virtual:/t/a?sync=maybe",
        "virtual:/t/a?sync=no&",
    ):
        with pytest.raises(DeviceUrlError):
            parse_url(text)


def test_a_missing_cartridge_and_its_directory_are_made_once(tmp_path: Path) -> None:
    url = parse_url(f"virtual:{tmp_path}/new/shelf/A1?capacity=1M&early_warning=4K&sync=no")
    ensure_cartridge(url)
    header = cartridge_header(url.path)
    assert (header.capacity_bytes, header.early_warning_bytes) == (MIB, 4096)
    drive = open_url(url)
    drive.write_blocks(memoryview(b"kept"), 4)
    drive.close()
    ensure_cartridge(parse_url(f"virtual:{tmp_path}/new/shelf/A1?capacity=2M"))
    assert cartridge_header(url.path).capacity_bytes == MIB
    drive = open_url(url, read_only=True)
    assert drive.space_blocks(9).moved == 1
    drive.close()


def test_what_stands_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeviceUrlError):
        ensure_cartridge(parse_url(f"virtual:{tmp_path}/file/A1"))
    (tmp_path / "A1.data").write_bytes(b"not ours")
    with pytest.raises(CartridgeExists):
        ensure_cartridge(parse_url(f"virtual:{tmp_path}/A1"))
