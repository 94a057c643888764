"""What the tests of the catalog put into it, and other processes that use it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import create_engine, text

from duplicator.catalog import Catalog, Fragment, Image, JobKind, Section, StoredObject, Volume
from ndmp.enums import DigestAlgorithm

__all__ = [
    "COPY",
    "NOON",
    "SECOND",
    "copy",
    "fragment",
    "image",
    "new_object",
    "on_volume",
    "script",
    "section",
    "sql",
    "start",
    "start_together",
]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COPY = "0f8fad5b-d9cb-469f-a165-70867728950e"
SECOND = timedelta(seconds=1)


def start(catalog: Catalog, image: str = "etc.tar") -> int:
    """A running job."""
    source, target = "ndmp://u@a:1/lsu0", "ndmp://u@b:1/t0"
    return catalog.start_job(JobKind.DUPLICATE, image=image, source=source, target=target, started=NOON)


def image(catalog: Catalog, *, modified: int = 1) -> Image:
    """An image of two fragments."""
    return catalog.record_image(host="a", unit="lsu0", name="etc.tar", size=2**40, modified=modified, fragments=2)


def copy(catalog: Catalog, copy_id: str = COPY, job_id: int | None = None, *, expires: datetime | None = None) -> str:
    """A copy of it that is being written."""
    return catalog.start_copy(
        image_id=image(catalog).id,
        job_id=job_id,
        tape_url="ndmp://u@b:1/t0",
        algorithm=DigestAlgorithm.SHA256,
        record_bytes=65536,
        copy_id=copy_id,
        expires=expires,
        created=NOON,
    )


def section(number: int, file_sequence: int, *, volume: str = "ND0001", offset: int = 0, size: int = 131072) -> Section:
    """A tape file."""
    return Section(number, volume, file_sequence, offset, size, -(-size // 65536), None)


def fragment(index: int, file_sequence: int, *, volume: str = "ND0001") -> Fragment:
    """A fragment of 100,000 bytes in one tape file of two blocks."""
    only = section(1, file_sequence, volume=volume, size=100_000)
    return Fragment(index, f"part{index}", 100_000, bytes(range(32)), (only,))


def new_object(catalog: Catalog, **given: object) -> StoredObject:
    """A pending object, in what is not given the same as all others."""
    values: dict[str, Any] = {
        "user": "olga",
        "host": "client1",
        "bsa_owner": "",
        "app_owner": "app",
        "space": "db",
        "path": "/full/0001",
        "copy_type": 3,
        "object_type": 4,
        "resource_type": "ours",
        "description": "",
        "info": b"\0\xff",
        "estimated_size": 2**64 - 1,
        "unit": "unit1",
        "algorithm": DigestAlgorithm.XXH3_128,
        "created": NOON,
    }
    return catalog.new_object(**(values | given))


def on_volume(catalog: Catalog, label: str = "ND0001") -> Volume:
    """A volume that the catalog knows."""
    found = catalog.volume(label)
    assert found is not None
    return found


def sql(url: str, statement: str, **values: object) -> list[tuple[Any, ...]]:
    """Do something behind the catalog's back; gives the rows, if it gives any."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def script(url: str, body: str) -> subprocess.Popen[str]:
    """Another process that has the catalog open and all of this at hand."""
    lines = (
        "import os",
        "from duplicator.catalog import *",
        "from tests.duplicator.catalog.facts import *",
        f"catalog = Catalog({url!r})",
        body,
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], text=True, **pipes)


def start_together(url: str, bodies: list[str]) -> list[subprocess.Popen[str]]:
    """Processes that begin their work once all are ready."""
    processes = [script(url, f"print('ready', flush=True)\ninput()\n{body}") for body in bodies]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes
