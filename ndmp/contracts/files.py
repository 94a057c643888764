"""The contract of a file service: ndmp.backends.FileServiceBackend and FileHandle (docs/fse.md)."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from ndmp.backends import FileHandle, FileServiceBackend, ReadEnd
from ndmp.contracts.asking import refused
from ndmp.enums import DigestAlgorithm, Error

__all__ = ["FileServiceContract"]

_NONE, _SHA256 = DigestAlgorithm.NONE, DigestAlgorithm.SHA256


class FileServiceContract(ABC):
    """Subclass it and give :meth:`service`; docs/hosts.md says how to run it."""

    unit: str = "unit"
    """A writable unit of the service, with no image in it and room for 64 KiB."""
    fragments: bool = True
    """Whether images may have several fragments."""
    record_bytes: int = 512

    @abstractmethod
    def service(self) -> FileServiceBackend:
        """The service. Each test asks once."""

    # -- what there is -------------------------------------------------------------------------------------------

    def test_units_are_listed_by_name(self) -> None:
        units = self.service().units()
        names = [unit.name for unit in units]
        assert names == sorted(names)
        (ours,) = (unit for unit in units if unit.name == self.unit)
        assert ours.writable
        assert 0 <= ours.free_bytes <= ours.total_bytes

    def test_an_unknown_unit(self) -> None:
        service = self.service()
        with refused(Error.FILE_NOT_FOUND):
            service.images("no such unit", "", 1)
        with refused(Error.FILE_NOT_FOUND):
            service.image("no such unit", "a")

    def test_an_unknown_image(self) -> None:
        service = self.service()
        assert list(service.images(self.unit, "", 10)) == []
        with refused(Error.FILE_NOT_FOUND):
            service.image(self.unit, "a")
        with refused(Error.FILE_NOT_FOUND):
            service.open_read(self.unit, "a", 0, _NONE)

    def test_images_are_listed_page_by_page(self) -> None:
        service = self.service()
        for name in ("b", "a", "c", "B"):
            self._put(service, name, [("", name.encode())])
        assert [image.name for image in service.images(self.unit, "", 10)] == ["B", "a", "b", "c"]
        assert [image.name for image in service.images(self.unit, "", 2)] == ["B", "a"]
        assert [image.name for image in service.images(self.unit, "a", 1)] == ["b"], "after, not from"
        assert [image.name for image in service.images(self.unit, "aa", 9)] == ["b", "c"], (
            "after a name that is not there"
        )
        assert list(service.images(self.unit, "c", 9)) == []

    def test_an_image_and_its_fragments(self) -> None:
        service = self.service()
        parts = [("1", b"x" * 700), ("2", b""), ("3", b"z")] if self.fragments else [("", b"x" * 700)]
        self._put(service, "img", parts)
        image = service.image(self.unit, "img")
        assert [(part.name, part.size) for part in image.fragments] == [(name, len(body)) for name, body in parts]
        assert (image.name, image.size) == ("img", sum(len(body) for _, body in parts))
        (listed,) = service.images(self.unit, "", 1)
        assert listed == image
        for number, (_, body) in enumerate(parts):
            assert self._read(service, "img", number) == body

    def test_a_fragment_that_is_not_there(self) -> None:
        service = self.service()
        self._put(service, "img", [("", b"x")])
        with refused(Error.ILLEGAL_ARGS, Error.FILE_NOT_FOUND):
            service.open_read(self.unit, "img", 1, _NONE)

    def test_names_do_not_leave_the_unit(self) -> None:
        service = self.service()
        for name in ("..", ".", "../x", "/etc", "a/b"):
            with refused():
                service.image(self.unit, name)
            with refused():
                service.open_read(self.unit, name, 0, _NONE)
            with refused():
                service.open_write(self.unit, name, 0, "", 1, _NONE)

    # -- reading -------------------------------------------------------------------------------------------------

    def test_a_fragment_ends_with_a_filemark(self) -> None:
        service = self.service()
        self._put(service, "img", [("", b"x" * (self.record_bytes + 1))])
        handle = service.open_read(self.unit, "img", 0, _NONE)
        room = memoryview(bytearray(4 * self.record_bytes))
        outcome = handle.read_records(room, self.record_bytes)
        assert (outcome.records, outcome.bytes_read) == (2, self.record_bytes + 1), "only the last record is short"
        for _ in range(2):
            outcome = handle.read_records(room, self.record_bytes)
            assert (outcome.records, outcome.bytes_read, outcome.end) == (0, 0, ReadEnd.FILEMARK)
        handle.close(keep=False)

    def test_a_fragment_can_be_read_from_a_record_on(self) -> None:
        service = self.service()
        body = b"".join(bytes([65 + number]) * self.record_bytes for number in range(4))
        self._put(service, "img", [("", body)])
        handle = service.open_read(self.unit, "img", 0, _NONE)
        room = memoryview(bytearray(self.record_bytes))
        handle.read_records(room, self.record_bytes)
        for count, letter in ((1, b"C"), (-3, b"A"), (2, b"D"), (-1, b"D")):
            assert handle.space_records(count) == 0
            assert handle.read_records(room, self.record_bytes).records == 1
            assert bytes(room[:1]) == letter, f"after a move over {count} records"
        assert handle.space_records(2) == 2, "nothing is behind the last record"
        assert handle.space_records(-9) == 5, "nor before the first"
        handle.close(keep=False)

    def test_what_was_read_is_told(self) -> None:
        service = self.service()
        body = b"x" * (2 * self.record_bytes)
        self._put(service, "img", [("", body)])
        algorithm = self._digest(service)
        handle = service.open_read(self.unit, "img", 0, algorithm)
        room = memoryview(bytearray(self.record_bytes))
        for passes in range(3):
            status = handle.status()
            assert (status.size, status.bytes_moved) == (len(body), passes * self.record_bytes)
            assert not status.changed
            self._check_digest(algorithm, status.digest, body[: status.bytes_moved])
            if passes < 2:
                handle.read_records(room, self.record_bytes)
        handle.close(keep=False)
        handle.close(keep=False)

    # -- writing -------------------------------------------------------------------------------------------------

    def test_nothing_is_seen_before_the_commit(self) -> None:
        service = self.service()
        self._store(service, "img", 0, "", b"abc")
        assert list(service.images(self.unit, "", 10)) == []
        with refused(Error.FILE_NOT_FOUND):
            service.open_read(self.unit, "img", 0, _NONE)
        service.commit(self.unit, "img", 1)
        assert self._read(service, "img", 0) == b"abc"

    def test_the_padding_of_the_last_record_is_dropped(self) -> None:
        service = self.service()
        algorithm = self._digest(service)
        handle = service.open_write(self.unit, "img", 0, "", 3, algorithm)
        written = handle.write_records(memoryview(b"abc" + bytes(2 * self.record_bytes - 3)), self.record_bytes)
        assert written.records == 2
        status = handle.status()
        assert (status.size, status.bytes_moved) == (3, 3)
        self._check_digest(algorithm, status.digest, b"abc")
        handle.close(keep=True)
        service.commit(self.unit, "img", 1)
        assert self._read(service, "img", 0) == b"abc"

    def test_more_than_was_announced_is_refused(self) -> None:
        handle = self.service().open_write(self.unit, "img", 0, "", 3, _NONE)
        with refused(Error.IO):
            handle.write_records(memoryview(b"abcd" + bytes(self.record_bytes - 4)), self.record_bytes)
        handle.close(keep=False)

    def test_less_than_was_announced_is_not_kept(self) -> None:
        service = self.service()
        handle = service.open_write(self.unit, "img", 0, "", 2 * self.record_bytes, _NONE)
        handle.write_records(memoryview(bytes(self.record_bytes)), self.record_bytes)
        with refused(Error.ILLEGAL_STATE):
            handle.close(keep=True)
        service.discard(self.unit, "img")
        self._put(service, "img", [("", b"again")])

    def test_an_image_that_lacks_fragments_is_not_committed(self) -> None:
        service = self.service()
        if self.fragments:
            self._store(service, "img", 0, "0", b"x")
            with refused(Error.ILLEGAL_STATE):
                service.commit(self.unit, "img", 2)
        with refused(Error.FILE_NOT_FOUND):
            service.commit(self.unit, "never written", 1)
        assert list(service.images(self.unit, "", 10)) == []

    def test_an_image_is_never_replaced(self) -> None:
        service = self.service()
        self._put(service, "img", [("", b"old")])
        with refused(Error.FSE_IMAGE_EXISTS):
            service.open_write(self.unit, "img", 0, "", 3, _NONE)
        assert self._read(service, "img", 0) == b"old"

    def test_what_is_discarded_is_gone(self) -> None:
        service = self.service()
        service.discard(self.unit, "never written")
        self._store(service, "img", 0, "", b"abc")
        service.discard(self.unit, "img")
        with refused(Error.FILE_NOT_FOUND):
            service.commit(self.unit, "img", 1)
        self._put(service, "img", [("", b"again")])
        service.discard(self.unit, "img")
        assert self._read(service, "img", 0) == b"again", "what is committed is not discarded"

    def test_without_an_announced_size_all_that_came_is_kept(self) -> None:
        service = self.service()
        algorithm = self._digest(service)
        for image, runs in (("empty", []), ("zeros", [b"abc", bytes(5)]), ("records", [b"x" * self.record_bytes] * 2)):
            handle = service.open_write(self.unit, image, 0, "", None, algorithm)
            for run in runs:
                assert handle.write_records(memoryview(run), 1).records == len(run)
            body = b"".join(runs)
            status = handle.status()
            assert (status.size, status.bytes_moved) == (len(body), len(body))
            self._check_digest(algorithm, status.digest, body)
            handle.close(keep=True)
            service.commit(self.unit, image, 1)
            assert self._read(service, image, 0) == body

    # -- removing ------------------------------------------------------------------------------------------------

    def test_what_is_removed_is_gone(self) -> None:
        service = self.service()
        self._put(service, "img", [("1", b"abc"), ("2", b"")] if self.fragments else [("", b"abc")])
        self._put(service, "other", [("", b"stays")])
        service.remove(self.unit, "img")
        assert [image.name for image in service.images(self.unit, "", 9)] == ["other"]
        with refused(Error.FILE_NOT_FOUND):
            service.remove(self.unit, "img")
        self._put(service, "img", [("", b"again")])
        assert self._read(service, "img", 0) == b"again"

    def test_what_is_no_image_is_not_removed(self) -> None:
        service = self.service()
        self._store(service, "new", 0, "", b"abc")
        with refused(Error.FILE_NOT_FOUND):
            service.remove(self.unit, "new")
        with refused(Error.FILE_NOT_FOUND):
            service.remove("no such unit", "new")
        service.commit(self.unit, "new", 1)
        for name in ("..", ".", "../unit", "/etc"):
            with refused():
                service.remove(self.unit, name)

    def test_what_is_being_read_is_not_removed(self) -> None:
        service = self.service()
        self._put(service, "img", [("", b"abc")])
        first, second = (service.open_read(self.unit, "img", 0, _NONE) for _ in range(2))
        for handle in (first, second):
            with refused(Error.DEVICE_BUSY):
                service.remove(self.unit, "img")
            handle.close(keep=False)
            handle.close(keep=False)
        service.remove(self.unit, "img")

    # -- in other words ------------------------------------------------------------------------------------------

    def _store(self, service: FileServiceBackend, image: str, number: int, name: str, body: bytes) -> None:
        handle = service.open_write(self.unit, image, number, name, len(body), _NONE)
        padded = body + bytes(-len(body) % self.record_bytes)
        if padded:
            handle.write_records(memoryview(padded), self.record_bytes)
        handle.close(keep=True)

    def _put(self, service: FileServiceBackend, image: str, parts: Sequence[tuple[str, bytes]]) -> None:
        for number, (name, body) in enumerate(parts):
            self._store(service, image, number, name, body)
        service.commit(self.unit, image, len(parts))

    def _read(self, service: FileServiceBackend, image: str, number: int) -> bytes:
        handle = service.open_read(self.unit, image, number, _NONE)
        try:
            return self._rest(handle)
        finally:
            handle.close(keep=False)

    def _rest(self, handle: FileHandle) -> bytes:
        body, room = b"", memoryview(bytearray(3 * self.record_bytes))
        while (outcome := handle.read_records(room, self.record_bytes)).bytes_read:
            body += room[: outcome.bytes_read]
        assert outcome.end is ReadEnd.FILEMARK
        return body

    def _digest(self, service: FileServiceBackend) -> DigestAlgorithm:
        return _SHA256 if _SHA256 in service.algorithms else _NONE

    def _check_digest(self, algorithm: DigestAlgorithm, digest: bytes, covered: bytes) -> None:
        expected = hashlib.sha256(covered).digest() if algorithm == _SHA256 else b""
        assert digest == expected, f"the digest does not cover the {len(covered)} bytes that passed"
