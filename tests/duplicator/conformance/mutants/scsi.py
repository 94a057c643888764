"""SCSI services that are broken in one way each."""

# ruff: noqa: ANN401 (what stands in for a method takes what that took)
from __future__ import annotations

from typing import Any

from ndmp.enums import (
    Error,
)
from ndmp.errors import ReplyError
from ndmp.messages.scsi import ScsiCloseReply, ScsiExecuteCdbReply
from ndmp.services.commands import execute_cdb
from ndmp.services.scsi import ScsiService
from tests.duplicator.conformance.mutation import (
    Mutant,
    changes,
    instead,
    replaced,
    yes,
)

__all__ = ["SCSI"]

OK = Error.NO_ERR


def _calls_refusals_errors(service: Any, request: Any) -> Any:
    reply = execute_cdb(service._slot.require_scsi(), request, ScsiExecuteCdbReply)
    if reply.status:
        raise ReplyError(Error.IO)
    return reply


SCSI = (
    Mutant(
        "calls a check condition an error", replaced(ScsiService, "_execute_cdb", _calls_refusals_errors), ("scsi.cdb",)
    ),
    Mutant(
        "gives more than was asked for",
        changes(ScsiService, "_execute_cdb", datain=lambda d: d + bytes(64)),
        ("scsi.cdb",),
    ),
    Mutant("keeps sense to itself", changes(ScsiService, "_execute_cdb", sense=b""), ("scsi.cdb.refused",)),
    Mutant("closes what is closed", yes(ScsiService, "_close", ScsiCloseReply(OK)), ("scsi.close",)),
    Mutant("shares its changer", instead(ScsiService, "_open", {Error.DEVICE_BUSY: Error.IO}), ("scsi.open.other",)),
)
