"""A restored image in a directory of this machine: hidden until it is whole and its digests are right."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from duplicator.catalog import Copy, Fragment
from duplicator.digests import new_digest
from duplicator.plan import Step
from duplicator.status import JobError, Status
from ndmp.enums import DigestAlgorithm
from ndmp.errors import ReplyError
from ndmp.services.files import audit_name

__all__ = ["FragmentSink", "RestoredImage"]


def _fail(reason: str, status: Status = Status.FILE_WRITE_FAILED, *, step: Step = Step.COMMIT) -> JobError:
    return JobError(status, step=step.value, reason=reason)


class RestoredImage:
    """Collects the fragments of one image in a hidden folder of ``directory``, and shows them all at once."""

    def __init__(self, directory: Path, copy: Copy) -> None:
        self._copy = copy
        self._directory = directory
        for name in (copy.image.name, *(fragment.name for fragment in copy.fragments if fragment.name)):
            _check_name(name)
        self.path = directory / copy.image.name

    def __enter__(self) -> Self:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._refuse_existing(Step.PREPARE)
            self._staging = Path(tempfile.mkdtemp(prefix=".incoming-", dir=self._directory))
        except OSError as error:
            reason = f"the directory {self._directory} cannot take the image: {error.strerror}; choose another"
            raise _fail(reason, step=Step.PREPARE) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    def _refuse_existing(self, step: Step) -> None:
        if os.path.lexists(self.path):
            raise self._taken(step)

    def _taken(self, step: Step) -> JobError:
        return _fail(f"{self.path} is there already, and is not overwritten; choose another directory", step=step)

    @contextmanager
    def fragment(self, fragment: Fragment) -> Iterator[FragmentSink]:
        """A place for the bytes of one fragment."""
        target = self._staging / (fragment.name or self._copy.image.name)
        try:
            file = target.open("xb", buffering=0)
        except OSError as error:
            raise _cannot_write(target, error) from error
        with file:
            yield FragmentSink(file, fragment, self._copy.algorithm)
            try:
                os.fsync(file.fileno())
            except OSError as error:
                raise _cannot_write(target, error) from error

    def commit(self) -> None:
        """Show the image; never replaces anything."""
        single = not self._copy.fragments[0].name
        try:
            if single:
                os.link(self._staging / self._copy.image.name, self.path)
            else:
                self._refuse_existing(Step.COMMIT)
                self._staging.chmod(0o755)
                self._staging.rename(self.path)
            _sync_directory(self._directory)
        except FileExistsError:
            raise self._taken(Step.COMMIT) from None
        except OSError as error:
            raise _fail(f"{self.path} cannot be made: {error.strerror}") from error


class FragmentSink:
    """Writes a stream to a file, without the padding of its last record, and digests it."""

    def __init__(self, file: FileIO, fragment: Fragment, algorithm: DigestAlgorithm) -> None:
        # Not its descriptor: a thread that is left behind must not write to whoever gets that number next.
        self._file = file
        self._fragment = fragment
        self._digest = new_digest(algorithm)
        self._left = fragment.size
        self._clean = True

    def take(self, chunk: memoryview) -> None:
        """The next bytes; called from the receiving thread."""
        used = chunk[: min(len(chunk), self._left)]
        self._left -= len(used)
        self._clean = self._clean and not any(chunk[len(used) :])
        self._digest.update(used)
        try:
            while used:
                used = used[self._file.write(used) :]
        except OSError as error:
            raise _cannot_write(Path(str(self._file.name)), error) from error

    def check(self) -> None:
        """JobError unless exactly what was sent to tape came back."""
        where = f"fragment {self._fragment.index + 1}"
        if self._left:
            raise _fail(f"{where}: {self._left} bytes are missing", Status.MEDIA_READ_ERROR)
        if not self._clean:
            raise _fail(f"{where}: the padding of the last record is not zero", Status.MEDIA_READ_ERROR)
        if self._digest.digest() != self._fragment.digest:
            raise _fail(f"{where}: the digest is not the one that was sent", Status.MEDIA_READ_ERROR)


def _check_name(name: str) -> None:
    """A name from the catalog must not lead out of the directory either."""
    try:
        audit_name(name)
    except ReplyError as error:
        raise _fail(f"the image has a name that is not restored: {error.text}", step=Step.PREPARE) from error


def _cannot_write(path: Path, error: OSError) -> JobError:
    return _fail(f"{path.name} cannot be written: {error.strerror}", step=Step.MOVE)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
