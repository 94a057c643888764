"""What the product remembers: images, copies, fragments, volumes and jobs, in SQLite or PostgreSQL."""

from __future__ import annotations

from duplicator.catalog.database import CatalogError, default_url
from duplicator.catalog.records import (
    Copy,
    CopyState,
    Fragment,
    Image,
    Job,
    JobEvent,
    JobKind,
    JobState,
    JobTry,
    Section,
    Stop,
    TapeFile,
    Volume,
    VolumeState,
)
from duplicator.catalog.store import Catalog

__all__ = [
    "Catalog",
    "CatalogError",
    "Copy",
    "CopyState",
    "Fragment",
    "Image",
    "Job",
    "JobEvent",
    "JobKind",
    "JobState",
    "JobTry",
    "Section",
    "Stop",
    "TapeFile",
    "Volume",
    "VolumeState",
    "default_url",
]
