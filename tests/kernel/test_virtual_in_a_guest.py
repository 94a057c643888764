"""Our virtual library by a real kernel's drivers, and by programs that nobody here wrote; all in one guest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scsi.virtual.library import NewVolume
from tests.kernel.contract_runs import PYTEST_IN_A_GUEST, SCRATCH, contract_variables
from tests.kernel.guest import Guest
from tests.kernel.virtual_iscsi import SLOTS, protected_cartridge, virtual_iscsi
from tests.peers import network_namespace, require_peer

PROGRAMS = ("mt", "mtx", "sg_inq", "sg_logs", "sg_vpd", "sg_read_attr", "tar")
MIB = 1 << 20
TAB = NewVolume("PROT01L8", capacity_bytes=4 * MIB)
SPECIAL = (
    NewVolume("TALE01L8", capacity_bytes=16 * MIB, early_warning_bytes=MIB),
    NewVolume("TINY01L8", capacity_bytes=MIB, early_warning_bytes=MIB // 4),
    NewVolume("WORM01LY", capacity_bytes=4 * MIB),
    TAB,
)
VOLUMES = (*(NewVolume(barcode, capacity_bytes=4 * MIB, early_warning_bytes=0) for barcode in SCRATCH), *SPECIAL)


@pytest.mark.timeout(320)  # python in an emulated processor
def test_contracts_and_strangers(tmp_path: Path) -> None:
    for program in PROGRAMS:
        require_peer(program)
    slots = {volume.barcode: number for number, volume in enumerate(VOLUMES, 1) if volume in SPECIAL}
    slots |= {"free": len(VOLUMES) + 1, "door": SLOTS + 1}
    variables = {
        **contract_variables("virtual", ["sg:/dev/sg0", "st:/dev/nst0"], "sg:/dev/sg1"),
        "NDMPDUP_SLOTS": json.dumps(slots),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    modules = ("device_contracts", "strangers_sg", "strangers_tape", "strangers_changer")
    command = [*PYTEST_IN_A_GUEST, *(f"tests/kernel/{module}.py" for module in modules)]
    protected_cartridge(tmp_path, TAB)
    with network_namespace() as namespace, virtual_iscsi(namespace, tmp_path, VOLUMES) as library:
        guest = Guest(namespace, tmp_path, [library.drive_url, library.changer_url])
        done = guest.run(command, env=variables, timeout=280)
    assert done.status == 0, done.stdout + done.stderr + done.console
    assert "60 passed, 3 xfailed" in done.stdout, done.stdout
