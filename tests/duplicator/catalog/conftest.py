"""Every test of the catalog runs on each database."""

from __future__ import annotations

from tests.duplicator.catalog.databases import catalog, postgresql, url

__all__ = ["catalog", "postgresql", "url"]
