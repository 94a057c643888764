"""Changers that tell of their elements in one way only."""

from __future__ import annotations

from pathlib import Path

import pytest

from scsi.cdb import Command
from scsi.changer import Changer
from scsi.completion import Completion, Status
from scsi.elements import ElementType
from scsi.errors import InvalidField
from scsi.smc import ReadElementStatus
from scsi.transports.transport import Room
from scsi.transports.virtual import TargetTransport
from scsi.virtual import changer as virtual
from tests.scsi.faults import fixed
from tests.scsi.faulty_library import HOME, seen
from tests.scsi.library_shelf import small_library

REFUSED = Completion(Status.CHECK_CONDITION, sense=fixed(5, 0x24, 0x00))
NOTHING = Completion(Status.GOOD, data_in=bytes(8))


class OnlyAtOnce(TargetTransport):
    """Refuses to tell of a part, as ndmjob's robot does; asked for everything it may answer something else."""

    everything: Completion | None = None

    def execute(
        self,
        command: Command | bytes,
        *,
        data_out: bytes | memoryview = b"",
        data_in: Room = 0,
        timeout: float | None = None,
    ) -> Completion:
        if isinstance(command, ReadElementStatus):
            if command.type != ElementType.ALL or command.first > 1:
                return REFUSED
            if self.everything:
                return self.everything
        return super().execute(command, data_out=data_out, data_in=data_in, timeout=timeout)


def test_a_library_that_tells_of_everything_at_once(tmp_path: Path) -> None:
    with small_library(tmp_path) as library:
        way = OnlyAtOnce(virtual.Changer(library).session())
        robot = Changer(way)
        kinds = [each.type for each in robot.inventory().elements]
        assert (
            kinds
            == [ElementType.ARM] + [ElementType.SLOT] * 4 + [ElementType.IMPORT_EXPORT] * 2 + [ElementType.DRIVE] * 2
        )
        assert seen(robot) == HOME
        for answer in (REFUSED, NOTHING):
            way.everything = answer
            with pytest.raises(InvalidField):
                robot.inventory()
