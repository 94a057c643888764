"""Opens the catalog's database: file permissions, SQLite's settings, the tables and their version."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from platformdirs import user_data_path
from sqlalchemy import URL, Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from duplicator.catalog.migrations import OLDEST, MigrationError, migrate
from duplicator.catalog.tables import SCHEMA_VERSION, Base, SchemaRow

__all__ = ["CatalogError", "default_url", "open_engine"]

_BUSY_MILLISECONDS: Final = 30_000


class CatalogError(Exception):
    """The catalog cannot be used, or does not know what was asked for; the text says which."""


def default_url() -> str:
    """A SQLite file in the user's data folder; makes the folder, for the user alone."""
    folder = user_data_path("ndmpdup")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CatalogError(f"catalog folder {folder}: {error.strerror}") from error
    return URL.create("sqlite", database=str(folder / "catalog.sqlite")).render_as_string()


def _parse(text: str) -> URL:
    try:
        return make_url(text)
    except ArgumentError:
        # The text may hold a password; neither it nor the exception is repeated.
        reason = "the catalog is not named by an SQLAlchemy URL such as sqlite:////path/to/file"
    raise CatalogError(reason)


def _make_private(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise CatalogError(f"catalog {file}: {error.strerror}") from error


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def settings(connection: Any, _: object) -> None:  # noqa: ANN401
        # The driver must not begin transactions by itself: it would do so too late, and not for reads.
        connection.isolation_level = None
        for pragma in (f"busy_timeout={_BUSY_MILLISECONDS}", "journal_mode=WAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that takes the write lock only at its first write can be refused at once, without waiting.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make_tables(engine: Engine) -> None:
    with Session(engine.execution_options(writes=True)) as session, session.begin():
        connection = session.connection()
        if connection.dialect.has_table(connection, SchemaRow.__tablename__):
            version = session.scalar(select(SchemaRow.version))
            if version is None or not OLDEST <= version <= SCHEMA_VERSION:
                raise CatalogError(_version_text(version))
            if version < SCHEMA_VERSION:
                migrate(connection, version)
            return
        Base.metadata.create_all(connection)
        session.add(SchemaRow(version=SCHEMA_VERSION))


def _version_text(found: int | None) -> str:
    if found is not None and found > SCHEMA_VERSION:
        return f"the catalog has version {found}, this program knows {SCHEMA_VERSION}: use a newer program"
    return f"the catalog has version {found}, this program can bring up {OLDEST} and later ones"


def open_engine(text: str) -> Engine:
    """Connect, and make the tables if there are none; CatalogError. A new SQLite file is for its user alone."""
    url = _parse(text)
    sqlite = url.get_backend_name() == "sqlite"
    if sqlite and url.database and url.database != ":memory:":
        _make_private(Path(url.database))
    try:
        engine = create_engine(url)
        if sqlite:
            _set_up_sqlite(engine)
        with ExitStack() as stack:
            stack.callback(engine.dispose)
            _make_tables(engine)
            stack.pop_all()
    except (SQLAlchemyError, ImportError, MigrationError) as error:
        raise CatalogError(f"catalog {url.render_as_string()}: {error}") from error
    return engine
