"""Our virtual library by libiscsi: the whole contract, from a process that shares nothing with it but a connection."""

from __future__ import annotations

import sys
from pathlib import Path

from scsi.virtual.library import NewVolume
from tests.kernel.contract_runs import ROOT, SCRATCH, contract_variables, require_libiscsi
from tests.kernel.virtual_iscsi import virtual_iscsi
from tests.peers import network_namespace

BLANK = [NewVolume(barcode, capacity_bytes=4 << 20, early_warning_bytes=0) for barcode in SCRATCH]


def test_contracts(tmp_path: Path) -> None:
    require_libiscsi()
    with network_namespace() as namespace, virtual_iscsi(namespace, tmp_path, BLANK) as library:
        variables = contract_variables("virtual", [library.drive_url], library.changer_url)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernel/device_contracts.py"]
        done = namespace.run(command, check=False, timeout=90, env=variables, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 passed, 5 skipped" in done.stdout
