"""What BSAGetLastError tells: the words of the last call that did not succeed. And the border that keeps them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Final, ParamSpec

from duplicator.xbsa.codes import TEXTS, CallError, ReturnCode
from duplicator.xbsa.types import Size

__all__ = ["byte_count", "call", "last_text", "room_for"]

Arguments = ParamSpec("Arguments")
_log: Final = logging.getLogger(__name__)
_last = {"text": ""}


def call(function: Callable[Arguments, ReturnCode | None]) -> Callable[Arguments, ReturnCode]:
    """A call of XBSA of a function that raises CallError, or gives None for SUCCESS: no Exception leaves it."""

    @functools.wraps(function)
    def guarded(*args: Arguments.args, **options: Arguments.kwargs) -> ReturnCode:
        try:
            if not (code := function(*args, **options)):
                return ReturnCode.SUCCESS
            text = TEXTS[code]
        except CallError as error:
            code, text = error.code, str(error)
        except Exception as error:  # noqa: BLE001  (an application in another language could not catch it)
            _log.warning("%s failed", function.__name__, exc_info=True)
            code, text = ReturnCode.ABORT_SYSTEM_ERROR, f"{type(error).__name__}: {error}"
        _last["text"] = f"{function.__name__}: {code.name}: {text}"
        return code

    return guarded


def last_text() -> str:
    """The words; empty when nothing failed yet."""
    return _last["text"]


def room_for(size: Size, needed: int) -> bool:
    """Whether there is room for so many bytes; what is needed is told either way."""
    fits = size.value >= needed
    size.value = needed
    return fits


def byte_count(text: str) -> int:
    """Bytes that it takes in C, with the NUL."""
    return len(text.encode("utf-8", "backslashreplace")) + 1
