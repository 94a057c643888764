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
    parse_ndmp_url,
)
from duplicator.credentials import Role
from duplicator.plan import CopyRequest, Deadlines

if TYPE_CHECKING:
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
        typer.Option("--from", metavar="URL", help="ndmp[s]://USER@HOST:PORT/LSU: the storage unit with the images."),
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", help="ndmp[s]://USER@HOST:PORT/TAPE: the tape drive that writes the copies."
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
    record_size: Annotated[str, typer.Option(metavar="SIZE", help="Bytes of a tape record, with K or M.")] = "64K",
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

    The images are copied one after the other, each by a job of its own. The exit code is 0 only if every copy was read
    back from the tape and found equal.

    \b
    Examples:
      ndmpdup duplicate mail.tar --from ndmp://backup@appliance/unit1 --to ndmp://backup@tapehost/drive1
      ndmpdup duplicate a.tar b.tar --volume ND0007 --digest sha256 \\
        --from ndmp://backup@appliance/unit1 --from-password-file ~/.appliance \\
        --to ndmp://backup@tapehost:10001/drive1 --to-password-file ~/.tapehost
    """
    from duplicator.digests import algorithm_by_name

    from_url = parse_ndmp_url(source, option="--from", place="lsu")
    to_url = parse_ndmp_url(target, option="--to", place="tape")
    _check_volume(volume)
    record_bytes = _record_bytes(record_size)
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
        )
        for image in images
    ]
    batch = copy_images(requests, catalog)
    batch.report(as_json=as_json)
    batch.end(must_be_valid=True)


def copy_images(requests: Sequence[CopyRequest], catalog_url: str | None) -> Batch:
    """Run the duplications; the batch knows how they ended."""
    from duplicator.cli.batch import Batch, open_catalog

    batch = Batch()
    with open_catalog(catalog_url) as catalog:
        batch.run([(request.image, partial(_copy, request, catalog)) for request in requests])
    return batch


async def _copy(request: CopyRequest, catalog: Catalog, watcher: Watcher) -> JobResult:
    from duplicator.cli.by_hand import by_hand
    from duplicator.engine import duplicate as duplicate_image

    supply = by_hand(request.target, request.deadlines, catalog, volume=request.volume)
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
