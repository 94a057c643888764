"""Settings for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# The same examples on every machine and run; `NDMPDUP_HYPOTHESIS=explore` looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("NDMPDUP_HYPOTHESIS", "ci"))
