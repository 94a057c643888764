"""`ndmpdup duplicate`: images of a storage unit to tape."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from duplicator.cli.duplicate_urls import Digest, Places, Wanted, What, copy_by_urls
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
from duplicator.plan import Deadlines, Validation

__all__ = ["duplicate"]

_SMALLEST_RECORD: Final = 512
_LARGEST_RECORD: Final = 16 << 20
_WAITS: Final = Deadlines()


def duplicate(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Names of images in the storage unit, or what --what says.")
    ],
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
    what: Annotated[
        What,
        typer.Option(
            help="What IMAGE is: an image of a storage unit; a copy on tape by its id, in the drive or unit of --from; "
            "with URLs also the number of a tape file that is not ours, or a directory of a data server."
        ),
    ] = What.IMAGE,
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
    back_off: Annotated[
        float, typer.Option(min=0, help="With units: seconds before the first retry; doubled before each further one.")
    ] = 300,
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
      ndmpdup duplicate 3f2a --what copy --from tape1 --to tape2
      ndmpdup duplicate /export/home --what tree --from ndmp://backup@filer --to ndmp://backup@tapehost/drive1
      ndmpdup duplicate a.tar b.tar --volume ND0007 --digest sha256 \\
        --from ndmp://backup@appliance/unit1 --from-password-file ~/.appliance \\
        --to ndmp://backup@tapehost:10001/drive1 --to-password-file ~/.tapehost
    """
    wanted = Wanted(
        what=what,
        volume=_checked_volume(volume),
        digest=digest,
        validation=validation,
        record_bytes=_record_bytes(record_size) if record_size else None,
    )
    waits = deadlines(
        connect=connect_timeout, request=request_timeout, tape=tape_timeout, mount=mount_timeout, stall=stall_timeout
    )
    if is_url(source) or is_url(target):
        _refuse(queue_only or scheduler, "--queue and --scheduler need units of the configuration, not URLs")
        _refuse(resume and len(images) != 1, "--resume goes on with the copy of one image")
        from_url = parse_ndmp_url(source, option="--from", place="lsu")
        to_url = parse_ndmp_url(target, option="--to", place="tape")
        tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
        places = Places(
            find_place(from_url, from_password_file, Role.FROM, tls=tls),
            find_place(to_url, to_password_file, Role.TO, tls=tls),
        )
        batch = copy_by_urls(images, places, wanted, waits, catalog, resume=resume, spans=not no_span)
    else:
        from duplicator.cli.duplicate_units import UnitJobs, copy_by_units

        _refuse(resume, "--resume is for URLs; jobs of units are gone on with by `ndmpdup resume JOB`")
        unit_jobs = UnitJobs(source, target, priority, retries, back_off, waits)
        found = copy_by_units(
            images, unit_jobs, wanted, config, catalog, queue_only=queue_only, scheduler=scheduler, as_json=as_json
        )
        if found is None:
            return
        batch = found
    batch.report(as_json=as_json)
    batch.end(must_be_valid=validation is Validation.DIGEST and what in (What.IMAGE, What.COPY))


def _refuse(wrong: object, text: str) -> None:
    if wrong:
        raise UsageProblem(text)


def _checked_volume(label: str | None) -> str | None:
    from duplicator.ansi import LabelError, check_volume_id

    try:
        return None if label is None else check_volume_id(label)
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
