"""What every NDMP error, notification and failure means for a job: tables, printed in docs/status.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from duplicator.plan import Step
from duplicator.status import Status
from ndmp.enums import (
    ConnectionReason,
    DataHaltReason,
    Error,
    LogType,
    MoverHaltReason,
    MoverPauseReason,
    OpenEnum,
    RecoveryStatus,
)
from ndmp.messages.extensions.fse import FseNotifyTapeDigest
from ndmp.messages.filehist import FhAddDir, FhAddFile, FhAddNode
from ndmp.messages.notify import (
    LogFile,
    LogMessage,
    NotifyConnectionStatus,
    NotifyDataHalted,
    NotifyDataRead,
    NotifyMoverHalted,
    NotifyMoverPaused,
)
from ndmp.wire import Post

__all__ = [
    "NOTIFICATIONS",
    "REASONS",
    "REFUSALS",
    "STEPS",
    "Meaning",
    "Rule",
    "ended_by",
    "meaning",
    "other",
    "refused",
]


class Rule(Enum):
    """How a status is found where none is fixed."""

    STEP = "that of the step"
    DEVICE = "that of the side that tells"
    """Of its tape 84 when it is written, 85 when it is read; of its images 13 or 14."""
    GOES_ON = "none, the job goes on"


STEPS: Final[Mapping[Step, Status]] = {
    Step.PREPARE: Status.NDMP_FAILURE,
    Step.CHECK_IMAGE: Status.FILE_READ_FAILED,
    Step.CHECK_EXTENSION: Status.NDMP_FAILURE,
    Step.WRITE_SESSION: Status.NDMP_FAILURE,
    Step.WRITE_MOUNT: Status.MEDIA_OPEN_ERROR,
    Step.WRITE_OPEN: Status.MEDIA_OPEN_ERROR,
    Step.WRITE_POSITION: Status.MEDIA_POSITION_ERROR,
    Step.WRITE_HEADER: Status.MEDIA_WRITE_ERROR,
    Step.READ_SESSION: Status.NDMP_FAILURE,
    Step.READ_OPEN: Status.FILE_READ_FAILED,
    Step.WRITE_MOVER: Status.NDMP_FAILURE,
    Step.READ_MOVER: Status.NDMP_FAILURE,
    Step.MOVE: Status.NDMP_FAILURE,
    Step.WRITE_TRAILER: Status.MEDIA_WRITE_ERROR,
    Step.END_VOLUME: Status.MEDIA_WRITE_ERROR,
    Step.NEXT_VOLUME: Status.MEDIA_OPEN_ERROR,
    Step.CLOSE: Status.MEDIA_CLOSE_ERROR,
    Step.VALIDATE: Status.MEDIA_READ_ERROR,
    Step.COMMIT: Status.FILE_WRITE_FAILED,
    Step.DONE: Status.NDMP_FAILURE,
}
"""What a refusal means whose meaning depends on what was tried."""

REFUSALS: Final[Mapping[Error, Status | Rule]] = {
    Error.NO_ERR: Rule.STEP,
    Error.NOT_SUPPORTED: Status.NDMP_FAILURE,
    Error.DEVICE_BUSY: Status.MEDIA_OPEN_ERROR,
    Error.DEVICE_OPENED: Status.MEDIA_OPEN_ERROR,
    Error.NOT_AUTHORIZED: Status.NDMP_FAILURE,
    Error.PERMISSION: Rule.STEP,
    Error.DEV_NOT_OPEN: Rule.STEP,
    Error.IO: Rule.STEP,
    Error.TIMEOUT: Rule.STEP,
    Error.ILLEGAL_ARGS: Rule.STEP,
    Error.NO_TAPE_LOADED: Status.MEDIA_OPEN_ERROR,
    Error.WRITE_PROTECT: Status.MEDIA_PROTECTED,
    Error.EOF: Rule.STEP,
    Error.EOM: Rule.STEP,
    Error.FILE_NOT_FOUND: Status.NOTHING_MATCHES,
    Error.BAD_FILE: Status.FILE_READ_FAILED,
    Error.NO_DEVICE: Status.MEDIA_OPEN_ERROR,
    Error.NO_BUS: Status.MEDIA_OPEN_ERROR,
    Error.XDR_DECODE: Status.NDMP_FAILURE,
    Error.ILLEGAL_STATE: Status.NDMP_FAILURE,
    Error.UNDEFINED: Rule.STEP,
    Error.XDR_ENCODE: Status.NDMP_FAILURE,
    Error.NO_MEM: Status.NDMP_FAILURE,
    Error.CONNECT: Status.CONNECTION_BROKEN,
    Error.SEQUENCE_NUM: Status.NDMP_FAILURE,
    Error.READ_IN_PROGRESS: Status.NDMP_FAILURE,
    Error.PRECONDITION: Status.NDMP_FAILURE,
    Error.CLASS_NOT_SUPPORTED: Status.NDMP_FAILURE,
    Error.VERSION_NOT_SUPPORTED: Status.NDMP_FAILURE,
    Error.EXT_DUPL_CLASSES: Status.NDMP_FAILURE,
    Error.EXT_DANDN_ILLEGAL: Status.NDMP_FAILURE,
    Error.FSE_IMAGE_EXISTS: Status.FILE_WRITE_FAILED,
    Error.FSE_NO_SPACE: Status.DISK_FULL,
    Error.FSE_ALGORITHM: Status.NDMP_FAILURE,
    Error.FSE_ABORTED: Rule.STEP,
    Error.SNAPSHOT_EXISTS: Status.NDMP_FAILURE,
    Error.SNAPSHOT_NOT_FOUND: Status.NDMP_FAILURE,
    Error.SNAPSHOT_READ_ONLY_FS: Status.NDMP_FAILURE,
    Error.SNAPSHOT_INVALID_PATH: Status.NDMP_FAILURE,
    Error.SNAPSHOT_NO_SPACE: Status.DISK_FULL,
    Error.SNAPSHOT_BUSY: Status.NDMP_FAILURE,
    Error.SNAPSHOT_INTERNAL: Status.NDMP_FAILURE,
    Error.SNAPSHOT_NO_DISK_SPACE: Status.DISK_FULL,
}
"""What each error means in a reply; a number without a name, what its step says."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The status of a job that waited for something else, and the reason.

    In it {told} is the notification in words, {said} the host's last error line, if any.
    """

    status: Status | Rule
    reason: str = "{told}, which was not expected"


Reasons: TypeAlias = Mapping[OpenEnum, Meaning]

_UNEXPECTED: Final = Meaning(Status.NDMP_FAILURE)
_BROKEN: Final = Meaning(Status.CONNECTION_BROKEN, "the data connection broke ({told})")
_MISPLACED: Final = Meaning(Status.MEDIA_POSITION_ERROR)
_NOTED: Final = Meaning(Rule.GOES_ON, "{told}")
_UNREAD: Final = Meaning(Status.MEDIA_READ_ERROR, "the tape could not be read back: {told}")
_UNRECOVERED: Final = Meaning(Status.FILE_WRITE_FAILED, "a file was not recovered: {told}")

NOTIFICATIONS: Final[Mapping[type[Post], Reasons]] = {
    NotifyMoverPaused: {
        MoverPauseReason.NA: _MISPLACED,
        MoverPauseReason.EOM: Meaning(
            Status.SPANNING_NOT_ALLOWED, "the tape is full, and the image does not fit the rest of it"
        ),
        MoverPauseReason.EOF: _MISPLACED,
        MoverPauseReason.SEEK: _MISPLACED,
        MoverPauseReason.EOW: _MISPLACED,
    },
    NotifyMoverHalted: {
        MoverHaltReason.NA: _UNEXPECTED,
        MoverHaltReason.CONNECT_CLOSED: _BROKEN,
        MoverHaltReason.ABORTED: _UNEXPECTED,
        MoverHaltReason.INTERNAL_ERROR: _UNEXPECTED,
        MoverHaltReason.CONNECT_ERROR: _BROKEN,
        MoverHaltReason.MEDIA_ERROR: Meaning(Rule.DEVICE, "reading or writing failed on the device{said}"),
    },
    NotifyDataHalted: {
        DataHaltReason.NA: _UNEXPECTED,
        DataHaltReason.SUCCESSFUL: _UNEXPECTED,
        DataHaltReason.ABORTED: _UNEXPECTED,
        DataHaltReason.INTERNAL_ERROR: _UNEXPECTED,
        DataHaltReason.CONNECT_ERROR: _BROKEN,
    },
    NotifyConnectionStatus: dict.fromkeys(ConnectionReason, _NOTED),
    LogMessage: dict.fromkeys(LogType, _NOTED),
    LogFile: {
        **dict.fromkeys(RecoveryStatus, _UNRECOVERED),
        RecoveryStatus.SUCCESSFUL: _NOTED,
    },
    FseNotifyTapeDigest: {**dict.fromkeys(Error, _UNREAD), Error.NO_ERR: _UNEXPECTED},
    NotifyDataRead: {},
    FhAddFile: {},
    FhAddDir: {},
    FhAddNode: {},
}
"""What each notification means by its reason, where the job waited for another one.

A reason without a name, and a notification without reasons, is not expected: 99; of a paused mover 86.
"""

REASONS: Final[Mapping[type[Post], str]] = {
    NotifyMoverPaused: "reason",
    NotifyMoverHalted: "reason",
    NotifyDataHalted: "reason",
    NotifyConnectionStatus: "reason",
    LogMessage: "log_type",
    LogFile: "status",
    FseNotifyTapeDigest: "error",
}
"""The field that tells the reason."""
_STRANGERS: Final[Mapping[type[Post], Meaning]] = {
    NotifyMoverPaused: _MISPLACED,
    NotifyConnectionStatus: _NOTED,
    LogMessage: _NOTED,
    LogFile: _UNRECOVERED,
    FseNotifyTapeDigest: _UNREAD,
}


def refused(error: Error, step: Step) -> Status:
    """How a job ends that is refused something in this step."""
    found = REFUSALS.get(error, Rule.STEP)
    return found if isinstance(found, Status) else STEPS[step]


def ended_by(post: Post, *, trouble: Status) -> tuple[Status, str]:
    """How a job ends that waited for another notification, and the reason; ``trouble``: if the side's device failed."""
    found = meaning(post)
    if isinstance(found.status, Status):
        return found.status, found.reason
    return trouble if found.status is Rule.DEVICE else Status.NDMP_FAILURE, found.reason


def meaning(post: Post) -> Meaning:
    """What a notification means where another one was waited for."""
    kind = type(post)
    if kind not in REASONS:
        return other(kind)
    return NOTIFICATIONS[kind].get(getattr(post, REASONS[kind])) or other(kind)


def other(kind: type[Post]) -> Meaning:
    """What a notification means that has no reason, or one without a name."""
    return _STRANGERS.get(kind, _UNEXPECTED)
