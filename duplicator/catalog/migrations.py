"""Brings an older catalog to today's tables, in one transaction: read all, lift it version by version, write all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Integer, MetaData, Table, func, insert, select

from duplicator.catalog.columns import EnumText
from duplicator.catalog.tables import SCHEMA_VERSION, Base, SchemaRow

__all__ = ["OLDEST", "MigrationError", "migrate"]

Row: TypeAlias = dict[str, Any]
Content: TypeAlias = dict[str, list[Row]]
"""Rows by table; times with a zone, enums as their text."""


class MigrationError(Exception):
    """The older catalog holds what its version never wrote."""


def migrate(connection: Connection, version: int) -> None:
    """Replace the tables of an older version by today's, with the same content."""
    old = MetaData()
    old.reflect(connection, only=_TABLES[version])
    content = {table.name: _rows(connection, table) for table in old.sorted_tables}
    for number in range(version, SCHEMA_VERSION):
        content = _LIFTS[number](content)
    old.drop_all(connection)
    Base.metadata.create_all(connection)
    content[SchemaRow.__tablename__] = [{"version": SCHEMA_VERSION}]
    for table in Base.metadata.sorted_tables:
        if content.get(table.name):
            connection.execute(insert(table), [_values(table, row) for row in content[table.name]])
            _count_on(connection, table)


def _rows(connection: Connection, table: Table) -> list[Row]:
    rows = connection.execute(select(table)).mappings()
    return [{name: _with_zone(value) for name, value in row.items()} for row in rows]


def _with_zone(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _values(table: Table, row: Row) -> Row:
    return {name: _as_kept(table, name, value) for name, value in row.items()}


def _as_kept(table: Table, name: str, value: object) -> object:
    kind = table.columns[name].type
    if value is None or not isinstance(kind, EnumText):
        return value
    try:
        return kind.enum(value)
    except ValueError as error:
        raise MigrationError(f"{table.name}.{name} has no value {value!r}") from error


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL counts numbers of its own giving only."""
    key = table.autoincrement_column
    if connection.dialect.name == "postgresql" and key is not None and isinstance(key.type, Integer):
        counter = func.pg_get_serial_sequence(table.name, key.name)
        connection.execute(select(func.setval(counter, select(func.max(key)).scalar_subquery())))


def _from_1(content: Content) -> Content:
    """A fragment had one tape file; a job had one try; volumes had neither pools nor places."""
    record_bytes = {copy["id"]: copy["record_bytes"] for copy in content["copies"]}
    created = {copy["id"]: copy["created"] for copy in content["copies"]}
    written: dict[str, datetime] = {}
    for fragment in content["fragments"]:
        began = created[fragment["copy_id"]]
        written[fragment["volume"]] = max(began, written.get(fragment["volume"], began))
    return content | {
        "volumes": [row | _NEW_IN_VOLUMES | {"last_written": written.get(row["label"])} for row in content["volumes"]],
        "jobs": [row | _NEW_IN_JOBS | {"queued": row["started"]} for row in content["jobs"]],
        "job_tries": [_only_try(row) for row in content["jobs"]],
        "job_events": [row | {"attempt": 1} for row in content["job_events"]],
        "copies": _numbered(content["copies"]),
        "fragments": [{name: row[name] for name in _FRAGMENT_COLUMNS} for row in content["fragments"]],
        "tape_files": [_only_section(row, record_bytes[row["copy_id"]]) for row in content["fragments"]],
    }


_NEW_IN_VOLUMES: Final[Row] = {
    "pool": "",
    "barcode": "",
    "media": "",
    "location": "",
    "capacity": None,
    "mounts": 0,
    "generation": 1,
}
_NEW_IN_JOBS: Final[Row] = {
    "priority": 0,
    "tries": 1,
    "policy": "",
    "route": "",
    "agents": "",
    "drive": "",
    "volume": "",
    "not_before": None,
    "request": "",
    "stop": None,
}
_FRAGMENT_COLUMNS: Final = ("copy_id", "index", "name", "size", "digest")


def _only_try(job: Row) -> Row:
    kept = {name: job[name] for name in ("started", "ended", "status", "reason")}
    return {"job_id": job["id"], "number": 1} | kept


def _numbered(copies: list[Row]) -> list[Row]:
    counts: dict[int, int] = {}
    numbered = []
    for row in sorted(copies, key=lambda row: (row["created"], row["id"])):
        counts[row["image_id"]] = counts.get(row["image_id"], 0) + 1
        new = {"number": counts[row["image_id"]], "attempts": 1, "validation": "", "expires": None, "route": ""}
        numbered.append(row | new)
    return numbered


def _only_section(fragment: Row, record_bytes: int) -> Row:
    kept = {name: fragment[name] for name in ("volume", "file_sequence", "copy_id", "size", "blocks", "first_block")}
    place = {"fragment": fragment["index"], "begun_as": fragment["index"], "section": 1, "offset": 0}
    return kept | place | {"room": fragment["blocks"] * record_bytes}


def _from_2(content: Content) -> Content:
    """There were no objects."""
    return content


_IN_1: Final = ("schema_version", "images", "volumes", "jobs", "job_events", "copies", "fragments")
_TABLES: Final[Mapping[int, tuple[str, ...]]] = {
    1: _IN_1,
    2: (*_IN_1, "job_tries", "tape_files", "tape_labels", "leases", "line", "drives"),
}
"""The tables of each older version; a database may have others, of others."""
_LIFTS: Final[Mapping[int, Callable[[Content], Content]]] = {1: _from_1, 2: _from_2}
OLDEST: Final = min(_LIFTS)
"""The oldest version that can be brought up."""
