"""Directory trees as what an NDMP data server backs up and recovers, in tar archives (docs/trees.md)."""

from __future__ import annotations

from duplicator.trees.backend import TreeBackend
from duplicator.trees.exports import TreeError

__all__ = ["TreeBackend", "TreeError"]
