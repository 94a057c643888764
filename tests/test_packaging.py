"""What setup.cfg says about the packages is what lies in the tree."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOP = ("duplicator", "ndmp", "scsi")


def settings() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_is_listed() -> None:
    listed = settings()["options"]["packages"].split()
    found = {path.parent.relative_to(ROOT) for top in TOP for path in (ROOT / top).rglob("*.py")}
    assert listed == sorted(".".join(folder.parts) for folder in found)


def test_every_package_folder_is_a_package() -> None:
    for top in TOP:
        for source in (ROOT / top).rglob("*.py"):
            assert (source.parent / "__init__.py").is_file(), source


def test_every_top_package_ships_its_types() -> None:
    package_data = settings()["options.package_data"]
    for top in TOP:
        assert package_data[top].split() == ["py.typed"]
        assert (ROOT / top / "py.typed").is_file()
