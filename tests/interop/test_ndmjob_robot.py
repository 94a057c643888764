"""ndmjob commands our changer: what is where, loading and unloading, labels of all tapes, backups over two of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop.index import read_index
from tests.interop.places import CHANGER, DRIVES, Stage
from tests.interop.trees import differences, make_tree
from tests.peers import Report, Word

DRIVE, FIRST_SLOT, FIRST_DOOR = 256, 1024, 16
CAPACITY, FILES = 4 << 20, 400
"""Bytes of a cartridge, and files for which two of them are needed."""


class Robot:
    """Our changer in a host with its drives, and ndmjob's commands to it."""

    def __init__(self, stage: Stage, *, tree: bool = False) -> None:
        self.directory = stage.folder / "library"
        self.agent = stage.library(self.directory, cartridges=3, capacity=CAPACITY, tree=tree)
        self.application = stage.application
        self.options: list[Word] = ["-R", self.agent, "-r", CHANGER]
        self.drive_options: list[Word] = ["-T", self.agent, "-f", DRIVES[0], *self.options]

    def run(self, *command: str) -> Report:
        """Give a command that moves something, or asks."""
        return self.application.run(*self.options, *command)

    def use(self, *command: str) -> Report:
        """Give a command that reads or writes tapes."""
        return self.application.run(*self.drive_options, *command)

    def inventory(self) -> dict[int, str]:
        """The barcodes by element, as our library keeps them."""
        volumes = json.loads((self.directory / "library.json").read_text())["cartridges"]
        return {volume["at"]: volume["barcode"] for volume in volumes}


class Element(NamedTuple):
    """A line of ndmjob's table."""

    kind: str
    barcode: str
    source: int | None


def elements(report: Report) -> dict[int, Element]:
    """ndmjob's table of the library, by address."""
    found: dict[int, Element] = {}
    for line in report.text.splitlines():
        if match := re.match(r'QR +" +\d+ +@(\d+) +(\w+) +(?:Full +(?:PVolTag\((\S+) *,#0\))?|Empty)', line):
            address = int(match[1])
            found[address] = Element(match[2], match[3] or "", None)
        elif match := re.search(r"SValid\(src=(\d+),!invert\)", line):
            found[address] = found[address]._replace(source=int(match[1]))
    return found


@pytest.fixture
def robot(stage: Stage) -> Robot:
    return Robot(stage)


def test_the_inventory_is_our_librarys(robot: Robot) -> None:
    report = robot.run("-q")
    assert "'VIRTUAL TAPE LIBRARY" in report.text
    assert "slots 10@1024  drive 2@256  arm 1@1  i/e 2@16" in report.text
    shown = elements(report)
    assert {address: each.barcode for address, each in shown.items() if each.barcode} == robot.inventory()
    kinds = {"ARM": [1], "IEE": [16, 17], "TAPE": [256, 257], "SLOT": [*range(1024, 1034)]}
    assert {address: each.kind for address, each in shown.items()} == {
        address: kind for kind, addresses in kinds.items() for address in addresses
    }


def test_tapes_go_where_they_are_told(robot: Robot) -> None:
    first, second, third = (robot.inventory()[FIRST_SLOT + number] for number in range(3))
    drive, door = DRIVE, FIRST_DOOR
    steps = [
        ("-o load=1024", {drive: first, 1025: second, 1026: third}),
        ("-o unload", {1024: first, 1025: second, 1026: third}),
        ("-o load=1026 -o tape-addr=257", {1024: first, 1025: second, 257: third}),
        ("-o unload=1030 -o tape-addr=257", {1024: first, 1025: second, 1030: third}),
        ("-o export=1025", {1024: first, door: second, 1030: third}),
        ("-o init-elem-status", {1024: first, door: second, 1030: third}),
        ("-o import=1033", {1024: first, 1033: second, 1030: third}),
        ("-o move -o from-addr=1024 -o to-addr=257", {257: first, 1033: second, 1030: third}),
        ("-o load=1030", {257: first, 1033: second, drive: third}),
        ("-Z", {257: first, 1033: second, 1030: third}),
    ]
    for command, expected in steps:
        report = robot.run(*command.split())
        assert report.complete, (command, report.text)
        assert robot.inventory() == expected, command
        shown = elements(robot.run("-q"))
        assert {address: each.barcode for address, each in shown.items() if each.barcode} == expected, command
    assert shown[257].source == 1024


def test_what_cannot_be_moved(robot: Robot) -> None:
    before = robot.inventory()
    for command in (
        "-o load=1029",  # empty
        "-o load=4000",  # no such element
        "-o move -o from-addr=1024 -o to-addr=1025",  # full
        "-o import=1030",  # nothing in the door
        "-o move -o from-addr=1024 -o to-addr=1",  # the arm keeps nothing
    ):
        assert not robot.run(*command.split()).complete, command
        assert robot.inventory() == before, command


def test_every_tape_gets_its_label(robot: Robot) -> None:
    media = [f"LABEL{number}@{FIRST_SLOT + number}" for number in range(3)]
    report = robot.use("-o", "init-labels", *(word for each in media for word in ("-m", each)))
    assert report.complete, report.text
    report = robot.use("-l")  # after which ndmjob sees a problem in the letter that says that it read a label
    assert re.findall(r'^ME "(\S+)"', report.text, re.MULTILINE) == media
    assert sorted(robot.inventory()) == [1024, 1025, 1026], "all are back in their slots"


def two_tapes(stage: Stage, where: str) -> tuple[Robot, list[Word]]:
    """A library whose first two tapes have labels, and how ndmjob is told of it and of a data server."""
    robot = Robot(stage, tree=where == "ours in one")
    data = {"our tape": lambda: stage.ndmjob(10001), "ours apart": lambda: stage.ours(tree=True)}
    agent = data[where]() if where in data else robot.agent
    media = ["-m", "FIRST@1024", "-m", "SECOND@1025"]
    assert robot.use("-o", "init-labels", *media).complete
    drive = robot.drive_options if agent is not robot.agent else robot.drive_options[2:]
    return robot, ["-D", agent, *drive]


@pytest.mark.parametrize(
    ("where", "size"), [("our tape", ""), ("ours apart", ""), ("ours in one", ""), ("ours in one", "/2000K")]
)
def test_a_backup_goes_on_to_the_next_tape(stage: Stage, tmp_path: Path, where: str, size: str) -> None:
    tree, restored = make_tree(tmp_path / "tree", files=FILES), tmp_path / "restored"
    restored.mkdir()
    robot, options = two_tapes(stage, where)
    media = ["-m", f"FIRST@1024{size}", "-m", "SECOND@1025"]
    application = stage.application

    report = application.run("-c", *options, *media, "-C", tree, "-E", "HIST=f", "-I", "index")
    assert report.ended_okay, report.text
    index = read_index(tmp_path / "index")
    labels = [re.fullmatch(r"(\w+)\+1/(\d+)K@(\d+)", each) for each in index.media]
    assert [(match[1], match[3]) for match in labels if match] == [("FIRST", "1024"), ("SECOND", "1025")]
    assert sum(int(match[2]) for match in labels if match) == report.kilobytes_moved
    if size:
        assert index.media[0] == "FIRST+1/2000K@1024"
    else:
        assert "At EOM, not writing filemarks" in report.text
    assert sorted(robot.inventory()) == [1024, 1025, 1026], "all are back in their slots"

    everything = [] if where == "our tape" else ["/"]
    known: list[Word] = ["-J", "index", "-C", restored, "-E", f"FILESYSTEM={restored}"]
    report = application.run("-x", *options, *media, *known, *everything)
    assert report.ended_okay, report.text
    assert differences(tree, restored) == []


def test_a_file_on_the_second_tape_is_found_directly(stage: Stage, tmp_path: Path) -> None:
    tree, restored = make_tree(tmp_path / "tree", files=FILES), tmp_path / "restored"
    restored.mkdir()
    _, options = two_tapes(stage, "ours apart")
    media = ["-m", "FIRST@1024", "-m", "SECOND@1025"]
    application = stage.application
    report = application.run("-c", *options, *media, "-C", tree, "-I", "index")
    assert report.ended_okay, report.text
    index = read_index(tmp_path / "index")
    beyond = int(index.media[0].partition("/")[2].partition("K")[0]) * 1024
    later = [path for path, entry in index.entries.items() if (entry.position or 0) > beyond and "/file-" in path]
    wanted = later[0]

    known: list[Word] = ["-J", "index", "-C", restored, "-E", "DIRECT=y", wanted]
    report = application.run("-x", *options, *media, *known)
    assert report.ended_okay, report.text
    assert "Operation requires a different tape" in report.text
    assert (restored / wanted[1:]).read_bytes() == (tree / wanted[1:]).read_bytes()
    assert report.kilobytes_moved < 100
