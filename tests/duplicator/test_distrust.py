"""An appliance that says less than a validation needs: its copies are never called valid."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from duplicator.adapters import VirtualTapeBackend
from duplicator.catalog import Catalog
from duplicator.credentials import Secret
from duplicator.engine import duplicate
from duplicator.mover import SocketMovers
from duplicator.plan import CopyRequest, JobResult, Place
from duplicator.recorder import Progress
from duplicator.status import Status
from duplicator.units import DirectoryUnits
from duplicator.urls import NdmpUrl
from ndmp.aio.server import HostServer
from ndmp.backends import FileHandle, FileStatus, Host, ImageInfo, RecordsRead, RecordsWritten
from ndmp.enums import DigestAlgorithm
from scsi.virtual.url import parse_url


class Nobody:
    def step(self, job_id: int, step: str, text: str) -> None:
        """Nobody watches."""

    def progress(self, job_id: int, progress: Progress) -> None:
        """Nobody watches."""


class WithoutFragments(DirectoryUnits):
    """Its images are there, and empty."""

    def image(self, unit: str, name: str) -> ImageInfo:
        return replace(super().image(unit, name), fragments=())


class Silent:
    """A fragment that tells no digest."""

    def __init__(self, handle: FileHandle) -> None:
        self._handle = handle

    def status(self) -> FileStatus:
        return replace(self._handle.status(), digest=b"")

    def write_records(self, records: memoryview, record_bytes: int) -> RecordsWritten:
        return self._handle.write_records(records, record_bytes)

    def read_records(self, into: memoryview, record_bytes: int) -> RecordsRead:
        return self._handle.read_records(into, record_bytes)

    def space_records(self, count: int) -> int:
        return self._handle.space_records(count)

    def close(self, *, keep: bool) -> None:
        self._handle.close(keep=keep)


class WithoutDigests(DirectoryUnits):
    """It computes none of the digests that it offers."""

    def open_read(self, unit: str, image: str, fragment: int, algorithm: DigestAlgorithm) -> FileHandle:
        return Silent(super().open_read(unit, image, fragment, algorithm))


async def copy_from(units: DirectoryUnits, folder: Path, catalog: Catalog) -> JobResult:
    tape = VirtualTapeBackend(parse_url(f"virtual:{folder / 'tape'}?capacity=16M&sync=no"))
    server = HostServer(Host("h", movers=SocketMovers(), tapes={"drive": tape}, files=units), {"u": b"s"}.get)
    _, port = await server.start("127.0.0.1", 0)
    places = [Place(NdmpUrl("u", "127.0.0.1", port, path), Secret("s")) for path in ("lsu", "drive")]
    try:
        return await duplicate(CopyRequest("image", *places), catalog, Nobody())
    finally:
        await server.stop()


def test_copies_that_nothing_vouches_for(tmp_path: Path) -> None:
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "image").write_bytes(b"content" * 20_000)
    cases = (
        (WithoutFragments, Status.NOTHING_MATCHES, "no fragments"),
        (WithoutDigests, Status.NDMP_FAILURE, "digest"),
        (DirectoryUnits, Status.SUCCESS, ""),
    )
    for kind, status, words in cases:
        with kind({"lsu": unit}) as units, Catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
            result = asyncio.run(copy_from(units, tmp_path, catalog))
        assert (result.status, result.validated) == (status, status == Status.SUCCESS), (kind, result)
        assert words in result.reason
