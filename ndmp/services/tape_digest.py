"""Tape digest: the host reads its own tape back and tells what it found (docs/fse.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ndmp.backends import MoverFactory, RecordDevice, TapeDigest, TapeDigestDone
from ndmp.enums import DigestAlgorithm, Error, TapeDigestState
from ndmp.errors import ReplyError
from ndmp.messages.extensions.fse import (
    FseNotifyTapeDigest,
    FseTapeDigestAbort,
    FseTapeDigestAbortReply,
    FseTapeDigestContinue,
    FseTapeDigestContinueReply,
    FseTapeDigestGetState,
    FseTapeDigestGetStateReply,
    FseTapeDigestStart,
    FseTapeDigestStartReply,
)
from ndmp.services.mover import MAX_MOVER_RECORD, Inject
from ndmp.services.outbox import Outbox
from ndmp.services.routes import Route, Routes
from ndmp.services.slot import OpenTape, Slot
from ndmp.services.tape import write_implicit_filemark

__all__ = ["TapeDigestService"]

_Begin = Callable[[int, int, RecordDevice, Callable[[TapeDigestDone], None]], TapeDigest]
"""Reads a stretch: its size, the largest record, the tape, and whom to tell."""


class TapeDigestService:
    """At most one digest of one session; ``mover_idle`` says whether the mover leaves the tape alone."""

    def __init__(
        self,
        factory: MoverFactory,
        slot: Slot,
        outbox: Outbox,
        *,
        inject: Inject,
        mover_idle: Callable[[], bool],
    ) -> None:
        self._factory = factory
        self._slot = slot
        self._outbox = outbox
        self._inject = inject
        self._mover_idle = mover_idle
        self._digest: TapeDigest | None = None
        self._is_whole = False
        """The last stretch that came to its end did so with NO_ERR: another may follow."""
        self._algorithm = DigestAlgorithm.NONE
        self.state = TapeDigestState.IDLE
        self.routes: Routes = {
            FseTapeDigestStart: Route(self._start, blocking=True),
            FseTapeDigestGetState: Route(self._get_state),
            FseTapeDigestAbort: Route(self._abort, blocking=True),
            FseTapeDigestContinue: Route(self._continue, blocking=True),
        }

    @property
    def is_active(self) -> bool:
        """Whether the tape is being read."""
        return self.state == TapeDigestState.ACTIVE

    def shut_down(self) -> None:
        """The session ends."""
        if self._digest is not None:
            self._digest.stop()

    def _start(self, request: FseTapeDigestStart) -> FseTapeDigestStartReply:
        tape = self._audit_tape()
        self._audit_record_size(request.record_size)
        if request.algorithm not in self._factory.algorithms:
            raise ReplyError(Error.FSE_ALGORITHM, f"digest {request.algorithm.name}")
        self._read(tape, request, partial(self._factory.tape_digest, request.algorithm))
        self._algorithm = request.algorithm
        return FseTapeDigestStartReply(Error.NO_ERR)

    def _continue(self, request: FseTapeDigestContinue) -> FseTapeDigestContinueReply:
        tape = self._audit_tape()
        if self._digest is None or not self._is_whole:
            raise ReplyError(Error.ILLEGAL_STATE, "no digest to go on with")
        self._audit_record_size(request.record_size)
        self._read(tape, request, self._digest.read_on)
        return FseTapeDigestContinueReply(Error.NO_ERR)

    def _audit_tape(self) -> OpenTape:
        tape = self._slot.require_tape()
        if not self._mover_idle() or self.is_active:
            raise ReplyError(Error.ILLEGAL_STATE, "the tape is in use")
        return tape

    def _audit_record_size(self, record_size: int) -> None:
        if not 0 < record_size <= MAX_MOVER_RECORD:
            raise ReplyError(Error.ILLEGAL_ARGS, f"record size {record_size}")

    def _read(self, tape: OpenTape, request: FseTapeDigestStart | FseTapeDigestContinue, begin: _Begin) -> None:
        write_implicit_filemark(tape)

        def report(done: TapeDigestDone) -> None:
            self._inject(lambda: self._on_done(done) if self._digest is digest else None)

        digest = begin(request.size, request.record_size, tape.handle, report)
        self._digest, self.state = digest, TapeDigestState.ACTIVE

    def _get_state(self, request: FseTapeDigestGetState) -> FseTapeDigestGetStateReply:
        return FseTapeDigestGetStateReply(Error.NO_ERR, self.state, self._digest.bytes_done() if self._digest else 0)

    def _abort(self, request: FseTapeDigestAbort) -> FseTapeDigestAbortReply:
        if self._digest is None or not self.is_active:
            raise ReplyError(Error.ILLEGAL_STATE, "no digest is running")
        self._digest.stop()
        return FseTapeDigestAbortReply(Error.NO_ERR)

    def _on_done(self, done: TapeDigestDone) -> None:
        self.state, self._is_whole = TapeDigestState.DONE, done.error == Error.NO_ERR
        self._outbox.post(
            FseNotifyTapeDigest(done.error, done.size, done.records, done.padding_clean, self._algorithm, done.digest)
        )
