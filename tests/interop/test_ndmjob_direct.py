"""Direct access: ndmjob restores a few files by the places that the index gives, and only these are read from tape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import Host
from tests.interop.index import read_index
from tests.interop.places import PLACES, Stage
from tests.interop.trees import make_tree
from tests.peers import capture, dissect

WANTED = ("/With Space/part 1/file-0001", "/grüße/part 2/file-0002", "/two words", "/plain/part 0/file-0462")
RECORD = 10240
NDMP_NOTIFY_DATA_READ, NDMP_MOVER_READ = 0x505, 0xA06

CASES = [
    # Not our data server with ndmjob's tape server: that never sends a stretch that is shorter than a record.
    ("our tape", "tar", "f"),
    ("ours apart", "tar", "f"),
    ("ours apart", "dump", "d"),
    ("ours in one", "tar", "f"),
    ("ours in one", "dump", "d"),
]


@pytest.mark.parametrize(("where", "butype", "history"), CASES)
def test_only_what_is_wanted_is_read(stage: Stage, tmp_path: Path, where: str, butype: str, history: str) -> None:
    places = PLACES[where](stage)
    tree, restored = make_tree(tmp_path / "tree"), tmp_path / "restored"
    restored.mkdir()
    places.label()
    report = places.back_up(tree, "-B", butype, "-E", f"HIST={history}")
    assert report.ended_okay, report.text
    whole = report.kilobytes_moved * 1024

    ports = [places.data.port, places.tape.port]
    before = [bytes_read(host) for host in stage.hosts]
    with capture(stage.namespace, tmp_path / "pcap", ports) as running:
        report = places.restore(restored, "-B", butype, "-E", "DIRECT=y", *WANTED)
        pcap = running.stop()
    assert report.ended_okay, report.text
    assert_restored(tree, restored)

    # By the mover's word, by what the kernel says it read, and by what was asked of it.
    assert 0 < report.kilobytes_moved * 1024 < whole // 20
    read = [bytes_read(host) - start for host, start in zip(stage.hosts, before, strict=True)]
    assert max(read, default=0) < whole // 2, read
    if where != "ours in one":
        index = read_index(tmp_path / "index")
        assert_asked_for(pcap, ports, [index.entries[path].position for path in WANTED])


def bytes_read(host: Host) -> int:
    """What a host has read by now, of whatever kind, as the kernel counts."""
    counts = dict(line.split(": ") for line in Path(f"/proc/{host.pid}/io").read_text().splitlines())
    return int(counts["rchar"])


def assert_restored(tree: Path, restored: Path) -> None:
    """What was wanted is there as it was, and nothing else."""
    found = {"/" + path.relative_to(restored).as_posix() for path in restored.rglob("*") if not path.is_dir()}
    assert found == set(WANTED)
    for path in WANTED:
        original, copy = tree / path[1:], restored / path[1:]
        assert copy.read_bytes() == original.read_bytes(), path
        assert copy.stat().st_mode == original.stat().st_mode, path
        assert copy.stat().st_mtime == original.stat().st_mtime, path


def assert_asked_for(pcap: Path, ports: list[int], positions: list[int | None]) -> None:
    """Each wanted file was asked for where it is, of the application and then of the mover."""
    for code in (NDMP_NOTIFY_DATA_READ, NDMP_MOVER_READ):
        stretches = list(asked(pcap, ports, code))
        for position in positions:
            assert position is not None
            assert any(start <= position < start + length for start, length in stretches), (code, stretches)


def asked(pcap: Path, ports: list[int], code: int) -> Iterator[tuple[int, int]]:
    """Offset and length of each request for a stretch, as tshark shows them."""
    for segment in dissect(pcap, ports):
        for pdu in segment.pdus:
            if pdu.header and pdu.header.code == code and pdu.header.message_type == 0:
                (offset,), (length,) = pdu.values("ndmp.window.offset"), pdu.values("ndmp.window.length")
                yield int(offset), int(length)
