"""The contracts that are shipped for the makers of hosts, on the backends of this product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from duplicator.adapters import VirtualChangerBackend, VirtualTapeBackend, library_tapes
from duplicator.device_adapters import DeviceChangerBackend, DeviceTapeBackend
from duplicator.trees import TreeBackend
from duplicator.units import DirectoryUnits
from ndmp.backends import DataBackend, FileServiceBackend, ScsiBackend, TapeBackend
from ndmp.contracts import DataContract, FileServiceContract, ScsiContract, TapeContract
from scsi.virtual.library import Library
from scsi.virtual.library_url import open_library_url, parse_library_url
from scsi.virtual.url import parse_url


class TestVirtualTape(TapeContract):
    warns_within = 64
    folder: Path

    @pytest.fixture(autouse=True)
    def _shelf(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def tape(self) -> TapeBackend:
        return VirtualTapeBackend(parse_url(f"virtual:{self.folder}/VOL001?capacity=64K&early_warning=32K&sync=no"))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """A library of two drives, with a blank cartridge in the first."""
    url = f"virtual-library:{tmp_path}/library?drives=2&slots=4&cartridges=2&capacity=1M&sync=no"
    made = open_library_url(parse_library_url(url))
    made.move(made.configuration.first_slot, made.configuration.first_drive)
    yield made
    made.close()


class TestTapeOfALibrary(TapeContract):
    record_bytes = 8192
    warns_within = 128

    @pytest.fixture(autouse=True)
    def _library(self, library: Library) -> None:
        self.library = library

    def tape(self) -> TapeBackend:
        return library_tapes("library", self.library)["library.drive0"]


class TestVirtualChanger(ScsiContract):
    @pytest.fixture(autouse=True)
    def _library(self, library: Library) -> None:
        self.library = library

    def changer(self) -> ScsiBackend:
        return VirtualChangerBackend(self.library)


class TestDirectoryUnits(FileServiceContract):
    units: DirectoryUnits

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        with DirectoryUnits({"unit": tmp_path}) as self.units:
            yield

    def service(self) -> FileServiceBackend:
        return self.units


class TestTreesByTar(DataContract):
    butype = "tar"
    exported: Path
    trees: TreeBackend

    @pytest.fixture(autouse=True)
    def _export(self, tmp_path: Path) -> None:
        self.exported = tmp_path
        self.trees = TreeBackend([tmp_path], None)

    def server(self) -> DataBackend:
        return self.trees

    def _new(self) -> Path:
        folder = self.exported / f"made{len(list(self.exported.iterdir()))}"
        folder.mkdir()
        return folder

    def fill(self, files: Mapping[str, bytes]) -> dict[str, str]:
        root = self._new()
        for path, body in files.items():
            (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (root / path[1:]).write_bytes(body)
        return {"FILESYSTEM": str(root)}

    def place(self) -> str:
        return str(self._new())

    def found(self, place: str) -> Mapping[str, bytes]:
        return {str(path)[len(place) :]: path.read_bytes() for path in Path(place).rglob("*") if path.is_file()}


class TestTreesByDump(TestTreesByTar):
    butype = "dump"


class TestTapeByCommands(TapeContract):
    """What serves sg: and iscsi: drives, on a virtual one that is reached by commands alone."""

    warns_within = 64
    folder: Path

    @pytest.fixture(autouse=True)
    def _shelf(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def tape(self) -> TapeBackend:
        return DeviceTapeBackend(f"virtual:{self.folder}/VOL001?capacity=64K&early_warning=32K&sync=no")


class TestChangerByCommands(ScsiContract):
    folder: Path

    @pytest.fixture(autouse=True)
    def _shelf(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def changer(self) -> ScsiBackend:
        return DeviceChangerBackend(f"virtual-library:{self.folder}/library?cartridges=2&capacity=1M&sync=no")
