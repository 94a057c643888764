"""A whole duplication on devices of the kernel: run by test_duplication.py inside a guest.

The tape server drives /dev/sg0, the changer is /dev/sg1; then the kernel's tape driver reads the tape, by mt and dd.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from tests.duplicator.processes import site_in

IMAGE = hashlib.shake_128(b"image").digest(3_000_001)
RECORD = 262_144


def test_a_duplication(tmp_path: Path) -> None:
    unit = tmp_path / "unit"
    unit.mkdir()
    (unit / "image").write_bytes(IMAGE)
    with site_in(tmp_path) as site:
        assert site.ask("changer", "sg:/dev/sg1", "load", "1", "0")["moves"][0]["barcode"] == "A0000001L3"
        appliance = site.serve("--lsu", f"lsu={unit}")
        server = site.serve("--tape", "drive=sg:/dev/sg0", "--changer", "robot=sg:/dev/sg1")
        done = site.duplicate("image", source=appliance.url("lsu"), target=server.url("drive"))
        assert done.code == 0, done.err + server.log
        (job,) = done.document["jobs"]
        assert (job["status"], job["validated"], job["bytes"]) == (0, True, len(IMAGE))
        server.stop()
        appliance.stop()
    assert read_by_the_kernel(tmp_path / "back")[: len(IMAGE)] == IMAGE


def read_by_the_kernel(target: Path) -> bytes:
    """The second file of the tape: what is between the labels."""
    for words in (("rewind",), ("fsf", "1")):
        subprocess.run(["mt", "-f", "/dev/nst0", *words], check=True, timeout=60)
    subprocess.run(["dd", "if=/dev/nst0", f"of={target}", f"bs={RECORD}"], check=True, capture_output=True, timeout=60)
    return target.read_bytes()
