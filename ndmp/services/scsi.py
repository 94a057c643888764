"""SCSI service: a media changer by its commands (draft 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from ndmp.backends import ScsiBackend
from ndmp.services.routes import Routes
from ndmp.services.slot import Slot

__all__ = ["ScsiService"]


class ScsiService:
    """Audits and acts for one session."""

    def __init__(self, changers: Mapping[str, ScsiBackend], slot: Slot) -> None:
        self._changers = changers
        self._slot = slot
        self.routes: Routes = {}
