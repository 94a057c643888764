"""Types of columns that every database keeps alike."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import BigInteger, DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

__all__ = ["EnumText", "Quad", "UtcTime"]


class UtcTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            text = "a time without a zone"
            raise ValueError(text)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_E = TypeVar("_E", bound=Enum)


class EnumText(TypeDecorator[_E]):
    """An enum kept as its text."""

    impl = String(16)
    cache_ok = True

    def __init__(self, enum: type[_E]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: _E | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value.value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> _E | None:  # noqa: ANN401
        return None if value is None else self.enum(value)


class Quad(TypeDecorator[int]):
    """A number from 0 to 2^64 - 1, kept by its bits as a signed one: not for comparing in the database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else int.from_bytes(value.to_bytes(8, "big"), "big", signed=True)

    def process_result_value(self, value: int | None, dialect: Dialect) -> int | None:
        return None if value is None else value % (1 << 64)
