"""`ndmpdup duplicate` by URLs: one drive, one job after the other, and an operator for its tapes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING

from duplicator.plan import (
    DEFAULT_RECORD_BYTES,
    CopyRequest,
    Deadlines,
    Place,
    SourceSpec,
    StorageUnit,
    TapeCopy,
    TapeFile,
    Tree,
    Validation,
)

if TYPE_CHECKING:
    from duplicator.catalog import Catalog
    from duplicator.cli.batch import Batch
    from duplicator.engine import Means
    from duplicator.plan import JobResult
    from duplicator.recorder import Recorder, Watcher

__all__ = ["Digest", "Places", "Wanted", "What", "copy_by_urls", "copy_images"]


class Digest(Enum):
    """Digests to choose from."""

    XXH3_128 = "xxh3-128"
    BLAKE3 = "blake3"
    SHA256 = "sha256"


class What(Enum):
    """What the words IMAGE of the command are."""

    IMAGE = "image"
    COPY = "copy"
    TAPE_FILE = "tape-file"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for of each copy, however it is reached; None: what is usual."""

    what: What = What.IMAGE
    volume: str | None = None
    digest: Digest | None = None
    validation: Validation = Validation.DIGEST
    record_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Both ends."""

    source: Place
    target: Place


def copy_by_urls(
    images: Sequence[str],
    places: Places,
    wanted: Wanted,
    waits: Deadlines,
    catalog_url: str | None,
    *,
    resume: str | None,
    spans: bool,
) -> Batch:
    """Run a job for each image; ``spans``: an operator may bring further volumes."""
    from duplicator.digests import algorithm_by_name

    requests = [
        CopyRequest(
            image=image,
            source=places.source,
            target=places.target,
            volume=wanted.volume,
            algorithm=algorithm_by_name(wanted.digest.value) if wanted.digest else None,
            record_bytes=wanted.record_bytes or DEFAULT_RECORD_BYTES,
            deadlines=waits,
            validation=wanted.validation,
            copy_id=resume,
        )
        for image in images
    ]
    return copy_images(requests, catalog_url, spans=spans, what=wanted.what)


def copy_images(
    requests: Sequence[CopyRequest], catalog_url: str | None, *, spans: bool = True, what: What = What.IMAGE
) -> Batch:
    """Run the duplications; the batch knows how they ended."""
    from duplicator.cli.batch import Batch, open_catalog

    batch = Batch()
    with open_catalog(catalog_url) as catalog:
        batch.run([(each.image, partial(_copy, each, catalog, spans=spans, what=what)) for each in requests])
    return batch


async def _copy(request: CopyRequest, catalog: Catalog, watcher: Watcher, *, spans: bool, what: What) -> JobResult:
    from duplicator.catalog import JobKind
    from duplicator.engine import run_copy

    origin, target = str(request.source.url) if request.source else "", str(request.target.url)
    job_id = catalog.start_job(JobKind.DUPLICATE, image=request.image, source=origin, target=target)
    gather = partial(_gather, request, catalog, spans=spans, what=what)
    return await run_copy(job_id, request.image, gather, catalog, watcher)


@asynccontextmanager
async def _gather(
    request: CopyRequest, catalog: Catalog, recorder: Recorder, *, spans: bool, what: What
) -> AsyncIterator[Means]:
    from duplicator.cli.by_hand import by_hand
    from duplicator.engine import Means
    from duplicator.routes import choose
    from duplicator.supply import TapeInDrive

    assert request.source is not None
    waits, volume = request.deadlines, request.volume
    source = await choose(
        _spec(request.image, request.source, what),
        request.image,
        request.target,
        recorder,
        catalog=catalog,
        deadlines=waits,
        algorithm=request.algorithm,
        supply=by_hand(request.source, waits, catalog) if what is What.COPY else None,
    )
    supply = by_hand(request.target, waits, catalog, volume=volume) if spans else TapeInDrive(volume)
    yield Means(request, source, supply)


def _spec(image: str, place: Place, what: What) -> SourceSpec:
    match what:
        case What.COPY:
            return TapeCopy(image, place)
        case What.TAPE_FILE:
            return TapeFile(place, int(image) if image.isdecimal() else 0)
        case What.TREE:
            return Tree(place, image)
        case _:
            return StorageUnit(place)
