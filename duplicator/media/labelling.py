"""Makes the tape in a drive a volume by hand, without harm to what is not to be lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from duplicator.catalog import Catalog, Volume, VolumeState
from duplicator.failures import TapePositionError, failing_as
from duplicator.hostlink import open_session
from duplicator.labels import LabelError
from duplicator.media.holding import holding
from duplicator.plan import Deadlines, Place, Step
from duplicator.status import JobError, Status
from duplicator.tape_side import TapeSide
from duplicator.volume_labels import VolumeKind, VolumeLabel
from ndmp.enums import TapeOpenMode
from ndmp.errors import NdmpError

__all__ = ["LabelRequest", "label_tape", "name_of"]

_MARK: Final = VolumeLabel(VolumeKind.UNKNOWN)
"""What a tape is that begins with a filemark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """``overwrite``: what is on the tape, by :func:`name_of`, if that is to be lost; empty if nothing is."""

    label: str
    drive: Place
    pool: str = ""
    barcode: str = ""
    media: str = ""
    overwrite: str = ""
    deadlines: Deadlines = field(default_factory=Deadlines)


def name_of(found: VolumeLabel) -> str:
    """What is on a tape, as it has to be named to be lost: the volume, or the format where that gives no name."""
    return found.volume or found.kind.name


async def label_tape(request: LabelRequest, catalog: Catalog) -> Volume:
    """Label the tape in the drive; JobError when it must not be, and then nothing was written."""
    _check_wanted(request, catalog.volume(request.label))
    async with open_session(request.drive, request.deadlines, step=Step.WRITE_MOUNT) as session:
        tape = TapeSide(session)
        with failing_as(Step.WRITE_MOUNT, session.name):
            await tape.mount()
            try:
                return await _relabel(request, catalog, tape)
            finally:
                with suppress(NdmpError, TimeoutError):
                    await tape.close()


async def _relabel(request: LabelRequest, catalog: Catalog, tape: TapeSide) -> Volume:
    """Look at the tape without the means to harm it, then label it."""
    found = await _found(tape)
    before = catalog.volume(found.volume) if found is not None and found.ours else None
    if found is None:
        _check_blank(request)
    elif before is None or not await _is_known(tape, before) or before.label != request.label:
        _check_named(found, before, request)
    await tape.close()
    await tape.mount(TapeOpenMode.RDWR)
    if await _found(tape) != found:
        raise TapePositionError("the tape is not the one that was looked at; nothing was written")
    lost = {before.label} - {request.label} if before else set[str]()
    with holding(catalog, {request.label} | lost):
        volume = await _write(request, catalog, tape)
        catalog.forget_volumes(sorted(lost))
    return volume


async def _found(tape: TapeSide) -> VolumeLabel | None:
    try:
        return await tape.recognise()
    except TapePositionError:
        return _MARK


async def _is_known(tape: TapeSide, volume: Volume) -> bool:
    """Whether the catalog knows of all files on the tape, which may have come from elsewhere with that label."""
    try:
        end = await tape.find_end(volume.label)
        unfinished = await tape.remains(end) is not None
    except LabelError:
        return False
    return end.files + unfinished <= volume.files


def _check_wanted(request: LabelRequest, known: Volume | None) -> None:
    if known is None:
        return
    if known.state is not VolumeState.SCRATCH:
        reason = f"the catalog has volume {known.label} as {known.state.value} with {known.files} files: label another"
        raise _refusal(Status.MEDIA_PROTECTED, reason)
    if request.pool and known.pool and request.pool != known.pool:
        raise _refusal(Status.MEDIA_PROTECTED, f"volume {known.label} is of pool {known.pool}, not {request.pool}")
    if request.media and known.media and request.media != known.media:
        raise _refusal(Status.WRONG_TAPE, f"volume {known.label} is {known.barcode or known.media} in the catalog")


def _check_blank(request: LabelRequest) -> None:
    if request.overwrite:
        raise _refusal(Status.WRONG_TAPE, f"the tape is blank: {request.overwrite} is not there")


def _check_named(found: VolumeLabel, known: Volume | None, request: LabelRequest) -> None:
    """What is on the tape is lost only if the catalog needs nothing of it, and it was named."""
    name = name_of(found)
    if known is not None and known.state is not VolumeState.SCRATCH:
        reason = f"the tape is volume {name}, {known.state.value} with {known.files} files: forget that first"
        raise _refusal(Status.MEDIA_PROTECTED, reason)
    if request.overwrite == name:
        return
    kind = f"{found.kind.value}{f', {found.volume}' if found.volume else ''}"
    if request.overwrite:
        raise _refusal(Status.WRONG_TAPE, f"the tape is not {request.overwrite}, but {name} ({kind})")
    raise _refusal(Status.MEDIA_PROTECTED, f"the tape is not blank ({kind}): to lose what is on it, --overwrite {name}")


async def _write(request: LabelRequest, catalog: Catalog, tape: TapeSide) -> Volume:
    """Take the name in the catalog before it is on tape, so that no other tape gets it; it stays taken."""
    url = str(request.drive.url)
    known = catalog.volume(request.label)
    _check_wanted(request, known)
    if known is None:
        catalog.reserve_volume(url, request.label, pool=request.pool)
    with failing_as(Step.WRITE_HEADER, tape.session.name):
        await tape.label_volume(request.label)
    catalog.clear_volume(request.label)
    return catalog.update_volume(
        request.label,
        state=VolumeState.APPENDABLE,
        tape_url=url,
        pool=request.pool or None,
        barcode=request.barcode or None,
        media=request.media or None,
    )


def _refusal(status: Status, reason: str) -> JobError:
    return JobError(status, step=Step.WRITE_MOUNT.value, reason=reason)
