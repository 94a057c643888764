"""The contracts of NDMP devices on tgtd's, run by name in a namespace where it listens.

NDMPDUP_DRIVE and NDMPDUP_CHANGER are their URLs, NDMPDUP_TAPES the cartridges in slots, by barcode, one for each test.
What is expected to fail is in tests/scsi/deviations.py.
"""

from __future__ import annotations

import os

from duplicator.device_adapters import DeviceChangerBackend, DeviceTape, DeviceTapeBackend
from ndmp.backends import ScsiBackend, TapeBackend
from ndmp.contracts import ScsiContract, TapeContract
from ndmp.enums import TapeOpenMode
from scsi.devices import open_changer
from scsi.elements import ElementType

TAPES = iter(os.environ.get("NDMPDUP_TAPES", "").split(","))


class RewoundBackend(DeviceTapeBackend):
    """tgtd does not tell where its tape stands, so that every session must rewind it first."""

    def open(self, mode: TapeOpenMode) -> DeviceTape:
        tape = super().open(mode)
        tape.rewind()
        return tape


class TestTape(TapeContract):
    record_bytes = 1024

    def tape(self) -> TapeBackend:
        robot = open_changer(os.environ["NDMPDUP_CHANGER"])
        (drive,) = robot.inventory().of(ElementType.DRIVE)
        if drive.full:
            robot.unload(drive.address)
        robot.load(robot.inventory().find(next(TAPES)).address, drive.address)
        robot.close()
        return RewoundBackend(os.environ["NDMPDUP_DRIVE"])


class TestChanger(ScsiContract):
    def changer(self) -> ScsiBackend:
        return DeviceChangerBackend(os.environ["NDMPDUP_CHANGER"])
