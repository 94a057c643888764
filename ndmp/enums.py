"""Every protocol number, in open enums: a number without a name is kept and shown in hex."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Self

__all__ = [
    "AddressType",
    "AuthType",
    "CdbFlag",
    "ConnectionReason",
    "DigestAlgorithm",
    "Error",
    "FileDisposition",
    "FileMode",
    "FseFeature",
    "LogAssociation",
    "LogType",
    "MessageType",
    "MoverHaltReason",
    "MoverMode",
    "MoverPauseReason",
    "MoverState",
    "OpenEnum",
    "OpenFlag",
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


class TapeDigestState(OpenEnum):
    """States of a digest read back from tape (docs/fse.md)."""

    IDLE = 0
    ACTIVE = 1
    DONE = 2


class TapeFlag(OpenFlag):
    """Flags of TAPE_GET_STATE (draft 3.4.4)."""

    NOREWIND = 0x08
    WR_PROT = 0x10
    ERROR = 0x20
    UNLOAD = 0x40


class TapeUnsupported(OpenFlag):
    """Fields of TAPE_GET_STATE that this host cannot tell (draft 3.4.4)."""

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


class CdbFlag(OpenFlag):
    """Direction of a command's data (draft 3.3.5)."""

    DATA_IN = 0x1
    DATA_OUT = 0x2


class FseFeature(OpenFlag):
    """What a host's file service extension offers (docs/fse.md)."""

    FILES_READ = 0x1
    FILES_WRITE = 0x2
    TAPE_DIGEST = 0x4
