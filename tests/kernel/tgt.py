"""A tape library that nobody here wrote: tgtd's, by iSCSI on the loopback interface of a namespace."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.peers.namespace import Namespace, end_process
from tests.peers.requirements import require_peer

__all__ = ["TgtLibrary", "tgt_library"]

TARGET: Final = "iqn.2026-11.test.ndmpdup:library"
PORT: Final = 3260
DRIVE_LUN, CHANGER_LUN = 1, 2
DRIVE: Final = (
    "vendor_id=HP,product_id=Ultrium 3-SCSI,product_rev=D21W,scsi_sn=HU012345AB,scsi_id=HP LTO3 ULTRIUM,removable=1"
)
CHANGER: Final = "vendor_id=HP,product_id=MSL G3 Series,product_rev=3.00,scsi_sn=ABC01234G3,removable=1"
SLOTS: Final = 50
MODE_PAGES: Final = (
    "0x02:0:14:0x80:0x80:0:0xa:0:0:0:0:0:0:0:0:0:0",
    "0x1a:0:10:0:0:0:0:0:0:0:0:0:0",
    "0x1c:0:10:8:0:0:0:0:0:0:0:0:0",
    "0x1d:0:18" + 18 * ":0",
    "0x1e:0:2:0:0",
    "0x1f:0:18:15:7:15:15:15:15:0:0:0:0:15:15:15:15:0:0:0:0",
)
"""The last three: geometry, which tgtd fills in itself when it gets elements, rotation, capabilities."""


@dataclass(frozen=True)
class TgtLibrary:
    """One drive, fifty slots, one import/export slot; the tapes lie in the first slots."""

    namespace: Namespace
    media: Path
    process: subprocess.Popen[bytes]
    control: int

    @property
    def drive_url(self) -> str:
        """The drive, as QEMU and libiscsi write it."""
        return f"iscsi://127.0.0.1:{PORT}/{TARGET}/{DRIVE_LUN}"

    @property
    def changer_url(self) -> str:
        """The changer, likewise."""
        return f"iscsi://127.0.0.1:{PORT}/{TARGET}/{CHANGER_LUN}"

    def admin(self, *words: str) -> None:
        """Run tgtadm."""
        command = [require_peer("tgtadm"), "-C", str(self.control), "--lld", "iscsi", *words]
        done = self.namespace.run(command, check=False, timeout=20)
        if done.returncode:
            raise RuntimeError(f"tgtadm {' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def tgt_library(
    namespace: Namespace, folder: Path, *, barcodes: tuple[str, ...] = ("A0000001L3", "A0000002L3"), tape_mib: int = 64
) -> Iterator[TgtLibrary]:
    """Run tgtd in the namespace with such a library; its media are files in ``folder``."""
    for name, kind in (("notape", "clean"), *((barcode, "data") for barcode in barcodes)):
        _make_tape(folder / name, kind, tape_mib)
    folder.joinpath("changer").write_bytes(bytes(1024))
    # Its control socket lies outside the namespace, so its number must be our own.
    control = os.getpid() % 30000 + 1
    command = [require_peer("tgtd"), "-f", "-C", str(control), "--iscsi", f"portal=127.0.0.1:{PORT}"]
    with folder.joinpath("tgtd.log").open("wb") as log:
        process = namespace.popen(command, stdout=log, stderr=log)
    library = TgtLibrary(namespace, folder, process, control)
    try:
        namespace.connect("127.0.0.1", PORT).close()
        _set_up(library, barcodes)
        yield library
    finally:
        end_process(process, timeout=0.5)  # it ignores SIGTERM while it has a target


def _make_tape(path: Path, kind: str, tape_mib: int) -> None:
    barcode = path.name if kind == "data" else ""
    command = [require_peer("tgtimg"), "--op=new", "--device-type=tape", f"--barcode={barcode}"]
    subprocess.run(
        [*command, f"--size={tape_mib if kind == 'data' else 1}", f"--type={kind}", f"--file={path}"],
        check=True,
        capture_output=True,
        timeout=20,
    )


def _set_up(library: TgtLibrary, barcodes: tuple[str, ...]) -> None:
    unit = ("--mode", "logicalunit", "--tid", "1")
    update = ("--op", "update", *unit, "--lun", str(CHANGER_LUN), "--params")
    library.admin("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET)
    new = ("--op", "new", *unit, "--lun")
    library.admin(*new, str(DRIVE_LUN), "--device-type", "tape", "-b", str(library.media / "notape"))
    library.admin("--op", "update", *unit, "--lun", str(DRIVE_LUN), "--params", DRIVE)
    library.admin(*new, str(CHANGER_LUN), "--device-type", "changer", "-b", str(library.media / "changer"))
    library.admin(*update, CHANGER)
    for page in MODE_PAGES:
        library.admin(*update, f"mode_page={page}")
    for element, start, count in ((1, 1, 1), (2, 1000, SLOTS), (3, 900, 1), (4, 2, 1)):
        home = f",media_home={library.media}" if element == 1 else ""
        library.admin(*update, f"element_type={element},start_address={start},quantity={count}{home}")
    library.admin(*update, f"element_type=4,address=2,tid=1,lun={DRIVE_LUN}")
    for slot, barcode in enumerate(barcodes):
        library.admin(*update, f"element_type=2,address={1000 + slot},barcode={barcode},sides=1")
    library.admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
