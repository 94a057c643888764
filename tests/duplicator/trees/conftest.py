"""Scenes for the tests of trees."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.duplicator.trees.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def open_scene() -> Iterator[Scene]:
    """One that others than root can reach too."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield Scene(folder)
    shutil.rmtree(folder)
