"""`ndmpdup changer` on a virtual library, each command a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.processes import Site, site_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


@pytest.fixture
def robot(site: Site) -> tuple[str, str]:
    """Two drives at 256, four slots at 1024 with VT0001L8 to VT0003L8, two import/export elements at 16."""
    url = f"virtual-library:{site.folder}/library"
    made = site.run("changer", f"{url}?drives=2&slots=4&cartridges=3&capacity=1M", "create")
    assert (made.code, made.out) == (0, f"{site.folder}/library: 2 drives, 3 cartridges\n")
    return "changer", url


def shelves(site: Site, robot: tuple[str, str]) -> dict[str, str]:
    """What lies where, by the JSON inventory."""
    return {e["place"]: e["barcode"] for e in site.ask(*robot, "inventory")["elements"] if e["full"]}


def test_inventory(site: Site, robot: tuple[str, str]) -> None:
    rows = [line.split() for line in site.run(*robot, "inventory").out.splitlines()]
    assert rows == [
        ["place", "what", "address", "state", "barcode", "from"],
        ["drive0", "drive", "256", "empty"],
        ["drive1", "drive", "257", "empty"],
        ["1", "slot", "1024", "full", "VT0001L8"],
        ["2", "slot", "1025", "full", "VT0002L8"],
        ["3", "slot", "1026", "full", "VT0003L8"],
        ["4", "slot", "1027", "empty"],
        ["5", "import/export", "16", "empty"],
        ["6", "import/export", "17", "empty"],
    ]
    document = site.ask(*robot, "inventory")
    assert document["changer"] == {"vendor": "VIRTUAL", "product": "TAPE LIBRARY", "revision": "1.00"}
    assert document["elements"][2] == {
        "place": "1",
        "kind": "slot",
        "address": 1024,
        "full": True,
        "barcode": "VT0001L8",
        "from": None,
        "accessible": True,
        "trouble": None,
    }


def test_load_and_unload(site: Site, robot: tuple[str, str]) -> None:
    """A drive that is full is emptied first, to where its cartridge came from."""
    drive = f"{robot[1]}?drive=0"
    assert site.run(*robot, "load", "VT0002L8").out == "VT0002L8: 2 -> drive0\n"
    told = site.run(*robot, "load", "1", "drive0", "--tape", drive)
    assert told.out == "VT0002L8: drive0 -> 2\nVT0001L8: 1 -> drive0\n"
    assert site.run(*robot, "load", "VT0001L8", "0").out == "it is there already\n"
    assert site.run(*robot, "load", "@1026", "1").out == "VT0003L8: 3 -> drive1\n"
    assert shelves(site, robot) == {"drive0": "VT0001L8", "drive1": "VT0003L8", "2": "VT0002L8"}
    assert site.ask("tape", drive, "status")["loaded"]
    assert site.run(*robot, "unload", "VT0003L8", "--to", "6").out == "VT0003L8: drive1 -> 6\n"
    assert site.ask(*robot, "unload", "--tape", drive) == {
        "moves": [{"barcode": "VT0001L8", "from": "drive0", "to": "1"}]
    }
    assert shelves(site, robot) == {"1": "VT0001L8", "2": "VT0002L8", "6": "VT0003L8"}


def test_move_and_exchange(site: Site, robot: tuple[str, str]) -> None:
    assert site.run(*robot, "move", "VT0001L8", "4").out == "VT0001L8: 1 -> 4\n"
    assert site.run(*robot, "exchange", "2", "3").out == "VT0002L8: 2 -> 3\nVT0003L8: 3 -> 2\n"
    assert site.run(*robot, "exchange", "2", "3", "5").out == "VT0003L8: 2 -> 3\nVT0002L8: 3 -> 5\n"
    assert shelves(site, robot) == {"3": "VT0003L8", "4": "VT0001L8", "5": "VT0002L8"}
    assert site.run(*robot, "initialize").out == "done\n"


def test_refusals(site: Site, robot: tuple[str, str]) -> None:
    """Code 2: it cannot be meant; 1: the library does not do it. Nothing moves."""
    for words, code, said in (
        (("move", "1", "2"), 1, "full"),
        (("move", "4", "5"), 1, "empty"),
        (("move", "1", "9"), 2, "no slot 9"),
        (("move", "VT0009L8", "4"), 1, "no cartridge VT0009L8"),
        (("move", "1", "@4096"), 1, "no element 4096"),
        (("move", "1", "@x"), 2, "element address"),
        (("load", "1", "2"), 1, "drive2"),
        (("load", "1", "VT0002L8"), 2, "in no drive, but at 2"),
        (("unload",), 1, "no cartridge"),
    ):
        ended = site.run(*robot, *words)
        assert (ended.code, ended.out) == (code, ""), (words, ended)
        assert said in ended.err, (words, ended)
    assert shelves(site, robot) == {"1": "VT0001L8", "2": "VT0002L8", "3": "VT0003L8"}
    held = site.serve("--changer", f"c={robot[1]}")
    assert "in use" in site.run(*robot, "inventory").err
    held.stop()
