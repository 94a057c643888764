"""Our virtual library as units of an iSCSI target, in a network namespace: for programs that nobody here wrote."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scsi.virtual.image import create_cartridge
from scsi.virtual.inventory import Configuration
from scsi.virtual.library import NewVolume, create_library
from tests.kernel.contract_runs import ROOT
from tests.kernel.iscsi_target import TARGET
from tests.peers.namespace import Namespace, end_process, read_line

__all__ = ["SERIAL", "VirtualIscsi", "protected_cartridge", "virtual_iscsi"]

SERIAL: Final = "VL20261101"
SLOTS: Final = 60
DRIVE_LUN, CHANGER_LUN = 0, 1


@dataclass(frozen=True)
class VirtualIscsi:
    """One drive, forty slots, one import/export slot; the tapes lie in the first slots."""

    port: int

    @property
    def drive_url(self) -> str:
        """The drive, as QEMU and libiscsi write it."""
        return self.unit_url(DRIVE_LUN)

    @property
    def changer_url(self) -> str:
        """The changer, likewise."""
        return self.unit_url(CHANGER_LUN)

    def unit_url(self, lun: int) -> str:
        """Any unit, there or not."""
        return f"iscsi://127.0.0.1:{self.port}/{TARGET}/{lun}"


@contextlib.contextmanager
def virtual_iscsi(namespace: Namespace, folder: Path, volumes: Sequence[NewVolume]) -> Iterator[VirtualIscsi]:
    """Make a library in ``folder`` and serve it in the namespace; what the target says lands in target.log."""
    library = folder / "library"
    create_library(library, Configuration(1, SLOTS, 1, serial=SERIAL), volumes=volumes)
    command = [sys.executable, "-m", "tests.kernel.iscsi_target", str(library)]
    with folder.joinpath("target.log").open("wb") as log:
        process = namespace.popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT)
    assert process.stdout is not None
    try:
        yield VirtualIscsi(int(read_line(process.stdout, timeout=30)))
    finally:
        end_process(process)
    seen = folder.joinpath("target.log").read_text()
    assert "Traceback" not in seen, seen


def protected_cartridge(folder: Path, volume: NewVolume) -> NewVolume:
    """A cartridge for a library that is yet to be made in ``folder``, with its tab set."""
    directory = folder / "library"
    directory.mkdir(mode=0o700)
    warning = volume.early_warning_bytes or 0
    create_cartridge(
        directory / volume.barcode,
        capacity_bytes=volume.capacity_bytes,
        early_warning_bytes=warning,
        write_protected=True,
    )
    return volume
