"""The contracts by a real kernel's drivers: sg and st on tgtd's drive, sg on its changer; mt and mtx agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.kernel.contract_runs import SCRATCH, contract_variables
from tests.kernel.guest import Guest
from tests.kernel.tgt import tgt_library
from tests.peers import network_namespace, require_peer


@pytest.mark.timeout(320)  # python in an emulated processor
def test_contracts_in_a_guest(tmp_path: Path) -> None:
    for program in ("mt", "mtx"):
        require_peer(program)
    variables = contract_variables("tgtd", ["sg:/dev/sg0", "st:/dev/nst0"], "sg:/dev/sg1")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernel/device_contracts.py"]
    with network_namespace() as namespace, tgt_library(namespace, tmp_path, barcodes=SCRATCH, tape_mib=4) as library:
        guest = Guest(namespace, tmp_path, [library.drive_url, library.changer_url])
        done = guest.run(command, env={**variables, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, timeout=280)
    assert done.status == 0, done.stdout + done.stderr + done.console
    assert "28 passed, 8 xfailed" in done.stdout, done.stdout
