"""What checks cannot do without."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import Need
from ndmp.enums import AddressType, AuthType
from ndmp.messages.extensions.echo import ECHO_CLASS

__all__ = [
    "BACKUP",
    "DATA",
    "DATA_LISTEN",
    "ECHO",
    "ECHO_2",
    "EXTENSIONS",
    "FILEHIST",
    "LOCAL",
    "MD5",
    "NO_DATA",
    "NO_MOVER",
    "NO_SCSI",
    "NO_TAPE",
    "SCRATCH",
    "SCSI",
    "SCSI_DEVICE",
    "SECOND",
    "TAPE",
    "TAPE_CDB",
    "TAPE_DEVICE",
    "TAPE_END",
    "TEXT",
    "VARIABLE",
]

TAPE: Final = Need("the host has no tape service", lambda facts: facts.has_tape)
SCSI: Final = Need("the host has no SCSI service", lambda facts: facts.has_scsi)
DATA: Final = Need("the host has no data service", lambda facts: facts.has_data)
NO_TAPE: Final = Need("the host has a tape service: nothing of it is to be refused", lambda facts: not facts.has_tape)
NO_MOVER: Final = Need("the host has a mover: nothing of it is to be refused", lambda facts: not facts.has_mover)
NO_SCSI: Final = Need("the host has a SCSI service: nothing of it is to be refused", lambda facts: not facts.has_scsi)
NO_DATA: Final = Need("the host has a data service: nothing of it is to be refused", lambda facts: not facts.has_data)
DATA_LISTEN: Final = Need("the host's data service does not listen", lambda facts: facts.has_data_listen)
FILEHIST: Final = Need("the host does not recover file history alone", lambda facts: facts.has_filehist)
TAPE_CDB: Final = Need("the host does not pass commands on to tapes", lambda facts: facts.has_tape_cdb)
LOCAL: Final = Need("the host makes no LOCAL data connections", lambda facts: AddressType.LOCAL in facts.address_types)
MD5: Final = Need("the host does not offer MD5 logins", lambda facts: AuthType.MD5 in facts.auth_types)
TEXT: Final = Need("the host does not offer text logins", lambda facts: AuthType.TEXT in facts.auth_types)
EXTENSIONS: Final = Need("the host does not list extensions", lambda facts: facts.answers_extensions)
ECHO: Final = Need("the host has no TEST_ECHO", lambda facts: 1 in facts.extensions.get(ECHO_CLASS, ()))
ECHO_2: Final = Need("the host has no TEST_ECHO of version 2", lambda facts: 2 in facts.extensions.get(ECHO_CLASS, ()))

TAPE_DEVICE: Final = Need("no tape is named: --tape", lambda facts: facts.permissions.tape is not None)
SCRATCH: Final = Need("nothing may be written: --scratch", lambda facts: facts.permissions.scratch)
VARIABLE: Final = Need("the tape has blocks of fixed size", lambda facts: not facts.block_bytes)
TAPE_END: Final = Need("the tape does not end within what --fill allows", lambda facts: facts.tape_ends)
SCSI_DEVICE: Final = Need("no changer is named: --scsi", lambda facts: facts.permissions.scsi is not None)
BACKUP: Final = Need(
    "no backup is named: --butype and --path",
    lambda facts: facts.permissions.butype is not None and facts.permissions.path is not None,
)
SECOND: Final = Need("no second tape server is named: --second", lambda facts: facts.permissions.second is not None)
