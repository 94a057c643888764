"""The host under test: how to reach it, what may be done to it, and what it offers."""

from __future__ import annotations

from dataclasses import dataclass, field

from duplicator.plan import Place
from ndmp.enums import AddressType, AuthType

__all__ = ["Facts", "Permissions", "Target"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the user names and allows. Without ``tape`` no tape is touched; without ``scratch`` none is written."""

    tape: str | None = None
    scratch: bool = False
    """The tape's contents may be lost."""
    fill_bytes: int = 32 * MIB
    """How much may be written to find the end of the tape."""
    scsi: str | None = None
    butype: str | None = None
    path: str | None = None
    """What is backed up by ``butype``."""
    second: Place | None = None
    """Another tape server, whose URL names a scratch tape."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and what may be done to it. Times in seconds.

    ``login_deadline``: good hosts slow down guessing.
    """

    place: Place
    permissions: Permissions = field(default_factory=Permissions)
    deadline: float = 5.0
    login_deadline: float = 40.0


@dataclass(slots=True)
class Facts:
    """What a host was found to be; decides what is not offered."""

    permissions: Permissions
    version: int = 0
    vendor: str = ""
    product: str = ""
    revision: str = ""
    auth_types: tuple[AuthType, ...] = ()
    address_types: tuple[AddressType, ...] = ()
    has_tape: bool = False
    has_mover: bool = False
    """Some hosts have movers without tapes, for an extension."""
    has_scsi: bool = False
    has_data: bool = False
    has_data_listen: bool = False
    has_filehist: bool = False
    """DATA_START_RECOVER_FILEHIST is answered otherwise than with NOT_SUPPORTED."""
    has_tape_cdb: bool = False
    tape_ends: bool = False
    """The tape of the command line ends within what may be written."""
    block_bytes: int = 0
    """Of the tape; 0: blocks are of any size."""
    answers_extensions: bool = False
    extensions: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Class to versions."""
    butypes: tuple[str, ...] = ()
    butype_attributes: int = 0
    tapes: tuple[str, ...] = ()
    changers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The host in words."""
        words = " ".join(word for word in (self.vendor, self.product, self.revision) if word)
        return words or "a host without a name"
