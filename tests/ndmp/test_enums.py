"""Numbers and bits of the enums against draft 2.8.1, 2.9 and 2.12, written out."""

from __future__ import annotations

import pytest

from ndmp import enums
from ndmp.enums import OpenEnum, OpenFlag

COUNTED: dict[type[OpenEnum], str] = {
    enums.MessageType: "REQUEST REPLY",
    enums.AuthType: "NONE TEXT MD5",
    enums.AddressType: "LOCAL TCP FC IPC",
    enums.ConnectionReason: "CONNECTED SHUTDOWN REFUSED",
    enums.TapeOpenMode: "READ RDWR RAW",
    enums.TapeOperation: "FSF BSF FSR BSR REW EOF OFF TUR",
    enums.DataOperation: "NOACTION BACKUP RECOVER RECOVER_FILEHIST",
    enums.DataState: "IDLE ACTIVE HALTED LISTEN CONNECTED",
    enums.DataHaltReason: "NA SUCCESSFUL ABORTED INTERNAL_ERROR CONNECT_ERROR",
    enums.MoverMode: "READ WRITE NOACTION",
    enums.MoverState: "IDLE LISTEN ACTIVE PAUSED HALTED",
    enums.MoverPauseReason: "NA EOM EOF SEEK - EOW",
    enums.MoverHaltReason: "NA CONNECT_CLOSED ABORTED INTERNAL_ERROR CONNECT_ERROR MEDIA_ERROR",
    enums.LogType: "NORMAL DEBUG ERROR WARNING",
    enums.LogAssociation: "NONE VALID",
    enums.RecoveryStatus: (
        "SUCCESSFUL PERMISSION NOT_FOUND NO_DIRECTORY OUT_OF_MEMORY IO_ERROR UNDEFINED_ERROR FILE_PATH_EXISTS"
    ),
    enums.FsType: "UNIX NT OTHER",
    enums.FileType: "DIR FIFO CSPEC BSPEC REG SLINK SOCK REGISTRY OTHER",
}
"""Names from 0 on; "-" is a number without a name."""

BITS: dict[type[OpenFlag], str] = {
    enums.TapeFlag: "- - - NOREWIND WR_PROT ERROR UNLOAD",
    enums.TapeUnsupported: "FILE_NUM SOFT_ERRORS BLOCK_SIZE BLOCKNO TOTAL_SPACE SPACE_REMAIN RESERVED1",
    enums.TapeAttribute: "REWIND UNLOAD RAW",
    enums.ScsiAttribute: "SHARED_ROBOT",
    enums.CdbFlag: "DATA_IN DATA_OUT",
    enums.DataUnsupported: "EST_BYTES_REMAIN EST_TIME_REMAIN",
    enums.FsInfoUnsupported: "TOTAL_SIZE USED_SIZE AVAIL_SIZE TOTAL_INODES USED_INODES",
    enums.FileStatUnsupported: "ATIME CTIME GROUP",
    enums.ButypeAttribute: (
        "- BACKUP_FILELIST RECOVER_FILELIST BACKUP_DIRECT RECOVER_DIRECT BACKUP_INCREMENTAL RECOVER_INCREMENTAL"
        " BACKUP_UTF8 RECOVER_UTF8 BACKUP_FH_FILE BACKUP_FH_DIR RECOVER_FILEHIST RECOVER_FH_FILE RECOVER_FH_DIR"
    ),
    enums.SnapshotRecoverFlag: "DIR_ONLY DIR_DATA EXCEPTION_LOGGING",
}
"""Names from bit 0 on."""

ERRORS = """
NO_ERR NOT_SUPPORTED DEVICE_BUSY DEVICE_OPENED NOT_AUTHORIZED PERMISSION DEV_NOT_OPEN IO TIMEOUT ILLEGAL_ARGS
NO_TAPE_LOADED WRITE_PROTECT EOF EOM FILE_NOT_FOUND BAD_FILE NO_DEVICE NO_BUS XDR_DECODE ILLEGAL_STATE UNDEFINED
XDR_ENCODE NO_MEM CONNECT SEQUENCE_NUM READ_IN_PROGRESS PRECONDITION CLASS_NOT_SUPPORTED VERSION_NOT_SUPPORTED
EXT_DUPL_CLASSES EXT_DANDN_ILLEGAL
"""
SNAPSHOT_ERRORS = "EXISTS NOT_FOUND READ_ONLY_FS INVALID_PATH NO_SPACE BUSY INTERNAL NO_DISK_SPACE"
SNAPSHOT_MESSAGES = """
CREATE DELETE RECOVER RENAME GET_SERVER_INFO GET_SNAPSHOT_NAMES GET_SNAPSHOT_STATE GET_CDR_OP_STATE
GET_SNAPSHOT_PATH SET_RESERVE GET_RESERVE_INFO SET_SCHEDULE GET_SCHEDULE_INFO DIR_LIST
"""
SNAPSHOT_POSTS = "NOTIFY_CREATE_END NOTIFY_DELETE_END NOTIFY_RECOVER_END"


def counted(text: str, first: int = 0) -> dict[str, int]:
    return {name: first + index for index, name in enumerate(text.split()) if name != "-"}


def numbers(kind: type[OpenEnum] | type[OpenFlag]) -> dict[str, int]:
    return {name: int(member) for name, member in kind.__members__.items()}


@pytest.mark.parametrize("kind", COUNTED, ids=lambda kind: kind.__name__)
def test_numbers(kind: type[OpenEnum]) -> None:
    assert numbers(kind) == counted(COUNTED[kind])


@pytest.mark.parametrize("kind", BITS, ids=lambda kind: kind.__name__)
def test_bits(kind: type[OpenFlag]) -> None:
    assert numbers(kind) == {name: 1 << bit for name, bit in counted(BITS[kind]).items()}


def test_errors_and_messages_of_classes() -> None:
    core = {name: number for name, number in numbers(enums.Error).items() if number < 1 << 16}
    assert core == counted(ERRORS)
    snapshot = {name: number for name, number in numbers(enums.Error).items() if number >> 16 == 0x2050}
    assert snapshot == {f"SNAPSHOT_{name}": number for name, number in counted(SNAPSHOT_ERRORS, 0x20500100).items()}
    messages = counted(SNAPSHOT_MESSAGES, 0x20500100) | counted(SNAPSHOT_POSTS, 0x20500180)
    assert numbers(enums.SnapshotMessage) == messages
    assert numbers(enums.ObsoleteMessage) == {"SCSI_SET_TARGET": 0x203, "SCSI_RESET_BUS": 0x205}


@pytest.mark.parametrize("kind", [*COUNTED, enums.Error, *BITS], ids=lambda kind: kind.__name__)
def test_numbers_without_a_name_are_kept(kind: type[OpenEnum] | type[OpenFlag]) -> None:
    for number in (0x80000000, 0x7FFFFFF0, 0xFFFFFFFF):
        assert kind(number) == number
        assert isinstance(kind(number), kind)


ENVIRONMENT = """
FILESYSTEM DIRECT RECURSIVE TYPE USER HIST PATHNAME_SEPARATOR LEVEL EXTRACT UPDATE FILES CMD LOCAL
AVAILABLE_BACKUP AVAILABLE_RECOVERY EXECUTE_CDB COMPRESSION SELECT_TIMEOUT
"""


def test_names_of_environment_variables_are_their_text() -> None:
    assert [(variable.name, str(variable)) for variable in enums.EnvName] == [(n, n) for n in ENVIRONMENT.split()]
