"""The main job through a real kernel: tape server on /dev/sg0, changer on /dev/sg1, the tape read back by /dev/nst0."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.contract_runs import PYTEST_IN_A_GUEST
from tests.kernel.guest import Guest
from tests.kernel.tgt import tgt_library
from tests.peers import network_namespace, require_peer


@pytest.mark.timeout(320)  # python in an emulated processor
def test_a_duplication_in_a_guest(tmp_path: Path) -> None:
    require_peer("mt")
    command = [*PYTEST_IN_A_GUEST, "--timeout=270", "tests/kernel/duplication.py"]
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NDMPDUP_DEADLINE": "120"}
    with network_namespace() as namespace, tgt_library(namespace, tmp_path) as library:
        guest = Guest(namespace, tmp_path, [library.drive_url, library.changer_url])
        done = guest.run(command, env=variables, timeout=280)
    assert done.status == 0, done.stdout + done.stderr + done.console
