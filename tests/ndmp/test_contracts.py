"""The contracts that are shipped for the makers of hosts, on backends in memory that keep them."""

from __future__ import annotations

from collections.abc import Mapping

from ndmp.backends import DataBackend, FileServiceBackend, ScsiBackend, TapeBackend
from ndmp.contracts import DataContract, FileServiceContract, ScsiContract, TapeContract
from tests.ndmp.fakes import MemoryTape
from tests.ndmp.fakes_scsi import MemoryChanger
from tests.ndmp.memory_files import MemoryFiles
from tests.ndmp.memory_server import MemoryServer


class TestMemoryTape(TapeContract):
    warns_within = 6

    def tape(self) -> TapeBackend:
        return MemoryTape(warn_after=5)


class TestMemoryTapeOfLongRecords(TapeContract):
    record_bytes = 100_000
    warns_within = 6

    def tape(self) -> TapeBackend:
        return MemoryTape(warn_after=5)


class TestMemoryChanger(ScsiContract):
    def changer(self) -> ScsiBackend:
        return MemoryChanger()


class TestMemoryServer(DataContract):
    memory: MemoryServer

    def setup_method(self) -> None:
        self.memory = MemoryServer()

    def server(self) -> DataBackend:
        return self.memory

    def fill(self, files: Mapping[str, bytes]) -> dict[str, str]:
        root = f"/volume{len(self.memory.roots)}"
        self.memory.roots.append(root)
        self.memory.files |= {root + path: body for path, body in files.items()}
        return {"FILESYSTEM": root}

    def place(self) -> str:
        return f"/place{len(self.memory.files)}"

    def found(self, place: str) -> Mapping[str, bytes]:
        return {path[len(place) :]: body for path, body in self.memory.files.items() if path.startswith(place + "/")}


class TestMemoryFiles(FileServiceContract):
    def service(self) -> FileServiceBackend:
        return MemoryFiles()
