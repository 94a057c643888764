"""Finds out what a host offers, by asking it."""

from __future__ import annotations

from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.conduct import Conduct
from duplicator.conformance.deviation import Deviation, Hang
from duplicator.conformance.expectation import ANY_ANSWER
from duplicator.conformance.session import Answer
from duplicator.conformance.situations import open_tape, rewind
from duplicator.conformance.target import Facts, Target
from ndmp.enums import AddressType, CdbFlag, DataState, Error, TapeOpenMode
from ndmp.errors import NdmpError
from ndmp.messages.config import (
    ConfigGetButypeInfo,
    ConfigGetConnectionType,
    ConfigGetExtList,
    ConfigGetScsiInfo,
    ConfigGetServerInfo,
    ConfigGetTapeInfo,
)
from ndmp.messages.data import DataAbort, DataGetState, DataListen, DataStartRecoverFilehist, DataStop
from ndmp.messages.mover import MoverGetState
from ndmp.messages.tape import TapeClose, TapeExecuteCdb, TapeGetState, TapeWrite
from ndmp.types import ALL_ONES_64
from ndmp.wire import Request

__all__ = ["ProbeFailed", "probe"]

_INQUIRY: Final = bytes((0x12, 0, 0, 0, 36, 0))
_BLOCK: Final = bytes(64 * 1024)


class ProbeFailed(NdmpError):  # noqa: N818  (what happened)
    """The host cannot be tested; the text says why."""


async def probe(target: Target) -> Facts:
    """What the host offers; ProbeFailed when nobody can work with it."""
    facts = Facts(target.permissions)
    bench = Bench(target, facts, Conduct())
    try:
        await _meet(bench)
        await _describe(bench, facts)
        await _extensions(bench, facts)
        await _data(bench, facts)
        if target.permissions.tape is not None:
            await _tape(bench, facts)
    except Deviation as deviation:
        raise ProbeFailed(f"{target.place.url}: expected {deviation.expected}, came {deviation.came}") from deviation
    except OSError as error:
        raise ProbeFailed(f"no connection to {target.place.url}: {error or 'timed out'}") from error
    finally:
        await bench.tidy()
    return facts


async def _meet(bench: Bench) -> None:
    session = await bench.dial()
    bench.facts.version = session.posts[0][0].version  # type: ignore[attr-defined]
    try:
        await bench.log_in(session)
    except Deviation as deviation:
        user = bench.target.place.url.user
        reason = f"no login as {user!r}: expected {deviation.expected}, came {deviation.came}"
        raise ProbeFailed(f"{bench.target.place.url}: {reason}") from deviation


async def _try(bench: Bench, request: Request[Any]) -> Answer | None:
    """The answer; None where there is none."""
    try:
        return await bench.ask(request, ANY_ANSWER)
    except Hang:
        bench.session.has_hung = False
        return None


async def _offered(bench: Bench, request: Request[Any]) -> Any:  # noqa: ANN401  (the caller knows)
    """The body of an answer that says yes, or None."""
    answer = await _try(bench, request)
    return answer.body if answer and answer.error == Error.NO_ERR else None


async def _is_known(bench: Bench, request: Request[Any]) -> bool:
    answer = await _try(bench, request)
    return answer is not None and answer.error != Error.NOT_SUPPORTED


async def _describe(bench: Bench, facts: Facts) -> None:
    if server := await _offered(bench, ConfigGetServerInfo()):
        facts.vendor, facts.product, facts.revision = server.vendor, server.product, server.revision
        facts.auth_types = server.auth_types
    if connections := await _offered(bench, ConfigGetConnectionType()):
        facts.address_types = connections.address_types
    if tapes := await _offered(bench, ConfigGetTapeInfo()):
        facts.tapes = tuple(device.device for model in tapes.tapes for device in model.devices)
    if changers := await _offered(bench, ConfigGetScsiInfo()):
        facts.changers = tuple(device.device for model in changers.changers for device in model.devices)
    facts.has_scsi = await _is_known(bench, ConfigGetScsiInfo())
    facts.has_mover = await _is_known(bench, MoverGetState())
    facts.has_tape = await _is_known(bench, ConfigGetTapeInfo()) and facts.has_mover
    facts.has_tape_cdb = await _is_known(bench, TapeExecuteCdb(CdbFlag.DATA_IN, 0, 36, _INQUIRY, b""))


async def _extensions(bench: Bench, facts: Facts) -> None:
    listing = await _offered(bench, ConfigGetExtList())
    facts.answers_extensions = listing is not None
    facts.extensions = {each.class_id: each.versions for each in listing.classes} if listing else {}


async def _data(bench: Bench, facts: Facts) -> None:
    state = await _offered(bench, DataGetState())
    facts.has_data = state is not None and state.state == DataState.IDLE
    if types := await _offered(bench, ConfigGetButypeInfo()):
        facts.butypes = tuple(butype.name for butype in types.butypes)
        chosen = [b for b in types.butypes if b.name == bench.target.permissions.butype]
        facts.butype_attributes = int(chosen[0].attributes) if chosen else 0
    if not facts.has_data:
        return
    facts.has_filehist = await _is_known(bench, DataStartRecoverFilehist((), (), ""))
    facts.has_data_listen = await _is_known(bench, DataListen(AddressType.TCP))
    if facts.has_data_listen:
        await _try(bench, DataAbort())
        await _try(bench, DataStop())


async def _tape(bench: Bench, facts: Facts) -> None:
    try:
        await open_tape(TapeOpenMode.READ)(bench)
    except Deviation as deviation:
        reason = f"tape {bench.target.permissions.tape!r} does not open: {deviation.came}"
        raise ProbeFailed(f"{bench.target.place.url}: {reason}") from deviation
    await bench.ask(TapeGetState())
    state = bench.reply
    facts.block_bytes = 0 if state.block_size == 0xFFFFFFFF else state.block_size
    facts.has_tape_cdb = facts.has_tape_cdb and await _is_known(
        bench, TapeExecuteCdb(CdbFlag.DATA_IN, 0, 36, _INQUIRY, b"")
    )
    await bench.ask(TapeClose())
    allowed = bench.target.permissions
    if allowed.scratch and allowed.fill_bytes and not facts.block_bytes:
        total = state.total_space
        is_known = total not in (0, ALL_ONES_64)
        facts.tape_ends = total <= allowed.fill_bytes if is_known else await _fills(bench, allowed.fill_bytes)


async def _fills(bench: Bench, most: int) -> bool:
    """Whether a tape of unknown length ends within so many bytes."""
    await open_tape(TapeOpenMode.RDWR)(bench)
    await rewind(bench)
    ends = False
    for _ in range(most // len(_BLOCK)):
        answer = await _try(bench, TapeWrite(_BLOCK))
        if answer is None or answer.error != Error.NO_ERR:
            ends = answer is not None and answer.error == Error.EOM
            break
    await rewind(bench)
    await bench.ask(TapeClose())
    return ends
