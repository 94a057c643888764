"""Every protocol number, in open enums: a number without a name is kept and shown in hex."""

from __future__ import annotations

from enum import IntEnum, IntFlag, StrEnum
from typing import Self

__all__ = [
    "AddressType",
    "AuthType",
    "ButypeAttribute",
    "CdbFlag",
    "ConnectionReason",
    "DataHaltReason",
    "DataOperation",
    "DataState",
    "DataUnsupported",
    "DigestAlgorithm",
    "EnvName",
    "Error",
    "FileDisposition",
    "FileMode",
    "FileStatUnsupported",
    "FileType",
    "FsInfoUnsupported",
    "FsType",
    "FseFeature",
    "LogAssociation",
    "LogType",
    "MessageType",
    "MoverHaltReason",
    "MoverMode",
    "MoverPauseReason",
    "MoverState",
    "ObsoleteMessage",
    "OpenEnum",
    "OpenFlag",
    "RecoveryStatus",
    "ScsiAttribute",
    "SnapshotMessage",
    "SnapshotRecoverFlag",
    "TapeAttribute",
    "TapeDigestState",
    "TapeFlag",
    "TapeOpenMode",
    "TapeOperation",
    "TapeUnsupported",
]


class OpenEnum(IntEnum):
    """An unsigned 32-bit enum that keeps numbers it has no name for."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
            return None
        stranger = int.__new__(cls, value)
        stranger._name_ = f"UNKNOWN_{value:#x}"
        stranger._value_ = value
        return stranger


class OpenFlag(IntFlag):
    """Bits of an unsigned 32-bit word; those without a name are kept."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        made: Self = super()._missing_(value)
        # Enum remembers every combination it meets, and a peer can send four thousand million of them.
        cls._value2member_map_.pop(value, None)
        return made


class MessageType(OpenEnum):
    """Header word 3 (draft 2.7)."""

    REQUEST = 0
    REPLY = 1


class Error(OpenEnum):
    """Error words (draft 2.8.1); those of an extension carry its class in the upper half."""

    NO_ERR = 0
    NOT_SUPPORTED = 1
    DEVICE_BUSY = 2
    DEVICE_OPENED = 3
    NOT_AUTHORIZED = 4
    PERMISSION = 5
    DEV_NOT_OPEN = 6
    IO = 7
    TIMEOUT = 8
    ILLEGAL_ARGS = 9
    NO_TAPE_LOADED = 10
    WRITE_PROTECT = 11
    EOF = 12
    EOM = 13
    FILE_NOT_FOUND = 14
    BAD_FILE = 15
    NO_DEVICE = 16
    NO_BUS = 17
    XDR_DECODE = 18
    ILLEGAL_STATE = 19
    UNDEFINED = 20
    XDR_ENCODE = 21
    NO_MEM = 22
    CONNECT = 23
    SEQUENCE_NUM = 24
    READ_IN_PROGRESS = 25
    PRECONDITION = 26
    CLASS_NOT_SUPPORTED = 27
    VERSION_NOT_SUPPORTED = 28
    EXT_DUPL_CLASSES = 29
    EXT_DANDN_ILLEGAL = 30
    # File service extension, docs/fse.md section 5.
    FSE_IMAGE_EXISTS = 0x7FE00001
    FSE_NO_SPACE = 0x7FE00002
    FSE_ALGORITHM = 0x7FE00003
    FSE_ABORTED = 0x7FE00004
    # NetApp's snapshot management, messages/extensions/snapshot.py.
    SNAPSHOT_EXISTS = 0x20500100
    SNAPSHOT_NOT_FOUND = 0x20500101
    SNAPSHOT_READ_ONLY_FS = 0x20500102
    SNAPSHOT_INVALID_PATH = 0x20500103
    SNAPSHOT_NO_SPACE = 0x20500104
    SNAPSHOT_BUSY = 0x20500105
    SNAPSHOT_INTERNAL = 0x20500106
    SNAPSHOT_NO_DISK_SPACE = 0x20500107


class ObsoleteMessage(OpenEnum):
    """Requests that v4 took away, by their old names; they have no declaration (draft 2.9)."""

    SCSI_SET_TARGET = 0x203
    SCSI_RESET_BUS = 0x205


class SnapshotMessage(OpenEnum):
    """Messages of NetApp's snapshot management, class 0x2050; those without a declaration have a name only."""

    CREATE = 0x20500100
    DELETE = 0x20500101
    RECOVER = 0x20500102
    RENAME = 0x20500103
    GET_SERVER_INFO = 0x20500104
    GET_SNAPSHOT_NAMES = 0x20500105
    GET_SNAPSHOT_STATE = 0x20500106
    GET_CDR_OP_STATE = 0x20500107
    GET_SNAPSHOT_PATH = 0x20500108
    SET_RESERVE = 0x20500109
    GET_RESERVE_INFO = 0x2050010A
    SET_SCHEDULE = 0x2050010B
    GET_SCHEDULE_INFO = 0x2050010C
    DIR_LIST = 0x2050010D
    NOTIFY_CREATE_END = 0x20500180
    NOTIFY_DELETE_END = 0x20500181
    NOTIFY_RECOVER_END = 0x20500182


class AuthType(OpenEnum):
    """Ways to log in (draft 3.1.2)."""

    NONE = 0
    TEXT = 1
    MD5 = 2


class AddressType(OpenEnum):
    """Kinds of data connection (draft 2.12)."""

    LOCAL = 0
    TCP = 1
    FC = 2
    IPC = 3


class ConnectionReason(OpenEnum):
    """Why a connection status was posted (draft 4.1.2)."""

    CONNECTED = 0
    SHUTDOWN = 1
    REFUSED = 2


class TapeOpenMode(OpenEnum):
    """How a tape is opened (draft 3.4.2)."""

    READ = 0
    RDWR = 1
    RAW = 2


class TapeOperation(OpenEnum):
    """Motions of TAPE_MTIO (draft 3.4.5)."""

    FSF = 0
    BSF = 1
    FSR = 2
    BSR = 3
    REW = 4
    EOF = 5
    OFF = 6
    TUR = 7


class DataOperation(OpenEnum):
    """What a data service does (draft 3.5.1.1)."""

    NOACTION = 0
    BACKUP = 1
    RECOVER = 2
    RECOVER_FILEHIST = 3


class DataState(OpenEnum):
    """States of a data service (draft 2.11.5)."""

    IDLE = 0
    ACTIVE = 1
    HALTED = 2
    LISTEN = 3
    CONNECTED = 4


class DataHaltReason(OpenEnum):
    """Why a data service halted (draft 3.5.1.1)."""

    NA = 0
    SUCCESSFUL = 1
    ABORTED = 2
    INTERNAL_ERROR = 3
    CONNECT_ERROR = 4


class MoverMode(OpenEnum):
    """READ: data connection to tape. WRITE: tape to data connection (draft 3.6)."""

    READ = 0
    WRITE = 1
    NOACTION = 2


class MoverState(OpenEnum):
    """States of a mover (draft 2.11.6)."""

    IDLE = 0
    LISTEN = 1
    ACTIVE = 2
    PAUSED = 3
    HALTED = 4


class MoverPauseReason(OpenEnum):
    """Why a mover paused (draft 3.6.1.1); 4 was v3's media error."""

    NA = 0
    EOM = 1
    EOF = 2
    SEEK = 3
    EOW = 5


class MoverHaltReason(OpenEnum):
    """Why a mover halted (draft 3.6.1.1)."""

    NA = 0
    CONNECT_CLOSED = 1
    ABORTED = 2
    INTERNAL_ERROR = 3
    CONNECT_ERROR = 4
    MEDIA_ERROR = 5


class LogType(OpenEnum):
    """Weight of a log message (draft 4.2.1)."""

    NORMAL = 0
    DEBUG = 1
    ERROR = 2
    WARNING = 3


class LogAssociation(OpenEnum):
    """Whether a log message names the message it belongs to (draft 4.2.1)."""

    NONE = 0
    VALID = 1


class RecoveryStatus(OpenEnum):
    """What became of a file to recover (draft 4.2.2); ndmjob's XDR file lacks 7."""

    SUCCESSFUL = 0
    PERMISSION = 1
    NOT_FOUND = 2
    NO_DIRECTORY = 3
    OUT_OF_MEMORY = 4
    IO_ERROR = 5
    UNDEFINED_ERROR = 6
    FILE_PATH_EXISTS = 7


class FsType(OpenEnum):
    """Kinds of file system in a file history (draft 2.12)."""

    UNIX = 0
    NT = 1
    OTHER = 2


class FileType(OpenEnum):
    """Kinds of file in a file history (draft 2.12)."""

    DIR = 0
    FIFO = 1
    CSPEC = 2
    BSPEC = 3
    REG = 4
    SLINK = 5
    SOCK = 6
    REGISTRY = 7
    OTHER = 8


class FileMode(OpenEnum):
    """How the file service opens a fragment (docs/fse.md)."""

    READ = 0
    WRITE = 1


class FileDisposition(OpenEnum):
    """What becomes of a fragment at close (docs/fse.md)."""

    KEEP = 0
    DISCARD = 1


class DigestAlgorithm(OpenEnum):
    """Digests that the file service extension can compute (docs/fse.md)."""

    NONE = 0
    SHA256 = 1
    XXH3_128 = 2
    BLAKE3 = 3


class TapeDigestState(OpenEnum):
    """States of a digest read back from tape (docs/fse.md)."""

    IDLE = 0
    ACTIVE = 1
    DONE = 2


class EnvName(StrEnum):
    """Environment variables that the draft names (3.2.5 to 3.2.8); any other name is as good."""

    FILESYSTEM = "FILESYSTEM"
    DIRECT = "DIRECT"
    RECURSIVE = "RECURSIVE"
    TYPE = "TYPE"
    USER = "USER"
    HIST = "HIST"
    PATHNAME_SEPARATOR = "PATHNAME_SEPARATOR"
    LEVEL = "LEVEL"
    EXTRACT = "EXTRACT"
    UPDATE = "UPDATE"
    FILES = "FILES"
    CMD = "CMD"
    LOCAL = "LOCAL"
    AVAILABLE_BACKUP = "AVAILABLE_BACKUP"
    AVAILABLE_RECOVERY = "AVAILABLE_RECOVERY"
    EXECUTE_CDB = "EXECUTE_CDB"
    COMPRESSION = "COMPRESSION"
    SELECT_TIMEOUT = "SELECT_TIMEOUT"


class ButypeAttribute(OpenFlag):
    """What a backup type can do (draft 3.2.5)."""

    BACKUP_FILELIST = 0x0002
    RECOVER_FILELIST = 0x0004
    BACKUP_DIRECT = 0x0008
    RECOVER_DIRECT = 0x0010
    BACKUP_INCREMENTAL = 0x0020
    RECOVER_INCREMENTAL = 0x0040
    BACKUP_UTF8 = 0x0080
    RECOVER_UTF8 = 0x0100
    BACKUP_FH_FILE = 0x0200
    BACKUP_FH_DIR = 0x0400
    RECOVER_FILEHIST = 0x0800
    RECOVER_FH_FILE = 0x1000
    RECOVER_FH_DIR = 0x2000


class FsInfoUnsupported(OpenFlag):
    """Fields of CONFIG_GET_FS_INFO that this host cannot tell (draft 3.2.6)."""

    TOTAL_SIZE = 0x01
    USED_SIZE = 0x02
    AVAIL_SIZE = 0x04
    TOTAL_INODES = 0x08
    USED_INODES = 0x10


class DataUnsupported(OpenFlag):
    """Fields of DATA_GET_STATE that this host cannot tell (draft 3.5.1.1)."""

    EST_BYTES_REMAIN = 0x1
    EST_TIME_REMAIN = 0x2


class FileStatUnsupported(OpenFlag):
    """Attributes of a file that this host cannot tell (draft 4.3.1)."""

    ATIME = 0x1
    CTIME = 0x2
    GROUP = 0x4


class TapeFlag(OpenFlag):
    """Flags of TAPE_GET_STATE (draft 3.4.4)."""

    NOREWIND = 0x08
    WR_PROT = 0x10
    ERROR = 0x20
    UNLOAD = 0x40


class TapeUnsupported(OpenFlag):
    """Fields of TAPE_GET_STATE that this host cannot tell (draft 3.4.4); ndmjob's XDR file lacks the last."""

    FILE_NUM = 0x01
    SOFT_ERRORS = 0x02
    BLOCK_SIZE = 0x04
    BLOCKNO = 0x08
    TOTAL_SPACE = 0x10
    SPACE_REMAIN = 0x20
    RESERVED1 = 0x40


class TapeAttribute(OpenFlag):
    """What a tape device can do (draft 3.2.7)."""

    REWIND = 0x1
    UNLOAD = 0x2
    RAW = 0x4


class ScsiAttribute(OpenFlag):
    """What is particular about a media changer (draft 3.2.8)."""

    SHARED_ROBOT = 0x1


class CdbFlag(OpenFlag):
    """Direction of a command's data (draft 3.3.5)."""

    DATA_IN = 0x1
    DATA_OUT = 0x2


class FseFeature(OpenFlag):
    """What a host's file service extension offers (docs/fse.md)."""

    FILES_READ = 0x1
    FILES_WRITE = 0x2
    TAPE_DIGEST = 0x4
    FILES_REMOVE = 0x8
    FILES_UNSIZED = 0x10


class SnapshotRecoverFlag(OpenFlag):
    """How SnapshotMessage.RECOVER recovers."""

    DIR_ONLY = 0x1
    DIR_DATA = 0x2
    EXCEPTION_LOGGING = 0x4
