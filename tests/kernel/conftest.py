"""Tests on devices that others emulate: expected failures, and the mark of all tests with programs of third parties."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scsi.deviations import DEVIATIONS

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    device = os.environ.get("NDMPDUP_DEVICE", "")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)
            name, _, url = item.nodeid.partition("::")[2].partition("[")
            if reason := DEVIATIONS.get((f"{device} by {url.partition(':')[0]}", name)):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
