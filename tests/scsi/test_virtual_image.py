"""The files of a cartridge: their bytes, damage to them, and what a kill leaves. Layout: docs/virtual-tape.md."""

from __future__ import annotations

import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from zlib import crc32

import pytest

from scsi.errors import CartridgeExists, CorruptImage, DeviceBusy, DeviceUrlError, NoMedium, NotAVirtualTape
from scsi.tape import SpaceOutcome, Stop
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import MapRun, RunKind, cartridge_header, cartridge_map, create_cartridge, remove_cartridge
from tests.scsi.drive_contract import A, B, C, write
from tests.scsi.shelf import blank, loaded, objects_on

REPOSITORY = Path(__file__).parents[2]
MAGIC = "56 54 41 50 45 49 44 58"


def sealed(text: str) -> bytes:
    """Bytes from hex, with their CRC-32 (big-endian) after them."""
    raw = bytes.fromhex(text)
    return raw + crc32(raw).to_bytes(4, "big")


HEADER = sealed(f"{MAGIC} 0001 0040 00000000 0000000000400000 0000000000010000" + "00" * 28)
CHECKED_HEADER = sealed(f"{MAGIC} 0001 0040 00000002 0000000000400000 0000000000010000" + "00" * 28)
"""HEADER is that of a cartridge of old, without checks."""
TWO_BLOCKS = sealed("0001 0001 00000200 0000000000000000 0000000000000002 00000000")
MARK_AFTER = sealed("0002 0002 00000000 0000000000000002 0000000000000001 00000000")
CUT_AT_1 = sealed("0003 0003 00000000 0000000000000001 0000000000000000 00000000")
SHORT_AT_1 = sealed("0001 0003 00000064 0000000000000001 0000000000000001 00000000")


def index_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.index")


def blocks_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def by_hand(directory: Path, index: bytes, blocks: bytes) -> Path:
    """A cartridge made of these very bytes."""
    path = directory / "VT0001"
    index_of(path).write_bytes(index)
    blocks_of(path).write_bytes(blocks)
    return path


def test_index_byte_by_byte(tmp_path: Path) -> None:
    path = blank(tmp_path, early_warning=64 << 10)
    assert index_of(path).read_bytes() == CHECKED_HEADER
    with loaded(path) as drive:
        write(drive, A, B, 1)
        assert index_of(path).read_bytes() == CHECKED_HEADER + TWO_BLOCKS + MARK_AFTER
        drive.locate(1)
        write(drive, b"s" * 100)
        assert index_of(path).read_bytes() == CHECKED_HEADER + TWO_BLOCKS + MARK_AFTER + CUT_AT_1
    assert index_of(path).read_bytes() == CHECKED_HEADER + TWO_BLOCKS + MARK_AFTER + CUT_AT_1 + SHORT_AT_1
    with loaded(path) as drive:
        write(drive, C)
        assert index_of(path).read_bytes() == CHECKED_HEADER


def test_index_written_by_hand(tmp_path: Path) -> None:
    path = by_hand(tmp_path, HEADER + TWO_BLOCKS + MARK_AFTER + CUT_AT_1 + SHORT_AT_1, A + b"s" * 100)
    assert objects_on(path) == [A, b"s" * 100]


def test_every_torn_tail(tmp_path: Path) -> None:
    index = HEADER + TWO_BLOCKS + MARK_AFTER + CUT_AT_1 + SHORT_AT_1
    whole_at: dict[int, list[bytes | None]] = {64: [], 128: [A, B, None], 160: [A], 192: [A, b"s" * 100]}
    expected: list[bytes | None] = []
    for length in range(64, len(index) + 1):
        expected = whole_at.get(length, expected)
        # While the first batch counts, its blocks have not been overwritten yet.
        path = by_hand(tmp_path, index[:length], A + B if length < 160 else A + b"s" * 100)
        assert objects_on(path) == expected, length
        assert index_of(path).stat().st_size == length, "reading changed the index"
        with loaded(path) as drive:
            drive.space_end_of_data()
            write(drive, C)
        assert objects_on(path) == [*expected, C], length


def test_every_flipped_bit_of_the_last_batch_ends_the_tape_before_it(tmp_path: Path) -> None:
    index = HEADER + TWO_BLOCKS + MARK_AFTER + CUT_AT_1
    for bit in range(128 * 8, 160 * 8):
        damaged = bytearray(index)
        damaged[bit // 8] ^= 1 << bit % 8
        assert objects_on(by_hand(tmp_path, bytes(damaged), A + B)) == [A, B, None], bit


def test_a_batch_torn_in_front_goes_before_the_next_is_written(tmp_path: Path) -> None:
    path = by_hand(tmp_path, HEADER + bytes(32) + MARK_AFTER, A + B)
    assert objects_on(path) == []
    with loaded(path) as drive:
        write(drive, C)
    assert objects_on(path) == [C]
    assert index_of(path).stat().st_size == 64 + 32


def test_zeros_after_the_last_batch_are_no_entries(tmp_path: Path) -> None:
    path = by_hand(tmp_path, HEADER + TWO_BLOCKS + MARK_AFTER + bytes(4096), A + B)
    with loaded(path) as drive:
        drive.space_end_of_data()
        write(drive, C, 1)
    assert objects_on(path) == [A, B, None, C, None]


def test_an_index_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    batch = TWO_BLOCKS + MARK_AFTER
    flipped = bytes([batch[0] ^ 1]) + batch[1:]
    for name, entries in {
        "damage before a later batch": flipped + CUT_AT_1,
        "gap in the numbers": batch + SHORT_AT_1,
        "cut beyond the end": CUT_AT_1,
        "batch without a beginning": MARK_AFTER,
        "batch within a batch": TWO_BLOCKS + TWO_BLOCKS,
        "unknown kind": sealed("0004 0003 00000000 0000000000000000 0000000000000001 00000000"),
        "unknown place": sealed("0001 0007 00000200 0000000000000000 0000000000000002 00000000"),
        "no blocks": sealed("0001 0003 00000200 0000000000000000 0000000000000000 00000000"),
        "block of 0 bytes": sealed("0001 0003 00000000 0000000000000000 0000000000000001 00000000"),
        "block over 16 MiB": sealed("0001 0003 01000001 0000000000000000 0000000000000001 00000000"),
        "filemark with a size": sealed("0002 0003 00000001 0000000000000000 0000000000000001 00000000"),
        "more than a file can hold": sealed("0001 0003 01000000 0000000000000000 ffffffffffffffff 00000000"),
    }.items():
        path = by_hand(tmp_path, HEADER + entries, A + B)
        with pytest.raises(CorruptImage):
            open_cartridge(path)
        with pytest.raises(CorruptImage):
            cartridge_map(path)
        assert index_of(path).read_bytes() == HEADER + entries, name


def test_headers_that_are_none(tmp_path: Path) -> None:
    for header, reason in (
        (b"", "header of 64 bytes"),
        (HEADER[:63], "header of 64 bytes"),
        (b"ustar" + HEADER[5:], "header of 64 bytes"),
        (sealed(f"{MAGIC} 0002 0040 00000000 0000000000400000 0000000000010000" + "00" * 28), "version 2"),
        (sealed(f"{MAGIC} 0001 0040 00000004 0000000000400000 0000000000010000" + "00" * 28), "unknown flags"),
        (HEADER[:20] + b"\x01" + HEADER[21:], "damaged"),
        (sealed(f"{MAGIC} 0001 0040 00000000 0000000000000000 0000000000000000" + "00" * 28), "capacity"),
        (sealed(f"{MAGIC} 0001 0040 00000000 0000000000000005 0000000000000006" + "00" * 28), "early warning"),
    ):
        with pytest.raises(NotAVirtualTape, match=reason):
            open_cartridge(by_hand(tmp_path, header, b""))


def test_an_index_that_claims_more_than_there_is(tmp_path: Path) -> None:
    index = HEADER + TWO_BLOCKS + MARK_AFTER
    for size, expected in ((1024, [A, B, None]), (1023, [A]), (512, [A]), (511, []), (0, [])):
        path = by_hand(tmp_path, index, (A + B)[:size])
        assert objects_on(path) == expected, size
        with loaded(path) as drive:
            drive.space_end_of_data()
            write(drive, C)
        assert objects_on(path) == [*expected, C], size


def test_bytes_past_the_index_are_ignored_and_go(tmp_path: Path) -> None:
    path = by_hand(tmp_path, HEADER + TWO_BLOCKS + MARK_AFTER, A + B + b"never committed")
    assert objects_on(path) == [A, B, None]
    with loaded(path) as drive:
        drive.space_end_of_data()
        write(drive, b"x", 1)
    assert blocks_of(path).read_bytes() == A + B + b"x"


def test_a_terabyte_of_blocks_is_one_entry(tmp_path: Path) -> None:
    count = 1 << 24
    index = sealed(f"{MAGIC} 0001 0040 00000000 0000020000000000 0000000000010000" + "00" * 28)
    index += sealed(f"0001 0001 00010000 {0:016x} {count:016x} 00000000")
    index += sealed(f"0002 0002 00000000 {count:016x} {5:016x} 00000000")
    path = by_hand(tmp_path, index, b"")
    with blocks_of(path).open("r+b") as sparse:
        sparse.truncate(count << 16)
    tracemalloc.start()
    with loaded(path) as drive:
        drive.locate(count - 1)
        assert drive.read_blocks(memoryview(bytearray(1 << 17)), 1 << 16).stop is Stop.FILEMARK
        assert drive.space_blocks(-1) == SpaceOutcome(0, Stop.FILEMARK)
        assert drive.space_blocks(-count) == SpaceOutcome(count)
        assert drive.space_filemarks(4) == SpaceOutcome(4)
        assert drive.position().file_number == 4
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert cartridge_map(path) == [MapRun(0, RunKind.BLOCKS, count, 1 << 16), MapRun(0, RunKind.FILEMARKS, 5, 0)]


def test_an_index_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = by_hand(tmp_path, HEADER, b"")
    with index_of(path).open("r+b") as sparse:
        sparse.truncate(64 + 32 * (4_194_304 + 1))
    with pytest.raises(CorruptImage, match="4194305"):
        open_cartridge(path)


def test_equal_blocks_of_many_calls_are_one_run(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with loaded(path) as drive:
        for _ in range(50):
            drive.write_blocks(memoryview(A + B), 512)
        write(drive, 1, 1, C)
        assert [run.count for run in cartridge_map(path)] == [100, 1, 1], "uncommitted blocks are on the map"
    assert cartridge_map(path)[-1] == MapRun(2, RunKind.BLOCKS, 1, 512)


def test_creation(tmp_path: Path) -> None:
    path = blank(tmp_path, capacity=1000, early_warning=10, write_protected=True)
    header = cartridge_header(path)
    assert (header.capacity_bytes, header.early_warning_bytes, header.write_protected) == (1000, 10, True)
    with pytest.raises(CartridgeExists):
        blank(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["VT0001.check", "VT0001.data", "VT0001.index"]
    remove_cartridge(path)
    remove_cartridge(path)
    assert not list(tmp_path.iterdir())


def test_creation_never_takes_bytes_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "VT0001.data").write_bytes(b"somebody's")
    with pytest.raises(CartridgeExists):
        blank(tmp_path)
    (tmp_path / "VT0001.data").write_bytes(b"")
    assert objects_on(blank(tmp_path)) == []


def test_impossible_cartridges(tmp_path: Path) -> None:
    for capacity, early_warning in ((0, 0), (-1, 0), (1 << 63, 0), (10, 11), (10, -1)):
        with pytest.raises(ValueError, match="not within"):
            blank(tmp_path, capacity=capacity, early_warning=early_warning)
    for barcode in ("..", ".hidden", "a b", "x" * 33, "ü1", "a\n"):
        with pytest.raises(DeviceUrlError):
            create_cartridge(tmp_path / barcode, capacity_bytes=1, early_warning_bytes=0)
    assert not list(tmp_path.iterdir())


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(NoMedium):
        open_cartridge(tmp_path / "VT0001")
    blocks_of(blank(tmp_path)).unlink()
    with pytest.raises(NotAVirtualTape):
        open_cartridge(tmp_path / "VT0001")


WRITER = """
import sys
from pathlib import Path
from scsi.virtual.drive import open_cartridge
drive = open_cartridge(Path(sys.argv[1]))
put = lambda letter, count: drive.write_blocks(memoryview(letter.encode() * 100 * count), 100)
steps = [
    lambda: put("a", 3),
    lambda: drive.write_filemarks(1),
    lambda: put("b", 2),
    lambda: drive.space_end_of_data(),
    lambda: drive.locate(5),
    lambda: put("c", 1),
    lambda: drive.write_filemarks(1),
    lambda: drive.rewind(),
    lambda: put("d", 1),
    lambda: drive.unload(),
]
for step in steps[: int(sys.argv[2])]:
    step()
print("done", flush=True)
sys.stdin.read()
"""
a, b, c, d = b"a" * 100, b"b" * 100, b"c" * 100, b"d" * 100
AFTER_STEP: list[list[bytes | None]] = [
    [],
    [],
    [a, a, a, None],
    [a, a, a, None],
    [a, a, a, None, b, b],
    [a, a, a, None, b, b],
    [a, a, a, None, b],
    [a, a, a, None, b, c, None],
    [a, a, a, None, b, c, None],
    [],
    [d],
]


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process with pipes, to be killed by the test."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_kill_after_every_step_leaves_what_was_committed(tmp_path: Path) -> None:
    for steps, expected in enumerate(AFTER_STEP):
        directory = tmp_path / str(steps)
        directory.mkdir()
        path = blank(directory)
        with start(WRITER, path, steps) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "done\n"
            child.kill()
            assert child.wait(10) == -signal.SIGKILL
        assert objects_on(path) == expected, steps


TIRELESS_WRITER = """
import sys
from pathlib import Path
from scsi.virtual.drive import open_cartridge
drive = open_cartridge(Path(sys.argv[1]), sync=False)
for number in range(1_000_000):
    block = number.to_bytes(4, "big") * 16
    drive.write_blocks(memoryview(block * 3 + block[:60]), 84)
    drive.write_blocks(memoryview(block), 64)
    drive.write_filemarks(2)
    print(number, flush=True)
"""


def test_a_kill_in_full_swing_leaves_whole_files(tmp_path: Path) -> None:
    for told in (0, 3, 50, 400):
        directory = tmp_path / str(told)
        directory.mkdir()
        path = blank(directory, capacity=1 << 40)
        with start(TIRELESS_WRITER, path) as child:
            assert child.stdout is not None
            for _ in range(told + 1):
                number = int(child.stdout.readline())
            child.kill()
            later = child.stdout.read().splitlines()
            number = int(later[-1]) if later and later[-1].isdigit() else number
        found = objects_on(path)
        files, rest = divmod(len(found), 6)
        assert rest == 0
        assert files >= told + 1
        for file in range(files):
            block = file.to_bytes(4, "big") * 16
            long = block * 3 + block[:60]
            assert found[file * 6 : file * 6 + 6] == [long[:84], long[84:168], long[168:], block, None, None]


def test_one_drive_at_a_time_across_processes(tmp_path: Path) -> None:
    path = blank(tmp_path)
    with start(WRITER, path, 2) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        with pytest.raises(DeviceBusy):
            open_cartridge(path)
        with pytest.raises(DeviceBusy):
            open_cartridge(path, read_only=True)
        assert [run.count for run in cartridge_map(path)] == [3, 1], "the map needs no lock"
        child.kill()
    with loaded(path) as drive:
        with pytest.raises(DeviceBusy):
            open_cartridge(path)
        drive.unload()
        open_cartridge(path).close()
