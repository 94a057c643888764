"""How a job ends: the field's status numbers, in words of our own, with what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from ndmp.enums import OpenEnum

__all__ = ["ELSEWHERE", "ExitCode", "JobError", "Status", "exit_code", "status_of_all"]


class Status(OpenEnum):
    """Job status numbers as operators of backup systems know them; a number without a name is kept."""

    SUCCESS = 0
    PARTLY_SUCCESSFUL = 1
    FILE_READ_FAILED = 13
    FILE_WRITE_FAILED = 14
    CONNECTION_BROKEN = 40
    CONNECTION_TIMED_OUT = 41
    NETWORK_READ_FAILED = 42
    NETWORK_WRITE_FAILED = 44
    CONNECT_TIMED_OUT = 54
    MEDIA_OPEN_ERROR = 83
    MEDIA_WRITE_ERROR = 84
    MEDIA_READ_ERROR = 85
    MEDIA_POSITION_ERROR = 86
    MEDIA_CLOSE_ERROR = 87
    NOT_AN_ARCHIVE = 92
    WRONG_TAPE = 93
    WRONG_IMAGE_POSITION = 94
    VOLUME_NOT_OURS = 95
    NO_MEDIA = 96
    NDMP_FAILURE = 99
    UNIMPLEMENTED_ERROR = 114
    DISK_FULL = 129
    COPY_NOT_FOUND = 147
    CANCELLED = 150
    BLOCK_SIZE_CHANGED = 163
    MOUNT_FAILED = 164
    NO_FRAGMENTS = 165
    SPANNING_NOT_ALLOWED = 166
    MEDIA_PROTECTED = 168
    LABEL_UNREADABLE = 172
    HEADER_UNREADABLE = 173
    MEDIA_SYSTEM_ERROR = 174
    NOTHING_MATCHES = 190
    NOTHING_PROCESSED = 191
    NO_STORAGE_UNIT = 213
    CATALOG_FAILED = 220
    RESOURCES_REFUSED = 800
    DRIVE_UNAVAILABLE = 830
    NO_NEW_MEDIA = 2000
    NO_DRIVES = 2001
    BAD_MESSAGE = 2005
    NO_CREDENTIALS = 2006
    PATHS_DOWN = 2008
    DRIVES_DOWN = 2009
    NO_COPIES_AT_ONCE = 2096
    HOST_NOT_CONFIGURED = 2108
    TLS_FAILED = 7625

    @property
    def text(self) -> str:
        """What happened, in a few words."""
        return _TEXTS[self][0] if self in _TEXTS else f"status {self.value}, which has no text here"

    @property
    def hint(self) -> str:
        """What to do next; empty when there is nothing to do."""
        return _TEXTS[self][1] if self in _TEXTS else "Look the number up in the documentation of its origin."


_TEXTS: Final[dict[Status, tuple[str, str]]] = {
    Status.SUCCESS: ("the job succeeded", ""),
    Status.PARTLY_SUCCESSFUL: (
        "some jobs succeeded, others did not",
        "See which images failed and why, and run those again.",
    ),
    Status.FILE_READ_FAILED: (
        "the image could not be read",
        "Check the disk and the permissions of the storage unit, and that nothing changes the image meanwhile.",
    ),
    Status.FILE_WRITE_FAILED: (
        "the image could not be written",
        "Check the disk and the permissions of the storage unit or directory, and that no such image is there.",
    ),
    Status.CONNECTION_BROKEN: (
        "a host or the network ended the connection",
        "See whether the host named in the reason still runs, then run the job again.",
    ),
    Status.CONNECTION_TIMED_OUT: (
        "a host stopped answering",
        "Check the host named in the reason and the network between the two hosts, then run the job again.",
    ),
    Status.CONNECT_TIMED_OUT: (
        "a host could not be reached",
        "Check the name, the port and the firewall, and that the host's NDMP service runs.",
    ),
    Status.MEDIA_OPEN_ERROR: (
        "the tape could not be opened",
        "Check that the drive exists under that name, holds a tape, and is not in use.",
    ),
    Status.MEDIA_WRITE_ERROR: (
        "writing to the tape failed",
        "Clean the drive or use another volume, then run the job again.",
    ),
    Status.MEDIA_READ_ERROR: (
        "reading from the tape failed",
        "Clean the drive and verify again; if it fails on another drive too, make a new copy.",
    ),
    Status.MEDIA_POSITION_ERROR: (
        "the tape is not where it should be",
        "Check that nothing else uses the drive; the volume may hold something the catalog does not know.",
    ),
    Status.MEDIA_CLOSE_ERROR: (
        "the tape could not be closed",
        "Verify the last copy on the volume before you append to it.",
    ),
    Status.WRONG_TAPE: (
        "another volume is in the drive",
        "Mount the volume named in the reason.",
    ),
    Status.WRONG_IMAGE_POSITION: (
        "another image lies where the copy should be",
        "The catalog and the tape disagree: read the volume's labels and correct the catalog.",
    ),
    Status.NO_MEDIA: (
        "no volume with room is left",
        "Mount or label another volume, or expire copies that are not needed.",
    ),
    Status.NDMP_FAILURE: (
        "the NDMP session failed",
        "Check user, password and protocol version of the host named in the reason.",
    ),
    Status.DISK_FULL: ("the storage unit is full", "Free space on the storage unit or choose another."),
    Status.COPY_NOT_FOUND: ("the copy is not in the catalog", "List the copies and name one of them."),
    Status.CANCELLED: ("the job was cancelled", "Run it again when you want."),
    Status.MOUNT_FAILED: (
        "the volume could not be mounted",
        "The reason says what the library or the drive did; put it right, then run the job again.",
    ),
    Status.SPANNING_NOT_ALLOWED: (
        "the image does not fit the rest of the volume",
        "Use a volume with more room.",
    ),
    Status.MEDIA_PROTECTED: (
        "the volume must not be overwritten",
        "It holds data that is not in the catalog, or of another product; use a blank volume.",
    ),
    Status.LABEL_UNREADABLE: (
        "the volume's label could not be read",
        "If the tape may be erased, erase it; else find out which product wrote it.",
    ),
    Status.HEADER_UNREADABLE: (
        "the labels before the image could not be read",
        "Verify the other copies on this volume; make a new copy of this image.",
    ),
    Status.NOTHING_MATCHES: ("no image matches", "List the images of the storage unit and check the name."),
    Status.NOTHING_PROCESSED: ("no image was copied", "See the reason of each image."),
    Status.NO_STORAGE_UNIT: (
        "there is no such storage unit",
        "List the host's storage units; check that it offers the file service extension.",
    ),
    Status.CATALOG_FAILED: (
        "the catalog could not be read or written",
        "Check the catalog's disk and permissions, and that no other program locks it; then run the job again.",
    ),
    Status.NO_DRIVES: ("no drive is free for this job", "Wait for another job to end, or add a drive."),
    Status.NO_CREDENTIALS: (
        "no password is known for the host",
        "Give it in a file, in the environment, or in the keyring.",
    ),
    Status.TLS_FAILED: (
        "no secure connection came about",
        "Trust the host's certificate, or who issued it, by --tls-ca; use the name in it; see docs/network.md.",
    ),
    Status.NETWORK_READ_FAILED: (
        "nothing could be read from a network connection",
        "See whether the host at the other end still runs, then run the job again.",
    ),
    Status.NETWORK_WRITE_FAILED: (
        "nothing could be written to a network connection",
        "See whether the host at the other end still runs, then run the job again.",
    ),
    Status.NOT_AN_ARCHIVE: (
        "the image is not in the format of tar",
        "Check which program wrote it, and read it with that one.",
    ),
    Status.VOLUME_NOT_OURS: (
        "the volume belongs to another host",
        "Use a volume of this host, or have the other one give it up.",
    ),
    Status.UNIMPLEMENTED_ERROR: (
        "something went wrong that has no number of its own",
        "Read the reason, and the log of the program that says so.",
    ),
    Status.BLOCK_SIZE_CHANGED: (
        "the record size is not the one that the job began with",
        "Set the record size back, or begin the copy anew.",
    ),
    Status.NO_FRAGMENTS: (
        "no fragment of the copy is known",
        "Import the volume again, or make another copy.",
    ),
    Status.MEDIA_SYSTEM_ERROR: (
        "the program that manages the media failed",
        "Look at its log, then run the job again.",
    ),
    Status.RESOURCES_REFUSED: (
        "the job was refused what it needs",
        "The reason says what: a drive, a volume or a storage unit.",
    ),
    Status.DRIVE_UNAVAILABLE: (
        "a drive is gone or down",
        "Bring the drive up, or run the job on another.",
    ),
    Status.NO_NEW_MEDIA: (
        "the storage unit has no volume to give",
        "Add blank volumes to the pool, or expire copies that are not needed.",
    ),
    Status.BAD_MESSAGE: (
        "one server sent another what makes no sense to it",
        "Compare the versions of both and look at their logs; drives are not the matter.",
    ),
    Status.PATHS_DOWN: (
        "every path to a drive of the kind is down",
        "Check the cabling and the hosts through which the drives are reached.",
    ),
    Status.NO_COPIES_AT_ONCE: (
        "several copies at once are not made over NDMP",
        "Make them one after another.",
    ),
    Status.HOST_NOT_CONFIGURED: (
        "the NDMP host is not configured, or has no credentials",
        "Name the host and how to log in in the configuration.",
    ),
    Status.DRIVES_DOWN: (
        "every drive that could run the job is down",
        "Bring a drive up; the volume itself is available.",
    ),
}


ELSEWHERE: Final = frozenset(
    {
        Status.NETWORK_READ_FAILED,
        Status.NETWORK_WRITE_FAILED,
        Status.NOT_AN_ARCHIVE,
        Status.VOLUME_NOT_OURS,
        Status.UNIMPLEMENTED_ERROR,
        Status.BLOCK_SIZE_CHANGED,
        Status.NO_FRAGMENTS,
        Status.MEDIA_SYSTEM_ERROR,
        Status.RESOURCES_REFUSED,
        Status.DRIVE_UNAVAILABLE,
        Status.NO_NEW_MEDIA,
        Status.PATHS_DOWN,
        Status.NO_COPIES_AT_ONCE,
        Status.HOST_NOT_CONFIGURED,
    }
)
"""Numbers of the field that no job of this program ends with; here to be looked up."""


class JobError(Exception):
    """A job ends here: with a status, the step it was in, and the reason in words."""

    def __init__(self, status: Status, *, step: str, reason: str) -> None:
        self.status = Status(status)
        self.step = step
        self.reason = reason
        super().__init__(status, step, reason)

    def __str__(self) -> str:
        return f"status {self.status.value} ({self.status.text}) at step {self.step!r}: {self.reason}"


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2


def exit_code(status: Status) -> ExitCode:
    """Exit code of a run whose job ended so: 0 only for status 0."""
    return ExitCode.SUCCESS if status == Status.SUCCESS else ExitCode.FAILED


def status_of_all(statuses: Sequence[Status]) -> Status:
    """The status of several jobs together: that of the only one, else 0, 1 or 191."""
    if len(statuses) == 1:
        return statuses[0]
    succeeded = sum(status == Status.SUCCESS for status in statuses)
    if succeeded == len(statuses):
        return Status.SUCCESS
    return Status.PARTLY_SUCCESSFUL if succeeded else Status.NOTHING_PROCESSED
