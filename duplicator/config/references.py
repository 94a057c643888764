"""What the entries of a configuration say of each other: names that nobody has, and statements that contradict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from duplicator.config.access import credential_of
from duplicator.config.model import Config, PoolSpec, Route, TapeUnit
from duplicator.config.positions import Path
from duplicator.config.problems import did_you_mean, in_words
from duplicator.config.words import Wording

__all__ = ["find_contradictions", "find_strangers"]

Tables: TypeAlias = Mapping[str, Any]
Section: TypeAlias = tuple[str, ...]

_HOSTS: Final = (("hosts",),)
_POOLS: Final = (("pools",),)
_TAPE: Final = (("storage", "tape"),)
_REFERENCES: Final[tuple[tuple[Section, str, tuple[Section, ...]], ...]] = (
    (("agents",), "hosts", _HOSTS),
    (("agents",), "credentials", _HOSTS),
    (("hosts",), "storage_server", _HOSTS),
    (("storage", "disk"), "host", _HOSTS),
    (("storage", "disk"), "file_service", _HOSTS),
    (("storage", "tape"), "drives", (("drives",),)),
    (("storage", "tape"), "library", (("libraries",),)),
    (("storage", "tape"), "pool", _POOLS),
    (("libraries",), "host", _HOSTS),
    (("libraries",), "drives", (("drives",),)),
    (("drives",), "host", _HOSTS),
    (("drives",), "library", (("libraries",),)),
    (("pools",), "scratch", _POOLS),
    (("policies",), "from", (("storage", "disk"), *_TAPE)),
    (("policies",), "to", _TAPE),
    (("policies",), "agents", (("agents",),)),
)
"""Which key of which entries names entries of which tables: in a text, a list of texts, or as keys."""
_REFERENCES_OF_TABLES: Final[tuple[tuple[Section, str, tuple[Section, ...]], ...]] = (
    (("xbsa",), "unit", (("storage", "disk"),)),
    (("xbsa",), "tape", _TAPE),
)
"""The same of tables that are no entries."""


def find_strangers(tables: Tables) -> list[Wording]:
    """References to what the file does not have, also from and to entries that are wrong in other ways."""
    of_entries = [
        (*found, key, targets) for section, key, targets in _REFERENCES for found in _entries(tables, section)
    ]
    of_tables = [(path, _table(tables, path), key, targets) for path, key, targets in _REFERENCES_OF_TABLES]
    return [
        finding
        for path, table, key, targets in of_entries + of_tables
        for finding in _strangers(tables, (*path, key), value=table.get(key), targets=targets)
    ]


def _strangers(tables: Tables, path: Path, *, value: object, targets: tuple[Section, ...]) -> Iterator[Wording]:
    known = [name for target in targets for name in _table(tables, target)]
    headers = in_words([f"[{'.'.join(target)}.NAME]" for target in targets], "or")
    for where, name in _mentions(path, value):
        if name not in known:
            text = f"{path[-1]!r} names {name!r}, and there is no such {headers}"
            hint = did_you_mean(name, known) or (f"there is {in_words(known)}" if known else "add it")
            yield where, text, hint


def _mentions(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list | dict):
        places = enumerate(value) if isinstance(value, list) else ((name, name) for name in value)
        yield from (((*path, place), name) for place, name in places if isinstance(name, str))


def _table(tables: Tables, section: Section) -> Tables:
    table: Any = tables
    for key in section:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _entries(tables: Tables, section: Section) -> Iterator[tuple[Path, Tables]]:
    for name, entry in _table(tables, section).items():
        if isinstance(entry, dict):
            yield (*section, name), entry


def find_contradictions(config: Config, tables: Tables) -> list[Wording]:
    """What the correct entries say that cannot be meant; references to others are passed over."""
    return [finding for rule in _RULES for finding in rule(config, tables)]


def _agents(config: Config, tables: Tables) -> Iterator[Wording]:
    here = [agent.name for agent in config.agents.values() if agent.is_local]
    for name in here[1:]:
        text = f"agents {here[0]!r} and {name!r} have no 'command', so both would be this process"
        yield ("agents", name), text, "give one a command that starts it elsewhere, or make them one"
    for agent in config.agents.values():
        if not (agent.is_local or agent.hosts or agent.credentials):
            text = f"agent {agent.name!r} has credentials for no host"
            yield ("agents", agent.name), text, "name hosts in 'hosts', or give it 'credentials'"
        known = _places(tables)
        for index, place in enumerate(agent.reach):
            if "/" not in place and place.casefold() not in map(str.casefold, known):
                text = f"'reach' names {place!r}, which is no network, no host and no host's address"
                hint = did_you_mean(place, known) or "write a network as 10.1.0.0/16, a host as in [hosts.NAME]"
                yield ("agents", agent.name, "reach", index), text, hint


def _places(tables: Tables) -> list[str]:
    """Names and addresses of hosts, also of those that are wrong."""
    hosts = list(_entries(tables, ("hosts",)))
    return [str(path[-1]) for path, _ in hosts] + [str(entry["address"]) for _, entry in hosts if "address" in entry]


def _users(config: Config, _tables: Tables) -> Iterator[Wording]:
    for agent in config.agents.values():
        for index, name in enumerate(agent.hosts):
            if name in config.hosts and credential_of(config, agent, name).user is None:
                text = f"agent {agent.name!r} has no user for host {name!r}"
                hint = f"add 'user' to [hosts.{name}] or to [agents.{agent.name}.credentials.{name}]"
                yield ("agents", agent.name, "hosts", index), text, hint


def _drives(config: Config, tables: Tables) -> Iterator[Wording]:
    devices = (((drive.host, drive.device), ("drives", drive.name)) for drive in config.drives.values())
    for first, path in _repeated(devices):
        hint = "leave one out, since each would be given out by itself"
        yield path, f"drive {path[-1]!r} is the same device of the same host as drive {first[-1]!r}", hint
    for path, entry in _entries(tables, ("drives",)):
        library = config.libraries.get(str(entry.get("library")))
        if library is not None and path[-1] not in library.drives:
            text = f"drive {path[-1]!r} says that it is in library {library.name!r}, which does not name it"
            yield (*path, "library"), text, f"add its element number to 'drives' of [libraries.{library.name}]"


def _libraries(config: Config, _tables: Tables) -> Iterator[Wording]:
    drives = ((drive, ("libraries", library.name, "drives", drive)) for library in config.libraries.values()
              for drive in library.drives)  # fmt: skip
    for first, path in _repeated(drives):
        text = f"drive {path[-1]!r} is in library {path[1]!r} and in library {first[1]!r}"
        yield path, text, "name it in the library that holds it"
    for library in config.libraries.values():
        elements = (
            (element, ("libraries", library.name, "drives", drive)) for drive, element in library.drives.items()
        )
        for first, path in _repeated(elements):
            text = f"drives {first[-1]!r} and {path[-1]!r} are the same drive element of library {library.name!r}"
            yield path, text, "see `ndmpdup changer URL inventory` for the order of the drives"
    changers = (((library.host, library.device), ("libraries", library.name)) for library in config.libraries.values())
    for first, path in _repeated(changers):
        text = f"library {path[-1]!r} is the same changer of the same host as library {first[-1]!r}"
        yield path, text, "make them one"


def _repeated(places: Iterable[tuple[Hashable, Path]]) -> Iterator[tuple[Path, Path]]:
    """The first place of what has several, with each of the others."""
    found = defaultdict[Hashable, list[Path]](list)
    for what, path in places:
        found[what].append(path)
    for first, *others in found.values():
        yield from ((first, other) for other in others)


def _units(config: Config, _tables: Tables) -> Iterator[Wording]:
    for name in config.storage.tape:
        if name in config.storage.disk:
            text = f"a disk unit and a tape unit are both called {name!r}"
            yield ("storage", "tape", name), text, "rename one, since policies name units of both kinds"
    for unit in config.storage.tape.values():
        path = ("storage", "tape", unit.name)
        if unit.drives and unit.library is not None:
            yield (*path, "library"), f"tape unit {unit.name!r} has both 'drives' and 'library'", "leave one out"
        elif not _names_drives(config, unit):
            text = f"tape unit {unit.name!r} has no drive"
            yield path, text, "name drives in 'drives', or a library that has some in 'library'"
        else:
            yield from _media(config, unit)


def _names_drives(config: Config, unit: TapeUnit) -> bool:
    library = config.libraries.get(unit.library or "")
    # A library that is not there, or is wrong, is told elsewhere.
    return bool(unit.drives) if unit.library is None else library is None or bool(library.drives)


def _media(config: Config, unit: TapeUnit) -> Iterator[Wording]:
    library = config.libraries.get(unit.library or "")
    names = unit.drives if unit.library is None else tuple(library.drives) if library else ()
    drives = [config.drives.get(name) for name in names]
    pool = config.pools.get(unit.pool or "")
    # A drive, or a library, that is wrong might take anything.
    if pool is None or not drives or any(drive is None or not drive.media for drive in drives):
        return
    taken = {media for drive in drives if drive for media in drive.media}
    for media in pool.media:
        if media not in taken:
            text = f"no drive of tape unit {unit.name!r} takes media {media} of pool {pool.name!r}"
            hint = f"take {media} out of the pool, or add it to 'media' of a drive that writes it"
            yield ("storage", "tape", unit.name, "pool"), text, hint


def _pools(config: Config, _tables: Tables) -> Iterator[Wording]:
    for pool in config.pools.values():
        scratch = config.pools.get(pool.scratch_pool or "")
        if scratch is not None and not scratch.is_scratch:
            text = f"pool {pool.name!r} takes volumes from {scratch.name!r}, which is no scratch pool"
            yield ("pools", pool.name, "scratch"), text, f"write scratch = true in [pools.{scratch.name}]"
        elif scratch is not None:
            yield from _shared_media(pool, scratch)
    prefixes = ((pool.prefix, ("pools", pool.name, "prefix")) for pool in config.pools.values() if pool.prefix)
    for first, path in _repeated(prefixes):
        text = f"pools {first[1]!r} and {path[1]!r} would give their volumes the same names"
        yield path, text, "give each a prefix of its own"


def _shared_media(pool: PoolSpec, scratch: PoolSpec) -> Iterator[Wording]:
    if pool.media and scratch.media and not set(pool.media) & set(scratch.media):
        text = f"pool {pool.name!r} lets in none of the media of its scratch pool {scratch.name!r}"
        yield ("pools", pool.name, "scratch"), text, "name another scratch pool, or correct 'media' of one of them"


def _policies(config: Config, _tables: Tables) -> Iterator[Wording]:
    for policy in config.policies.values():
        path = ("policies", policy.name)
        if policy.source in policy.targets:
            yield (*path, "to"), f"policy {policy.name!r} copies from {policy.source!r} to itself", "name another unit"
        is_tape = policy.source in config.storage.tape
        is_disk = policy.source in config.storage.disk
        if is_disk and set(policy.routes) == {Route.DIRECTCOPY}:
            text = f"'routes' has only directcopy, which copies from tape, and {policy.source!r} is a disk unit"
            yield (*path, "routes"), text, "add direct, traditional or both"
        if is_tape and Route.DIRECTCOPY not in policy.routes and Route.TRADITIONAL not in policy.routes:
            text = f"'routes' has only direct, which copies from a disk unit, and {policy.source!r} is a tape unit"
            yield (*path, "routes"), text, "add directcopy, traditional or both"
        for index, target in enumerate(policy.targets):
            if target in config.storage.tape and config.storage.tape[target].pool is None:
                text = f"policy {policy.name!r} writes to tape unit {target!r}, which has no pool to take volumes from"
                yield (*path, "to", index), text, f"add 'pool' to [storage.tape.{target}]"


_RULES: Final[tuple[Callable[[Config, Tables], Iterator[Wording]], ...]] = (
    _agents,
    _users,
    _drives,
    _libraries,
    _units,
    _pools,
    _policies,
)
