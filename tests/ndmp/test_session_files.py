"""The file service extension: names, listings, what becomes of images, and tape digests (docs/fse.md)."""

from __future__ import annotations

import pytest

from ndmp.backends import TapeDigestDone
from ndmp.enums import DigestAlgorithm, Error, FileDisposition, FseFeature, TapeDigestState, TapeOpenMode
from ndmp.messages.extensions import fse as f
from ndmp.messages.tape import TapeClose, TapeMtio, TapeOpen, TapeWrite
from ndmp.services.files import MAX_LISTED
from tests.ndmp.driver import LOGIN, SITUATIONS, Driver
from tests.ndmp.fakes import MARK

NONE, SHA256 = DigestAlgorithm.NONE, DigestAlgorithm.SHA256
KEEP, DISCARD = f.FseClose(FileDisposition.KEEP), f.FseClose(FileDisposition.DISCARD)


NAMES = [("a", 0), ("a" * 255, 0), ("\u00e4" * 127, 0), ("\udcff", 0), ("a b", 0)]
NO_NAMES = ["", ".", "..", ".a", "/", "a/b", "../a", "a\0b", "a" * 256, "\u00e4" * 128]


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_what_is_no_name(name: str) -> None:
    driver = Driver().go(LOGIN)
    for request in (
        f.FseListImages(name, "", 1),
        f.FseGetImage(name, "img"),
        f.FseGetImage("u", name),
        f.FseOpenRead("u", name, 0, 0),
        f.FseOpenWrite(name, "new", 0, "", 1, 0),
        f.FseOpenWrite("u", name, 0, "", 1, 0),
        *([f.FseOpenWrite("u", "new", 0, name, 1, 0)] if name else []),
        f.FseRemoveImage(name, "img"),
        f.FseRemoveImage("u", name),
    ):
        assert driver.error(request) == Error.ILLEGAL_ARGS, request
    assert driver.unit.written == {}


@pytest.mark.parametrize(("name", "error"), NAMES, ids=ascii)
def test_what_is_a_name(name: str, error: int) -> None:
    assert Driver().go(LOGIN).error(f.FseOpenWrite("u", name, 0, name, 1, 0)) == error


def writing(image: str) -> f.FseOpenWrite:
    return f.FseOpenWrite("u", image, 0, "", 0, NONE)


def test_features() -> None:
    driver = Driver().go(LOGIN)
    assert driver.ask(f.FseGetInfo()) == f.FseGetInfoReply(Error.NO_ERR, FseFeature(1 + 2 + 4 + 8 + 16), (SHA256,))
    driver.unit.writable = False
    assert driver.ask(f.FseGetInfo()).features == FseFeature.FILES_READ | FseFeature.TAPE_DIGEST


def test_units_and_images() -> None:
    driver = Driver().go(LOGIN)
    assert driver.ask(f.FseListUnits()).units == (f.FseUnit("u", 100, 50, True),)
    assert driver.ask(f.FseGetImage("u", "img")) == f.FseGetImageReply(Error.NO_ERR, 7, (f.FseFragment("", 10),))
    assert driver.error(f.FseGetImage("u", "none")) == Error.FILE_NOT_FOUND


def test_pages_of_images() -> None:
    driver = Driver().go(LOGIN)
    driver.unit.shown = {f"{number:05}": b"" for number in range(MAX_LISTED + 2)}
    for limit, count in ((1, 1), (MAX_LISTED, MAX_LISTED), (0xFFFFFFFF, MAX_LISTED)):
        page = driver.ask(f.FseListImages("u", "", limit))
        assert (len(page.images), page.more) == (count, True)
    last = driver.ask(f.FseListImages("u", page.images[-1].name, 2))
    assert ([image.name for image in last.images], last.more) == (["01000", "01001"], False)
    assert driver.ask(f.FseListImages("u", "01001", 1)).images == ()


def test_digests_that_are_not_offered() -> None:
    driver = Driver().go(LOGIN)
    for algorithm in (DigestAlgorithm.XXH3_128, DigestAlgorithm(9)):
        assert driver.error(f.FseOpenRead("u", "img", 0, algorithm)) == Error.FSE_ALGORITHM
        assert driver.error(f.FseOpenWrite("u", "new", 0, "", 1, algorithm)) == Error.FSE_ALGORITHM
    driver.go(f.FseOpenRead("u", "img", 0, SHA256))
    assert driver.ask(f.FseGetState()).algorithm == SHA256


def test_what_is_opened_for_reading() -> None:
    driver = Driver().go(LOGIN)
    assert driver.error(f.FseOpenRead("u", "img", 1, NONE)) == Error.ILLEGAL_ARGS
    assert driver.ask(f.FseOpenRead("u", "img", 0, NONE)).size == 10
    assert driver.error(f.FseClose(FileDisposition(2))) == Error.ILLEGAL_ARGS
    driver.go(KEEP)
    assert driver.error(KEEP) == Error.DEV_NOT_OPEN


def test_an_image_from_open_to_commit() -> None:
    driver = Driver().go(LOGIN, writing("new"))
    for request in (f.FseCommitImage("u", "new", 1), f.FseDiscardImage("u", "new")):
        assert driver.error(request) == Error.DEVICE_OPENED
    driver.go(KEEP, f.FseCommitImage("u", "new", 1))
    assert driver.unit.asked == ["close keep=True", "commit new 1"]
    assert driver.error(f.FseCommitImage("u", "new", 1)) == Error.FILE_NOT_FOUND
    assert driver.error(writing("new")) == Error.FSE_IMAGE_EXISTS
    driver.session.shut_down()
    assert "new" in driver.unit.shown


def test_an_image_that_is_discarded() -> None:
    driver = Driver().go(LOGIN, writing("new"), DISCARD, f.FseDiscardImage("u", "new"), f.FseDiscardImage("u", "new"))
    assert driver.unit.asked == ["close keep=False", "discard new"]
    assert driver.error(f.FseCommitImage("u", "new", 1)) == Error.FILE_NOT_FOUND


def test_an_image_of_another_session_is_left_alone() -> None:
    driver = Driver().go(LOGIN)
    driver.unit.written["u", "new"] = bytearray()
    assert driver.error(f.FseCommitImage("u", "new", 1)) == Error.FILE_NOT_FOUND
    driver.go(f.FseDiscardImage("u", "new"))
    driver.session.shut_down()
    assert driver.unit.asked == []


def test_an_image_that_is_removed() -> None:
    driver = Driver().go(LOGIN, f.FseOpenRead("u", "img", 0, NONE))
    assert driver.error(f.FseRemoveImage("u", "img")) == Error.DEVICE_OPENED
    driver.go(KEEP, f.FseRemoveImage("u", "img"))
    assert driver.unit.asked == ["close keep=True", "remove img"]
    assert driver.error(f.FseRemoveImage("u", "img")) == Error.FILE_NOT_FOUND
    driver.go(writing("new"), KEEP)
    assert driver.error(f.FseRemoveImage("u", "new")) == Error.FILE_NOT_FOUND


def test_a_fragment_whose_size_is_not_announced() -> None:
    driver = Driver().go(LOGIN, f.FseOpenWrite("u", "new", 0, "", 2**64 - 1, NONE))
    assert driver.ask(f.FseGetState()).size == 0
    driver.go(KEEP, f.FseCommitImage("u", "new", 1))
    driver.go(f.FseOpenWrite("u", "other", 0, "", 2**64 - 2, NONE))
    assert driver.ask(f.FseGetState()).size == 2**64 - 2


START = f.FseTapeDigestStart(SHA256, 10, 512)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (f.FseTapeDigestStart(SHA256, 10, 0), Error.ILLEGAL_ARGS),
        (f.FseTapeDigestStart(SHA256, 10, (16 << 20) + 1), Error.ILLEGAL_ARGS),
        (f.FseTapeDigestStart(NONE, 10, 512), Error.FSE_ALGORITHM),
        (f.FseTapeDigestStart(DigestAlgorithm.XXH3_128, 10, 512), Error.FSE_ALGORITHM),
    ],
)
def test_digests_that_cannot_be_started(request_: f.FseTapeDigestStart, error: Error) -> None:
    driver = Driver().go(*SITUATIONS["writable"])
    assert driver.error(request_) == error
    assert driver.ask(f.FseTapeDigestGetState()).state == TapeDigestState.IDLE
    driver.go(START)


def test_a_digest_ends_what_was_written_with_a_filemark() -> None:
    driver = Driver().go(*SITUATIONS["writable"], TapeWrite(b"a"), START)
    assert driver.tape.tape == [b"a", MARK]


def test_a_digest_from_start_to_end() -> None:
    driver = Driver().go(*SITUATIONS["digest"])
    told = driver.ask(f.FseTapeDigestGetState())
    assert (told.state, told.bytes_done) == (TapeDigestState.ACTIVE, 5)
    assert driver.error(START) == Error.ILLEGAL_STATE
    done = TapeDigestDone(Error.NO_ERR, 10, 1, b"digest", padding_clean=True)
    expected = f.FseNotifyTapeDigest(Error.NO_ERR, 10, 1, True, SHA256, b"digest")
    assert driver.happen(done) == [expected]
    assert driver.ask(f.FseTapeDigestGetState()).state == TapeDigestState.DONE
    assert driver.error(f.FseTapeDigestAbort()) == Error.ILLEGAL_STATE
    driver.go(TapeMtio(4, 1), START, f.FseTapeDigestAbort())
    assert driver.movers.digests[1].stopped == 1


def test_a_digest_that_is_aborted_still_posts() -> None:
    driver = Driver().go(*SITUATIONS["digest"], f.FseTapeDigestAbort())
    assert driver.happen(TapeDigestDone(Error.TIMEOUT, 3, 1, b"", padding_clean=True))[0].error == Error.TIMEOUT
    driver.go(TapeClose())


def test_what_a_digest_says_that_was_replaced_is_dropped() -> None:
    driver = Driver().go(*SITUATIONS["digest"])
    done = TapeDigestDone(Error.NO_ERR, 10, 1, b"", padding_clean=True)
    driver.happen(done)
    driver.go(START)
    driver.movers.digests[0].report(done)
    assert driver.settle() == []
    assert driver.ask(f.FseTapeDigestGetState()).state == TapeDigestState.ACTIVE


CONTINUE = f.FseTapeDigestContinue(20, 1024)
WHOLE = TapeDigestDone(Error.NO_ERR, 20, 1, b"both", padding_clean=False)


def test_a_digest_that_goes_on_with_another_tape() -> None:
    driver = Driver().go(*SITUATIONS["digested"], TapeClose(), TapeOpen("t2", TapeOpenMode.READ), CONTINUE)
    first, second = driver.movers.digests
    assert second.asked == (first, 20, 1024)
    assert first.device is driver.tape is not second.device
    told = driver.ask(f.FseTapeDigestGetState())
    assert (told.state, told.bytes_done) == (TapeDigestState.ACTIVE, 5)
    assert [driver.error(each) for each in (START, CONTINUE)] == [Error.ILLEGAL_STATE] * 2
    assert driver.error(TapeClose()) == Error.DEVICE_BUSY
    assert driver.happen(WHOLE) == [f.FseNotifyTapeDigest(Error.NO_ERR, 20, 1, False, SHA256, b"both")]
    driver.go(CONTINUE)
    assert driver.movers.digests[2].asked[0] is second


@pytest.mark.parametrize("error", [Error.IO, Error.EOF, Error.FSE_ABORTED])
def test_a_digest_that_failed_or_was_aborted_does_not_go_on(error: Error) -> None:
    failed = TapeDigestDone(error, 3, 1, b"part", padding_clean=True)
    for situation in (SITUATIONS["digest"], (*SITUATIONS["digested"], CONTINUE)):
        driver = Driver().go(*situation, failed)
        assert driver.error(CONTINUE) == Error.ILLEGAL_STATE
        driver.go(START, WHOLE, CONTINUE)


def test_an_abort_that_came_too_late_leaves_a_digest_that_goes_on() -> None:
    Driver().go(*SITUATIONS["digest"], f.FseTapeDigestAbort(), WHOLE, CONTINUE)


def test_a_refusal_leaves_the_digest_to_go_on_with() -> None:
    driver = Driver().go(*SITUATIONS["digested"])
    refused = [
        (f.FseTapeDigestStart(SHA256, 10, 0), Error.ILLEGAL_ARGS),
        (f.FseTapeDigestStart(NONE, 10, 512), Error.FSE_ALGORITHM),
        (f.FseTapeDigestContinue(10, 0), Error.ILLEGAL_ARGS),
        (f.FseTapeDigestContinue(10, (16 << 20) + 1), Error.ILLEGAL_ARGS),
    ]
    assert [driver.error(request) for request, _ in refused] == [error for _, error in refused]
    driver.go(TapeClose())
    assert [driver.error(each) for each in (START, CONTINUE)] == [Error.DEV_NOT_OPEN] * 2
    driver.go(TapeOpen("t", TapeOpenMode.RDWR), TapeWrite(b"a"))
    driver.tape.broken = ["mark"]
    assert driver.error(CONTINUE) == Error.IO
    driver.go(CONTINUE)
    assert driver.tape.tape == [b"a", MARK]
    assert len(driver.movers.digests) == 2


def test_without_a_digest_nothing_goes_on_whatever_the_arguments() -> None:
    driver = Driver().go(*SITUATIONS["writable"])
    for request in (CONTINUE, f.FseTapeDigestContinue(20, 0)):
        assert driver.error(request) == Error.ILLEGAL_STATE
    assert driver.movers.digests == []
