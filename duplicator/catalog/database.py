"""Opens the catalog's database: file permissions, SQLite's settings, the tables and their version."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from platformdirs import user_data_path
from sqlalchemy import URL, Connection, Engine, Index, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import Session

from duplicator.catalog.migrations import OLDEST, MigrationError, migrate
from duplicator.catalog.tables import SCHEMA_VERSION, Base, JobRow, SchemaRow

__all__ = ["CatalogError", "default_url", "open_engine", "passing", "reading", "writing"]

_POSTGRESQL: Final = "postgresql+psycopg"
_BUSY_MILLISECONDS: Final = 30_000
_WRITE_LOCK: Final = int.from_bytes(b"ndmpdup")
"""Names the lock of the one who writes, among all locks of a PostgreSQL database."""
_IN_TURN: Final = Index("jobs_in_turn", JobRow.state, JobRow.priority.desc(), JobRow.id)
"""Whose turn it is among thousands of queued jobs. An index changes nothing that is kept: it makes no new version."""
_IDLE_MILLISECONDS: Final = 60_000
"""How long PostgreSQL waits for the next statement of a transaction: its client may be dead or cut off."""


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
    """Make the file if it is not there. One that is there is not opened: closing it would drop SQLite's locks on it."""
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if file.is_dir() or not os.access(file, os.R_OK | os.W_OK):
            reason = os.strerror(errno.EISDIR if file.is_dir() else errno.EACCES)
            raise CatalogError(f"catalog {file}: {reason}") from None
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
        writes = connection.get_execution_options().get("writes", False)
        if writes:
            _wait_for_the_disk(connection)
        # A transaction that takes the write lock only at its first write can be refused at once, without waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _wait_for_the_disk(connection: Connection) -> None:
    """Whether the end of the transaction waits until it is on the disk; the connection remembers what it was told."""
    wanted = "NORMAL" if connection.get_execution_options().get("passing", False) else "FULL"
    if connection.info.get("synchronous") != wanted:
        connection.exec_driver_sql(f"PRAGMA synchronous={wanted}")
        connection.info["synchronous"] = wanted


def _set_up_postgresql(engine: Engine) -> None:
    """One writes at a time here too: what a writer has read stays true until it has written."""

    @event.listens_for(engine, "connect")
    def settings(connection: Any, _: object) -> None:  # noqa: ANN401
        connection.autocommit = True
        for name, value in (
            ("lock_timeout", _BUSY_MILLISECONDS),
            ("idle_in_transaction_session_timeout", _IDLE_MILLISECONDS),
        ):
            connection.execute(f"SET {name} = {value}")
        connection.autocommit = False

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")
        if connection.get_execution_options().get("passing", False):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def writing(engine: Engine) -> Engine:
    """For transactions that write: alone from their beginning, so each statement sees what others wrote before."""
    return engine.execution_options(writes=True)


def passing(engine: Engine) -> Engine:
    """For writing what only tells how far things are: a power failure may take it, a kill does not.

    It is never on the disk without all that was written before, nor what is written later without it.
    """
    return engine.execution_options(writes=True, passing=True)


def reading(engine: Engine) -> Engine:
    """For transactions that only read: all statements see the same moment."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine


def _make_tables(engine: Engine) -> None:
    with Session(writing(engine)) as session, session.begin():
        connection = session.connection()
        if connection.dialect.has_table(connection, SchemaRow.__tablename__):
            version = session.scalar(select(SchemaRow.version))
            if version is None or not OLDEST <= version <= SCHEMA_VERSION:
                raise CatalogError(_version_text(version))
            if version < SCHEMA_VERSION:
                migrate(connection, version)
            _IN_TURN.create(connection, checkfirst=True)
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
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        _make_private(Path(url.database))
    try:
        engine = _engine(url)
        with ExitStack() as stack:
            stack.callback(engine.dispose)
            _make_tables(engine)
            stack.pop_all()
    except (SQLAlchemyError, ImportError, MigrationError) as error:
        # Without its query, which may have a password too.
        raise CatalogError(f"catalog {url.set(query={}).render_as_string()}: {error}") from error
    return engine


def _engine(url: URL) -> Engine:
    match url.get_backend_name():
        case "sqlite":
            engine = create_engine(url)
            _set_up_sqlite(engine)
        case "postgresql":
            engine = create_engine(
                url.set(drivername=_POSTGRESQL), isolation_level="READ COMMITTED", pool_pre_ping=True
            )
            _set_up_postgresql(engine)
        case other:
            raise CatalogError(f"the catalog is kept in SQLite or PostgreSQL, not in {other}")
    return engine
