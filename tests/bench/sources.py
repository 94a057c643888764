"""Images to be copied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["make_image"]

_PIECE: Final = 1 << 20


def make_image(path: Path, size: int) -> None:
    """An image without holes."""
    piece = os.urandom(_PIECE)
    with path.open("wb") as file:
        for at in range(0, size, _PIECE):
            file.write(piece[: size - at])
