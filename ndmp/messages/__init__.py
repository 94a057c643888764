"""All declared messages; importing this package fills the registries of :mod:`ndmp.wire`."""

from __future__ import annotations

from ndmp.messages import config, connect, data, filehist, mover, notify, scsi, tape
from ndmp.messages.extensions import echo, fse, snapshot

__all__ = ["config", "connect", "data", "echo", "filehist", "fse", "mover", "notify", "scsi", "snapshot", "tape"]
