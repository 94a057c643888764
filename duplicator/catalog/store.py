"""The catalog's face: what the modules beside this one can do, on one database."""

from __future__ import annotations

from duplicator.catalog.copies import Copies
from duplicator.catalog.expiry import Expiry
from duplicator.catalog.forgetting import Forgetting
from duplicator.catalog.importing import Importing
from duplicator.catalog.jobs import Jobs
from duplicator.catalog.leases import Leases
from duplicator.catalog.line import Line
from duplicator.catalog.objects import Objects
from duplicator.catalog.queue import Queue
from duplicator.catalog.volumes import Volumes

__all__ = ["Catalog"]


class Catalog(Jobs, Queue, Copies, Volumes, Expiry, Leases, Line, Forgetting, Importing, Objects):
    """A catalog by SQLAlchemy URL (default: a SQLite file of this user); any method may raise CatalogError."""
