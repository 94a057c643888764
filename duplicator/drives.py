"""Drives and libraries by the names that a configuration gives them."""

from __future__ import annotations

from dataclasses import dataclass

from duplicator.urls import NdmpUrl

__all__ = ["DriveSpec", "LibrarySpec"]


@dataclass(frozen=True, slots=True)
class LibrarySpec:
    """A library: ``url`` is the host that has its changer, and the changer's device there."""

    name: str
    url: NdmpUrl


@dataclass(frozen=True, slots=True)
class DriveSpec:
    """A tape drive: ``url`` is its host and its tape device there.

    ``library`` names the library that it is in, None where an operator mounts the tapes; ``number`` counts the drives
    of the library from 0, in the order of their element addresses.
    """

    name: str
    url: NdmpUrl
    library: str | None = None
    number: int = 0
