"""The contracts by a real kernel's drivers: sg and st on drives of tgtd and of scsi_debug, sg on tgtd's changer.

mt and mtx agree.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.contract_runs import PYTEST_IN_A_GUEST, SCRATCH, contract_variables
from tests.kernel.guest import Guest
from tests.kernel.tgt import tgt_library
from tests.peers import network_namespace, require_peer

COMMAND = [*PYTEST_IN_A_GUEST, "tests/kernel/device_contracts.py"]
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
URLS = ["sg:/dev/sg0", "st:/dev/nst0"]


@pytest.mark.timeout(320)  # python in an emulated processor
def test_contracts_on_tgtd(tmp_path: Path) -> None:
    for program in ("mt", "mtx"):
        require_peer(program)
    variables = contract_variables("tgtd", URLS, "sg:/dev/sg1")
    with network_namespace() as namespace, tgt_library(namespace, tmp_path, barcodes=SCRATCH, tape_mib=4) as library:
        guest = Guest(namespace, tmp_path, [library.drive_url, library.changer_url])
        done = guest.run(COMMAND, env={**variables, **PATH}, timeout=280)
    assert done.status == 0, done.stdout + done.stderr + done.console
    assert "36 passed, 10 xfailed" in done.stdout, done.stdout


@pytest.mark.timeout(320)
def test_contracts_on_scsi_debug(tmp_path: Path) -> None:
    require_peer("mt")
    variables = contract_variables("scsi_debug", URLS, "")
    with network_namespace() as namespace:
        guest = Guest(namespace, tmp_path, modules={"scsi_debug": "ptype=1 delay=0"})
        done = guest.run(COMMAND, env={**variables, **PATH}, timeout=280)
    assert done.status == 0, done.stdout + done.stderr + done.console
    assert "31 passed, 7 skipped, 8 xfailed" in done.stdout, done.stdout
