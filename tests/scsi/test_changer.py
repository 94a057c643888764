"""The library behind a transport: the contract of all libraries on the virtual one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.devices import open_changer
from tests.scsi.changer_contract import ChangerContract, Layout


class TestVirtual(ChangerContract):
    """The contract."""

    @pytest.fixture
    def library(self, tmp_path: Path) -> Iterator[Layout]:
        changer = open_changer(f"virtual-library:{tmp_path}/library?drives=1&slots=4&cartridges=2&capacity=1M&sync=no")
        found = changer.addresses
        yield Layout(
            changer, found.first_slot, 4, found.first_import_export, found.first_drive, ("VT0001L8", "VT0002L8")
        )
        changer.close()
