"""What `ndmpdup.toml` says, as frozen values; pydantic reads them from the file's tables.

A field is written in the file under its own name, or under its alias. The name of an entry is the key of its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StrictBool, StrictStr

from duplicator.config.policies import PolicyDeadlines, PolicySpec
from duplicator.config.tables import NAME_KEY, Entries, EntryName, NameOrNames, Names, Table
from duplicator.config.values import (
    Address,
    CatalogUrl,
    Count,
    Duration,
    FilePath,
    MediaId,
    Name,
    Prefix,
    Reach,
    RecordSize,
    Text,
    WireNumber,
    as_list,
)
from duplicator.plan import DEFAULT_RECORD_BYTES, Route, Validation
from duplicator.urls import NDMP_PORT, NDMPS_PORT

__all__ = [
    "LOCAL_AGENT",
    "NAME_KEY",
    "AgentSpec",
    "CatalogSettings",
    "Config",
    "Credential",
    "DiskUnit",
    "DriveSpec",
    "HostRole",
    "HostSpec",
    "LibrarySpec",
    "PolicyDeadlines",
    "PolicySpec",
    "PoolSpec",
    "Route",
    "StorageUnits",
    "TapeUnit",
    "TlsSettings",
    "Validation",
    "XbsaSettings",
]

LOCAL_AGENT: Final = "local"
"""The name of this process as an agent, where the configuration names none."""


class HostRole(Enum):
    """What a host is meant to be; a hint for checks, since the host itself tells."""

    FILE_SERVICE = "file-service"
    TAPE_SERVER = "tape-server"
    DATA_SERVER = "data-server"


def _check_scratch(value: object) -> object:
    if isinstance(value, bool | str) and value != "":
        return value
    text = "is neither true nor a text: write true for a scratch pool, else the name of one"
    raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSettings(Table):
    """Where the catalog is; None: in the user's data folder."""

    url: CatalogUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings(Table):
    """How control connections are made secure, see :class:`duplicator.tls.ClientTls`."""

    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    required: StrictBool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential(Table):
    """Who logs in to a host. Without ``password_file`` the password is in the environment or the keyring."""

    user: Text | None = None
    password_file: FilePath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec(Table):
    """A process that speaks to hosts: this one, or what ``command`` starts elsewhere.

    ``hosts``: those it has the credentials of, as the host's own entry has them; ``credentials``: its own for a host.
    ``reach``: networks, host names and addresses that it can connect to; empty: all.
    """

    name: EntryName
    hosts: Names = ()
    reach: tuple[Reach, ...] = ()
    command: Names = ()
    credentials: Mapping[Name, Credential] = field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether it is this process."""
        return not self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec(Table):
    """An NDMP host. ``storage_server``: the entry whose credential it takes over if it has none of its own."""

    name: EntryName
    address: Address
    port_given: Annotated[WireNumber | None, Field(alias="port")] = None
    tls: StrictBool = False
    user: Text | None = None
    password_file: FilePath | None = None
    roles: Annotated[tuple[HostRole, ...], BeforeValidator(as_list)] = ()
    storage_server: Text | None = None

    @property
    def port(self) -> int:
        """Where it listens: as given, or the usual port."""
        return self.port_given or (NDMPS_PORT if self.tls else NDMP_PORT)

    @property
    def credential(self) -> Credential | None:
        """What the entry itself says; None if that is nothing."""
        if self.user is None and self.password_file is None:
            return None
        return Credential(user=self.user, password_file=self.password_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUnit(Table):
    """A disk storage unit: images on ``host``, sent by the file service of ``file_service``.

    ``path``: where this machine has the same images, for the traditional route.
    """

    name: EntryName
    host: Text
    unit_given: Annotated[Text | None, Field(alias="unit")] = None
    path: FilePath | None = None
    file_service_given: Annotated[Text | None, Field(alias="file_service")] = None

    @property
    def unit(self) -> str:
        """What the file service calls it: as given, or as here."""
        return self.unit_given or self.name

    @property
    def file_service(self) -> str:
        """The host that sends the images: as given, or the storage server itself."""
        return self.file_service_given or self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class TapeUnit(Table):
    """A tape storage unit: drives, those of a library or by name, and the pool of the volumes written there.

    ``max_jobs``: how many write at a time; None: as many as there are drives.
    """

    name: EntryName
    drives: Names = ()
    library: Text | None = None
    pool: Text | None = None
    record_bytes: Annotated[RecordSize, Field(alias="record_size")] = DEFAULT_RECORD_BYTES
    max_jobs: Annotated[Count, Field(ge=1)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUnits(Table):
    """Storage units by name."""

    disk: Entries[DiskUnit] = field(default_factory=dict)
    tape: Entries[TapeUnit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LibrarySpec(Table):
    """A media changer; ``drives``: which drive element, numbered from 0, each drive is."""

    name: EntryName
    host: Text
    device: Annotated[Text, Field(alias="changer")]
    drives: Mapping[Name, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveSpec(Table):
    """A tape device of a tape server; ``media``: the media ids it writes, empty for any."""

    name: EntryName
    host: Text
    device: Text
    library: Text | None = None
    """The reader fills it in from the library's ``drives``; None: an operator mounts."""
    media: tuple[MediaId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec(Table):
    """Volumes that belong together; ``media``: ids that are let in, empty for any.

    ``scratch``: true for a pool whose volumes others take, or the name of the one that this pool takes from.
    """

    name: EntryName
    media: tuple[MediaId, ...] = ()
    scratch: Annotated[StrictBool | StrictStr, BeforeValidator(_check_scratch)] = False
    retention: Duration | None = None
    """How long copies are kept; None: for ever."""
    prefix: Prefix | None = None
    """What the names of new volumes begin with."""

    @property
    def is_scratch(self) -> bool:
        """Whether other pools take volumes from this one."""
        return self.scratch is True

    @property
    def scratch_pool(self) -> str | None:
        """The pool that this one takes volumes from."""
        return self.scratch if isinstance(self.scratch, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class XbsaSettings(Table):
    """What the request daemon of XBSA works with (docs/xbsa.md)."""

    unit: Text | None = None
    """The disk unit that takes backups; None: there are only restores."""
    tape: NameOrNames = ()
    """Tape units whose drives may read copies back; empty: all."""
    folder: FilePath | None = None
    """Where users have their sockets; None: in the user's runtime folder."""
    users: NameOrNames = ()
    """Who is served; empty: the daemon's own user."""
    idle: Duration = timedelta(hours=1)
    """How long an application may say nothing."""
    start: Duration = timedelta(minutes=10)
    """How long a stream waits for its application; and for a drive and the volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Table):
    """The whole configuration; ``file``: where it came from, None if there is none."""

    catalog: CatalogSettings = field(default_factory=CatalogSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    agents: Entries[AgentSpec] = field(default_factory=dict)
    hosts: Entries[HostSpec] = field(default_factory=dict)
    storage: StorageUnits = field(default_factory=StorageUnits)
    libraries: Entries[LibrarySpec] = field(default_factory=dict)
    drives: Entries[DriveSpec] = field(default_factory=dict)
    pools: Entries[PoolSpec] = field(default_factory=dict)
    policies: Entries[PolicySpec] = field(default_factory=dict)
    xbsa: XbsaSettings = field(default_factory=XbsaSettings)
    file: Annotated[Path | None, Field(alias=NAME_KEY)] = None

    def drives_of(self, unit: TapeUnit) -> tuple[DriveSpec, ...]:
        """The drives of a tape unit, in the order of the configuration."""
        names = self.libraries[unit.library].drives if unit.library is not None else unit.drives
        return tuple(self.drives[name] for name in names)

    def element_of(self, drive: DriveSpec) -> int | None:
        """Which drive element of its library a drive is, from 0; None for one without a library."""
        return None if drive.library is None else self.libraries[drive.library].drives[drive.name]

    def retention(self, policy: PolicySpec, target: TapeUnit) -> timedelta | None:
        """How long the copies of a policy on a tape unit are kept; None: for ever."""
        pool = self.pools.get(target.pool or "")
        return policy.retention or (pool.retention if pool else None)
