"""The configuration as it takes effect, as TOML or as a document; it holds no secrets, as the file has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import tomlkit
from pydantic import TypeAdapter

from duplicator.config.access import agents_of, keeper_of
from duplicator.config.model import NAME_KEY, Config, HostSpec, TapeUnit

__all__ = ["as_document", "as_toml", "effective"]

_CONFIG: Final = TypeAdapter(Config)


def effective(config: Config) -> Config:
    """All that is left out written out: this process as an agent, ports, names, credentials of the same name."""
    storage = replace(
        config.storage,
        disk={
            name: replace(unit, unit_given=unit.unit, file_service_given=unit.file_service)
            for name, unit in config.storage.disk.items()
        },
        tape={name: _tape_unit(config, unit) for name, unit in config.storage.tape.items()},
    )
    return replace(
        config,
        agents={agent.name: agent for agent in agents_of(config)},
        hosts={name: _host(config, host) for name, host in config.hosts.items()},
        storage=storage,
        policies={name: replace(policy, copies_given=policy.copies) for name, policy in config.policies.items()},
    )


def _host(config: Config, host: HostSpec) -> HostSpec:
    keeper = keeper_of(config, host)
    return replace(host, port_given=host.port, user=keeper.user, password_file=keeper.password_file)


def _tape_unit(config: Config, unit: TapeUnit) -> TapeUnit:
    return replace(unit, max_jobs=unit.max_jobs or len(config.drives_of(unit)))


def as_document(config: Config) -> dict[str, Any]:
    """As JSON has it, under the file's names; what is not said is left out."""
    written = _CONFIG.dump_python(config, mode="json", by_alias=True, exclude_none=True)
    return {name: table for name, table in _without_names(written).items() if table}


def _without_names(tables: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_names(value) if isinstance(value, Mapping) else value
        for key, value in tables.items()
        # An entry may be empty, a part of one says nothing then.
        if key != NAME_KEY and value != [] and not (key in ("credentials", "drives") and not value)
    }


def as_toml(config: Config) -> str:
    """As a file that says the same."""
    return tomlkit.dumps(as_document(config))
