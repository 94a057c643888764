"""Messages that no host of ours serves, as objects and as bytes written by hand: field order of draft 2.12, 3 and 4."""

from __future__ import annotations

from typing import Any

from ndmp.enums import (
    AddressType,
    ButypeAttribute,
    CdbFlag,
    DataHaltReason,
    DataOperation,
    DataState,
    DataUnsupported,
    Error,
    FileStatUnsupported,
    FileType,
    FsInfoUnsupported,
    FsType,
    RecoveryStatus,
    ScsiAttribute,
)
from ndmp.messages import config as c
from ndmp.messages import data as d
from ndmp.messages import filehist as h
from ndmp.messages import notify as p
from ndmp.messages import scsi as s
from ndmp.messages import snapshot as x
from ndmp.types import IpcAddress, LocalAddress, Pval, TcpAddresses, TcpEndpoint
from ndmp.wire import OtherArm

__all__ = ["UNSERVED_ROWS", "UNSERVED_STRANGERS"]

OK, ERR = Error.NO_ERR, Error.ILLEGAL_STATE
ONES = 0xFFFFFFFFFFFFFFFF
PEER = TcpAddresses((TcpEndpoint(0x7F000001, 10000),))
PEER_WORDS = "00000001 00000001 7f000001 00002710 00000000"
ENV = (Pval("HIST", "f"), Pval("X-OUR", ""))
ENV_WORDS = "00000002 00000004 48495354 00000001 66000000 00000005 582d4f55 52000000 00000000"
NAMES = (
    d.RecoverName(original_path="/a", destination_path="/dst", name="b", other_name="", node=5, fh_info=1 << 32),
    d.RecoverName(original_path="", destination_path="/", name="", other_name="~", node=ONES, fh_info=ONES),
)
NAMES_WORDS = (
    "00000002"
    " 00000002 2f610000 00000004 2f647374 00000001 62000000 00000000 0000000000000005 0000000100000000"
    " 00000000 00000001 2f000000 00000000 00000001 7e000000 ffffffffffffffff ffffffffffffffff"
)
STAT = h.FileStat(
    FileStatUnsupported.ATIME | FileStatUnsupported.GROUP,
    FsType.UNIX,
    FileType.REG,
    mtime=1,
    atime=2,
    ctime=3,
    owner=4,
    group=5,
    attributes=0o644,
    size=1 << 33,
    links=6,
)
STAT_WORDS = (
    "00000005 00000000 00000004 00000001 00000002 00000003 00000004 00000005 000001a4 0000000200000000 00000006"
)

UNSERVED_ROWS: list[tuple[Any, str]] = [
    # 3.2.5, 3.2.6, 3.2.8
    (c.ConfigGetButypeInfo(), ""),
    (
        c.ConfigGetButypeInfoReply(
            OK,
            (
                c.ButypeInfo("dump", ENV, ButypeAttribute.RECOVER_DIRECT | ButypeAttribute.BACKUP_FH_DIR),
                c.ButypeInfo("", (), ButypeAttribute(0)),
            ),
        ),
        f"00000000 00000002 00000004 64756d70 {ENV_WORDS} 00000410 00000000 00000000 00000000",
    ),
    (c.ConfigGetFsInfo(), ""),
    (
        c.ConfigGetFsInfoReply(
            OK,
            (
                c.FsInfo(
                    FsInfoUnsupported.USED_SIZE | FsInfoUnsupported.USED_INODES,
                    fs_type="ufs",
                    logical_device="/vol",
                    physical_device="/dev/a",
                    total_size=1,
                    used_size=2,
                    avail_size=3,
                    total_inodes=4,
                    used_inodes=5,
                    environment=(Pval("LOCAL", "y"),),
                    status="online",
                ),
            ),
        ),
        (
            "00000000 00000001 00000012 00000003 75667300 00000004 2f766f6c 00000006 2f646576 2f610000"
            " 0000000000000001 0000000000000002 0000000000000003 0000000000000004 0000000000000005"
            " 00000001 00000005 4c4f4341 4c000000 00000001 79000000 00000006 6f6e6c69 6e650000"
        ),
    ),
    (c.ConfigGetScsiInfo(), ""),
    (
        c.ConfigGetScsiInfoReply(
            OK,
            (
                c.ScsiDeviceInfo(
                    "MSL",
                    (
                        c.ScsiDeviceCapability("c0", ScsiAttribute.SHARED_ROBOT, (Pval("A", "1"),)),
                        c.ScsiDeviceCapability("c1", ScsiAttribute(0), ()),
                    ),
                ),
            ),
        ),
        (
            "00000000 00000001 00000003 4d534c00 00000002"
            " 00000002 63300000 00000001 00000001 00000001 41000000 00000001 31000000"
            " 00000002 63310000 00000000 00000000"
        ),
    ),
    # 3.3 SCSI
    (s.ScsiOpen("c0"), "00000002 63300000"),
    (s.ScsiOpenReply(Error.DEVICE_OPENED), "00000003"),
    (s.ScsiClose(), ""),
    (s.ScsiCloseReply(Error.DEV_NOT_OPEN), "00000006"),
    (s.ScsiGetState(), ""),
    (s.ScsiGetStateReply(OK, controller=1, target_id=2, lun=3), "00000000 00000001 00000002 00000003"),
    (s.ScsiGetStateReply(OK, controller=-1, target_id=-32768, lun=32767), "00000000 ffffffff ffff8000 00007fff"),
    (s.ScsiResetDevice(), ""),
    (s.ScsiResetDeviceReply(Error.NOT_SUPPORTED), "00000001"),
    (
        s.ScsiExecuteCdb(
            flags=CdbFlag.DATA_IN, timeout=60000, datain_len=512, cdb=b"\xb8\x10\x00\x00\xff", dataout=b""
        ),
        "00000001 0000ea60 00000200 00000005 b8100000 ff000000 00000000",
    ),
    (
        s.ScsiExecuteCdbReply(Error.TIMEOUT, status=0x18, dataout_len=7, datain=b"ab", sense=b"\x70"),
        "00000008 00000018 00000007 00000002 61620000 00000001 70000000",
    ),
    # 3.5 DATA
    (d.DataGetState(), ""),
    (
        d.DataGetStateReply(
            DataUnsupported.EST_BYTES_REMAIN | DataUnsupported.EST_TIME_REMAIN,
            OK,
            DataOperation.RECOVER_FILEHIST,
            DataState.CONNECTED,
            DataHaltReason.CONNECT_ERROR,
            bytes_processed=5,
            est_bytes_remain=6,
            est_time_remain=7,
            address=PEER,
            read_offset=8,
            read_length=ONES,
        ),
        (
            "00000003 00000000 00000003 00000004 00000004 0000000000000005 0000000000000006 00000007"
            f" {PEER_WORDS} 0000000000000008 ffffffffffffffff"
        ),
    ),
    (d.DataStartBackup(butype="dump", environment=ENV), f"00000004 64756d70 {ENV_WORDS}"),
    (d.DataStartBackupReply(Error.ILLEGAL_ARGS), "00000009"),
    (d.DataStartRecover(environment=ENV, names=NAMES, butype="tar"), f"{ENV_WORDS} {NAMES_WORDS} 00000003 74617200"),
    (d.DataStartRecoverReply(ERR), "00000013"),
    (d.DataAbort(), ""),
    (d.DataAbortReply(ERR), "00000013"),
    (d.DataGetEnv(), ""),
    (d.DataGetEnvReply(OK, ENV), f"00000000 {ENV_WORDS}"),
    (d.DataStop(), ""),
    (d.DataStopReply(ERR), "00000013"),
    (d.DataListen(AddressType.IPC), "00000003"),
    (d.DataListenReply(OK, IpcAddress(b"/s")), "00000000 00000003 00000002 2f730000"),
    (d.DataConnect(PEER), PEER_WORDS),
    (d.DataConnect(LocalAddress()), "00000000"),
    (d.DataConnectReply(Error.CONNECT), "00000017"),
    (d.DataStartRecoverFilehist((), NAMES, ""), f"00000000 {NAMES_WORDS} 00000000"),
    (d.DataStartRecoverFilehistReply(OK), "00000000"),
    # 4.1.1, 4.1.5, 4.2.2
    (p.NotifyDataHalted(DataHaltReason.ABORTED), "00000002"),
    (p.NotifyDataRead(offset=1 << 40, length=ONES), "0000010000000000 ffffffffffffffff"),
    (p.LogFile(name="/a", status=RecoveryStatus.FILE_PATH_EXISTS), "00000002 2f610000 00000007"),
    # 4.3 FH
    (
        h.FhAddFile(
            (
                h.FhFile((h.UnixName("/etc"), h.NtName(nt_path="\\ETC", dos_path="E")), (STAT,), node=7, fh_info=ONES),
                h.FhFile((h.OtherName(FsType.OTHER, "o"),), (), node=0, fh_info=1),
            )
        ),
        (
            "00000002"
            " 00000002 00000000 00000004 2f657463 00000001 00000004 5c455443 00000001 45000000"
            f" 00000001 {STAT_WORDS} 0000000000000007 ffffffffffffffff"
            " 00000001 00000002 00000001 6f000000 00000000 0000000000000000 0000000000000001"
        ),
    ),
    (
        h.FhAddDir((h.FhDir((h.UnixName("."),), 2, 2), h.FhDir((h.UnixName("a"),), node=3, parent=2))),
        (
            "00000002 00000001 00000000 00000001 2e000000 0000000000000002 0000000000000002"
            " 00000001 00000000 00000001 61000000 0000000000000003 0000000000000002"
        ),
    ),
    (
        h.FhAddNode((h.FhNode((STAT,), node=3, fh_info=1 << 32), h.FhNode((), 4, 5))),
        (
            f"00000002 00000001 {STAT_WORDS} 0000000000000003 0000000100000000"
            " 00000000 0000000000000004 0000000000000005"
        ),
    ),
    # class 0x2050
    (x.SnapshotCreate(path="/vol", name="s1"), "00000004 2f766f6c 00000002 73310000"),
    (x.SnapshotCreateReply(Error.SNAPSHOT_EXISTS), "20500100"),
    (x.SnapshotDelete("s1"), "00000002 73310000"),
    (x.SnapshotDeleteReply(Error.SNAPSHOT_BUSY), "20500105"),
]

UNSERVED_STRANGERS: list[tuple[Any, str]] = [
    (
        c.ConfigGetButypeInfoReply(OK, (c.ButypeInfo("", (), ButypeAttribute(0x80004001)),)),
        "00000000 00000001 00000000 00000000 80004001",
    ),
    (s.ScsiGetStateReply(OK, -0x80000000, 0, 0x10000), "00000000 80000000 00000000 00010000"),
    (d.DataConnect(OtherArm(2, b"\0\0\0\x7e")), "00000002 0000007e"),
    (d.DataListen(AddressType(0x80)), "00000080"),
    (
        d.DataStartBackup("\udcff", (Pval("\udc80", "\u00e4"),)),
        "00000001 ff000000 00000001 00000001 80000000 00000002 c3a40000",
    ),
    (p.NotifyDataHalted(DataHaltReason(0x20500001)), "20500001"),
    (p.LogFile("", RecoveryStatus(8)), "00000000 00000008"),
    (
        h.FhAddNode(
            (h.FhNode((h.FileStat(FileStatUnsupported(8), FsType(3), FileType(9), 0, 0, 0, 0, 0, 0, 0, 0),), 0, 0),)
        ),
        "00000001 00000001 00000008 00000003 00000009" + "00000000" * 9 + "00" * 16,
    ),
    (
        h.FhAddDir((h.FhDir((h.OtherName(FsType(0x80000000), "x"), h.UnixName("y")), node=1, parent=2),)),
        ("00000001 00000002 80000000 00000001 78000000 00000000 00000001 79000000 0000000000000001 0000000000000002"),
    ),
    (x.SnapshotDeleteReply(Error(0x20500108)), "20500108"),
]
"""Numbers, arms and names without a meaning here: kept as they are."""
