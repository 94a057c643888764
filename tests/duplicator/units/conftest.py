"""A storage unit on a directory of its own, with a secret beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duplicator.units import DirectoryUnits
from ndmp.backends import FileServiceBackend


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The unit's directory."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"outside the unit")
    (tmp_path / "secret").write_bytes(b"outside the unit")
    (tmp_path / "unit").mkdir()
    return tmp_path / "unit"


@pytest.fixture
def units(root: Path) -> Iterator[FileServiceBackend]:
    """A writable backend with that unit, called ``lsu``."""
    with DirectoryUnits({"lsu": root}) as backend:
        yield backend
