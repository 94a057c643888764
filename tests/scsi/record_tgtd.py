"""Records what tgtd's virtual library answers: ``python -m tests.scsi.record_tgtd fixtures`` (as root: tgt, libiscsi7).

Writes ``tgtd_changer.hex``: a title, the command, its status, and what came back, data or sense.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "iqn.2026-11.test:lib"
CHANGER = 2
DEADLINE = 20.0
PAGES = (
    "0:0:0",
    "0x1d:0:0x12" + ":0" * 18,
    "0x1e:0:2:0:0",
    "0x1f:0:0x12:0x0f:7" + ":0x0f" * 4 + ":0" * 4 + ":0x0f" * 4,
)
TAPES = {1000: "A0000001L3", 1001: "A0000002L3", 1005: "CLN001L1"}
COMMANDS = (
    ("TEST UNIT READY: the first command of a session", "000000000000"),
    ("TEST UNIT READY", "000000000000"),
    ("INQUIRY", "120000006000"),
    ("INQUIRY, serial number", "12018000ff00"),
    ("INQUIRY, identification", "12018300ff00"),
    ("MODE SENSE(6), element addresses", "1a001d00ff00"),
    ("MODE SENSE(6), transport geometry", "1a001e00ff00"),
    ("MODE SENSE(6), device capabilities", "1a001f00ff00"),
    ("READ ELEMENT STATUS, the arm", "b8110000ffff000010000000"),
    ("READ ELEMENT STATUS, slots", "b8120000ffff000010000000"),
    ("READ ELEMENT STATUS, import/export", "b8130000ffff000010000000"),
    ("READ ELEMENT STATUS, drives, with identifiers", "b8140000ffff010010000000"),
    ("READ ELEMENT STATUS, slots from 1001 on, two of them, without volume tags", "b80203e90002000010000000"),
    ("MOVE MEDIUM, slot 1000 to drive 2", "a500000103e8000200000000"),
    ("READ ELEMENT STATUS, drives after the move", "b8140000ffff010010000000"),
    ("MOVE MEDIUM, slot 1001 to the full drive", "a500000103e9000200000000"),
    ("MOVE MEDIUM, empty slot 1002 to import/export", "a500000103ea038400000000"),
    ("MOVE MEDIUM, to an address that is none", "a500000103e9c00000000000"),
    ("MOVE MEDIUM, drive 2 to import/export", "a50000010002038400000000"),
    ("READ ELEMENT STATUS, import/export after the move", "b8130000ffff000010000000"),
    ("EXCHANGE MEDIUM", "a600000103e803e903ea0000"),
)


def record(directory: Path) -> None:
    """Hold the dialogue anew."""
    with tempfile.TemporaryDirectory() as made, library(Path(made)) as portal, session(portal) as execute:
        lines = list[str]()
        for title, cdb in COMMANDS:
            status, answer = execute(bytes.fromhex(cdb))
            lines += [f"# {title}", f"> {cdb}", f"< {status:02x} {answer.hex()}".rstrip()]
    (directory / "tgtd_changer.hex").write_text("\n".join(lines) + "\n")


@contextmanager
def library(directory: Path) -> Iterator[str]:
    """tgtd with one drive, six slots and one import/export element; gives its portal."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        portal = f"127.0.0.1:{probe.getsockname()[1]}"
    control = str(os.getpid() % 30000)
    tapes = directory / "tapes"
    tapes.mkdir()
    (directory / "smc").write_bytes(bytes(1024))
    _image("clean", tapes / "notape", "")
    for barcode in TAPES.values():
        _image("clean" if barcode.startswith("CLN") else "data", tapes / barcode, barcode)
    server = subprocess.Popen(["tgtd", "-f", "-C", control, "--iscsi", f"portal={portal}"], stderr=subprocess.DEVNULL)
    try:
        _await_start(control)
        _configure(control, directory, tapes)
        yield portal
    finally:
        server.kill()
        server.wait()
        Path(f"/var/run/tgtd/socket.{control}").unlink(missing_ok=True)


def _image(kind: str, path: Path, barcode: str) -> None:
    command = ["tgtimg", "--op=new", "--device-type=tape", f"--barcode={barcode}", "--size=1", f"--type={kind}"]
    subprocess.run([*command, f"--file={path}"], check=True, stdout=subprocess.DEVNULL)


def _await_start(control: str) -> None:
    end = time.monotonic() + DEADLINE
    show = ["tgtadm", "-C", control, "--op", "show", "--mode", "sys"]
    while subprocess.run(show, capture_output=True, timeout=DEADLINE, check=False).returncode:
        if time.monotonic() > end:
            raise TimeoutError(control)


def _configure(control: str, directory: Path, tapes: Path) -> None:
    unit = ("--op", "new", "--mode", "logicalunit")
    change = ("--op", "update", "--mode", "logicalunit", "--lun", str(CHANGER), "--params")
    drive = ("--op", "update", "--mode", "logicalunit", "--lun", "1", "--params")
    home = f"media_home={tapes}"
    steps: list[tuple[str, ...]] = [
        ("--op", "new", "--mode", "target", "-T", NAME),
        (*unit, "--lun", "1", "--device-type", "tape", "-b", str(tapes / "notape")),
        (*drive, "vendor_id=HP,product_id=Ultrium 3-SCSI,product_rev=D21W,scsi_sn=HU012345AB,removable=1"),
        (*unit, "--lun", str(CHANGER), "--device-type", "changer", "-b", str(directory / "smc")),
        (*change, "vendor_id=HP,product_id=MSL G3 Series,product_rev=3.00,scsi_sn=ABC01234G3,removable=1"),
        *((*change, f"mode_page={page}") for page in PAGES),
        (*change, f"element_type=1,start_address=1,quantity=1,{home}"),
        (*change, f"element_type=2,start_address=1000,quantity=6,{home}"),
        (*change, f"element_type=3,start_address=900,quantity=1,{home}"),
        (*change, f"element_type=4,start_address=2,quantity=1,{home}"),
        (*change, "element_type=4,address=2,tid=1,lun=1"),
        *((*change, f"element_type=2,address={at},barcode={name},sides=1") for at, name in TAPES.items()),
        ("--op", "bind", "--mode", "target", "-I", "ALL"),
    ]
    for step in steps:
        subprocess.run(["tgtadm", "-C", control, "--lld", "iscsi", "--tid", "1", *step], check=True, timeout=DEADLINE)


class Buffer(ctypes.Structure):
    """struct scsi_data and struct iscsi_data."""

    _fields_ = (("size", ctypes.c_size_t), ("start", ctypes.c_void_p))


class SenseSummary(ctypes.Structure):
    """struct scsi_sense."""

    _fields_ = (
        *(("type", ctypes.c_ubyte), ("key", ctypes.c_int), ("ascq", ctypes.c_int)),
        *(("flags", ctypes.c_ubyte), ("bit", ctypes.c_ubyte), ("field", ctypes.c_uint16)),
    )


class Task(ctypes.Structure):
    """The beginning of struct scsi_task."""

    _fields_ = (
        *(("status", ctypes.c_int), ("cdb_size", ctypes.c_int), ("direction", ctypes.c_int)),
        *(("expected", ctypes.c_int), ("cdb", ctypes.c_ubyte * 16), ("residual_status", ctypes.c_int)),
        *(("residual", ctypes.c_size_t), ("sense", SenseSummary), ("size", ctypes.c_int), ("datain", ctypes.c_void_p)),
    )


class session:  # noqa: N801 (used as a function, in a with statement)
    """A session with the changer; what the with statement gives runs a command: status, and data or sense."""

    def __init__(self, portal: str) -> None:
        self._library = ctypes.CDLL("libiscsi.so.7")
        for name in ("iscsi_create_context", "scsi_create_task", "iscsi_scsi_command_sync"):
            getattr(self._library, name).restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.iscsi_create_context(b"iqn.2026-11.test:initiator"))
        self._library.iscsi_set_targetname(self._context, NAME.encode())
        self._library.iscsi_set_session_type(self._context, 2)
        if self._library.iscsi_connect_sync(self._context, portal.encode()):
            raise ConnectionError(portal)
        if self._library.iscsi_login_sync(self._context):
            raise ConnectionError(portal)

    def __enter__(self) -> object:
        return self.execute

    def __exit__(self, *_: object) -> None:
        self._library.iscsi_destroy_context(self._context)

    def execute(self, cdb: bytes) -> tuple[int, bytes]:
        """One command that reads, if anything."""
        reads = cdb[0] in (0x12, 0x1A, 0xB8)
        expected = (4096 if cdb[0] == 0xB8 else cdb[4]) if reads else 0
        task = self._library.scsi_create_task(len(cdb), cdb, 1 if reads else 0, expected)
        self._library.iscsi_scsi_command_sync(self._context, CHANGER, ctypes.c_void_p(task), None)
        done = Task.from_address(task)
        raw = ctypes.string_at(done.datain, done.size) if done.datain else b""
        # libiscsi leaves sense as it travels: its length comes first.
        return done.status, raw[2:] if done.status == 2 else raw


if __name__ == "__main__":
    record(Path(sys.argv[1]))
