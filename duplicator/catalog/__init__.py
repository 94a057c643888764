"""What the product remembers: images, copies, fragments, volumes and jobs, in SQLite or PostgreSQL."""

from __future__ import annotations

from duplicator.catalog.database import CatalogError, default_url
from duplicator.catalog.expiry import Expired
from duplicator.catalog.importing import Learned, Lesson, VolumeContents
from duplicator.catalog.leases import LEASE_SECONDS
from duplicator.catalog.records import (
    LIVE_COPIES,
    Account,
    Copy,
    CopyState,
    DriveUse,
    Fragment,
    Image,
    InLine,
    Job,
    JobEvent,
    JobKind,
    JobState,
    JobTry,
    Lease,
    ObjectQuery,
    ObjectState,
    PendingObject,
    Resource,
    ResourceKind,
    Section,
    Stop,
    StoredObject,
    TapeFile,
    Volume,
    VolumeState,
)
from duplicator.catalog.store import Catalog

__all__ = [
    "LEASE_SECONDS",
    "LIVE_COPIES",
    "Account",
    "Catalog",
    "CatalogError",
    "Copy",
    "CopyState",
    "DriveUse",
    "Expired",
    "Fragment",
    "Image",
    "InLine",
    "Job",
    "JobEvent",
    "JobKind",
    "JobState",
    "JobTry",
    "Learned",
    "Lease",
    "Lesson",
    "ObjectQuery",
    "ObjectState",
    "PendingObject",
    "Resource",
    "ResourceKind",
    "Section",
    "Stop",
    "StoredObject",
    "TapeFile",
    "Volume",
    "VolumeContents",
    "VolumeState",
    "default_url",
]
