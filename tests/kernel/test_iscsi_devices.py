"""tgtd's drive and changer by iSCSI, over the loopback interface of a namespace: the contracts, and lost sessions."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kernel.contract_runs import ROOT, SCRATCH, contract_variables, require_libiscsi
from tests.kernel.iscsi_sessions import PASSWORD
from tests.kernel.tgt import PORT, tgt_library
from tests.peers import network_namespace


def test_contracts(tmp_path: Path) -> None:
    require_libiscsi()
    with network_namespace() as namespace, tgt_library(namespace, tmp_path, barcodes=SCRATCH, tape_mib=4) as library:
        variables = contract_variables("tgtd", [library.drive_url], library.changer_url)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernel/device_contracts.py"]
        done = namespace.run(command, check=False, timeout=90, env=variables, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "22 passed, 5 skipped, 2 xfailed" in done.stdout


def test_sessions(tmp_path: Path) -> None:
    require_libiscsi()
    with network_namespace() as namespace, tgt_library(namespace, tmp_path) as library:
        protected = "iqn.2026-11.test.ndmpdup:protected"
        library.admin("--op", "new", "--mode", "target", "--tid", "2", "-T", protected)
        library.admin("--op", "new", "--mode", "account", "--user", "operator", "--password", PASSWORD)
        library.admin("--op", "bind", "--mode", "account", "--tid", "2", "--user", "operator")
        library.admin("--op", "bind", "--mode", "target", "--tid", "2", "-I", "ALL")
        variables = {
            **contract_variables("tgtd", [library.drive_url], library.changer_url),
            "NDMPDUP_PID": str(library.process.pid),
            "NDMPDUP_PROTECTED": f"iscsi://operator@127.0.0.1:{PORT}/{protected}/0",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kernel/iscsi_sessions.py"]
        done = namespace.run(command, check=False, timeout=90, env=variables, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
