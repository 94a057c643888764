"""The trees keep the contract of a data server, with both butypes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from duplicator.trees import TreeBackend
from ndmp.contracts import DataContract


class _Trees(DataContract):
    @pytest.fixture(autouse=True)
    def _exports(self, tmp_path: Path) -> None:
        self._tree = tmp_path / "tree"
        self._tree.mkdir()
        self._numbers = count()
        self._backend = TreeBackend([self._tree], tmp_path / "dates")

    def server(self) -> TreeBackend:
        return self._backend

    def fill(self, files: Mapping[str, bytes]) -> dict[str, str]:
        root = self._new()
        for path, body in files.items():
            file = Path(root + path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return {"FILESYSTEM": root}

    def place(self) -> str:
        return self._new()

    def found(self, place: str) -> Mapping[str, bytes]:
        return {
            os.path.join(folder, name).removeprefix(place): Path(folder, name).read_bytes()
            for folder, _, names in os.walk(place)
            for name in names
        }

    def _new(self) -> str:
        place = self._tree / str(next(self._numbers))
        place.mkdir()
        return str(place)


class TestTar(_Trees):
    butype = "tar"


class TestDump(_Trees):
    butype = "dump"
