"""All declared messages; importing this package fills the registries of :mod:`ndmp.wire`."""

from __future__ import annotations

from ndmp.messages import config, connect, mover, notify, tape
from ndmp.messages.extensions import echo, fse

__all__ = ["config", "connect", "echo", "fse", "mover", "notify", "tape"]
