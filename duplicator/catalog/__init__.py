"""What the product remembers: images, copies, fragments, volumes and jobs, in any SQLAlchemy database."""

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
    "Volume",
    "VolumeState",
    "default_url",
]
