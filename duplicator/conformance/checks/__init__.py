"""The tables, in the order in which they are worked through: what may cost the host something comes last."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.check import Check
from duplicator.conformance.checks import (
    backup,
    conduct,
    config,
    connect,
    data,
    extensions,
    framing,
    from_tape,
    logins,
    losses,
    mover,
    mover_states,
    pairs,
    recover,
    scratch,
    scsi,
    states,
    tape,
    tape_end,
    to_tape,
    windows,
)

__all__ = ["CHECKS"]

CHECKS: Final[tuple[Check, ...]] = (
    *connect.CHECKS,
    *config.CHECKS,
    *extensions.CHECKS,
    *framing.CHECKS,
    *scsi.CHECKS,
    *tape.CHECKS,
    *scratch.CHECKS,
    *mover.CHECKS,
    *windows.CHECKS,
    *mover_states.CHECKS,
    *data.CHECKS,
    *backup.CHECKS,
    *recover.CHECKS,
    *states.CHECKS,
    *to_tape.CHECKS,
    *from_tape.CHECKS,
    *pairs.CHECKS,
    *tape_end.CHECKS,
    *losses.CHECKS,
    *mover_states.LATE,
    *logins.CHECKS,
    *conduct.CHECKS,
)
