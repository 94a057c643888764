"""The file service extension, class 0x7FE0, version 1 (docs/fse.md). Sizes in bytes."""

from __future__ import annotations

from typing import Final

from ndmp.enums import DigestAlgorithm, Error, FileDisposition, FseFeature, TapeDigestState
from ndmp.wire import U32, U64, Bool, Opaque, Post, Reply, Request, Text, post, reply, request, struct

__all__ = [
    "FSE_CLASS",
    "FSE_VERSIONS",
    "FseClose",
    "FseCloseReply",
    "FseCommitImage",
    "FseCommitImageReply",
    "FseDiscardImage",
    "FseDiscardImageReply",
    "FseFragment",
    "FseGetImage",
    "FseGetImageReply",
    "FseGetInfo",
    "FseGetInfoReply",
    "FseGetState",
    "FseGetStateReply",
    "FseImage",
    "FseListImages",
    "FseListImagesReply",
    "FseListUnits",
    "FseListUnitsReply",
    "FseNotifyTapeDigest",
    "FseOpenRead",
    "FseOpenReadReply",
    "FseOpenWrite",
    "FseOpenWriteReply",
    "FseRemoveImage",
    "FseRemoveImageReply",
    "FseTapeDigestAbort",
    "FseTapeDigestAbortReply",
    "FseTapeDigestContinue",
    "FseTapeDigestContinueReply",
    "FseTapeDigestGetState",
    "FseTapeDigestGetStateReply",
    "FseTapeDigestStart",
    "FseTapeDigestStartReply",
    "FseUnit",
]

FSE_CLASS: Final = 0x7FE0
FSE_VERSIONS: Final = (1,)


@request(0x7FE00001)
class FseGetInfo(Request["FseGetInfoReply"]):
    """Ask what the extension offers here."""


@reply(0x7FE00001)
class FseGetInfoReply(Reply):
    """Features and digests, the preferred digest first."""

    error: Error
    features: FseFeature
    algorithms: tuple[DigestAlgorithm, ...]


@struct
class FseUnit:
    """A storage unit."""

    name: Text
    total: U64
    free: U64
    writable: Bool


@request(0x7FE00002)
class FseListUnits(Request["FseListUnitsReply"]):
    """Ask for the storage units."""


@reply(0x7FE00002)
class FseListUnitsReply(Reply):
    """All storage units."""

    error: Error
    units: tuple[FseUnit, ...]


@struct
class FseImage:
    """An image in a listing; ``modified`` in seconds since 1970."""

    name: Text
    modified: U64
    size: U64
    fragments: U32


@request(0x7FE00003)
class FseListImages(Request["FseListImagesReply"]):
    """Ask for a page of images."""

    unit: Text
    after: Text
    limit: U32


@reply(0x7FE00003)
class FseListImagesReply(Reply):
    """A page; ``more`` when it is not the last."""

    error: Error
    images: tuple[FseImage, ...]
    more: Bool


@struct
class FseFragment:
    """A fragment's file name (empty for a single plain file) and size."""

    name: Text
    size: U64


@request(0x7FE00004)
class FseGetImage(Request["FseGetImageReply"]):
    """Ask for one image."""

    unit: Text
    image: Text


@reply(0x7FE00004)
class FseGetImageReply(Reply):
    """The image's fragments, in order."""

    error: Error
    modified: U64
    fragments: tuple[FseFragment, ...]


@request(0x7FE00005)
class FseOpenRead(Request["FseOpenReadReply"]):
    """Open a fragment for a mover to read."""

    unit: Text
    image: Text
    fragment: U32
    algorithm: DigestAlgorithm


@reply(0x7FE00005)
class FseOpenReadReply(Reply):
    """The fragment is open and has this size."""

    error: Error
    size: U64


@request(0x7FE00006)
class FseOpenWrite(Request["FseOpenWriteReply"]):
    """Open a fragment of a new image for a mover to write; ``size`` of all ones: what comes until the close."""

    unit: Text
    image: Text
    fragment: U32
    name: Text
    size: U64
    algorithm: DigestAlgorithm


@reply(0x7FE00006)
class FseOpenWriteReply(Reply):
    """The fragment is open."""

    error: Error


@request(0x7FE00007)
class FseClose(Request["FseCloseReply"]):
    """Close the fragment."""

    disposition: FileDisposition


@reply(0x7FE00007)
class FseCloseReply(Reply):
    """Closed; a written fragment waits for the commit."""

    error: Error


@request(0x7FE00008)
class FseGetState(Request["FseGetStateReply"]):
    """Ask what the open fragment has carried."""


@reply(0x7FE00008)
class FseGetStateReply(Reply):
    """Progress, and the digest of the ``bytes_moved`` bytes so far."""

    error: Error
    size: U64
    bytes_moved: U64
    changed: Bool
    algorithm: DigestAlgorithm
    digest: Opaque


@request(0x7FE00009)
class FseCommitImage(Request["FseCommitImageReply"]):
    """Show a written image."""

    unit: Text
    image: Text
    fragments: U32


@reply(0x7FE00009)
class FseCommitImageReply(Reply):
    """The image is there."""

    error: Error


@request(0x7FE0000A)
class FseDiscardImage(Request["FseDiscardImageReply"]):
    """Remove what was written of an image."""

    unit: Text
    image: Text


@reply(0x7FE0000A)
class FseDiscardImageReply(Reply):
    """Nothing is left of it."""

    error: Error


@request(0x7FE0000B)
class FseRemoveImage(Request["FseRemoveImageReply"]):
    """Remove an image that is there."""

    unit: Text
    image: Text


@reply(0x7FE0000B)
class FseRemoveImageReply(Reply):
    """It is gone, all of it."""

    error: Error


@request(0x7FE00010)
class FseTapeDigestStart(Request["FseTapeDigestStartReply"]):
    """Read the open tape back from where it stands and digest it, in the background."""

    algorithm: DigestAlgorithm
    size: U64
    record_size: U32


@reply(0x7FE00010)
class FseTapeDigestStartReply(Reply):
    """Reading; a post follows when it is done."""

    error: Error


@request(0x7FE00011)
class FseTapeDigestGetState(Request["FseTapeDigestGetStateReply"]):
    """Ask how far the digest has come."""


@reply(0x7FE00011)
class FseTapeDigestGetStateReply(Reply):
    """Progress of the digest."""

    error: Error
    state: TapeDigestState
    bytes_done: U64


@request(0x7FE00012)
class FseTapeDigestAbort(Request["FseTapeDigestAbortReply"]):
    """End the digest early."""


@reply(0x7FE00012)
class FseTapeDigestAbortReply(Reply):
    """Ended; the post follows."""

    error: Error


@request(0x7FE00013)
class FseTapeDigestContinue(Request["FseTapeDigestContinueReply"]):
    """Go on with the last digest where the tape that is open now stands, in the background."""

    size: U64
    record_size: U32


@reply(0x7FE00013)
class FseTapeDigestContinueReply(Reply):
    """Reading; a post follows when it is done."""

    error: Error


@post(0x7FE00080)
class FseNotifyTapeDigest(Post):
    """The outcome of a tape digest."""

    error: Error
    size: U64
    records: U64
    padding_clean: Bool
    algorithm: DigestAlgorithm
    digest: Opaque
