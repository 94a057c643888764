"""Which configuration file counts; apart from what reads it, which takes long to load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

__all__ = ["FILE_NAME", "VARIABLE", "find_file"]

FILE_NAME: Final = "ndmpdup.toml"
VARIABLE: Final = "NDMPDUP_CONFIG"


def find_file(given: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that counts: the given one, that of NDMPDUP_CONFIG, that of this folder, that of the user, or none."""
    if given is not None:
        return given
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    usual = (Path(FILE_NAME), user_config_path("ndmpdup", appauthor=False) / FILE_NAME)
    return next((path for path in usual if path.is_file()), None)
