"""`ndmpdup duplicate`: images of a storage unit to tape."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import (
    CatalogUrl,
    ConfigFile,
    ConnectTimeout,
    FromPasswordFile,
    Json,
    MountTimeout,
    RequestTimeout,
    RequireTls,
    StallTimeout,
    TapeTimeout,
    TlsCa,
    TlsCert,
    TlsKey,
    ToPasswordFile,
    client_tls,
    deadlines,
    find_place,
    is_url,
    parse_ndmp_url,
)
from duplicator.credentials import Role
from duplicator.plan import CopyRequest, Deadlines, Validation

if TYPE_CHECKING:
    from pathlib import Path

    from duplicator.catalog import Catalog
    from duplicator.cli.batch import Batch
    from duplicator.plan import JobResult
    from duplicator.recorder import Watcher

__all__ = ["copy_images", "duplicate"]

_SMALLEST_RECORD: Final = 512
_LARGEST_RECORD: Final = 16 << 20
_WAITS: Final = Deadlines()


class Digest(Enum):
    """Digests to choose from."""

    XXH3_128 = "xxh3-128"
    SHA256 = "sha256"


def duplicate(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Names of images in the storage unit.")],
    *,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL|UNIT",
            help="ndmp[s]://USER@HOST:PORT/LSU, the storage unit with the images, or a disk unit of the configuration.",
        ),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL|UNIT",
            help="ndmp[s]://USER@HOST:PORT/TAPE, the tape drive that writes the copies, or a tape unit of the "
            "configuration, with drives, robots and volumes of its own.",
        ),
    ],
    volume: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="The volume that must be in the drive, or the name for a blank tape."),
    ] = None,
    from_password_file: FromPasswordFile = None,
    to_password_file: ToPasswordFile = None,
    catalog: CatalogUrl = None,
    digest: Annotated[
        Digest | None, typer.Option(help="Digest to validate by. Default: what the source prefers.")
    ] = None,
    validation: Annotated[
        Validation,
        typer.Option(help="How a copy is checked: not at all, by its labels, or by its digest."),
    ] = Validation.DIGEST,
    record_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Bytes of a tape record, with K or M. Default: 64K, or what the unit says."),
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="COPY", help="With URLs: go on with this incomplete copy of the one IMAGE.")
    ] = None,
    no_span: Annotated[
        bool, typer.Option("--no-span", help="With URLs: an image that does not fit the volume fails, status 166.")
    ] = False,
    priority: Annotated[int, typer.Option(help="With units: jobs with a higher one go first.")] = 0,
    retries: Annotated[int, typer.Option(min=0, help="With units: how often a job that fails is tried again.")] = 0,
    queue_only: Annotated[bool, typer.Option("--queue", help="With units: only queue the jobs.")] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="With units: run the jobs on this Dask cluster; `local` makes one here."),
    ] = None,
    config: ConfigFile = None,
    connect_timeout: ConnectTimeout = _WAITS.connect,
    request_timeout: RequestTimeout = _WAITS.request,
    tape_timeout: TapeTimeout = _WAITS.tape,
    mount_timeout: MountTimeout = _WAITS.mount,
    stall_timeout: StallTimeout = _WAITS.stall,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Copy images to tape and validate each copy.

    With URLs the images are copied one after the other, each by a job of its own, and a volume that ends in the middle
    of one goes on with the next that an operator mounts. With units of the configuration (ndmpdup.toml) jobs run on
    all their drives at once, and robots mount. The exit code is 0 only if every copy was read back from the tape and
    found equal, or checked as --validation says.

    \b
    Examples:
      ndmpdup duplicate mail.tar db.tar --from disk1 --to tape1
      ndmpdup duplicate mail.tar --from ndmp://backup@appliance/unit1 --to ndmp://backup@tapehost/drive1
      ndmpdup duplicate a.tar b.tar --volume ND0007 --digest sha256 \\
        --from ndmp://backup@appliance/unit1 --from-password-file ~/.appliance \\
        --to ndmp://backup@tapehost:10001/drive1 --to-password-file ~/.tapehost
    """
    from duplicator.digests import algorithm_by_name

    if not is_url(source) or not is_url(target):
        _by_units(
            images,
            source,
            target,
            volume=volume,
            digest=digest,
            validation=validation,
            record_size=record_size,
            resume=resume,
            priority=priority,
            retries=retries,
            queue_only=queue_only,
            scheduler=scheduler,
            config=config,
            catalog=catalog,
            as_json=as_json,
        )
        return
    if queue_only or scheduler:
        raise UsageProblem("--queue and --scheduler need units of the configuration, not URLs")
    if resume and len(images) != 1:
        raise UsageProblem("--resume goes on with the copy of one image")
    from_url = parse_ndmp_url(source, option="--from", place="lsu")
    to_url = parse_ndmp_url(target, option="--to", place="tape")
    _check_volume(volume)
    record_bytes = _record_bytes(record_size or "64K")
    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    from_place = find_place(from_url, from_password_file, Role.FROM, tls=tls)
    to_place = find_place(to_url, to_password_file, Role.TO, tls=tls)
    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    requests = [
        CopyRequest(
            image=image,
            source=from_place,
            target=to_place,
            volume=volume,
            algorithm=algorithm_by_name(digest.value) if digest else None,
            record_bytes=record_bytes,
            deadlines=waits,
            validation=validation,
            copy_id=resume,
        )
        for image in images
    ]
    batch = copy_images(requests, catalog, spans=not no_span)
    batch.report(as_json=as_json)
    batch.end(must_be_valid=validation is Validation.DIGEST)


def _by_units(
    images: Sequence[str],
    source: str,
    target: str,
    *,
    volume: str | None,
    digest: Digest | None,
    validation: Validation,
    record_size: str | None,
    resume: str | None,
    priority: int,
    retries: int,
    queue_only: bool,
    scheduler: str | None,
    config: Path | None,
    catalog: str | None,
    as_json: bool,
) -> None:
    """Queue a job for each image, and run them unless that is left to others."""
    from duplicator.cli.queue_run import run_jobs
    from duplicator.orders import CopyOrder

    if resume:
        raise UsageProblem("--resume is for URLs; jobs of units are gone on with by `ndmpdup resume JOB`")
    _check_volume(volume)
    with run_jobs(config, catalog) as jobs:
        unit = jobs.tape_unit(target, option="--to")
        jobs.disk_unit(source, option="--from")
        orders = [
            CopyOrder(
                image=image,
                source=source,
                target=target,
                volume=volume,
                digest=digest.value if digest else None,
                validation=validation,
                record_bytes=_record_bytes(record_size) if record_size else unit.record_bytes,
                retries=retries,
                keep=jobs.retention(unit),
            )
            for image in images
        ]
        numbers = [jobs.queue(order, priority=priority) for order in orders]
        if queue_only:
            jobs.say_queued(numbers, as_json=as_json)
            return
        batch = jobs.run(numbers, scheduler=scheduler)
    batch.report(as_json=as_json)
    batch.end(must_be_valid=validation is Validation.DIGEST)


def copy_images(requests: Sequence[CopyRequest], catalog_url: str | None, *, spans: bool = True) -> Batch:
    """Run the duplications; the batch knows how they ended. ``spans``: an operator may bring further volumes."""
    from duplicator.cli.batch import Batch, open_catalog

    batch = Batch()
    with open_catalog(catalog_url) as catalog:
        batch.run([(request.image, partial(_copy, request, catalog, spans=spans)) for request in requests])
    return batch


async def _copy(request: CopyRequest, catalog: Catalog, watcher: Watcher, *, spans: bool) -> JobResult:
    from duplicator.cli.by_hand import by_hand
    from duplicator.engine import duplicate as duplicate_image

    supply = by_hand(request.target, request.deadlines, catalog, volume=request.volume) if spans else None
    return await duplicate_image(request, catalog, watcher, supply=supply)


def _check_volume(label: str | None) -> None:
    from duplicator.ansi import LabelError, check_volume_id

    if label is not None:
        try:
            check_volume_id(label)
        except LabelError as error:
            raise UsageProblem(f"--volume: {error}") from error


def _record_bytes(text: str) -> int:
    from scsi.errors import DeviceUrlError
    from scsi.virtual.url import parse_size

    try:
        size = parse_size(text)
    except DeviceUrlError as error:
        raise UsageProblem(f"--record-size: {error}") from error
    if not _SMALLEST_RECORD <= size <= _LARGEST_RECORD:
        raise UsageProblem(f"--record-size: {size} bytes are not within {_SMALLEST_RECORD} and {_LARGEST_RECORD}")
    return size
