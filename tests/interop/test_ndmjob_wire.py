"""tshark dissects every byte of what ndmjob and our hosts say to each other about files, tapes and the robot."""

from __future__ import annotations

from pathlib import Path

from tests.interop.places import CHANGER, DRIVES, Stage
from tests.interop.trees import make_tree
from tests.peers import Word, capture, every_byte_dissected

FILES = 150

SAID = {
    "CONFIG": {0x100, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108},
    "SCSI": {0x200, 0x206},
    "TAPE": {0x300, 0x301, 0x302, 0x303, 0x304, 0x305},
    "DATA": {0x400, 0x401, 0x402, 0x404, 0x407, 0x40A, 0x40B},
    "NOTIFY": {0x501, 0x502, 0x503, 0x504, 0x505},
    "LOG": {0x602},
    "FILE HISTORY": {0x703, 0x704, 0x705},
    "CONNECT": {0x900, 0x901},
    "MOVER": {0xA00, 0xA01, 0xA04, 0xA05, 0xA06, 0xA07, 0xA08},
}
"""The messages of these sessions, by interface."""


def test_every_byte_is_dissected(stage: Stage, tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", files=FILES)
    (tmp_path / "restored").mkdir()
    data = stage.ours(tree=True)
    tape = stage.library(tmp_path / "library", cartridges=2, capacity=64 << 20, tree=True)
    robot: list[Word] = ["-R", tape, "-r", CHANGER, "-f", DRIVES[0]]
    apart, together = ["-D", data, "-T", tape, *robot], ["-D", tape, *robot]
    wanted: list[Word] = ["-E", "DIRECT=y", "/two words", "/plain/part 0/file-0126"]
    back_up: list[Word] = ["-c", "-C", tmp_path / "tree", "-I", "index"]
    restore: list[Word] = ["-x", "-C", tmp_path / "restored", "-J", "index"]
    with capture(stage.namespace, tmp_path / "pcap", [data.port, tape.port]) as running:
        for command in (
            ["-q", "-D", data, "-T", tape, *robot],
            ["-o", "init-labels", *together, "-m", "ONE@1024", "-m", "TWO@1025"],
            [*back_up, *apart, "-m", "ONE@1024", "-B", "tar"],
            [*restore, *apart, "-m", "ONE@1024", "-B", "tar", *wanted],
            [*back_up, *together, "-m", "TWO@1025", "-B", "dump"],
            ["-t", *together, "-m", "TWO@1025", "-B", "dump", "-J", "index", "-I", "contents"],
            [*restore, *together, "-m", "TWO@1025", "-B", "dump", "/"],
        ):
            report = stage.application.run(*command)
            assert report.complete, report.text
        pcap = running.stop()
    dissected = every_byte_dissected(pcap, [data.port, tape.port])
    assert dissected.problems == []
    assert {name: codes - dissected.codes.keys() for name, codes in SAID.items()} == {name: set() for name in SAID}
    assert dissected.codes.keys() - set().union(*SAID.values()) <= {0x603}
