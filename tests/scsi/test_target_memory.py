"""The memory of a virtual cartridge: what hosts write there, by WRITE ATTRIBUTE, and find again."""

from __future__ import annotations

from pathlib import Path

from tests.scsi.hexes import b
from tests.scsi.target_bench import check, drive_target, good

# Attributes, in the order of their codes: application vendor, 8 letters; user medium text label; vendor-specific.
VENDOR = "0800 01 0008 4e444d5044555020"
LABEL = "0803 02 0005 6e69676874"
OWN = "1400 00 0003 010203"
READ_FROM = "8c 00 00*6 {} 00001000 00 00"


def parameters(*attributes: str) -> bytes:
    """A parameter list."""
    body = b(" ".join(attributes))
    return len(body).to_bytes(4, "big") + body


def words(raw: bytes) -> str:
    """The CDB of WRITE ATTRIBUTE for such a list."""
    return f"8d 01 00*8 {len(raw):08x} 00 00"


def test_what_is_written_is_there_after_another_load(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        host, written = target.session(), parameters(VENDOR, LABEL, OWN)
        good(host, words(written), written)
        # Behind the vendor come label, barcode and the vendor-specific one.
        found = good(host, READ_FROM.format("0800"))
        assert found[4:].startswith(b(VENDOR) + b(LABEL) + b("0806 01 0020"))
        assert found.endswith(b(OWN))
        good(host, "1b 00 00 00 00 00")
        good(host, "1b 00 00 00 01 00")
        assert good(host, READ_FROM.format("0800")) == found
        # 16 KiB less three heads of five bytes and their values
        assert good(host, READ_FROM.format("0004"))[4:17] == b("0004 80 0008") + (16384 - 15 - 16).to_bytes(8, "big")
        changed = parameters("0800 01 0000", "0806 01 0004 4f545845")
        good(host, words(changed), changed)
        assert good(host, READ_FROM.format("0803"))[4:] == b(LABEL) + b("0806 01 0004 4f545845") + b(OWN)
        assert check(host, READ_FROM.format("0800")) == "70 05 00000000 2400 c00008"
    assert (tmp_path / "VT0001L8.memory").stat().st_mode & 0o777 == 0o600


def test_all_or_nothing(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:
        host = target.session()
        before = parameters(LABEL)
        good(host, words(before), before)
        for raw, sense in (
            (parameters(VENDOR, "0401 01 0001 41"), "70 05 00000000 2600 800011"),  # the serial number is not theirs
            (parameters(OWN, VENDOR), "70 05 00000000 2600 80000c"),  # out of order
            (parameters(VENDOR, VENDOR), "70 05 00000000 2600 800011"),
            (parameters("0c00 00 0001 00"), "70 05 00000000 2600 800004"),
            (parameters(VENDOR) + b"\0", "70 05 00000000 1a00 800000"),
            (b("0000000c") + b(VENDOR)[:-1], "70 05 00000000 1a00 800004"),
            (parameters(VENDOR, "1400 00 4000" + 16384 * "00"), "70 05 00000000 5506"),
        ):
            assert check(host, words(raw), raw) == sense, raw[:40]
            assert good(host, READ_FROM.format("0803"))[4:].startswith(b(LABEL))
        good(host, words(b""), b"")
        assert check(host, words(before), before[:-1]) == "70 0b 00000000 4b00"
        good(host, "1b 00 00 00 00 00")
        assert check(host, words(before), before) == "70 02 00000000 3a00"


def test_a_protected_cartridge_keeps_its_memory(tmp_path: Path) -> None:
    with drive_target(tmp_path, write_protected=True) as target:
        raw = parameters(LABEL)
        assert check(target.session(), words(raw), raw) == "70 07 00000000 2700"
    assert not (tmp_path / "VT0001L8.memory").exists()
