"""Ways to devices without any device: URLs, what libraries and kernels say, and memory."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from scsi import errors
from scsi.completion import Status
from scsi.devices import open_changer, open_drive, open_transport
from scsi.drive import ScsiDrive
from scsi.errors import DeviceUrlError, TransportLost
from scsi.spc import Inquiry
from scsi.transports.iscsi_url import IscsiUrl, chap_password, parse_iscsi_url
from scsi.transports.memory import address_of
from scsi.transports.sg import SgHeader, judge, moved
from scsi.virtual.drive import VirtualDrive


def test_iscsi_urls() -> None:
    end = "/iqn.2026-11.test:lib/1?initiator=iqn.2026-11.test:us"
    for url, host, port, user in (
        ("iscsi://10.0.0.1:3261" + end, "10.0.0.1", 3261, ""),
        ("iscsi://tape.example" + end, "tape.example", 3260, ""),
        ("iscsi://me%40here@[fd00::1]" + end, "fd00::1", 3260, "me@here"),
    ):
        assert parse_iscsi_url(url) == IscsiUrl(host, port, "iqn.2026-11.test:lib", 1, user, "iqn.2026-11.test:us")
    assert parse_iscsi_url("iscsi://[fd00::1]" + end).portal == "[fd00::1]:3260"
    assert parse_iscsi_url("iscsi://h/iqn.2026-11.test:lib/1").initiator.startswith("iqn.2026-11.ndmpdup:")


def test_iscsi_urls_that_are_none() -> None:
    for url, reason in (
        ("iscsi://me:secret@h/iqn.2026-11.test:lib/1", "NDMPDUP_ISCSI_PASSWORD"),
        ("iscsi:///iqn.2026-11.test:lib/1", "is not iscsi"),
        ("iscsi://h/lib/1", "no iSCSI name"),
        ("iscsi://h/iqn.2026-11.test:lib", "no iSCSI name"),
        ("iscsi://h/iqn.2026-11.test:lib/x", "logical unit"),
        ("iscsi://h/iqn.2026-11.test:lib/16384", "logical unit"),
        ("iscsi://h:99999/iqn.2026-11.test:lib/1", "[Pp]ort"),
        ("iscsi://h/iqn.2026-11.test:lib/1?speed=9", "is not iscsi"),
        ("iscsi://h/iqn.2026-11.test:lib/1?initiator=me", "no iSCSI name"),
    ):
        with pytest.raises(DeviceUrlError, match=reason) as caught:
            parse_iscsi_url(url)
        assert "secret" not in str(caught.value)


def test_passwords_come_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from the file\nnot this\n", encoding="utf-8")
    assert chap_password({"NDMPDUP_ISCSI_PASSWORD": "plain"}) == "plain"
    assert chap_password({"NDMPDUP_ISCSI_PASSWORD_FILE": str(file)}) == "from the file"
    for wrong in ({}, {"NDMPDUP_ISCSI_PASSWORD_FILE": str(tmp_path / "missing")}):
        with pytest.raises(DeviceUrlError):
            chap_password(wrong)


def test_urls_of_devices(tmp_path: Path) -> None:
    for url in ("tape0", "sg:dev/sg0", "file:/dev/nst0", f"sg:{tmp_path}", f"sg:{tmp_path}/none", "sg:/dev/null"):
        with pytest.raises(DeviceUrlError):
            open_transport(url)
    for url in ("st:nst0", f"st:{tmp_path}/none"):
        with pytest.raises(DeviceUrlError):
            open_drive(url)
    for url in ("st:/dev/nst0", "changer"):
        with pytest.raises(DeviceUrlError):
            open_changer(url)


def test_virtual_devices(tmp_path: Path) -> None:
    url = f"virtual:{tmp_path}/VT0001L8?capacity=1M&sync=no"
    transport = open_transport(url)
    assert transport.execute(Inquiry(96), data_in=96).data_in[8:15] == b"VIRTUAL"
    drive = ScsiDrive(transport)
    assert drive.write_blocks(memoryview(b"x" * 512), 512).blocks == 1
    drive.close()
    with pytest.raises(TransportLost):
        transport.execute(Inquiry(96), data_in=96)
    straight = open_drive(url)
    assert isinstance(straight, VirtualDrive)
    assert straight.read_blocks(memoryview(bytearray(512)), 512).blocks == 1
    straight.close()


def test_what_the_generic_driver_says() -> None:
    """Host status, driver status, SCSI status and bytes of sense, as the kernel's <scsi/sg.h> numbers them."""
    for host, driver, status, sense, outcome in (
        (0, 0, 0x00, 0, Status.GOOD),
        (0, 0x08, 0x02, 18, Status.CHECK_CONDITION),
        (0, 0x00, 0x02, 18, Status.CHECK_CONDITION),
        (0, 0, 0x18, 0, Status.RESERVATION_CONFLICT),
        (0, 0, 0x08, 0, Status.BUSY),
        (0x01, 0, 0, 0, errors.TransportLost),
        (0x02, 0, 0, 0, errors.Busy),
        (0x03, 0, 0, 0, errors.CommandTimeout),
        (0x03, 0x06, 0, 0, errors.CommandTimeout),
        (0, 0x06, 0, 0, errors.CommandTimeout),
        (0x05, 0, 0, 0, errors.CommandAborted),
        (0x08, 0, 0, 0, errors.CommandAborted),
        (0x07, 0, 0, 0, errors.TransportLost),
        (0x0E, 0, 0, 0, errors.TransportLost),
        (0x77, 0, 0, 0, errors.TransportLost),
    ):
        header = SgHeader(host_status=host, driver_status=driver, status=status, sense_bytes=sense)
        if isinstance(outcome, Status):
            assert judge(header) == outcome
        else:
            with pytest.raises(outcome):
                judge(header)


def test_a_residual_that_cannot_be_is_none() -> None:
    for residual, left in ((0, 5120), (120, 5000), (5120, 0), (-5020, 5120), (5121, 5120)):
        assert moved(SgHeader(transfer_bytes=5120, residual=residual)) == left


def test_header_is_as_long_as_the_kernels() -> None:
    assert ctypes.sizeof(SgHeader) == (88 if ctypes.sizeof(ctypes.c_void_p) == 8 else 64)


def test_memory_is_used_in_place_or_copied() -> None:
    array = bytearray(b"abcd")
    with address_of(memoryview(array)[1:]) as address:
        assert address is not None
        ctypes.memset(address, ord("x"), 2)
    assert array == b"axxd"
    for fixed in (b"abc", memoryview(b"abc")):
        with address_of(fixed) as address:
            assert address is not None
            assert ctypes.string_at(address, 3) == b"abc"
    with address_of(b"") as address:
        assert address is None
