"""sg3-utils and tapeinfo on the virtual drive, in a guest: they print what was set, and what we see ourselves."""

from __future__ import annotations

import re

import pytest

from scsi.devices import open_drive
from tests.kernel.device_contracts import emptied
from tests.kernel.strangers_bench import CHANGER, DRIVE, TALE, TAPE, ask, loaded, mt, says


@pytest.fixture(autouse=True)
def _empty_drive() -> None:
    emptied()


def test_identity() -> None:
    for node, kind, product, serial in (
        (DRIVE, "tape", "TAPE DRIVE", "VL20261100"),
        (CHANGER, "medium changer", "TAPE LIBRARY", "VL20261101"),
    ):
        says(
            ask("sg_inq", node),
            *("PQual=0", "RMB=1", "[SPC-4]", f"type: {kind}", f"Product identification: {product}"),
            *("Vendor identification: VIRTUAL", "revision level: 1.00", f"Unit serial number: {serial}"),
        )
        for page in (("-p", "0x80"), ("-p", "sn")):
            says(ask("sg_inq", *page, node), f"Unit serial number: {serial}")
        says(ask("sg_vpd", "-p", "0x83", node), f"vendor id: VIRTUAL vendor specific: {product} {serial}")
    says(ask("sg_inq", "-p", "0x83", DRIVE), "designator_type: T10 vendor identification, code_set: ASCII")
    says(ask("sg_vpd", "-a", DRIVE), "WORM=1", "method: 1, info_len: 4, LBP_W_C=1", "method: 2, info_len: 4")
    says(ask("sg_luns", DRIVE), "1 lun entry")  # QEMU's own answer


def test_what_the_drive_tells() -> None:
    with loaded(TALE):
        ask("dd", "if=/dev/zero", f"of={TAPE}", "bs=1M", "count=3")
        drive = open_drive(f"sg:{DRIVE}")
        capacity = drive.capacity()
        drive.close()
        total, left = capacity.total_bytes >> 20, capacity.remaining_bytes >> 20
        assert (total, left) == (16, 13)
        says(
            ask("sg_logs", "-a", DRIVE),
            *("from BOP to EOD: 3 MB", "from BOP to EW of current partition: 15 MB", "to current position: 3 MB"),
            *("MACC=1 CMPR=0 WRTP=0", "MTHRD=1 MOUNTED=1", f"barcode: {TALE} Write protect: 0 WORM: 0"),
            *("Read warning: 0", f"remaining capacity (in MiB): {left}", f"maximum capacity (in MiB): {total}"),
        )
        says(
            ask("sg_read_attr", DRIVE),
            *(f"Remaining capacity in partition [MiB]: {left}", f"Maximum capacity in partition [MiB]: {total}"),
            *("Medium manufacturer: VIRTUAL", "Medium density code: 0x5e", f"Barcode: {TALE}"),
        )
        says(
            ask("sg_read_block_limits", DRIVE), "Minimum block size: 1 byte(s)", "Maximum block size: 16777215 byte(s)"
        )
        says(ask("sg_turs", "-v", "-n", "5", DRIVE), "Completed 5 Test Unit Ready commands with 0 errors")
        says(ask("sg_requests", DRIVE), "Fixed format, current; Sense key: No Sense")
        says(ask("sg_requests", "-d", DRIVE), "Descriptor format, current; Sense key: No Sense")
        says(
            ask("tapeinfo", "-f", DRIVE),
            *("Vendor ID: 'VIRTUAL '", "SerialNumber: 'VL20261100'", "MinBlock: 1 MaxBlock: 16777215", "Ready: yes"),
            *("Medium Type: 0x88", "Density Code: 0x5e", "BlockSize: 0", "DataCompCapable: no", "Block Position: 4"),
        )


def test_mode_pages() -> None:
    with loaded(TALE):
        for size, descriptor in (("4096", "5e 00 00 00 00 00 10 00"), ("0", "5e 00 00 00 00 00 00 00")):
            mt("setblk", size)
            says(mt("status"), f"Tape block size {size} bytes. Density code 0x5e (LTO-8).", "BOT ONLINE")
            for length in ((), ("-6",)):
                says(
                    ask("sg_modes", *length, "-a", DRIVE),
                    *("medium type=0x88, specific param=0x10", f"Density code=0x5e 00 {descriptor} >>"),
                    *("Control, page_control", "Data Compression", "Device configuration", "Medium Partition [1]"),
                )
        says(ask("sg_modes", "-p", "0x0a,0xf0", DRIVE), "4a f0 00 1c 00 00 00 00")
        mt("setdensity", "0x5e")
        mt("setdensity", "0x58", code=2)  # no density of this cartridge
        for count in ("0", "1"):
            mt("compression", count, code=2)  # nothing is compressed, and page 0F says so
            mt("drvbuffer", count)
        says(
            ask("sg_modes", "-a", CHANGER), "1d 12 00 01 00 01 04 00 00 3c 00 10 00 01 01 00", "1f 12 0e 00 00 0e 0e 0e"
        )


def test_commands() -> None:
    listed = re.findall(r" ([0-9a-f]{2})(?: +([0-9a-f]+))? +\d+ +\d,\d ", ask("sg_opcodes", DRIVE).replace("  ", " "))
    for code in ("00", "01", "03", "05", "08", "0a", "10", "11", "2b", "44", "91", "92", "a0"):
        assert (code, "") in listed, (code, listed)
    for pair in (
        ("34", "0"),
        ("34", "6"),
        ("5e", "0"),
        ("5e", "1"),
        ("5e", "2"),
        ("5f", "0"),
        ("5f", "6"),
        ("a3", "c"),
    ):
        assert pair in listed, (pair, listed)
    for asked, answer in (
        ("0x08", "Command is supported [conforming to SCSI standard]"),
        ("0x5e,0", "Command is supported [conforming to SCSI standard]"),
        ("0x5f,1", "Command is supported [conforming to SCSI standard]"),
        ("0x5e,3", "Command is NOT supported"),
        ("0x28", "Command is NOT supported"),
    ):
        says(ask("sg_opcodes", "-o", asked, DRIVE), answer)
    says(ask("sg_opcodes", "-R", DRIVE), "Nominal Recommended", "2b 10 - 3000 Locate(10)")


def test_reservations() -> None:
    key = ("-K", "0xabc123")
    with loaded(TALE):
        says(ask("sg_persist", "-k", DRIVE), "there are NO registered reservation keys")
        ask("sg_persist", "-o", "-G", "-S", "0xabc123", DRIVE)
        says(ask("sg_persist", "-k", DRIVE), "1 registered reservation key follows: 0xabc123")
        ask("sg_persist", "-o", "-R", *key, "-T", "3", DRIVE)
        says(ask("sg_persist", "-r", DRIVE), "Key=0xabc123 scope: LU_SCOPE, type: Exclusive Access")
        mt("rewind")
        ask("sg_persist", "-o", "-L", *key, "-T", "5", DRIVE, code=5)
        ask("sg_persist", "-o", "-L", *key, "-T", "3", DRIVE)
        says(ask("sg_persist", "-r", DRIVE), "there is NO reservation held")
        says(ask("sg_persist", "-c", DRIVE), "Exclusive Access, all registrants: 1", "(PTPL_C): 0")
        ask("sg_persist", "-o", "-G", *key, "-S", "0", DRIVE)
        says(ask("sg_persist", "-k", DRIVE), "there are NO registered reservation keys")
        # Full status would need the names of ports, which a target within a process does not have.
        ask("sg_persist", "-s", DRIVE, code=5)


def test_locking() -> None:
    with loaded(TALE):
        ask("sg_prevent", "--prevent", "1", DRIVE)
        says(ask("sg_start", "--stop", DRIVE, code=5), "Illegal request")
        ask("sg_prevent", "--allow", DRIVE)
        ask("sg_start", "--stop", DRIVE)
        says(ask("sg_turs", DRIVE, code=2), "device not ready")
        ask("sg_start", "--load", DRIVE)
        ask("sg_turs", DRIVE)
