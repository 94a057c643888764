"""The broker is tested on each database, as the catalog is."""

from __future__ import annotations

from tests.duplicator.catalog.databases import catalog, postgresql, url

__all__ = ["catalog", "postgresql", "url"]
